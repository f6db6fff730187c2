/**
 * What the slice of runs needs of experiments and nobody else does: experiments that wait for a machine, and states that
 * come from it. Its callers have proven what the actor may, so nothing here asks again.
 */
import type { ExperimentState } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Actor } from '../actor.ts'
import type { Parts } from './deps.ts'
import { isEnded } from './experiment.ts'
import { factsOf } from './facts.ts'
import {
  type Db,
  findExperimentById,
  finishExperiment,
  insertExperiment,
  lockExperiment,
  nextNumber,
  selectExperiments,
  withoutContent,
} from './store.ts'
import type { ConsoleText, StoredExperiment, StreamChunk, UpsertExperiment } from './types.ts'

export type ExperimentOfRun = {
  id: string
  slug: string
  name: string
  content: UpsertExperiment
}

/** Lines handed over at once; a message of a script has no more. */
const linesMax = 10_000

export function createInRun(
  { db, facts, news, events, clock }: Parts,
  append: (
    actor: Actor,
    ref: { team: string; project: string; slug: string },
    chunk: StreamChunk,
  ) => Promise<unknown>,
) {
  /** @returns the slugs that are taken already; then nothing may be committed. */
  async function createForRun(
    trx: Db,
    where: { projectId: string; teamId: string; createdBy: string; viaUserId: string | null },
    experiments: readonly ExperimentOfRun[],
  ): Promise<string[]> {
    const taken: string[] = []
    for (const { id, slug, name, content } of experiments) {
      await nextNumber(trx, where.projectId)
      const made = await insertExperiment(
        trx,
        { id, slug, name, ...where, now: clock.now() },
        { ...content, state: 'pending' },
      )
      if (!made) taken.push(slug)
    }
    return taken
  }

  /** What a machine says of an experiment. `pending` again is one that waits for another try. */
  async function setRunState(
    trx: Db,
    id: string,
    to: { state: ExperimentState; exitCode?: number | null; endedAt?: Date },
  ): Promise<void> {
    const before = await lockExperiment(trx, id)
    if (!before) return
    if (isEnded(to.state)) {
      const endedAt = to.endedAt ?? clock.now()
      const again = before.state === to.state && before.endedAt !== null
      const end = {
        state: to.state,
        exitCode: to.exitCode ?? null,
        endedAt: again ? before.endedAt! : endedAt,
      }
      await finishExperiment(trx, id, end)
      if (!again) await news.ended(trx, { ...before, ...end })
      return
    }
    if (before.state === to.state) return
    // The script itself may have said so before, and more: that it ended.
    if (to.state === 'running' && before.state !== 'pending') return
    await trx
      .updateTable('experiments')
      .set({ state: to.state, ended_at: null, exit_code: null, heartbeat_at: clock.now() })
      .where('id', '=', id)
      .execute()
  }

  /** After such a transaction: facts and browsers follow. */
  async function refresh(id: string): Promise<void> {
    news.committed()
    const experiment = await facts.inTurn(id, async () => {
      const found = await findExperimentById(db, id)
      const update = found && {
        projectId: found.projectId,
        experimentId: id,
        facts: [...factsOf(found).values()],
        removedKeys: [],
      }
      return { result: found, append: update ? { facts: [update] } : {} }
    })
    if (experiment)
      events.publish({
        type: 'experiment.changed',
        teamId: experiment.teamId,
        projectId: experiment.projectId,
        experimentId: id,
      })
  }

  /** Its machine gives signs of life for it, whether it logs or not. */
  async function beat(id: string): Promise<void> {
    await db
      .updateTable('experiments')
      .set({ heartbeat_at: sql<Date>`greatest(heartbeat_at, ${clock.now()})` })
      .where('id', '=', id)
      .where('state', 'in', ['pending', 'running', 'preempting'])
      .execute()
  }

  /** Of these, the ones that somebody asked to stop, or deleted. */
  async function unwanted(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    const rows = await db
      .selectFrom('experiments')
      .select('id')
      .where('id', 'in', [...ids])
      .where((where) =>
        where.or([where('stop_requested_at', 'is not', null), where('deleted_at', 'is not', null)]),
      )
      .execute()
    return rows.map((row) => row.id)
  }

  /** Output that a machine has caught. It is no word of the script, so it begins and ends nothing. */
  async function writeOutput(
    actor: Actor,
    id: string,
    firstLine: number,
    lines: readonly ConsoleText[],
  ): Promise<void> {
    const experiment = await load(id)
    if (!experiment) return
    const ref = { team: experiment.teamSlug, project: experiment.projectName, slug: experiment.slug }
    for (let start = 0; start < lines.length; start += linesMax)
      await append(actor, ref, {
        console: { offset: firstLine + start, lines: lines.slice(start, start + linesMax) },
        isAside: true,
      })
  }

  async function load(id: string): Promise<StoredExperiment | undefined> {
    return (await selectExperiments(db, sql`e.id = ${id}`, sql``, withoutContent))[0]
  }

  async function loadAll(ids: readonly string[]): Promise<Map<string, StoredExperiment>> {
    if (ids.length === 0) return new Map()
    const found = await selectExperiments(db, sql`e.id = any(${[...ids]}::uuid[])`, sql``, withoutContent)
    return new Map(found.map((each) => [each.id, each]))
  }

  return { createForRun, setRunState, refresh, beat, unwanted, writeOutput, load, loadAll }
}
