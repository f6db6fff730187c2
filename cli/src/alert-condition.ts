/** What `--when` means: the sentences that `wordsOfCondition` writes, and their shorter forms. Pure. */
import { AlertCondition, artifactWords, GridError } from '@teamgrid/api'

const examples = [
  'val/loss > 2',
  'average of 10 x loss >= 0.5',
  'loss rises by 20 %',
  'loss jumps',
  'loss is NaN',
  'acc ends lower than the best by more than 5 %',
  'failed or crashed',
  'no sign of life for 120 s',
  'a script reports warn or error',
  'an artifact gets an alias in model',
]

/** For `--help`. */
export const conditionHelp = `such as ${examples.map((each) => `"${each}"`).join(', ')}`

const number = String.raw`([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)`
const metric = String.raw`(\S(?:.*?\S)?)`
const operators = { '>': 'gt', '>=': 'gte', '≥': 'gte', '<': 'lt', '<=': 'lte', '≤': 'lte' } as const
const directions = { rises: 'increase', falls: 'decrease', changes: 'any' } as const

type Form = { pattern: string; means: (...parts: (string | undefined)[]) => object }

/** In this order: the first that fits is meant. */
const forms: Form[] = [
  {
    pattern: `(average|min|max) of (\\d+) (?:[x×] )?${metric} ?(>=|<=|>|<|≥|≤) ?${number}`,
    means: (aggregate, windowValues, name, operator, value) => ({
      ...threshold(name, operator, value),
      aggregate: aggregate?.toLowerCase(),
      windowValues: Number(windowValues),
    }),
  },
  {
    pattern: `${metric} ?(>=|<=|>|<|≥|≤) ?${number}`,
    means: (name, operator, value) => threshold(name, operator, value),
  },
  {
    pattern: `${metric} (rises|falls|changes) by (?:more than )?${number} ?(%)?`,
    means: (name, how, amount, percent) => ({
      kind: 'change',
      metric: name,
      direction: directions[how?.toLowerCase() as keyof typeof directions],
      by: percent ? 'relative' : 'absolute',
      amount: percent ? Number(amount) / 100 : Number(amount),
    }),
  },
  {
    pattern: `${metric} (?:jumps|is ${number} standard deviations off its last (\\d+) values)`,
    means: (name, deviations, windowValues) => ({
      kind: 'zscore',
      metric: name,
      ...(deviations === undefined ? {} : { deviations: Number(deviations) }),
      ...(windowValues === undefined ? {} : { windowValues: Number(windowValues) }),
    }),
  },
  {
    pattern: `${metric} is (?:nan|infinite|nan or infinite)`,
    means: (name) => ({ kind: 'nonfinite', metric: name }),
  },
  {
    pattern: `${metric} (?:ends|is) (higher|lower) than (?:the )?(\\S+)(?: by(?: more than)? ${number} ?%)?`,
    means: (name, worse, baseline, tolerance) => ({
      kind: 'regression',
      metric: name,
      goal: worse?.toLowerCase() === 'higher' ? 'minimize' : 'maximize',
      baseline: baseline?.toLowerCase() === 'best' ? null : baseline,
      tolerance: Number(tolerance ?? 0) / 100,
    }),
  },
  {
    pattern: `(?:no sign of life|silent) for (\\d+) ?s(?:econds)?`,
    means: (seconds) => ({ kind: 'silent', seconds: Number(seconds) }),
  },
  {
    pattern: `((?:an artifact|a collection) (?:is|gets an?|loses a) \\w+)(?: in (\\S+))?`,
    means: (happening, collection) => ({
      kind: 'artifact',
      event: Object.entries(artifactWords).find(([, said]) => said === happening?.toLowerCase())?.[0],
      collection: collection ?? null,
    }),
  },
  {
    pattern: `(?:a script|script) reports (.+)`,
    means: (levels) => ({ kind: 'script', levels: words(levels) }),
  },
  {
    pattern: `(?:an experiment |experiment )?((?:finished|failed|crashed|killed)(?:(?:,| or|,? )+(?:finished|failed|crashed|killed))*)`,
    means: (states) => ({ kind: 'state', states: words(states) }),
  },
]

/** @throws GridError invalid, for a sentence nobody understands, or with limits that are not kept. */
export function conditionOf(text: string): AlertCondition {
  const sentence = text.trim().replace(/\s+/g, ' ')
  for (const { pattern, means } of forms) {
    const found = new RegExp(`^${pattern}$`, 'i').exec(sentence)
    if (!found) continue
    const read = AlertCondition.safeParse(means(...found.slice(1)))
    if (read.success) return read.data
    const [issue] = read.error.issues
    throw new GridError('invalid', `"${text}" cannot be: ${issue?.path.join('.')}: ${issue?.message}`)
  }
  throw new GridError('invalid', `"${text}" is not understood`, {
    hint: `Say something ${conditionHelp}.`,
  })
}

function threshold(name: string | undefined, operator: string | undefined, value: string | undefined) {
  return {
    kind: 'threshold',
    metric: name,
    operator: operators[operator as keyof typeof operators],
    value: Number(value),
  }
}

/** `warn, error or info` taken apart. */
function words(list: string | undefined): string[] {
  return [...new Set((list ?? '').toLowerCase().split(/,\s*or\s+|\s+or\s+|[,\s]+/))].filter(Boolean)
}
