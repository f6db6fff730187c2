/** How the reading files ask: every value bound, none spliced into SQL. */
import { readingTrouble } from './engine-errors.ts'
import type { ClickHouse } from './open.ts'

export type Params = Record<string, unknown>
/** Takes a value along under a name and gives the placeholder that stands for it. */
export type Bind = (value: unknown, type: string) => string
export type Ask = <Row extends unknown[]>(query: string, params: Params) => Promise<Row[]>

/** NaN and ±Infinity come as text, as JSON has no word for them; 64-bit integers as numbers, ours fit. */
const outputSettings =
  'output_format_json_quote_denormals = 1, output_format_json_quote_64bit_integers = 0, max_execution_time = 60'

/** @returns a function that runs a SELECT (without FORMAT and SETTINGS) and gives rows as arrays of columns. */
export function createAsk({ client }: Pick<ClickHouse, 'client'>): Ask {
  return async (query, params) => {
    try {
      const result = await client.query({
        query: `${query}\nSETTINGS ${outputSettings}`,
        query_params: params,
        format: 'JSONCompactEachRow',
      })
      return await result.json()
    } catch (error) {
      throw readingTrouble(error)
    }
  }
}

/** A number as the engine wrote it under `outputSettings`. */
export function readNumber(value: number | string): number {
  if (typeof value === 'number') return value
  if (value === 'inf') return Infinity
  if (value === '-inf') return -Infinity
  return NaN
}

/** Collects values to bind and gives each a name. */
export function createBinder(): { params: Params; bind: Bind } {
  const params: Params = {}
  let count = 0
  return {
    params,
    bind(value, type) {
      const name = `p${count++}`
      params[name] = value
      return `{${name}:${type}}`
    },
  }
}

/** A float bound by its bits, as the text form of a parameter is not always parsed to the last bit. */
export function bindFloat(bind: Bind, value: number): string {
  return `reinterpretAsFloat64(${bind(bitsOf(value), 'UInt64')})`
}

export function bindFloats(bind: Bind, values: number[]): string {
  return `arrayMap(bits -> reinterpretAsFloat64(bits), ${bind(values.map(bitsOf), 'Array(UInt64)')})`
}

function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return view.getBigUint64(0)
}
