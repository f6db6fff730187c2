/**
 * What an agent that has nothing to do is told, chosen under the sweep's lock, so that nobody else gets the same. A model
 * thinks before that, while nothing is locked.
 */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { type Decision, decide, drawNew, isReached, trialsFor } from './deciding.ts'
import type { Learner } from './learner.ts'
import type { createOutcomes } from './outcomes.ts'
import type { SweepsDeps } from './deps.ts'
import type { Values } from './parameters.ts'
import type { SweepConfig } from './sweep-config.ts'
import * as store from './store.ts'
import { createTaken } from './taken.ts'
import * as trialStore from './trial-store.ts'
import type { StoredAgent, StoredSweep } from './types.ts'

/** Agents of one sweep that wait for its model at a time; the others ask again. */
const thinkingMax = 50
/** A model's word that others were faster than is taken all the same after so many tries. */
const thoughtsMax = 3

type Parts = Pick<SweepsDeps, 'db'> &
  Pick<ReturnType<typeof createOutcomes>, 'outcomesOf' | 'priorValues'> & { learner: Learner }

/** Writes a decision down, in the transaction in which it was made. @param number of a trial to come. */
type CarryOut<Result> = (
  trx: store.Db,
  sweep: StoredSweep,
  number: number,
  decision: Exclude<Decision, { do: 'think' }>,
) => Promise<Result>

type Thought = { number: number; values: Values }

export function createChoosing({ db, learner, outcomesOf, priorValues }: Parts) {
  const { takenIn } = createTaken()
  const thinking = new Map<string, { last: Promise<unknown>; count: number }>()

  /** @returns undefined for nothing now. */
  async function choose<Result>(
    actor: Actor,
    sweep: StoredSweep,
    agent: StoredAgent,
    config: SweepConfig,
    carryOut: CarryOut<Result>,
  ): Promise<Result | undefined> {
    const ask = (thought?: Thought, isLast = false) =>
      attempt(actor, sweep, agent, config, carryOut, thought, isLast)
    const first = await ask()
    if (first !== 'think') return first
    return await inTurn(sweep.id, async () => {
      for (let thoughts = 1; ; thoughts++) {
        const answer = await ask(await think(actor, sweep, config), thoughts >= thoughtsMax)
        if (answer !== 'think') return answer
      }
    })
  }

  /** One thought of a sweep after the other: each takes into account what the one before it led to. */
  async function inTurn<Result>(sweepId: string, act: () => Promise<Result>): Promise<Result | undefined> {
    const turn = thinking.get(sweepId) ?? { last: Promise.resolve(), count: 0 }
    if (turn.count >= thinkingMax) return undefined
    thinking.set(sweepId, turn)
    turn.count += 1
    const mine = turn.last.then(act)
    turn.last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      turn.count -= 1
      if (turn.count === 0) thinking.delete(sweepId)
    }
  }

  /** What the model says, for the trial that comes next if nobody is faster. */
  async function think(actor: Actor, sweep: StoredSweep, { metric }: SweepConfig): Promise<Thought> {
    const [outcomes, open, { nextNumber }] = await Promise.all([
      outcomesOf(actor, sweep, metric!),
      trialStore.openTrials(db, sweep.id),
      trialStore.tallyTrials(db, sweep.id),
    ])
    const present = new Set(outcomes.map(({ experimentId }) => experimentId))
    const unbegun = open.filter(({ experimentId }) => experimentId === null || !present.has(experimentId))
    const trials = trialsFor(
      metric!,
      outcomes,
      unbegun.map(({ values }) => values),
    )
    return {
      number: nextNumber,
      values: await learner.suggest(sweep.config, trials, sweep.seed, nextNumber),
    }
  }

  /** @param isLast the thought counts, even if another server was faster. */
  async function attempt<Result>(
    actor: Actor,
    sweep: StoredSweep,
    agent: StoredAgent,
    config: SweepConfig,
    carryOut: CarryOut<Result>,
    thought: Thought | undefined,
    isLast: boolean,
  ): Promise<Result | 'think' | undefined> {
    const { metric } = config
    // Read before the lock: what is measured only grows, and the lock stays short.
    const [priors, outcomes] = await Promise.all([
      config.isLocal ? [] : priorValues(sweep),
      metric?.target == null ? [] : outcomesOf(actor, sweep, metric),
    ])
    return await db.transaction().execute(async (trx) => {
      const locked = (await store.lockSweep(trx, sweep.id)) ?? gone()
      if (locked.state !== 'pending' && locked.state !== 'running') return undefined
      const open = await trialStore.openTrials(trx, sweep.id)
      const tally = await trialStore.tallyTrials(trx, sweep.id)
      const taken = await takenIn(trx, locked, config, tally, priors)
      const nextValues = (): Values | 'think' | undefined => {
        switch (config.method) {
          case 'grid':
            return taken.nextInGrid()
          case 'random':
            return drawNew(config, taken, locked.seed, tally.nextNumber)
          case 'bayes': {
            if (!thought || !(isLast || thought.number === tally.nextNumber)) return 'think'
            // A model knows only what it has looked at.
            return taken.has(thought.values)
              ? drawNew(config, taken, locked.seed, tally.nextNumber)
              : thought.values
          }
          case 'custom':
            return undefined
        }
      }
      const decision = decide({
        config,
        isClosed: config.isLocal && locked.exhaustedAt !== null,
        isReached: isReached(metric, outcomes),
        open,
        counted: tally.counted,
        agentId: agent.id,
        mayWorkOn: (trial) => trial.experimentOwnerId === agent.ownerId,
        nextValues,
      })
      return decision.do === 'think' ? 'think' : await carryOut(trx, locked, tally.nextNumber, decision)
    })
  }

  return { choose }
}

function gone(): never {
  throw new GridError('not_found', 'This sweep was deleted.')
}
