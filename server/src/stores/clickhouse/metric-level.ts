/**
 * Levels: a long curve, thinned once to the extremes of blocks of some 32 points and kept in memory, so that looking at
 * it again, whole or zoomed, reads no more than a few points at the edges. A level is made when a curve is first asked
 * for, which costs about what thinning it once costs, and grows with its curve: only what lies behind its last whole
 * block is read again.
 *
 * A level is used only while it is proven to be what is stored: the `keys` table counts the rows of a curve, and so do
 * the blocks. A line that comes late changes the first and not the second, and the level is made again. Where lines were
 * sent twice nothing can be counted; there the versions of all rows are summed up instead, and a level is made when the
 * same sum is seen a second time.
 */
import type { Stream, XAxis } from './metric-types.ts'
import { type Ask, type Bind, createBinder, readNumber } from './metric-query.ts'
import { ordered, packed, packedColumn, type Point, unpackedAll } from './packed-points.ts'

export type LevelLimits = {
  /** Curves of fewer points are thinned by the engine each time. */
  rowsMin: number
  rowsPerBlock: number
  /** Of all levels together; some 80 bytes each. */
  blocksMax: number
}

export const levelLimits: LevelLimits = { rowsMin: 50_000, rowsPerBlock: 32, blocksMax: 400_000 }

export type LevelName = {
  experimentId: string
  stream: Stream
  key: string
  x: Extract<XAxis, string>
  /** Was any line sent twice? Then only its newest version counts, and rows must be told apart by line. */
  resent: boolean
}

/** A row that is no point: its value or its x is not finite. */
export type OddRow = { line: number; x: number; value: number }

export type Level = {
  linesPerBlock: number
  /** Of each block its number: its lines begin at number × linesPerBlock. Blocks without points are left out. */
  numbers: number[]
  /** How many points each block has. */
  counts: number[]
  /** Pairs, one of each block: (y, x) of the lowest and highest point, (x, y) of the first and last. */
  lowest: Float64Array
  highest: Float64Array
  first: Float64Array
  last: Float64Array
  odd: OddRow[]
}

/** More odd rows than this, and a curve has no level. */
const oddMax = 2_000

export type Levels = {
  /** @param rows of the curve, with all versions of a line. @returns undefined when it has no level. */
  find: (name: LevelName, rows: number) => Promise<Level | undefined>
  /** Every point of some blocks, in no order. */
  pointsOf: (name: LevelName, level: Level, blocks: number[]) => Promise<Point[]>
  forget: (experimentIds: string[]) => void
}

/** The stamp is of a curve of which lines were sent twice; its rows are NaN as long as no level was tried. */
type Kept = { rows: number; level: Level | undefined; stamp?: string }

