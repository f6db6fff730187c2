/** What an agent that has nothing to do shall do next. Pure: what is known comes in, a decision comes out. */
import { endedStates, type ExperimentState } from '@teamgrid/api'
import { suggest, type Trial } from './bayes.ts'
import { createGrid, nextInGrid } from './grid.ts'
import { drawValues, textOf, type Values } from './parameters.ts'
import { createRandom } from './random.ts'
import type { Impute, Metric, SweepConfig } from './sweep-config.ts'
import type { StoredTrial } from './types.ts'

/** An agent that lost the answer asks again; one whose process dies at once must not be given the same for ever. */
export const handedMax = 2
/** After so many agents have died over one configuration it is let go. */
export const lostMax = 3
/** Draws before a configuration that was tried already is accepted once more. */
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
  /** The best and the last value of the metric; null when it was never logged. */
  best: number | null
  latest: number | null
}

export type Decision =
  | { do: 'again' | 'resume' | 'take'; trial: StoredTrial }
  | { do: 'try'; values: Values }
  /** Nothing now, perhaps later. */
  | { do: 'wait' }
  /** Nothing any more; `isOver` when nobody else has anything left to do either. */
  | { do: 'exit'; isOver: boolean }

export type Known = {
  config: SweepConfig
  seed: number
  /** A controller on somebody's machine said that nothing more will come. */
  isClosed: boolean
  trials: readonly StoredTrial[]
  outcomes: readonly Outcome[]
  agentId: string
  /** Whether the agent's person may work on the experiment that a trial has already. */
  mayWorkOn: (experimentId: string) => boolean
}

export function decide(known: Known): Decision {
  const { config, trials, agentId, mayWorkOn } = known
  const standings = trials.map((trial) => [trial, standingOf(trial)] as const)
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
  if (isReached(config.metric, known.outcomes)) return { do: 'exit', isOver: false }

  const preempted = find(
    (trial, standing) =>
      standing === 'preempted' && trial.reportedAt !== null && mayWorkOn(trial.experimentId!),
  )
  if (preempted) return { do: 'resume', trial: preempted }
  const waiting = find(
    (trial, standing) =>
      standing === 'waiting' && (trial.experimentId === null || mayWorkOn(trial.experimentId)),
  )
  if (waiting) return { do: 'take', trial: waiting }

  const counted = standings.filter(([, standing]) => standing !== 'void').length
  const values = isCapped(config, counted) || known.isClosed ? undefined : nextValues(known)
  if (values) return { do: 'try', values }
  if (config.isLocal && !known.isClosed && !isCapped(config, counted)) return { do: 'wait' }
  // What another agent has not begun may come back, if that agent dies.
  if (standings.some(([, standing]) => standing === 'unstarted' || standing === 'waiting'))
    return { do: 'wait' }
  return { do: 'exit', isOver: !standings.some(([, standing]) => standing === 'running') }
}

function isCapped({ runCap }: SweepConfig, counted: number): boolean {
  return runCap !== null && counted >= runCap
}

function isReached(metric: Metric | null, outcomes: readonly Outcome[]): boolean {
  if (!metric || metric.target === null) return false
  const { target, goal } = metric
  return outcomes.some(({ best }) => best !== null && (goal === 'minimize' ? best <= target : best >= target))
}

/** @returns undefined when nothing is left to try. */
function nextValues({ config, seed, trials, outcomes }: Known): Values | undefined {
  if (config.isLocal) return undefined
  const present = trials.filter((trial) => standingOf(trial) !== 'void')
  const ofTrials = new Set(present.map((trial) => trial.experimentId))
  const prior = outcomes.filter((outcome) => !ofTrials.has(outcome.experimentId))
  const taken = [...present.map((trial) => trial.values), ...prior.map((outcome) => outcome.values)]
  // Numbers are never used twice, so what a deleted one drew is not drawn again.
  const number = (trials.at(-1)?.number ?? -1) + 1
  switch (config.method) {
    case 'grid':
      return nextInGrid(createGrid(config.parameters), taken)
    case 'random':
      return drawNew(config, taken, seed, number)
    case 'bayes':
      return suggest(config.parameters, trialsFor(config.metric!, present, prior, outcomes), seed, number)
    case 'custom':
      return undefined
  }
}

/** Something that was not tried yet, where chance finds it in some draws. */
function drawNew(
  { parameters }: SweepConfig,
  taken: readonly Values[],
  seed: number,
  number: number,
): Values {
  const known = new Set(taken.map(textOf))
  const random = createRandom(seed, number)
  let drawn = drawValues(parameters, random)
  for (let draw = 1; draw < drawsMax && known.has(textOf(drawn)); draw++)
    drawn = drawValues(parameters, random)
  return drawn
}

/** What the model learns from: losses, lower being better; what brought none is stood in for. */
function trialsFor(
  metric: Metric,
  present: readonly StoredTrial[],
  prior: readonly Outcome[],
  outcomes: readonly Outcome[],
): Trial[] {
  const sign = metric.goal === 'maximize' ? -1 : 1
  const measured = outcomes.flatMap(({ best }) => (best === null ? [] : sign * best))
  const standIn = (impute: Impute, outcome: Outcome | undefined): number | null => {
    if (impute === 'latest' && outcome?.latest != null) return sign * outcome.latest
    if (measured.length === 0) return null
    return impute === 'best' ? Math.min(...measured) : Math.max(...measured)
  }
  const byId = new Map(outcomes.map((outcome) => [outcome.experimentId, outcome]))
  const ofTrials = present.flatMap((trial): Trial[] => {
    const outcome = trial.experimentId === null ? undefined : byId.get(trial.experimentId)
    const { values } = trial
    if (standingOf(trial) !== 'ended') {
      const running = metric.imputeWhileRunning
      return [{ values, loss: running === null ? null : standIn(running, outcome) }]
    }
    if (outcome?.state === 'finished' && outcome.best !== null) return [{ values, loss: sign * outcome.best }]
    // Stopped early or failed: what it reached may be known, but not what it would have reached.
    const best = outcome?.state === 'killed' ? outcome.best : null
    const loss = best === null ? standIn(metric.impute, outcome) : sign * best
    return loss === null ? [] : [{ values, loss }]
  })
  return [
    ...prior.flatMap(({ values, best }) => (best === null ? [] : [{ values, loss: sign * best }])),
    ...ofTrials,
  ]
}
