/**
 * What can be filtered and sorted by, as flat facts: built-in fields, `config.<key>` and `summary.<key>`. Postgres holds
 * the truth; the facts in the metric store follow from it through these pure functions alone, so they can be rebuilt.
 */
import { visitLeaves } from '../lib/flatten.ts'
import { isJsonObject } from '../lib/tolerant-json.ts'
import type { Fact } from '../stores/clickhouse/metric-types.ts'
import type { StoredExperiment } from './types.ts'

/** Text beyond this is not searched; nobody sorts by the rest of a novel. */
const textLengthMax = 4000
const keyLengthMax = 1000
/** Per section. More keys than this are a dump and not parameters; they are stored and shown, but not searchable. */
const keysMax = 20_000

export type FactBag = Map<string, Fact>

/** All facts of an experiment. */
export function factsOf(experiment: StoredExperiment): FactBag {
  return new Map([
    ...builtInFacts(experiment),
    ...configFacts(experiment.config),
    ...summaryFacts(experiment.summary),
  ])
}

type BuiltIn = Pick<
  StoredExperiment,
  | 'name'
  | 'slug'
  | 'state'
  | 'createdBy'
  | 'group'
  | 'jobType'
  | 'createdAt'
  | 'heartbeatAt'
  | 'endedAt'
  | 'tags'
  | 'notes'
  | 'host'
  | 'commit'
  | 'sweepName'
>

export function builtInFacts(experiment: BuiltIn): FactBag {
  const facts: FactBag = new Map()
  const add = (key: string, value: unknown) => addFact(facts, key, value)
  add('name', experiment.name)
  add('slug', experiment.slug)
  add('creator', experiment.createdBy.username)
  add('group', experiment.group)
  add('job_type', experiment.jobType)
  add('notes', experiment.notes === '' ? null : experiment.notes)
  add('host', experiment.host)
  add('commit', experiment.commit)
  add('sweep', experiment.sweepName)
  if (experiment.tags.length > 0) add('tags', `|${experiment.tags.join('|')}|`)
  for (const tag of experiment.tags) add(`tags.${tag}`, 1)
  return new Map([...facts, ...lifeFacts(experiment)])
}

/** The built-in facts that change while an experiment runs. */
export function lifeFacts(
  experiment: Pick<StoredExperiment, 'state' | 'createdAt' | 'heartbeatAt' | 'endedAt'>,
): FactBag {
  const facts: FactBag = new Map()
  addFact(facts, 'state', experiment.state)
  addFact(facts, 'created_at', experiment.createdAt.getTime())
  addFact(facts, 'heartbeat_at', experiment.heartbeatAt.getTime())
  addFact(facts, 'ended_at', experiment.endedAt?.getTime() ?? null)
  addFact(facts, 'duration', durationSeconds(experiment))
  return facts
}

/** From the start to the end, or to the last sign of life. */
export function durationSeconds({
  createdAt,
  heartbeatAt,
  endedAt,
}: Pick<StoredExperiment, 'createdAt' | 'heartbeatAt' | 'endedAt'>): number {
  return Math.max(0, ((endedAt ?? heartbeatAt).getTime() - createdAt.getTime()) / 1000)
}

export function configFacts(config: Record<string, unknown>): FactBag {
  return sectionFacts('config', plainConfig(config))
}

export function summaryFacts(summary: Record<string, unknown>): FactBag {
  const { _wandb, ...logged } = summary
  return sectionFacts('summary', logged)
}

/** The config as the script set it: the client's wrapping `{"value": …}` taken off, its own `_wandb` left out. */
export function plainConfig(config: Record<string, unknown>): Record<string, unknown> {
  const { _wandb, ...own } = config
  return Object.fromEntries(Object.entries(own).map(([key, value]) => [key, unwrapped(value)]))
}

function unwrapped(value: unknown): unknown {
  return isJsonObject(value) && Object.hasOwn(value, 'value') ? value['value'] : value
}

/** What has to be written so that `before` becomes `after`. */
export function changedFacts(before: FactBag, after: FactBag): { facts: Fact[]; removedKeys: string[] } {
  return {
    facts: [...after.values()].filter((fact) => {
      const old = before.get(fact.key)
      return old === undefined || old.number !== fact.number || old.text !== fact.text
    }),
    removedKeys: [...before.keys()].filter((key) => !after.has(key)),
  }
}

function sectionFacts(section: string, nested: Record<string, unknown>): FactBag {
  const facts: FactBag = new Map()
  visitLeaves(nested, (key, value) => {
    if (facts.size < keysMax) addFact(facts, `${section}.${key}`, value)
  })
  return facts
}

/** Numbers are numbers; booleans are 0 and 1 and also the words; the rest is text. Null is absence. */
function addFact(facts: FactBag, key: string, value: unknown): void {
  if (value === null || value === undefined || key.length > keyLengthMax) return
  if (typeof value === 'number' && Number.isFinite(value)) facts.set(key, { key, number: value, text: null })
  else if (typeof value === 'boolean') facts.set(key, { key, number: value ? 1 : 0, text: String(value) })
  else facts.set(key, { key, number: null, text: textOf(value).slice(0, textLengthMax) })
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (isJsonObject(value) && typeof value['_type'] === 'string') return value['_type']
  return JSON.stringify(value)
}
