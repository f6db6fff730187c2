/**
 * The client's events of automations as our conditions and back. Filters are JSON texts inside JSON texts. Pure.
 * Source: wandb/automations/events.py and _run_metric_filters.py of 0.31.
 */
import { AlertCondition, type Filter, GridError } from '@teamgrid/api'
import type { Condition } from '../experiments/types.ts'
import { isJsonObject } from '../lib/tolerant-json.ts'
import { runCondition } from './run-filters.ts'
import { parseObject } from './words.ts'

export type RuleEvent = { condition: AlertCondition; filters: Filter[] }

const aggregates = { AVERAGE: 'average', MIN: 'min', MAX: 'max' } as const
const operators = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' } as const
const artifactEvents = {
  CREATE_ARTIFACT: 'created',
  LINK_MODEL: 'linked',
  UNLINK_ARTIFACT: 'unlinked',
  ADD_ARTIFACT_ALIAS: 'alias-added',
  ADD_ARTIFACT_TAG: 'tag-added',
  REMOVE_ARTIFACT_TAG: 'tag-removed',
  ADD_COLLECTION_TAG: 'collection-tag-added',
  REMOVE_COLLECTION_TAG: 'collection-tag-removed',
} as const
const directions = { INCREASE: 'increase', DECREASE: 'decrease', ANY: 'any' } as const

/** @throws GridError invalid for events that our rules do not watch. */
export function eventFrom(
  eventType: string,
  eventFilter: string,
  collection: string | null = null,
): RuleEvent {
  const filter = parseObject(eventFilter, 'eventFilter')
  const artifactEvent = artifactEvents[eventType as keyof typeof artifactEvents]
  if (artifactEvent !== undefined)
    return {
      condition: checked({ kind: 'artifact', event: artifactEvent, collection }),
      filters: artifactFilters(filter),
    }
  const filters = filtersFrom(filter['run_filter'])
  if (eventType === 'RUN_STATE') {
    const { states } = nested(filter['run_state_filter'], 'run_state_filter')
    return { condition: checked({ kind: 'state', states: statesFrom(states) }), filters }
  }
  if (!['RUN_METRIC', 'RUN_METRIC_CHANGE', 'RUN_METRIC_ZSCORE'].includes(eventType))
    throw new GridError('invalid', `Automations of this server do not watch ${eventType}`)
  const metric =
    filter['run_metric_filter'] === undefined
      ? { threshold_filter: filter['metric_filter'] }
      : nested(filter['run_metric_filter'], 'run_metric_filter')
  return { condition: checked(metricFrom(metric)), filters }
}

function metricFrom(given: Record<string, unknown>): object {
  if (given['threshold_filter'] !== undefined) {
    const it = nested(given['threshold_filter'], 'threshold_filter')
    return {
      kind: 'threshold',
      metric: it['name'],
      operator: operators[it['cmp_op'] as keyof typeof operators],
      value: it['threshold'],
      aggregate: aggregates[it['agg_op'] as keyof typeof aggregates] ?? null,
      windowValues: it['window_size'] ?? 1,
    }
  }
  if (given['change_filter'] !== undefined) {
    const it = nested(given['change_filter'], 'change_filter')
    return {
      kind: 'change',
      metric: it['name'],
      direction: directions[it['change_dir'] as keyof typeof directions],
      by: it['change_type'] === 'ABSOLUTE' ? 'absolute' : 'relative',
      amount: it['change_amount'],
      aggregate: aggregates[it['agg_op'] as keyof typeof aggregates] ?? null,
      windowValues: it['current_window_size'] ?? 1,
      priorValues: it['prior_window_size'] ?? it['current_window_size'] ?? 1,
    }
  }
  const it = nested(given['zscore_filter'], 'zscore_filter')
  return {
    kind: 'zscore',
    metric: it['name'],
    direction: directions[it['change_dir'] as keyof typeof directions],
    deviations: it['threshold'] ?? 3,
    windowValues: it['window_size'] ?? 30,
  }
}

/** `ArtifactEvent.alias.eq("prod")` as conditions that must all hold. */
function artifactFilters(given: unknown): Filter[] {
  if (!isJsonObject(given)) return []
  // Saved ones come back one level deeper.
  if (given['filter'] !== undefined)
    return artifactFilters(
      typeof given['filter'] === 'string' ? parseObject(given['filter'], 'filter') : given['filter'],
    )
  return Object.entries(given).flatMap(([key, value]): Filter[] => {
    const parts = Array.isArray(value) ? value : [value]
    if (key === '$and' || (key === '$or' && parts.length <= 1)) return parts.flatMap(artifactFilters)
    if ((key !== 'alias' && key !== 'tag') || key.startsWith('$')) throw tooMuch()
    if (!isJsonObject(value)) return [{ column: key, op: 'eq', value: String(value) }]
    return Object.entries(value).map(([operator, operand]) => {
      const op = { $eq: 'eq', $ne: 'ne', $in: 'in', $regex: 'regex', $contains: 'contains' }[operator]
      if (op === undefined) throw tooMuch()
      return {
        column: key,
        op,
        value: Array.isArray(operand) ? operand.map(String) : String(operand),
      } as Filter
    })
  })
}