export function createLevels(ask: Ask, limits: LevelLimits): Levels {
  /** The least recently used first. Without a level: the curve could have none when it had so many rows. */
  const kept = new Map<string, Kept>()
  const making = new Map<string, Promise<Level | undefined>>()
  let blocksKept = 0

  async function find(name: LevelName, rows: number): Promise<Level | undefined> {
    if (rows < limits.rowsMin) return undefined
    const id = [name.experimentId, name.stream, name.x, name.resent, name.key].join(' ')
    if (name.resent) return await findResent(id, name, rows)
    const found = kept.get(id)
    if (found?.rows === rows) {
      keep(id, found)
      return found.level
    }
    // What could have no level is not tried again for every new point.
    if (found && !found.level && rows > found.rows && rows < found.rows * 2) return undefined
    const askers = `${id} ${rows}`
    const made = making.get(askers) ?? make(id, name, rows, found?.level)
    making.set(askers, made)
    try {
      return await made
    } finally {
      making.delete(askers)
    }
  }

  /** What still changes is not worth a level: nothing of it could be used again. */
  async function findResent(id: string, name: LevelName, rows: number): Promise<Level | undefined> {
    const stamp = await stampOf(name)
    const found = kept.get(id)
    if (found?.stamp !== stamp) {
      keep(id, { rows: Number.NaN, level: undefined, stamp })
      return undefined
    }
    if (!Number.isNaN(found.rows)) {
      keep(id, found)
      return found.level
    }
    const level = await readOn(name, emptyLevel(await linesPerBlockOf(name, rows)), Infinity)
    const usable = level.odd.length <= oddMax && isOrdered(level) ? level : undefined
    keep(id, { rows, level: usable, stamp })
    return usable
  }

  /** Differs whenever a row came in. Merging rows away may change it too, which costs no more than making a level again. */
  async function stampOf(name: LevelName): Promise<string> {
    const { bind, params } = createBinder()
    const { asked, inStream } = scopeOf({ ...name, resent: false }, bind)
    const [row] = await ask<[string, string]>(
      `SELECT toString((SELECT (count(), sum(version)) FROM lines WHERE ${inStream})),
              toString((SELECT (count(), sum(version)) FROM points WHERE ${asked}))`,
      params,
    )
    return row!.join()
  }

  async function make(
    id: string,
    name: LevelName,
    rows: number,
    old: Level | undefined,
  ): Promise<Level | undefined> {
    const grown = old && (await readOn(name, withoutLastBlock(old), rows))
    const fits = grown && rowsIn(grown) === rows && grown.numbers.length <= (4 * rows) / limits.rowsPerBlock
    const level = fits ? grown : await readOn(name, emptyLevel(await linesPerBlockOf(name, rows)), rows)
    // A group that is just being stored may be in one table and not yet in the other.
    if (rowsIn(level) !== rows && level.odd.length <= oddMax) return undefined
    const usable = level.odd.length <= oddMax && isOrdered(level) ? level : undefined
    keep(id, { rows, level: usable })
    return usable
  }

  function keep(id: string, entry: Kept): void {
    drop(id)
    kept.set(id, entry)
    blocksKept += sizeOf(entry.level)
    for (const oldest of kept.keys()) {
      if (blocksKept <= limits.blocksMax) return
      drop(oldest)
    }
  }

  function drop(id: string): void {
    const entry = kept.get(id)
    if (entry) blocksKept -= sizeOf(entry.level)
    kept.delete(id)
  }

  /** A key that is logged every hundredth line has a point every hundredth line. */
  async function linesPerBlockOf({ experimentId, stream, key }: LevelName, rows: number): Promise<number> {
    const [[lineMax] = [0]] = await ask<[number]>(
      `SELECT bitmapMax(groupBitmapMergeState(lines)) FROM keys
       WHERE experiment = {experimentId:UUID} AND stream = {stream:String} AND kind = 'number' AND key = {key:String}`,
      { experimentId, stream, key },
    )
    return Math.max(1, Math.ceil(((lineMax + 1) / rows) * limits.rowsPerBlock))
  }

  /** Adds what lies behind the last block of `start`. Odd rows are looked for only if rows are missing. */
  async function readOn(name: LevelName, start: Level, rows: number): Promise<Level> {
    const { bind, params } = createBinder()
    const from = endOf(start)
    const { asked, x } = scopeOf(name, bind)
    const behind = `${asked} AND line >= ${bind(from, 'UInt64')}`
    const counted = name.resent ? 'groupBitmap(line)' : 'count()'
    const [row] = await ask<[number[], number[], string, string, string, string]>(
      `SELECT groupArray(block), groupArray(points), ${['lowest', 'highest', 'first', 'last'].map(packedColumn).join(', ')}
       FROM
       (
         SELECT intDiv(line, ${bind(start.linesPerBlock, 'UInt64')}) AS block, ${counted} AS points,
                min(${packed('oy', 'ox')}) AS lowest, max(${packed('oy', 'ox')}) AS highest,
                min(${packed('ox', 'oy')}) AS first, max(${packed('ox', 'oy')}) AS last
         FROM (SELECT line, ${ordered(x)} AS ox, ${ordered('value')} AS oy FROM points
               WHERE ${behind} AND isFinite(${x}) AND isFinite(value))
         GROUP BY block ORDER BY block
       )`,
      params,
    )
    const [numbers, counts, ...columns] = row!
    const [lowest, highest, first, last] = columns.map(unpackedAll)
    const level = {
      ...start,
      numbers: [...start.numbers, ...numbers],
      counts: [...start.counts, ...counts],
      lowest: joined(start.lowest, lowest!),
      highest: joined(start.highest, highest!),
      first: joined(start.first, first!),
      last: joined(start.last, last!),
    }
    if (rowsIn(level) >= rows) return level
    const odd = await ask<[number, number | string, number | string]>(
      `SELECT DISTINCT line, ${x}, value FROM points WHERE ${behind} AND NOT (isFinite(${x}) AND isFinite(value))
       LIMIT ${oddMax + 1}`,
      params,
    )
    return {
      ...level,
      odd: [
        ...start.odd,
        ...odd.map(([line, at, value]) => ({ line, x: readNumber(at), value: readNumber(value) })),
      ],
    }
  }

  return {
    find,
    async pointsOf(name, level, blocks) {
      if (blocks.length === 0) return []
      const { bind, params } = createBinder()
      const among = blocks.map((block) => {
        const { from, to } = linesOf(level, block, block)
        return `line BETWEEN ${bind(from, 'UInt64')} AND ${bind(to, 'UInt64')}`
      })
      const { asked, x } = scopeOf(name, bind, ` AND (${among.join(' OR ')})`)
      const rows = await ask<[number, ...Point]>(
        `SELECT DISTINCT line, ${x} AS x, value FROM points WHERE ${asked} AND isFinite(x) AND isFinite(value)`,
        params,
      )
      return rows.map(([, at, value]): Point => [at, value])
    },
    forget(experimentIds) {
      for (const id of kept.keys())
        if (experimentIds.some((experimentId) => id.startsWith(experimentId))) drop(id)
    },
  }
}

