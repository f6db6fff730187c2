/**
 * wandb's words turned into ours and back, at the door: entity ⇄ team, run ⇄ experiment, storage ids, JSON that may
 * hold bare NaN, console lines. Pure functions; nothing here asks a store.
 */
import { GridError } from '@teamgrid/api'
import type { ConsoleText, UpsertExperiment } from '../experiments/types.ts'
import { isJsonObject, parseTolerantJson } from '../lib/tolerant-json.ts'

export type StorageKind =
  | 'Run'
  | 'Project'
  | 'Entity'
  | 'User'
  | 'Organization'
  | 'Member'
  | 'ApiKey'
  | 'Invite'
  | 'CustomChart'
  | 'View'
  | 'Trigger'
  | 'Integration'
  | 'Sweep'
  | 'Agent'

/**
 * The id of a stored thing as the client sees it: padded base64 of `Run:v1:<uuid>`. Plain ASCII without `>`, `?` and
 * `~` never yields `+` or `/`, which would add path segments to urls that the client builds from ids.
 */
export function storageId(kind: StorageKind, id: string): string {
  return Buffer.from(`${kind}:v1:${id}`).toString('base64')
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The uuid inside a storage id of that kind; undefined for anything that we did not make. */
export function readStorageId(kind: StorageKind, given: string): string | undefined {
  const [name, version, id = ''] = Buffer.from(given, 'base64').toString('latin1').split(':')
  return name === kind && version === 'v1' && uuidPattern.test(id) ? id : undefined
}

/**
 * The id of a person or team by name, as `User:<number>`: clients that hand it back read a whole number after the
 * colon, of any length. The number is the bytes of the name.
 */
export function numberedId(kind: 'User' | 'Entity', name: string): string {
  const number = BigInt(`0x${Buffer.from(name).toString('hex') || '0'}`)
  return Buffer.from(`${kind}:${number}`).toString('base64')
}

/** The name in an id that `numberedId` made; undefined for anything else. */
export function readNumberedId(kind: 'User' | 'Entity', given: string): string | undefined {
  const [, found, digits] = /^(\w+):(\d{1,400})$/.exec(Buffer.from(given, 'base64').toString('latin1')) ?? []
  if (found !== kind || digits === undefined) return undefined
  const hex = BigInt(digits).toString(16)
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString()
}

/** `Project.internalId`: base64 of `ProjectInternalId:12`. */
export function projectInternalId(number: number): string {
  return Buffer.from(`ProjectInternalId:${number}`).toString('base64')
}

/** A run's file has no id of its own: the id names its experiment and its path (as hex, to stay within plain ASCII). */
export function fileId(experimentId: string, path: string): string {
  return Buffer.from(`File:v1:${experimentId}:${Buffer.from(path).toString('hex')}`).toString('base64')
}

export function readFileId(given: string): { experimentId: string; path: string } | undefined {
  const [kind, version, experimentId = '', hex = ''] = Buffer.from(given, 'base64')
    .toString('latin1')
    .split(':')
  if (kind !== 'File' || version !== 'v1' || !uuidPattern.test(experimentId)) return undefined
  return { experimentId, path: Buffer.from(hex, 'hex').toString() }
}

/** A JSONString argument that must hold an object; bare NaN and Infinity may be in it. @throws GridError invalid */
export function parseObject(text: string, label: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parseTolerantJson(text)
  } catch (cause) {
    throw new GridError('invalid', `${label} is not JSON`, { cause })
  }
  if (!isJsonObject(value)) throw new GridError('invalid', `${label} is not a JSON object`)
  return value
}

export type UpsertBucketInput = {
  id?: string | null
  name?: string | null
  modelName?: string | null
  entityName?: string | null
  groupName?: string | null
  displayName?: string | null
  notes?: string | null
  config?: string | null
  commit?: string | null
  host?: string | null
  jobProgram?: string | null
  jobRepo?: string | null
  jobType?: string | null
  state?: string | null
  sweep?: string | null
  tags?: string[] | null
  summaryMetrics?: string | null
}

/**
 * What `upsertBucket` asks, in our words. Null and absent both mean "leave alone"; `description` is a relic that the
 * client echoes, `notes` is what people wrote.
 * @throws GridError not_found for an id that is not ours, invalid for config, summary or state that make no sense.
 */
