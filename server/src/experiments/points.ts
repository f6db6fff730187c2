import { visitLeaves } from '../lib/flatten.ts'
import { parseJsonObject } from '../lib/tolerant-json.ts'
import type { Line, Stream } from '../stores/clickhouse/metric-types.ts'

/** Longer keys are cut off from drawing (the raw line keeps them): nobody can read them, and each is an index entry. */
const keyLengthMax = 1000

/** Keys that say where a line stands, and what the client notes for itself. */
const placeKeys = new Set(['_step', '_runtime', '_timestamp', '_wandb'])

/**
 * Takes a logged line apart: numbers by flattened key (booleans as 0 and 1), everything else as JSON text with its
 * kind. `_step`, `_runtime` (s) and `_timestamp` (epoch s) say where the line stands. A line that is no JSON object is
 * kept as it came, without points: it must not cost the lines around it.
 *
 * @param raw one line as the client sent it; may hold bare NaN and Infinity.
 * @param line 0-based position in its stream; also the step, where the line names none.
 * Source of the reserved keys: wandb protocol notes, history and system metrics rows.
 */
export function pointsOf(experimentId: string, stream: Stream, line: number, raw: string): Line {
  const numbers: Line['numbers'] = Object.create(null) as Line['numbers']
  const objects: Line['objects'] = Object.create(null) as Line['objects']
  const row = parseJsonObject(raw) ?? {}
  const { _step, _runtime, _timestamp, _wandb, ...values } = row
  visitLeaves(values, (key, value) => {
    if (key === '' || key.length > keyLengthMax) return
    if (typeof value === 'number') numbers[key] = value
    else if (typeof value === 'boolean') numbers[key] = value ? 1 : 0
    else if (value !== null && value !== undefined)
      objects[key] = { type: typeOf(value), json: JSON.stringify(value, nonFiniteAsText) }
  })
  return {
    experimentId,
    stream,
    line,
    step: stream === 'history' ? stepOf(_step, line) : line,
    runtimeSeconds: typeof _runtime === 'number' ? _runtime : NaN,
    timestampSeconds: typeof _timestamp === 'number' ? _timestamp : NaN,
    raw,
    numbers,
    objects,
  }
}

/** May lines be found by this key? Others stand in the raw line alone. */
export function isPointKey(key: string): boolean {
  return key !== '' && key.length <= keyLengthMax && !placeKeys.has(key.split('.', 1)[0]!)
}

/** Steps are whole numbers; anything else is taken as absent or rounded down, never refused. */
function stepOf(step: unknown, line: number): number {
  const whole = typeof step === 'number' ? Math.floor(step) : line
  return Number.isSafeInteger(whole) ? whole : line
}

/** `string`, `list`, `map`, or the client's own `_type` such as `image-file`. */
export function typeOf(value: unknown): string {
  if (typeof value === 'string') return 'string'
  if (Array.isArray(value)) return 'list'
  const type = (value as { _type?: unknown })._type
  return typeof type === 'string' && type !== '' ? type.slice(0, 200) : 'map'
}

function nonFiniteAsText(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}
