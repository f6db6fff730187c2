import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../lib/ids.ts'
import { createAsk } from './metric-query.ts'
import { createMetricStore } from './metric-store.ts'
import type { Curve, Line, MetricStore, SampleQuery } from './metric-types.ts'
import { type ClickHouse, openClickHouse } from './open.ts'

/** Low, so that short curves have levels. */
const limits = { rowsMin: 200, rowsPerBlock: 4, blocksMax: 3_000 }
const directory = mkdtempSync(join(tmpdir(), 'teamgrid-levels-'))
let clickhouse: ClickHouse
let store: MetricStore
let statements: string[] = []

beforeAll(async () => {
  clickhouse = await openClickHouse({ url: null, path: directory })
  const { client } = clickhouse
  const watched = Object.assign(Object.create(client) as typeof client, {
    query: (asked: Parameters<typeof client.query>[0]) => {
      statements.push(asked.query)
      return client.query(asked)
    },
  })
  store = createMetricStore({ ...clickhouse, client: watched, limits })
})
afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

type Place = { x: number; y: number }

/** Everything that must hold for a curve, compared with all points that there are. */
function check(curve: Curve | undefined, all: Place[], query: SampleQuery): void {
  const inRange = all.filter(
    ({ x }) =>
      Number.isFinite(x) && (query.from === null || x >= query.from) && (query.to === null || x <= query.to),
  )
  const finite = inRange.filter(({ y }) => Number.isFinite(y))
  expect(curve?.points ?? 0).toBe(inRange.length)
  if (!curve) return
  expect(curve.x.length).toBeLessThanOrEqual(query.pointsMax)
  expect(curve.x).toEqual(curve.x.toSorted((a, b) => a - b))
  const known = new Set(finite.map(({ x, y }) => `${x} ${y}`))
  const drawn = curve.x.map((x, index) => ({ x, y: curve.y[index]! }))
  for (const { x, y } of drawn) expect(known).toContain(`${x} ${y}`)
  const odd = inRange.length - finite.length
  if (odd <= query.pointsMax) expect(curve.nonFinite).toHaveLength(odd)
  if (finite.length === 0) return
  const xs = finite.map(({ x }) => x)
  const [low, high] = [Math.min(...xs), Math.max(...xs)]
  if (query.pointsMax > 2) {
    expect(drawn[0]!.x).toBe(low)
    expect(drawn.at(-1)!.x).toBe(high)
  }
  // Every point has one as high and one as low no farther away than its bucket and half of one.
  const allX = inRange.map(({ x }) => x)
  const width = (Math.max(...allX) - Math.min(...allX)) / Math.max(1, query.pointsMax / 2 - 1)
  for (const { x, y } of finite) {
    const near = drawn.filter((point) => Math.abs(point.x - x) <= width * 1.5 + 1e-9).map((point) => point.y)
    expect(Math.max(...near)).toBeGreaterThanOrEqual(y)
    expect(Math.min(...near)).toBeLessThanOrEqual(y)
  }
}

test('a curve that grows, is filled in late, has holes, pauses and odd values is exact on every axis and at every zoom', async () => {
  const random = seeded(11)
  const among = (count: number) => Math.floor(random() * count)
  for (let trial = 0; trial < 5; trial++) {
    const id = newId()
    const every = trial === 2 ? 7 : 1
    const stored = new Map<number, Line>()
    let waiting: Line[] = []
    let next = 0
    let clock = 0
    const lineAt = (n: number): Line => {
      // Now and then the script pauses, and once its clock is set back, so that time is not ordered like lines.
      clock += random() < 0.01 ? 5_000 : random()
      if (trial === 1 && n === 500) clock -= 20_000
      const value =
        random() < 0.01 && trial > 0 ? [Number.NaN, Infinity, -Infinity][among(3)]! : among(1000) - 500
      return line(
        id,
        n,
        n * 2,
        clock,
        random() < 0.003 && trial === 3 ? Number.NaN : clock / 3,
        value,
        n % every === 0,
      )
    }
    for (let round = 0; round < 4; round++) {
      const fresh = Array.from({ length: 100 + among(400) }, () => lineAt(next++))
      // Some lines come later than those behind them.
      const late = fresh.filter(() => random() < (trial % 2 === 1 ? 0.02 : 0))
      const sent = [
        ...fresh.filter((one) => !late.includes(one)),
        ...(random() < 0.5 ? waiting.splice(0) : []),
      ]
      waiting = [...waiting, ...late]
      // Now and then a line is sent again with another value, or without the key.
      if (trial === 4)
        for (const old of [...stored.values()].filter(() => random() < 0.01))
          sent.push({ ...old, numbers: random() < 0.5 ? {} : { loss: among(1000) - 500 } })
      await store.append({ lines: sent })
      for (const one of sent) stored.set(one.line, one)
      const xs = ['step', 'runtime', 'timestamp'] as const
      for (let ask = 0; ask < 3; ask++) {
        const x = trial === 4 ? 'step' : xs[among(3)]!
        const place = {
          step: (one: Line) => one.step,
          runtime: (one: Line) => one.runtimeSeconds,
          timestamp: (one: Line) => one.timestampSeconds,
        }[x]
        const all = [...stored.values()]
          .filter((one) => 'loss' in one.numbers)
          .map((one) => ({ x: place(one), y: one.numbers.loss! }))
        const ends = [0, 1].map(() => all[among(all.length)]!.x).toSorted((a, b) => a - b)
        const [from, to] = ask === 0 || ends.some(Number.isNaN) ? [null, null] : ends
        const query: SampleQuery = {
          experimentIds: [id],
          keys: ['loss'],
          stream: 'history',
          x,
          from: from!,
          to: to!,
          pointsMax: [2, 4, 10, 40, 100][among(5)]!,
          rewritten: new Set(trial === 4 ? [id] : []),
        }
        const [curve] = await store.sample(query)
        check(curve, all, query)
      }
    }
  }
}, 240_000)

