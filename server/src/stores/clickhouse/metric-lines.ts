/** Reading what was logged, other than curves: raw lines, keys, objects, console. A line sent twice is read once. */
import { GridError } from '@teamgrid/api'
import type { ConsoleLine, KeyInfo, MetricStore, StoredObject } from './metric-types.ts'
import { type Ask, type Params, createBinder, readNumber } from './metric-query.ts'

type LineRow = [line: number, step: number, raw: string]

export function createLineReader(
  ask: Ask,
): Pick<MetricStore, 'scan' | 'latest' | 'lineOfEach' | 'keys' | 'keysOfEach' | 'objects' | 'console'> {
  return {
    async scan({ experimentId, stream, stepFrom, stepTo, lineFrom, limit, rewritten }) {
      const { bind, params } = createBinder()
      const inStream = [
        `experiment = ${bind(experimentId, 'UUID')} AND stream = ${bind(stream, 'String')}`,
        ...(lineFrom === undefined ? [] : [`line >= ${bind(Math.ceil(lineFrom), 'Int64')}`]),
      ].join(' AND ')
      const inRange = [
        ...(stepFrom === undefined ? [] : [`step >= ${bind(Math.ceil(stepFrom), 'Int64')}`]),
        ...(stepTo === undefined ? [] : [`step < ${bind(Math.ceil(stepTo), 'Int64')}`]),
      ]
      // Replacing a line may move its step, so then the range is applied to the newest versions only.
      const query =
        rewritten && inRange.length > 0
          ? `SELECT line, step, raw FROM lines FINAL WHERE ${inStream} AND ${inRange.join(' AND ')} ORDER BY line`
          : `SELECT line, step, raw FROM lines WHERE ${[inStream, ...inRange].join(' AND ')} ORDER BY line, version DESC`
      const rows = await eachLineOnce<LineRow>(ask, query, params, limit)
      return rows.map(([line, step, raw]) => ({ line, step, raw }))
    },

    async latest({ experimentId, stream, limit }) {
      const rows = await eachLineOnce<LineRow>(
        ask,
        `SELECT line, step, raw FROM lines
         WHERE experiment = {experimentId:UUID} AND stream = {stream:String} ORDER BY line DESC, version DESC`,
        { experimentId, stream },
        limit,
      )
      return rows.map(([line, step, raw]) => ({ line, step, raw })).reverse()
    },

    async keys({ experimentIds, stream }) {
      if (experimentIds.length === 0) return []
      const { bind, params } = createBinder()
      const ids = bind(experimentIds, 'Array(UUID)')
      const ofStream = stream === undefined ? '' : `AND stream = ${bind(stream, 'String')}`
      const rows = await ask<KeyRow>(
        `SELECT key, stream, kind, argMax(type, newest), sum(lines_count), max(step), max(line), argMax(number, newest)
         FROM (${ofKeys(`experiment IN ${ids} ${ofStream}`)})
         GROUP BY stream, kind, key
         ORDER BY stream, key, kind`,
        params,
      )
      return rows.map(keyInfoOf)
    },

    async keysOfEach({ experimentIds, stream }) {
      const { bind, params } = createBinder()
      const where = `experiment IN ${bind(experimentIds, 'Array(UUID)')} AND stream = ${bind(stream, 'String')}`
      const rows =
        experimentIds.length === 0
          ? []
          : await ask<[...KeyRow, experimentId: string]>(
              `SELECT key, stream, kind, type, lines_count, step, line, number, toString(experiment)
               FROM (${ofKeys(where)}) ORDER BY experiment, key, kind`,
              params,
            )
      const found = new Map<string, KeyInfo[]>(experimentIds.map((id) => [id, []]))
      for (const [key, ofStream, kind, type, count, step, line, value, id] of rows)
        found.get(id)?.push(keyInfoOf([key, ofStream, kind, type, count, step, line, value]))
      return found
    },

    async lineOfEach({ lines, stream }) {
      if (lines.length === 0) return new Map()
      const { bind, params } = createBinder()
      const ids = bind(
        lines.map(({ experimentId }) => experimentId),
        'Array(UUID)',
      )
      const numbers = bind(
        lines.map(({ line }) => line),
        'Array(UInt32)',
      )
      // The whole key of the table, so that of a long experiment one block is read and no more.
      const rows = await ask<[string, string]>(
        `SELECT toString(experiment), argMax(raw, version) FROM lines
         WHERE (experiment, stream, line) IN (
           SELECT each.1, CAST(${bind(stream, 'String')}, 'Enum8(''history'' = 1, ''system'' = 2)'), each.2
           FROM (SELECT arrayJoin(arrayZip(${ids}, ${numbers})) AS each)
         )
         GROUP BY experiment`,
        params,
      )
      return new Map(rows)
    },

    async objects({ experimentId, keys, stepFrom, stepTo, limit }) {
      if (keys.length === 0) return []
      const { bind, params } = createBinder()
      const experiment = bind(experimentId, 'UUID')
      const asked = `experiment = ${experiment} AND stream = 'history' AND key IN ${bind(keys, 'Array(String)')}`
      const inRange = [
        '1',
        ...(stepFrom === undefined ? [] : [`step >= ${bind(Math.ceil(stepFrom), 'Int64')}`]),
        ...(stepTo === undefined ? [] : [`step < ${bind(Math.ceil(stepTo), 'Int64')}`]),
      ].join(' AND ')
      const most = bind(checkedLimit(limit), 'UInt64')
      // First which ones (narrow columns only), then their text: an object may be megabytes.
      const rows = await ask<[string, number, number, number | string, string, string]>(
        `WITH
           current AS
           (
             SELECT line, max(version) FROM lines
             WHERE experiment = ${experiment} AND stream = 'history'
               AND line IN (SELECT line FROM objects WHERE ${asked}) GROUP BY line
           ),
           found AS
           (
             SELECT DISTINCT key, line, version, step FROM objects
             WHERE ${asked} AND ${inRange} AND (line, version) IN (SELECT * FROM current)
           ),
           picked AS
           (
             SELECT key, line, version FROM
             (
               SELECT key, line, version, row_number() OVER (ORDER BY step, line, key) AS place, count() OVER () AS total
               FROM found
             )
             WHERE total <= ${most} OR intDiv(place * ${most}, total) != intDiv((place - 1) * ${most}, total)
           )
         SELECT key, line, step, timestamp, type, json FROM objects
         WHERE ${asked} AND (key, line, version) IN (SELECT * FROM picked)
         ORDER BY step, line, key LIMIT 1 BY key, line`,
        params,
      )
      return rows.map(([key, line, step, timestamp, type, json]): StoredObject => ({
        key,
        line,
        step,
        timestampSeconds: readNumber(timestamp),
        type,
        json,
      }))
    },

    async console({ experimentId, lineFrom, lineTo, last, search, limit }) {
      const { bind, params } = createBinder()
      const inRange = [
        `experiment = ${bind(experimentId, 'UUID')}`,
        ...(lineFrom === undefined ? [] : [`line >= ${bind(Math.ceil(lineFrom), 'Int64')}`]),
        ...(lineTo === undefined ? [] : [`line < ${bind(Math.ceil(lineTo), 'Int64')}`]),
      ].join(' AND ')
      const order = last ? 'DESC' : 'ASC'
      const searching = search !== undefined && search !== ''
      // A line may have been overwritten (a progress bar), so only its newest text is searched.
      const from = searching
        ? `console FINAL WHERE ${inRange} AND positionCaseInsensitiveUTF8(text, ${bind(search, 'String')}) > 0`
        : `console WHERE ${inRange}`
      type Row = [number, number | null, ConsoleLine['level'], string, string]
      const rows = await eachLineOnce<Row>(
        ask,
        `SELECT line, time_ms, level, label, text FROM ${from} ORDER BY line ${order}, version DESC`,
        params,
        limit,
      )
      const [[total] = [0]] = await ask<[number]>(`SELECT groupBitmap(line) FROM ${from}`, params)
      const lines = rows.map(([line, timeMs, level, label, text]) => ({ line, timeMs, level, label, text }))
      return { lines: last ? lines.reverse() : lines, total }
    },
  }
}

