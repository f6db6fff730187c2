import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { FirstExperiment } from '../../features/experiments/empty-project.tsx'
import { AlertList } from '../../features/teams/alerts.tsx'
import { roleWords } from '../../features/teams/members.tsx'
import { NewProject } from '../../features/teams/new-project.tsx'
import { ProjectTable } from '../../features/teams/project-list.tsx'
import {
  alertsQuery,
  membersQuery,
  projectsQuery,
  statusQuery,
  teamQuery,
} from '../../features/teams/queries.ts'
import { StatusList } from '../../features/teams/status-list.tsx'
import { isNotFound } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team')

/** A team: its projects, what runs, who is in it. */
export function TeamPage() {
  const { team: slug } = route.useParams()
  const team = useQuery(teamQuery(slug))
  const projects = useQuery(projectsQuery(slug))
  const members = useQuery({ ...membersQuery(slug), enabled: team.data?.kind === 'team' })
  const active = useQuery(statusQuery({ team: slug, scope: 'global', show: 'active', limit: 20 }))
  const alerts = useQuery(alertsQuery(slug))
  const refused = useRefusal(team.data)
  const [naming, setNaming] = useState(false)
  if (team.isError)
    return isNotFound(team.error) ? (
      <NotFound />
    ) : (
      <Problem error={team.error} retry={() => void team.refetch()} />
    )
  if (team.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  const mayLog = refused('experiment:create')
  return (
    <Page
      wide
      title={team.data.name || slug}
      note={
        <span className="text-ink-faint">
          {team.data.kind === 'personal' ? 'personal team' : plural(team.data.members, 'member')}
        </span>
      }
      actions={
        <>
          {team.data.kind === 'team' && (
            <Link
              to="/teams/$team"
              params={{ team: slug }}
              className="inline-flex h-8 items-center rounded-md border border-line-strong bg-surface px-3 text-sm font-medium hover:bg-hover"
            >
              Members and policy
            </Link>
          )}
          <Link
            to="/teams/$team/runs"
            params={{ team: slug }}
            className="inline-flex h-8 items-center rounded-md border border-line-strong bg-surface px-3 text-sm font-medium hover:bg-hover"
          >
            Runs
          </Link>
          <Link
            to="/$team/datastores"
            params={{ team: slug }}
            className="inline-flex h-8 items-center rounded-md border border-line-strong bg-surface px-3 text-sm font-medium hover:bg-hover"
          >
            Datastores
          </Link>
          <Link
            to="/teams/$team/usage"
            params={{ team: slug }}
            className="inline-flex h-8 items-center rounded-md border border-line-strong bg-surface px-3 text-sm font-medium hover:bg-hover"
          >
            Usage
          </Link>
          <Button look="primary" refused={refused('project:create')} onClick={() => setNaming(true)}>
            New project
          </Button>
        </>
      }
    >
      <Section title="Projects" flush>
        {projects.isPending && <SkeletonRows rows={4} />}
        {projects.isError && <Problem error={projects.error} retry={() => void projects.refetch()} />}
        {projects.data?.length === 0 && (
          <FirstExperiment team={slug} project="my-project" mayLog={mayLog === undefined} />
        )}
        {projects.data !== undefined && projects.data.length > 0 && <ProjectTable projects={projects.data} />}
      </Section>
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
        <Section title="Running now" flush>
          {active.data === undefined ? (
            <SkeletonRows rows={2} />
          ) : (
            <StatusList rows={active.data.items} none="Nothing runs at the moment." />
          )}
        </Section>
        <Section title="Alerts" says="from scripts" flush>
          {alerts.data === undefined ? (
            <SkeletonRows rows={2} />
          ) : (
            <AlertList alerts={alerts.data.items} team={slug} />
          )}
        </Section>
      </div>
      {members.data !== undefined && (
        <Section title="Members">
          <ul className="flex flex-wrap gap-x-5 gap-y-2 text-[13px]">
            {members.data.map((member) => (
              <li key={member.userId} className="flex items-center gap-1.5">
                <span className="font-medium">{member.name || member.username}</span>
                <span className="text-ink-faint">{member.username}</span>
                {member.role !== 'member' && <Tag>{roleWords[member.role].toLowerCase()}</Tag>}
              </li>
            ))}
          </ul>
        </Section>
      )}
      <NewProject team={slug} open={naming} onClose={() => setNaming(false)} />
    </Page>
  )
}
