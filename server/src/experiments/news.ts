/** What slices above hear about experiments, and ask without a person: who is told proves who may be. */
import type { Alert, Filter } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Actor } from '../actor.ts'
import type { Line } from '../stores/clickhouse/metric-types.ts'
import type { Parts } from './deps.ts'
import { factsOf, plainConfig } from './facts.ts'
import { fits } from './fits.ts'
import { pointsOf } from './points.ts'
import { type Db, findExperimentById, findExperiment, selectExperiments, withoutContent } from './store.ts'
import type { Act, ExperimentRef, StoredExperiment } from './types.ts'

export type NewsListener = {
  /** Inside the transaction that ends an experiment. */
  onEnd(trx: Db, experiment: StoredExperiment): Promise<void>
  /** Lines of history are durable and not yet acknowledged; should this fail, they come again. */
  onLines(experiment: StoredExperiment, lines: readonly Line[]): Promise<void>
  /** Inside the transaction that keeps what a script reports. */
  onAlert(
    trx: Db,
    experiment: StoredExperiment,
    alert: Omit<Alert, 'experiment' | 'createdAt'>,
  ): Promise<void>
  /** Inside the transaction in which somebody acts on what is somebody else's. */
  onAct(trx: Db, experiment: StoredExperiment, act: Act): Promise<void>
  /** After such a transaction. */
  onCommit(): void
}

export type News = ReturnType<typeof createNews>

/** Passes news on to whoever listens; nobody does until the slice above is there. */
export function createNews() {
  const listeners: NewsListener[] = []
  return {
    listen: (listener: NewsListener) => void listeners.push(listener),
    async ended(trx: Db, experiment: StoredExperiment) {
      for (const listener of listeners) await listener.onEnd(trx, experiment)
    },
    async logged(experiment: StoredExperiment, lines: readonly Line[]) {
      if (lines.length > 0) for (const listener of listeners) await listener.onLines(experiment, lines)
    },
    async alerted(trx: Db, experiment: StoredExperiment, alert: Parameters<NewsListener['onAlert']>[2]) {
      for (const listener of listeners) await listener.onAlert(trx, experiment, alert)
    },
    /** The owner hears of what others do to their work; of their own doing, and of what works for them, they do not. */
    async acted(trx: Db, actor: Actor, experiment: StoredExperiment, what: Act['what']) {
      const doers = [actor.userId, actor.attributedTo?.userId]
      const isOwn = [experiment.createdBy.id, experiment.via?.id].some((id) => id && doers.includes(id))
      if (isOwn) return
      for (const listener of listeners) await listener.onAct(trx, experiment, { by: actor.username, what })
    },
    committed() {
      for (const listener of listeners) listener.onCommit()
    },
  }
}

/** Questions of rules, which ask on nobody's behalf. */
export function createWatching({ db, metrics }: Pick<Parts, 'db' | 'metrics'>) {
  /** Running experiments without a sign of life for this long, oldest first. */
  async function silentFor(
    place: { teamId: string; projectId: string | null },
    before: Date,
    limit: number,
  ): Promise<StoredExperiment[]> {
    const inProject = place.projectId === null ? sql`true` : sql`e.project_id = ${place.projectId}`
    return await selectExperiments(
      db,
      sql`e.team_id = ${place.teamId} and ${inProject}
        and e.state in ('running', 'preempting') and e.heartbeat_at < ${before}`,
      sql`order by e.heartbeat_at limit ${limit}`,
      withoutContent,
    )
  }

  /** The finished experiment of a project with the lowest or highest number under a summary key, other than this one. */
  async function bestOf(
    { id, slug, projectId }: StoredExperiment,
    metric: string,
    goal: 'minimize' | 'maximize',
  ): Promise<StoredExperiment | undefined> {
    const key = `summary.${metric}`
    const { experimentIds } = await metrics.find({
      projectIds: [projectId],
      filter: {
        op: 'and',
        filters: [
          { op: 'eq', key: 'state', value: 'finished' },
          { op: 'exists', key, exists: true },
          { op: 'not', filter: { op: 'eq', key: 'slug', value: slug } },
        ],
      },
      sort: [{ key, descending: goal === 'maximize' }],
      offset: 0,
      limit: 1,
    })
    const [bestId] = experimentIds
    return bestId === undefined || bestId === id ? undefined : await findExperimentById(db, bestId)
  }

  /** The newest logged values of a key before a line, oldest first. Looks at `lines` lines at most. */
  async function newestValues(
    experimentId: string,
    key: string,
    { beforeLine, lines }: { beforeLine: number; lines: number },
  ): Promise<number[]> {
    const found = await metrics.latest({ experimentId, stream: 'history', limit: lines })
    return found.flatMap(({ line, raw }) => {
      const value = pointsOf(experimentId, 'history', line, raw).numbers[key]
      return line >= beforeLine || value === undefined ? [] : [value]
    })
  }

  return {
    silentFor,
    bestOf,
    newestValues,
    load: (id: string) => findExperimentById(db, id),
    loadNamed: (ref: ExperimentRef) => findExperiment(db, ref),
    /** Whether an experiment fits all filters, as the table would say. */
    fits: (experiment: StoredExperiment, filters: readonly Filter[]) => fits(factsOf(experiment), filters),
    plainConfig,
  }
}
