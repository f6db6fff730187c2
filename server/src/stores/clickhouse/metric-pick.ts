/**
 * Some lines of many, evenly spread. Which ones is found out from line numbers alone, the bitmaps of the `keys` table
 * telling which lines have a key; only then is the text of those few read.
 */
import { GridError } from '@teamgrid/api'
import type { MetricStore } from './metric-types.ts'
import { type Ask, type Bind, createBinder } from './metric-query.ts'

export function createLinePicker(ask: Ask): Pick<MetricStore, 'pick' | 'linesAt'> {
  return {
    async pick({ experimentId, stream, keys, stepFrom, stepTo, count, rewritten }) {
      if (!Number.isInteger(count) || count < 0) throw new GridError('invalid', `${count} is no count.`)
      const { bind, params } = createBinder()
      const inStream = `experiment = ${bind(experimentId, 'UUID')} AND stream = ${bind(stream, 'String')}`
      const inRange = [
        ...(stepFrom === undefined ? [] : [`step >= ${bind(Math.ceil(stepFrom), 'Int64')}`]),
        ...(stepTo === undefined ? [] : [`step < ${bind(Math.ceil(stepTo), 'Int64')}`]),
      ]
      const once = [...new Set(keys)]
      const having = once.length === 0 ? undefined : linesHaving(once, inStream, bind)
      const conditions = [inStream, ...inRange, ...(having ? [having.condition] : [])].join(' AND ')
      // Replacing a line may move its step, so then only the newest versions are looked at.
      const from = rewritten && inRange.length > 0 ? 'lines FINAL' : 'lines'
      const most = `least(${bind(count, 'UInt64')}, length(found))`
      const [[lines] = [[]]] = await ask<[number[]]>(
        `WITH ${having ? `${having.scalars}, ` : ''}
           (SELECT bitmapToArray(groupBitmapState(line)) FROM ${from} WHERE ${conditions}) AS found
         SELECT arrayMap(place -> found[1 + intDiv(place * length(found), ${most})], range(${most}))`,
        params,
      )
      return lines
    },

    async linesAt({ experimentId, stream, lines }) {
      if (lines.length === 0) return []
      const rows = await ask<[number, number, string]>(
        `SELECT line, step, raw FROM lines
         WHERE experiment = {experimentId:UUID} AND stream = {stream:String} AND line IN {lines:Array(UInt32)}
         ORDER BY line, version DESC LIMIT 1 BY line`,
        { experimentId, stream, lines },
      )
      return rows.map(([line, step, raw]) => ({ line, step, raw }))
    },
  }
}

/**
 * Which lines have all of the keys. A key also stands for what is below it: `d` is there where `d.x` is. Lines that had
 * a key before they were replaced are among them.
 */
function linesHaving(keys: string[], inStream: string, bind: Bind): { scalars: string; condition: string } {
  const asked = bind(keys, 'Array(String)')
  const isAsked = `(key = one OR startsWith(key, concat(one, '.')))`
  const ofEach = `SELECT place, groupBitmapMergeState(lines) AS having FROM keys
    ARRAY JOIN arrayFilter((place, one) -> ${isAsked}, arrayEnumerate(${asked}), ${asked}) AS place
    WHERE ${inStream} AND arrayExists(one -> ${isAsked}, ${asked})
    GROUP BY place`
  return {
    scalars: `(SELECT (count(), groupBitmapAndState(having)) FROM (${ofEach})) AS having_all`,
    condition: `having_all.1 = ${bind(keys.length, 'UInt64')} AND bitmapContains(having_all.2, line)`,
  }
}
