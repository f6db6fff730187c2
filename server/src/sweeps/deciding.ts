/** What an agent that has nothing to do shall do next. Pure: what is known comes in, a decision comes out. */
import { endedStates, type ExperimentState } from '@teamgrid/api'
import type { Trial } from './bayes.ts'
import { drawValues, type Values } from './parameters.ts'
import { createRandom } from './random.ts'
import type { Impute, Metric, SweepConfig } from './sweep-config.ts'
import type { Taken } from './taken.ts'
import type { StoredTrial } from './types.ts'

/** An agent that lost the answer asks again; one whose process dies at once must not be given the same for ever. */
export const handedMax = 2
/** After so many agents have died over one configuration it is let go. */
export const lostMax = 3
/** Draws before something new is looked for in order. */
const drawsMax = 30

/** `unstarted`: handed out, its script has not spoken yet. `void`: counts for nothing, as if it had never been. */
export type Standing = 'waiting' | 'unstarted' | 'running' | 'preempted' | 'ended' | 'void'

export function standingOf({ state, experimentState }: StoredTrial): Standing {
  if (state === 'waiting') return 'waiting'
  if (state === 'dropped' || experimentState === 'deleted') return 'void'
  if (experimentState === null || experimentState === 'pending') return 'unstarted'
  if (experimentState === 'preempted') return 'preempted'
  return endedStates.includes(experimentState) ? 'ended' : 'running'
}

/** An experiment of the sweep with what came of it. */
export type Outcome = {
  experimentId: string
  state: ExperimentState
  values: Values
  /** The sweep did not choose it: it is of before the sweep, or its script put it there. */
  isPrior: boolean
  /** The best and the last value of the metric; null when it was never logged. */
  best: number | null
  latest: number | null
}

export type Decision =
  | { do: 'again' | 'resume' | 'take'; trial: StoredTrial }
  | { do: 'try'; values: Values }
  /** A model shall say what to try; that takes a while. */
  | { do: 'think' }
  /** Nothing now, perhaps later. */
  | { do: 'wait' }
  /** Nothing any more; `isOver` when nobody else has anything left to do either. */
  | { do: 'exit'; isOver: boolean }

export type Known = {
  config: SweepConfig
  /** A controller on somebody's machine said that nothing more will come. */
  isClosed: boolean
  /** Some experiment is as good as was wanted. */
  isReached: boolean
  /** The trials that are not settled, in order. */
  open: readonly StoredTrial[]
  /** Trials that count, open or not. */
  counted: number
  agentId: string
  /** Whether the agent's person may work on the experiment that a trial has already. */
  mayWorkOn: (trial: StoredTrial) => boolean
  /** Something new to try; undefined when nothing is left. */
  nextValues: () => Values | 'think' | undefined
}

export function decide(known: Known): Decision {
  const { config, open, agentId, mayWorkOn } = known
  const standings = open.map((trial) => [trial, standingOf(trial)] as const)
  const find = (fits: (trial: StoredTrial, standing: Standing) => boolean) =>
    standings.find(([trial, standing]) => fits(trial, standing))?.[0]

  const mine = find(
    (trial, standing) =>
      trial.agentId === agentId &&
      trial.reportedAt === null &&
      (standing === 'unstarted'
        ? trial.experimentState === null || trial.handedCount < handedMax
        : standing === 'preempted'),
  )
  if (mine) return { do: 'again', trial: mine }
  if (known.isReached) return { do: 'exit', isOver: false }

  const preempted = find(
    (trial, standing) => standing === 'preempted' && trial.reportedAt !== null && mayWorkOn(trial),
  )
  if (preempted) return { do: 'resume', trial: preempted }
  const waiting = find(
    (trial, standing) => standing === 'waiting' && (trial.experimentId === null || mayWorkOn(trial)),
  )
  if (waiting) return { do: 'take', trial: waiting }

  const isClosed = known.isClosed || (config.runCap !== null && known.counted >= config.runCap)
  const values = isClosed || config.isLocal ? undefined : known.nextValues()
  if (values === 'think') return { do: 'think' }
  if (values) return { do: 'try', values }
  if (config.isLocal && !isClosed) return { do: 'wait' }
  // What another agent has not begun may come back, if that agent dies.
  if (standings.some(([, standing]) => standing === 'unstarted' || standing === 'waiting'))
    return { do: 'wait' }
  return { do: 'exit', isOver: !standings.some(([, standing]) => standing === 'running') }
}

/** Whether one is as good as the sweep's target. */
export function isReached(metric: Metric | null, outcomes: readonly Outcome[]): boolean {
  if (!metric || metric.target === null) return false
  const { target, goal } = metric
  return outcomes.some(({ best }) => best !== null && (goal === 'minimize' ? best <= target : best >= target))
}

/**
 * Something that was not tried yet. Where chance does not find it in some draws and the values can be counted, any that
 * is left; only when all of them were tried is one tried again.
 */
export function drawNew({ parameters }: SweepConfig, taken: Taken, seed: number, number: number): Values {
  const random = createRandom(seed, number)
  let drawn = drawValues(parameters, random)
  for (let draw = 1; draw < drawsMax && taken.has(drawn); draw++) drawn = drawValues(parameters, random)
  return taken.has(drawn) ? (taken.anyInGrid(random) ?? drawn) : drawn
}

/**
 * What the model learns from: losses, lower being better; what brought none is stood in for.
 *
 * @param unbegun values that were handed out, or wait, and have no outcome yet.
 */
export function trialsFor(metric: Metric, outcomes: readonly Outcome[], unbegun: readonly Values[]): Trial[] {
  const sign = metric.goal === 'maximize' ? -1 : 1
  const measured = outcomes.flatMap(({ best }) => (best === null ? [] : sign * best))
  const standIn = (impute: Impute, outcome: Outcome | undefined): number | null => {
    if (impute === 'latest' && outcome?.latest != null) return sign * outcome.latest
    if (measured.length === 0) return null
    return impute === 'best' ? Math.min(...measured) : Math.max(...measured)
  }
  const whileRunning = (outcome: Outcome | undefined) =>
    metric.imputeWhileRunning === null ? null : standIn(metric.imputeWhileRunning, outcome)
  const known = outcomes.flatMap((outcome): Trial[] => {
    const { values, state, isPrior } = outcome
    if (isPrior) return outcome.best === null ? [] : [{ values, loss: sign * outcome.best }]
    if (!endedStates.includes(state) || state === 'preempted')
      return [{ values, loss: whileRunning(outcome) }]
    if (state === 'finished' && outcome.best !== null) return [{ values, loss: sign * outcome.best }]
    // Stopped early or failed: what it reached may be known, but not what it would have reached.
    const best = state === 'killed' ? outcome.best : null
    const loss = best === null ? standIn(metric.impute, outcome) : sign * best
    return loss === null ? [] : [{ values, loss }]
  })
  return [...known, ...unbegun.map((values) => ({ values, loss: whileRunning(undefined) }))]
}