export function upsertFrom(input: UpsertBucketInput, { shared }: { shared: boolean }): UpsertExperiment {
  const upsert: UpsertExperiment = {}
  if (input.id) {
    const id = readStorageId('Run', input.id)
    if (!id) throw new GridError('not_found', 'There is no run with this id')
    upsert.id = id
  }
  // An empty name is what older clients send for "none".
  if (input.entityName) upsert.team = input.entityName
  if (input.modelName) upsert.project = input.modelName
  if (input.name) upsert.slug = input.name
  if (input.displayName) upsert.name = input.displayName
  if (input.groupName != null) upsert.group = input.groupName
  if (input.jobType != null) upsert.jobType = input.jobType
  if (input.notes != null) upsert.notes = input.notes
  if (input.tags) upsert.tags = input.tags
  if (input.commit) upsert.commit = input.commit
  if (input.jobRepo) upsert.repo = input.jobRepo
  if (input.host) upsert.host = input.host
  if (input.jobProgram) upsert.program = input.jobProgram
  if (input.sweep) upsert.sweepName = input.sweep
  if (input.config) {
    upsert.config = parseObject(input.config, 'config')
    const branchPoint = branchPointFrom(upsert.config)
    if (branchPoint) upsert.branchPoint = branchPoint
  }
  if (input.summaryMetrics) upsert.summary = parseObject(input.summaryMetrics, 'summaryMetrics')
  if (input.state) {
    if (input.state !== 'pending' && input.state !== 'running') {
      throw new GridError('invalid', `invalid state transition: a run cannot be made ${input.state}`)
    }
    upsert.state = input.state
  }
  if (shared) upsert.shared = true
  return upsert
}

/**
 * Where the client wants a new run to begin: `{"run_id", "step"}`. It stays in the config, and comes again with it.
 * @throws GridError invalid, for one that says nothing: the run would look whole and not be.
 */
function branchPointFrom(config: Record<string, unknown>): UpsertExperiment['branchPoint'] {
  const point = wandbPart(config).branch_point
  if (point == null) return undefined
  const { run_id: slug, step } = isJsonObject(point) ? point : {}
  if (typeof slug !== 'string' || typeof step !== 'number' || !(step >= 0))
    throw new GridError('invalid', 'A fork needs a run and a step: fork_from="<run>?_step=<number>".')
  return { slug, step: Math.floor(step) }
}

/** What the client keeps for itself under `_wandb` of the config; `{}` before it has sent any. */
export function wandbPart(config: Record<string, unknown>): Record<string, unknown> {
  const part = config._wandb
  if (!isJsonObject(part)) return {}
  return isJsonObject(part.value) ? part.value : part
}

const legacyLine = /^(ERROR )?(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?) ?([\s\S]*)$/

/**
 * One line of `output.log`. Structured: `{"level":"error","ts":"2026-11-22T03:14:18.051126","label":"…","content":"…"}`,
 * `ts` in UTC without a zone. Legacy: `ERROR 2026-11-22T03:14:18.051126 text`. Anything else is text without a time.
 * A legacy line begins with its time, so a script that prints JSON is never taken for the structured form. A legacy
 * `[label] ` cannot be told from a text that begins so, and stays in the text.
 */
export function consoleText(line: string): ConsoleText {
  if (line.startsWith('{')) {
    const structured = structuredLine(line)
    if (structured) return structured
  }
  const [, error, time, rest = ''] = legacyLine.exec(line) ?? []
  if (time === undefined) return { timeMs: null, level: 'info', label: '', text: line }
  return { timeMs: instantOf(time), level: error ? 'error' : 'info', label: '', text: rest }
}

function structuredLine(line: string): ConsoleText | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return undefined
  }
  if (!isJsonObject(parsed) || typeof parsed.content !== 'string') return undefined
  return {
    timeMs: typeof parsed.ts === 'string' ? instantOf(parsed.ts) : null,
    level: parsed.level === 'error' ? 'error' : 'info',
    label: typeof parsed.label === 'string' ? parsed.label : '',
    text: parsed.content,
  }
}

function instantOf(text: string): number | null {
  const ms = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`)
  return Number.isNaN(ms) ? null : ms
}
