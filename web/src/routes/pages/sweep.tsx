import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, Navigate, useNavigate } from '@tanstack/react-router'
import { filtersToText } from '../../features/experiments/filters.ts'
import { StateBadge } from '../../features/experiments/state.tsx'
import { analysisQuery, sweepQuery } from '../../features/sweeps/queries.ts'
import { SweepActions } from '../../features/sweeps/sweep-actions.tsx'
import {
  AgentTable,
  BestExperiments,
  Importance,
  OnlySome,
  SweepParallel,
} from '../../features/sweeps/sweep-parts.tsx'
import { Progress, SweepStateTag } from '../../features/sweeps/sweep-state.tsx'
import { AgentCommand, Best } from '../../features/sweeps/sweep-table.tsx'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useRefusal, useTeam } from '../../lib/me.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/$project/sweeps/$id')

/** One sweep: how far it is, what was best, what mattered, who works on it. */
export function SweepPage() {
  const { team: teamSlug, project, id } = route.useParams()
  const navigate = useNavigate()
  const team = useTeam(teamSlug)
  const refused = useRefusal(team)
  const ref = { team: teamSlug, project, sweep: id }
  // News name projects by id; this answer tells which one this is.
  useQuery(projectQuery(teamSlug, project))
  const sweep = useQuery(sweepQuery(ref))
  const analysis = useQuery(analysisQuery(ref))
  if (sweep.isError)
    return isNotFound(sweep.error) ? (
      <NotFound />
    ) : (
      <Problem error={sweep.error} retry={() => void sweep.refetch()} />
    )
  if (sweep.data === undefined) return <SkeletonRows rows={10} />
  const found = sweep.data
  // An experiment that moved names its sweep, which stayed where it was.
  if (
    found.project.toLowerCase() !== project.toLowerCase() ||
    found.team.toLowerCase() !== teamSlug.toLowerCase()
  )
    return (
      <Navigate
        to="/$team/$project/sweeps/$id"
        params={{ team: found.team, project: found.project, id }}
        replace
      />
    )
  const where = filtersToText([{ column: 'sweep', op: 'eq', value: found.slug }])
  return (
    <Page
      wide
      title={
        <span className="flex flex-wrap items-center gap-x-2">
          <Link
            to="/$team/$project/sweeps"
            params={{ team: teamSlug, project }}
            className="font-normal text-ink-faint hover:text-ink"
          >
            Sweeps
          </Link>
          <span aria-hidden className="text-ink-faint">
            /
          </span>
          {found.name}
        </span>
      }
      note={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-ink-soft">
          <SweepStateTag state={found.state} />
          <Progress sweep={found} />
          <span>
            {found.method}, {found.createdBy.username}, <Ago at={found.createdAt} />
          </span>
        </span>
      }
      actions={
        <SweepActions
          sweep={found}
          team={team}
          onDeleted={() =>
            void navigate({ to: '/$team/$project/sweeps', params: { team: teamSlug, project } })
          }
        />
      }
    >
      {found.description !== null && <p className="-mt-3 text-ink-soft">{found.description}</p>}
      <Section
        title="What was tried"
        says={
          found.best === null ? (
            <Best sweep={found} />
          ) : (
            <>
              Best:{' '}
              <Link
                to="/$team/$project/runs/$id"
                params={{ team: teamSlug, project, id: found.best.slug }}
                className="font-medium text-ink hover:underline"
              >
                {found.best.name}
              </Link>{' '}
              with <Best sweep={found} />
            </>
          )
        }
        flush
      >
        <div className="p-3">
          {analysis.data === undefined ? (
            <SkeletonRows />
          ) : (
            <SweepParallel
              sweep={found}
              analysis={analysis.data}
              onOpen={(slug) =>
                void navigate({
                  to: '/$team/$project/runs/$id',
                  params: { team: teamSlug, project, id: slug },
                })
              }
            />
          )}
          {analysis.data !== undefined && <OnlySome analysis={analysis.data} />}
        </div>
      </Section>
      <div className="grid gap-6 lg:grid-cols-2 [&>*]:min-w-0">
        <Section title="What mattered" flush>
          {analysis.data === undefined ? (
            <SkeletonRows rows={3} />
          ) : (
            <Importance sweep={found} analysis={analysis.data} />
          )}
        </Section>
        <Section title="Agents" flush>
          <AgentTable sweep={found} />
          {refused('experiment:create') === undefined && (
            <div className="border-t border-line p-3">
              <AgentCommand sweep={found} />
            </div>
          )}
        </Section>
      </div>
      <Section
        title="Experiments"
        says={found.metric === null ? 'newest first' : 'best first, of all'}
        actions={
          <Link
            to="/$team/$project/table"
            params={{ team: teamSlug, project }}
            search={{ where }}
            className="text-[13px] text-accent hover:underline"
          >
            All {found.counts.total - found.counts.moved} as a table
          </Link>
        }
        flush
      >
        {analysis.data === undefined ? (
          <SkeletonRows />
        ) : (
          <BestExperiments
            sweep={found}
            analysis={analysis.data}
            stateOf={(state) => <StateBadge state={state} />}
          />
        )}
      </Section>
      <Section
        title="Configuration"
        says={found.isLocal ? 'A controller on somebody’s machine decides what is tried.' : undefined}
      >
        <div className="flex flex-col gap-3">
          {found.warnings.map((warning) => (
            <p key={warning} className="text-[13px] text-warn">
              {warning}.
            </p>
          ))}
          <CommandBlock text={found.config.trimEnd()} />
        </div>
      </Section>
    </Page>
  )
}