/** The lines of some blocks in a row, both ends included. */
export function linesOf(level: Level, start: number, last: number): { from: number; to: number } {
  return {
    from: level.numbers[start]! * level.linesPerBlock,
    to: (level.numbers[last]! + 1) * level.linesPerBlock - 1,
  }
}

/** Where values of the axis stand in the `points` table. */
export function axisColumn(x: LevelName['x']): string {
  return { step: 'toFloat64(step)', runtime: 'runtime', timestamp: 'timestamp' }[x]
}

/** The points of a curve, of lines that were sent twice the newest. */
function scopeOf({ experimentId, stream, key, x, resent }: LevelName, bind: Bind, amongLines = '') {
  const inStream = `experiment = ${bind(experimentId, 'UUID')} AND stream = ${bind(stream, 'String')}`
  const newest = `AND (line, version) IN (SELECT line, max(version) FROM lines WHERE ${inStream}${amongLines} GROUP BY line)`
  return {
    x: axisColumn(x),
    inStream,
    asked: `${inStream} AND key = ${bind(key, 'String')}${amongLines} ${resent ? newest : ''}`,
  }
}

function emptyLevel(linesPerBlock: number): Level {
  const none = new Float64Array()
  return {
    linesPerBlock,
    numbers: [],
    counts: [],
    lowest: none,
    highest: none,
    first: none,
    last: none,
    odd: [],
  }
}

/** The last block may still have been growing. */
function withoutLastBlock(level: Level): Level {
  const left = {
    ...level,
    numbers: level.numbers.slice(0, -1),
    counts: level.counts.slice(0, -1),
    lowest: level.lowest.slice(0, -2),
    highest: level.highest.slice(0, -2),
    first: level.first.slice(0, -2),
    last: level.last.slice(0, -2),
  }
  const end = endOf(left)
  return { ...left, odd: level.odd.filter(({ line }) => line < end) }
}

/** The first line behind the last block. */
function endOf({ numbers, linesPerBlock }: Level): number {
  return numbers.length === 0 ? 0 : (numbers.at(-1)! + 1) * linesPerBlock
}

function rowsIn({ counts, odd }: Level): number {
  return counts.reduce((sum, count) => sum + count, odd.length)
}

/** Does no block begin before the one before it ends? Else a range of x is no range of blocks. */
function isOrdered({ first, last }: Level): boolean {
  for (let at = 2; at < first.length; at += 2) if (first[at]! < last[at - 2]!) return false
  return true
}

function sizeOf(level: Level | undefined): number {
  return level === undefined ? 1 : 1 + level.numbers.length + level.odd.length
}

function joined(start: Float64Array, end: Float64Array): Float64Array {
  const both = new Float64Array(start.length + end.length)
  both.set(start)
  both.set(end, start.length)
  return both
}
