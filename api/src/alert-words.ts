import type { AlertCondition } from './alerts.ts'

const operators = { gt: '>', gte: '≥', lt: '<', lte: '≤' } as const

export const artifactWords = {
  created: 'an artifact is created',
  linked: 'an artifact is linked',
  unlinked: 'an artifact is unlinked',
  'alias-added': 'an artifact gets an alias',
  'tag-added': 'an artifact gets a tag',
  'tag-removed': 'an artifact loses a tag',
  'collection-tag-added': 'a collection gets a tag',
  'collection-tag-removed': 'a collection loses a tag',
} as const

/** A condition as one line; `grid alerts rule create --when` reads such lines. */
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
      const amount = condition.by === 'relative' ? percent(condition.amount) : String(condition.amount)
      const how = { increase: 'rises', decrease: 'falls', any: 'changes' }[condition.direction]
      return `${condition.metric} ${how} by ${amount}`
    }
    case 'zscore':
      return `${condition.metric} is ${condition.deviations} standard deviations off its last ${condition.windowValues} values`
    case 'nonfinite':
      return `${condition.metric} is NaN or infinite`
    case 'regression': {
      const worse = condition.goal === 'minimize' ? 'higher' : 'lower'
      const tolerance = condition.tolerance > 0 ? ` by more than ${percent(condition.tolerance)}` : ''
      return `${condition.metric} ends ${worse} than ${condition.baseline ?? 'the best'}${tolerance}`
    }
    case 'state':
      return `an experiment ${condition.states.join(' or ')}`
    case 'silent':
      return `no sign of life for ${condition.seconds} s`
    case 'script':
      return `a script reports ${condition.levels.join(' or ')}`
    case 'artifact':
      return `${artifactWords[condition.event]}${condition.collection === null ? '' : ` in ${condition.collection}`}`
  }
  return condition satisfies never
}

/** 0.07 is 7 %, not 7.000000000000001 %. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(12))} %`
}
