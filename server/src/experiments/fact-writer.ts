/**
 * Keeps the facts in the metric store in step with Postgres. Postgres commits first; the facts follow before the caller
 * gets its answer. Two things could part them, and both are closed here:
 *
 * - Two changes of one experiment at once: their facts are handed over in the order in which Postgres took them.
 * - A change whose facts did not arrive (the metric store was away, or this process ended in between): an experiment is
 *   only *known* to be in step once this process has written all of its facts, and no longer after a failure; what is
 *   not known is written whole.
 */
import type { Append, Fact, MetricStore } from '../stores/clickhouse/metric-types.ts'
import { factsOf } from './facts.ts'
import { type Db, findExperimentById } from './store.ts'

/** Ids kept in memory; beyond it the oldest are forgotten and cost one whole write when they come back. */
const knownMax = 50_000

export type FactWriter = ReturnType<typeof createFactWriter>

export function createFactWriter({ db, metrics }: { db: Db; metrics: MetricStore }) {
  const turns = new Map<string, Promise<void>>()
  const known = new Set<string>()
  const behind = new Set<string>()

  /**
   * Runs `act`, which changes Postgres, then hands what it returns to the metric store, one experiment's acts in turn.
   * Only the handing over is in turn; waiting until it is durable is not, so that writers of one experiment share groups.
   *
   * @returns what `act` found, once everything is durable.
   */
  async function inTurn<Result>(
    experimentId: string,
    act: () => Promise<{ result: Result; append: Append }>,
  ): Promise<Result> {
    const before = turns.get(experimentId) ?? Promise.resolve()
    const handedOver = before.then(act).then(({ result, append }) => {
      const stored = metrics.append(append)
      // Awaited below; noted here too, because a rejection may come before that.
      stored.catch(() => {})
      return { result, stored, hasFacts: append.facts !== undefined }
    })
    const turn = handedOver.then(
      () => {},
      () => {},
    )
    turns.set(experimentId, turn)
    void turn.then(() => turns.get(experimentId) === turn && turns.delete(experimentId))
    try {
      const { result, stored, hasFacts } = await handedOver
      await stored
      if (hasFacts && !behind.has(experimentId)) remember(experimentId)
      return result
    } catch (error) {
      known.delete(experimentId)
      behind.add(experimentId)
      throw error
    }
  }

  /**
   * Runs `act` while no other change of any of these experiments is under way here, and none begins.
   * @returns what `act` found.
   */
  async function together<Result>(
    experimentIds: readonly string[],
    act: () => Promise<Result>,
  ): Promise<Result> {
    // All turns are taken in one step, so two that share experiments wait one for the other and never in a circle.
    const before = experimentIds.map((id) => turns.get(id) ?? Promise.resolve())
    const run = Promise.all(before).then(act)
    const turn = run.then(
      () => {},
      () => {},
    )
    for (const id of experimentIds) turns.set(id, turn)
    void turn.then(() => {
      for (const id of experimentIds) if (turns.get(id) === turn) turns.delete(id)
    })
    return await run
  }

  /**
   * The facts to write for a change, or all of them where it is not certain that the others are there.
   * @param change what changed; asked for only when the rest is in step.
   */
  async function updateOf(
    { id, projectId }: { id: string; projectId: string },
    change: () => { facts: Fact[]; removedKeys: string[] },
    trx: Db = db,
  ): Promise<NonNullable<Append['facts']>> {
    const changed = change()
    if (known.has(id)) return [{ projectId, experimentId: id, ...changed }]
    const experiment = await findExperimentById(trx, id)
    if (!experiment) return []
    behind.delete(id)
    const facts = factsOf(experiment)
    return [
      {
        projectId,
        experimentId: id,
        facts: [...facts.values()],
        removedKeys: changed.removedKeys.filter((key) => !facts.has(key)),
      },
    ]
  }

  /** Writes all facts of experiments whose last change did not get through. @returns how many were written. */
  async function repair(): Promise<number> {
    let repaired = 0
    // A copy: what fails again goes back into the set.
    for (const id of Array.from(behind)) {
      await inTurn(id, async () => {
        behind.delete(id)
        const experiment = await findExperimentById(db, id)
        if (!experiment) return { result: undefined, append: {} }
        repaired++
        return {
          result: undefined,
          append: {
            facts: [
              {
                projectId: experiment.projectId,
                experimentId: id,
                facts: [...factsOf(experiment).values()],
                removedKeys: [],
              },
            ],
          },
        }
      })
    }
    return repaired
  }

  function remember(id: string): void {
    known.add(id)
    if (known.size > knownMax) known.delete(known.values().next().value!)
  }

  function forget(id: string): void {
    known.delete(id)
    behind.delete(id)
  }

  return { inTurn, together, updateOf, repair, forget }
}