type KeyRow = [
  key: string,
  stream: KeyInfo['stream'],
  kind: KeyInfo['kind'],
  type: string,
  count: number,
  step: number,
  line: number,
  value: number | string,
]

/** Each key of each experiment, its parts put together. */
function ofKeys(where: string): string {
  return `SELECT experiment, stream, kind, key, groupBitmapMerge(lines) AS lines_count,
            bitmapMax(groupBitmapMergeState(lines)) AS line, argMaxMerge(last_step) AS step,
            argMaxMerge(last_number) AS number, argMaxMerge(last_type) AS type, (line, experiment) AS newest
          FROM keys WHERE ${where}
          GROUP BY experiment, stream, kind, key`
}

function keyInfoOf([key, stream, kind, type, count, lastStep, lastLine, value]: KeyRow): KeyInfo {
  const lastNumber = kind === 'number' ? readNumber(value) : null
  return { key, stream, kind, type, count, lastStep, lastLine, lastNumber }
}

/**
 * The first `limit` lines of a query, each in its newest version. The engine could leave out the older ones itself
 * (`LIMIT 1 BY line`), but then it reads the whole stream; so a few more rows than needed are read in order instead.
 *
 * @param query gives rows that begin with the line number, ordered by line and then newest version first.
 */
async function eachLineOnce<Row extends [line: number, ...unknown[]]>(
  ask: Ask,
  query: string,
  params: Params,
  limit: number,
): Promise<Row[]> {
  for (let rowsMax = checkedLimit(limit) + 100; ; rowsMax *= 4) {
    const rows = await ask<Row>(`${query} LIMIT {rowsMax:UInt64}`, { ...params, rowsMax })
    const once = rows.filter((row, index) => row[0] !== rows[index - 1]?.[0])
    if (once.length >= limit || rows.length < rowsMax) return once.slice(0, limit)
  }
}

function checkedLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 0) throw new GridError('invalid', `${limit} is no limit.`)
  return limit
}
