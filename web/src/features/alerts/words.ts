import type { AlertCondition, AlertRule } from '@teamgrid/api'

const operators = { gt: '>', gte: '≥', lt: '<', lte: '≤' } as const
const waits = [
  [0, 'every time'],
  [60, 'once a minute'],
  [600, 'once in 10 minutes'],
  [3600, 'once an hour'],
  [86_400, 'once a day'],
  [30 * 86_400, 'once in 30 days'],
] as const

export const waitChoices = waits

/** How often a rule may speak about one experiment. */
export function wordsOfWait(seconds: number): string {
  return waits.find(([each]) => each === seconds)?.[1] ?? `once in ${seconds} s`
}

/** A condition as one line. */
export function wordsOfCondition(condition: AlertCondition): string {
  switch (condition.kind) {
    case 'threshold': {
      const what =
        condition.aggregate === null
          ? condition.metric
          : `${condition.aggregate} of ${condition.windowValues} × ${condition.metric}`
      return `${what} ${operators[condition.operator]} ${condition.value}`
    }
    case 'change': {
      const amount = condition.by === 'relative' ? `${condition.amount * 100} %` : String(condition.amount)
      const how = { increase: 'rises', decrease: 'falls', any: 'changes' }[condition.direction]
      return `${condition.metric} ${how} by ${amount}`
    }
    case 'zscore':
      return `${condition.metric} is ${condition.deviations} standard deviations off its last ${condition.windowValues} values`
    case 'nonfinite':
      return `${condition.metric} is NaN or infinite`
    case 'regression':
      return `${condition.metric} ends worse than ${condition.baseline ?? 'the best'}${condition.tolerance > 0 ? ` by more than ${condition.tolerance * 100} %` : ''}`
    case 'state':
      return `an experiment ${condition.states.join(' or ')}`
    case 'silent':
      return `no sign of life for ${condition.seconds} s`
    case 'script':
      return `a script reports ${condition.levels.join(' or ')}`
  }
  return condition satisfies never
}

/** Who hears of it, besides channels. */
export function wordsOfAudience({ reach, audience }: Pick<AlertRule, 'reach' | 'audience'>): string {
  if (reach === 'mine') return 'me'
  return { nobody: 'channels only', owner: 'the experiment’s owner', team: 'everybody in the team' }[audience]
}
