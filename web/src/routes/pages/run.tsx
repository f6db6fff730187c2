import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { filtersToText } from '../../features/experiments/filters.ts'
import { runQuery } from '../../features/runs/queries.ts'
import { RunActions } from '../../features/runs/run-actions.tsx'
import { RunExperiments } from '../../features/runs/run-experiments.tsx'
import { RunForm } from '../../features/runs/run-form.tsx'
import { RunLog } from '../../features/runs/run-log.tsx'
import { RunProgress, RunStatusTag } from '../../features/runs/run-table.tsx'
import { isNotFound } from '../../lib/client.ts'
import { formatBytes } from '../../lib/format.ts'
import { useTeam } from '../../lib/me.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team/runs/$run')

/** One run: its experiments side by side, why they wait, what they print, and what it was made of. */
export function RunPage() {
  const { team: slug, run: name } = route.useParams()
  const { log = 0 } = route.useSearch()
  const navigate = useNavigate()
  const go = route.useNavigate()
  const team = useTeam(slug)
  const found = useQuery(runQuery({ team: slug, run: name }))
  if (found.isError)
    return isNotFound(found.error) ? (
      <NotFound />
    ) : (
      <Problem error={found.error} retry={() => void found.refetch()} />
    )
  if (found.data === undefined) return <SkeletonRows rows={10} />
  const run = found.data
  const where = filtersToText([{ column: 'group', op: 'eq', value: run.name }])
  return (
    <Page
      wide
      title={<RunTitle team={slug} name={run.name} />}
      note={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-ink-soft">
          <RunStatusTag status={run.status} />
          <RunProgress run={run} />
          <span>
            {run.createdBy.username}, <Ago at={run.createdAt} />
          </span>
        </span>
      }
      actions={
        <RunActions
          run={run}
          team={team}
          onClone={() =>
            void navigate({ to: '/teams/$team/runs/$run/clone', params: { team: slug, run: name } })
          }
          onDeleted={() => void navigate({ to: '/teams/$team/runs', params: { team: slug } })}
        />
      }
    >
      {run.description !== '' && <p className="-mt-3 text-ink-soft">{run.description}</p>}
      <Section
        title="Experiments"
        says={
          <Link
            to="/$team/$project"
            params={{ team: run.team, project: run.project }}
            search={{ where }}
            className="hover:underline"
          >
            Curves side by side
          </Link>
        }
        flush
      >
        <RunExperiments
          run={run}
          chosen={log}
          onChoose={(number) => void go({ search: { log: number }, replace: true })}
        />
      </Section>
      <Section title={`Log of ${run.name}-exp${log}`} flush>
        <RunLog run={run} number={log} />
      </Section>
      <Section title="What it was made of">
        <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1 text-[13px]">
          <Fact name="Command">
            <code className="break-all">{run.command}</code>
          </Fact>
          <Fact name="Project">
            <Link
              to="/$team/$project"
              params={{ team: run.team, project: run.project }}
              className="hover:underline"
            >
              {run.project}
            </Link>
          </Fact>
          <Fact name="Cluster">
            {run.cluster}
            {run.instanceType !== null && `, ${run.instanceType}`}
          </Fact>
          <Fact name="For each experiment">
            {run.spec.resources.cpus || 'all'} processors, {run.spec.resources.gpus} GPUs
            {run.spec.resources.memoryMiB > 0 && `, ${run.spec.resources.memoryMiB} MiB`}
          </Fact>
          {run.code !== null && (
            <Fact name="Code">
              {run.git?.commit && (
                <>
                  <code>{run.git.commit.slice(0, 10)}</code>
                  {run.git.branch && ` on ${run.git.branch}`}
                  {run.git.dirty && ', with changes that no commit holds'},{' '}
                </>
              )}
              <code>{run.code.sha256.slice(0, 12)}</code>, {formatBytes(run.code.sizeBytes)}
            </Fact>
          )}
          {run.datastores.map((each) => (
            <Fact key={each.mountPath} name="Datastore">
              {each.owner}:{each.name}:{each.version} at <code>{each.mountPath}</code>
            </Fact>
          ))}
          {run.environmentNames.length > 0 && (
            <Fact name="Environment">{run.environmentNames.join(', ')}</Fact>
          )}
          {run.clonedFrom !== null && (
            <Fact name="Clone of">
              <Link
                to="/teams/$team/runs/$run"
                params={{ team: slug, run: run.clonedFrom.name }}
                className="hover:underline"
              >
                {run.clonedFrom.name}
              </Link>
            </Fact>
          )}
        </dl>
      </Section>
    </Page>
  )
}

/** A copy of a run, to be changed and started. */
export function CloneRunPage() {
  const { team: slug, run: name } = cloneRoute.useParams()
  const navigate = useNavigate()
  const found = useQuery(runQuery({ team: slug, run: name }))
  if (found.isError)
    return isNotFound(found.error) ? (
      <NotFound />
    ) : (
      <Problem error={found.error} retry={() => void found.refetch()} />
    )
  if (found.data === undefined) return <SkeletonRows rows={10} />
  return (
    <Page title={`New run like ${name}`} note={<span className="text-ink-faint">with the same code</span>}>
      <Section title="What to run">
        <RunForm
          team={slug}
          source={found.data}
          onDone={(made) =>
            void navigate({ to: '/teams/$team/runs/$run', params: { team: slug, run: made } })
          }
        />
      </Section>
    </Page>
  )
}

const cloneRoute = getRouteApi('/inside/teams/$team/runs/$run/clone')

function RunTitle({ team, name }: { team: string; name: string }) {
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      <Link to="/teams/$team/runs" params={{ team }} className="font-normal text-ink-faint hover:text-ink">
        Runs
      </Link>
      <span aria-hidden className="text-ink-faint">
        /
      </span>
      {name}
    </span>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-ink-faint">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  )
}