test('a curve that has not changed is not scanned again, and one that grew only behind its end', async () => {
  const id = newId()
  const add = (from: number, count: number) =>
    store.append({
      lines: Array.from({ length: count }, (_, n) => line(id, from + n, from + n, n, n, Math.sin(n), true)),
    })
  const ask = async () => {
    statements = []
    const [curve] = await store.sample({
      experimentIds: [id],
      keys: ['loss'],
      stream: 'history',
      x: 'step',
      from: null,
      to: null,
      pointsMax: 20,
      rewritten: new Set(),
    })
    return {
      points: curve!.points,
      scans: statements.filter((statement) => statement.includes('FROM points')),
    }
  }
  await add(0, 1000)
  expect((await ask()).points).toBe(1000)
  expect(await ask()).toEqual({ points: 1000, scans: [] })
  await add(1000, 10)
  const grown = await ask()
  expect(grown.points).toBe(1010)
  expect(grown.scans).toHaveLength(1)
  expect(grown.scans[0]).toContain('line >=')
  await store.forget([id])
  await add(0, 1010)
  expect((await ask()).scans).toHaveLength(1)
})

test('what was replaced is not drawn, whether the curve had a level or not', async () => {
  const id = newId()
  const loss = (n: number, value: number) => line(id, n, n, n, n, value, true)
  const ask = (rewritten: Set<string>) =>
    store.sample({
      experimentIds: [id],
      keys: ['loss'],
      stream: 'history',
      x: 'step',
      from: null,
      to: null,
      pointsMax: 20,
      rewritten,
    })
  await store.append({ lines: Array.from({ length: 1000 }, (_, n) => loss(n, n === 500 ? 99 : 0)) })
  expect(Math.max(...(await ask(new Set()))[0]!.y)).toBe(99)
  await store.append({ lines: [loss(500, 7)] })
  const [curve] = await ask(new Set([id]))
  expect(Math.max(...curve!.y)).toBe(7)
  expect(curve!.points).toBe(1000)
})

test('what the engine keeps is proven by its counts: rows that are not in the key table yet make no level', async () => {
  const id = newId()
  await store.append({ lines: Array.from({ length: 400 }, (_, n) => line(id, n, n, n, n, 0, true)) })
  await clickhouse.client.command({
    query: `INSERT INTO points (experiment, stream, key, line, step, runtime, timestamp, value, version)
            VALUES ('${id}', 'history', 'loss', 400, 400, 400, 400, 5, 1)`,
  })
  const ask = async () => {
    const [curve] = await store.sample({
      experimentIds: [id],
      keys: ['loss'],
      stream: 'history',
      x: 'step',
      from: null,
      to: null,
      pointsMax: 20,
      rewritten: new Set(),
    })
    return curve!.points
  }
  expect([await ask(), await ask()]).toEqual([401, 401])
  const rows = await createAsk(clickhouse)<[number]>(
    'SELECT count() FROM points WHERE experiment = {id:UUID}',
    { id },
  )
  expect(rows).toEqual([[401]])
})

function line(
  experimentId: string,
  n: number,
  step: number,
  runtimeSeconds: number,
  timestampSeconds: number,
  loss: number,
  has: boolean,
): Line {
  return {
    experimentId,
    stream: 'history',
    line: n,
    step,
    runtimeSeconds,
    timestampSeconds,
    raw: '{}',
    numbers: has ? { loss } : {},
    objects: {},
  }
}

/** Random numbers that are the same in every run. Source: mulberry32, Tommy Ettinger, public domain. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