const tooMuch = () =>
  new GridError(
    'invalid',
    'The filter of an automation on artifacts takes conditions on alias and tag that must all hold',
  )

/** Their FAILED is whatever ended badly. */
function statesFrom(states: unknown): string[] {
  const given = Array.isArray(states) ? states : []
  const ours = given.flatMap((state) =>
    state === 'FINISHED' ? ['finished'] : state === 'FAILED' ? ['failed', 'crashed'] : [],
  )
  if (ours.length === 0)
    throw new GridError('invalid', 'Automations of this server watch how runs end: FINISHED or FAILED')
  return [...new Set(ours)]
}

/** Filters on runs, as far as they are plain conditions that must all hold. */
function filtersFrom(given: unknown): Filter[] {
  if (given === undefined || given === null || given === '') return []
  const condition = runCondition(typeof given === 'string' ? given : JSON.stringify(given))
  return condition === undefined ? [] : plain(condition)
}

function plain(condition: Condition): Filter[] {
  if (condition.op === 'and') return condition.conditions.flatMap(plain)
  // Of one thing "or" says no more than the thing itself.
  if (condition.op === 'or' && condition.conditions.length === 1) return plain(condition.conditions[0]!)
  if (condition.op === 'or' || condition.op === 'not' || condition.op === 'regex')
    throw new GridError('invalid', 'The filter of an automation takes plain conditions that must all hold')
  return [condition as Filter]
}

function checked(condition: object): AlertCondition {
  const parsed = AlertCondition.safeParse(condition)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new GridError(
    'invalid',
    `The event cannot be: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  )
}

function nested(given: unknown, label: string): Record<string, unknown> {
  if (typeof given === 'string') return parseObject(given, label)
  if (isJsonObject(given)) return given
  throw new GridError('invalid', `The event has no ${label}`)
}

const sections: [prefix: string, theirs: (key: string) => string][] = [
  ['config.', (key) => `config.${key}.value`],
  ['summary.', (key) => `summary_metrics.${key}`],
]
const fields: Record<string, string> = { slug: 'name', name: 'display_name', creator: 'username' }

/** @returns undefined for rules that the client has no words for. */
export function eventOf({
  condition,
  filters,
}: RuleEvent): { eventType: string; filter: string } | undefined {
  const run_filter = JSON.stringify({ $and: filters.map(filterOf) })
  const nameOf = (value: string | null, names: Record<string, string>) =>
    Object.keys(names).find((name) => names[name] === value) ?? null
  switch (condition.kind) {
    case 'threshold':
      return event('RUN_METRIC', {
        run_filter,
        run_metric_filter: {
          threshold_filter: {
            name: condition.metric,
            agg_op: nameOf(condition.aggregate, aggregates),
            window_size: condition.windowValues,
            cmp_op: nameOf(condition.operator, operators),
            threshold: condition.value,
          },
        },
      })
    case 'change':
      return event('RUN_METRIC_CHANGE', {
        run_filter,
        run_metric_filter: {
          change_filter: {
            name: condition.metric,
            agg_op: nameOf(condition.aggregate, aggregates),
            current_window_size: condition.windowValues,
            prior_window_size: condition.priorValues,
            change_type: condition.by === 'absolute' ? 'ABSOLUTE' : 'RELATIVE',
            change_dir: nameOf(condition.direction, directions),
            change_amount: condition.amount,
          },
        },
      })
    case 'zscore':
      return event('RUN_METRIC_ZSCORE', {
        run_filter,
        run_metric_filter: {
          zscore_filter: {
            name: condition.metric,
            window_size: condition.windowValues,
            threshold: condition.deviations,
            change_dir: nameOf(condition.direction, directions),
          },
        },
      })
    case 'state': {
      const states = condition.states.map((state) => (state === 'finished' ? 'FINISHED' : 'FAILED'))
      return event('RUN_STATE', { run_filter, run_state_filter: { states: [...new Set(states)] } })
    }
    case 'artifact': {
      const [theirs] = Object.entries(artifactEvents).find(([, ours]) => ours === condition.event)!
      const parts = filters.map(({ column, op, value }) => ({ [column]: { [`$${op}`]: value } }))
      return event(theirs, { filter: JSON.stringify({ $or: [{ $and: parts }] }) })
    }
    default:
      return undefined
  }
}

function event(eventType: string, filter: object): { eventType: string; filter: string } {
  return { eventType, filter: JSON.stringify(filter) }
}

function filterOf({ column, op, value }: Filter): object {
  const [prefix, theirs] = sections.find(([each]) => column.startsWith(each)) ?? [
    '',
    (key: string) => fields[key] ?? key,
  ]
  const key = theirs(column.slice(prefix.length))
  if (op === 'exists' || op === 'missing') return { [key]: { $exists: op === 'exists' } }
  return { [key]: { [`$${op}`]: value } }
}
