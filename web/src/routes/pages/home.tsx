import { useQueries, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { FirstExperiment } from '../../features/experiments/empty-project.tsx'
import { MyInvitations } from '../../features/teams/my-invitations.tsx'
import { ProjectTable } from '../../features/teams/project-list.tsx'
import { projectsQuery, statusQuery } from '../../features/teams/queries.ts'
import { StatusList } from '../../features/teams/status-list.tsx'
import { plural } from '../../lib/format.ts'
import { useMe } from '../../lib/me.ts'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'

const projectsPerTeam = 6
const lastFailed = 8

/** What runs, what failed, and the way to my projects. */
export function HomePage() {
  const me = useMe()
  const teams = me?.teams ?? []
  const projects = useQueries({ queries: teams.map((team) => projectsQuery(team.slug)) })
  const active = useQuery(statusQuery({ scope: 'global', show: 'active', limit: 10 }))
  const ended = useQuery(statusQuery({ scope: 'global', show: 'history', limit: 50 }))
  const failed = ended.data?.items.filter((row) => row.status === 'failed').slice(0, lastFailed) ?? []
  const nothing = projects.length > 0 && projects.every((each) => each.data?.length === 0)
  const firstTeam = teams.find((team) => team.slug === me?.defaultTeam) ?? teams[0]
  return (
    <Page title="My teams" wide>
      <MyInvitations />
      {nothing && firstTeam !== undefined && (
        <div className="rounded-lg border border-line bg-surface">
          <FirstExperiment team={firstTeam.slug} project="my-project" mayLog={firstTeam.role !== 'viewer'} />
        </div>
      )}
      {!nothing && (
        <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
          <Section title="Running now" flush>
            {active.isPending && <SkeletonRows rows={3} />}
            {active.isError && <Problem error={active.error} retry={() => void active.refetch()} />}
            {active.data !== undefined && (
              <StatusList rows={active.data.items} none="Nothing runs at the moment." />
            )}
          </Section>
          <Section title="Failed lately" flush>
            {ended.isPending && <SkeletonRows rows={3} />}
            {ended.isError && <Problem error={ended.error} retry={() => void ended.refetch()} />}
            {ended.data !== undefined && (
              <StatusList rows={failed} none="Nothing failed among the last runs." />
            )}
          </Section>
        </div>
      )}
      {teams.map((team, i) => {
        const query = projects[i]
        const list = query?.data ?? []
        if (team.kind === 'personal' && list.length === 0 && teams.length > 1) return null
        return (
          <Section
            key={team.id}
            title={team.name || team.slug}
            says={
              team.kind === 'personal'
                ? 'personal'
                : `${plural(team.members, 'member')}, you are ${team.role ?? 'organisation admin'}`
            }
            flush
            actions={
              <Link
                to="/$team"
                params={{ team: team.slug }}
                className="text-[13px] text-accent hover:underline"
              >
                {list.length > projectsPerTeam ? `All ${list.length} projects` : 'Open team'}
              </Link>
            }
          >
            {query?.isPending === true && <SkeletonRows rows={3} />}
            {query?.isError === true && <Problem error={query.error} retry={() => void query.refetch()} />}
            {query?.data !== undefined &&
              (list.length === 0 ? (
                <p className="px-4 py-3 text-[13px] text-ink-faint">
                  No projects yet.{' '}
                  <code className="font-mono">wandb.init(entity="{team.slug}", project="…")</code> makes one.
                </p>
              ) : (
                <ProjectTable projects={list.slice(0, projectsPerTeam)} />
              ))}
          </Section>
        )
      })}
      {me?.user.organisationRole === 'admin' && teams.every((team) => team.kind === 'personal') && (
        <p className="text-ink-soft">
          <Tag tone="accent">Next</Tag>{' '}
          <Link to="/admin" className="text-accent hover:underline">
            Make a team
          </Link>{' '}
          and invite the people you work with.
        </p>
      )}
    </Page>
  )
}
