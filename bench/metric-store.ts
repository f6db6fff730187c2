/**
 * Measures the metric store on chDB and prints JSON: how many points a second go in, how long a curve of a million
 * points takes, and how long it takes to find experiments. Each figure stands beside a floor measured in the same run:
 * what the engine itself needs for the least that must be done.
 *
 *   node bench/metric-store.ts [append] [curve] [find]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { loadavg } from 'node:os'
import { createMetricStore } from '../server/src/stores/clickhouse/metric-store.ts'
import type { Append, FactQuery, Line, SampleQuery } from '../server/src/stores/clickhouse/metric-types.ts'
import { openClickHouse } from '../server/src/stores/clickhouse/open.ts'
import { newId } from '../server/src/lib/ids.ts'

const rounds = 5
const asked = process.argv.slice(2)
const directory = mkdtempSync(join(tmpdir(), 'teamgrid-bench-'))
const clickhouse = await openClickHouse({ url: null, path: directory })
const store = createMetricStore(clickhouse)
const idleMegabytes = megabytes()

const figures: Record<string, unknown> = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1e9)} GB, node ${process.version}`,
  loadBefore: loadavg()[0],
  idleMegabytes,
}
if (wants('append')) figures.append = await measureAppend()
if (wants('curve')) figures.curve = await measureCurve()
if (wants('find')) figures.find = await measureFind()
figures.megabytesAfter = megabytes()
figures.loadAfter = loadavg()[0]
console.log(JSON.stringify(figures, null, 2))
await store.close()
rmSync(directory, { recursive: true, force: true })

function wants(part: string): boolean {
  return asked.length === 0 || asked.includes(part)
}

/** Points a second with 100 keys a line, 10 lines an append, for callers that each wait for their answer. */
async function measureAppend(): Promise<object> {
  const keys = 100
  const linesPerAppend = 10
  const result: Record<string, unknown> = { keys, linesPerAppend }
  for (const callers of [1, 10, 100]) {
    const appendsEach = callers === 1 ? 20 : callers === 10 ? 10 : 3
    const rates: number[] = []
    const waits: number[] = []
    for (let round = 0; round < rounds; round++) {
      const batches: Append[][] = Array.from({ length: callers }, () => {
        const experimentId = newId()
        return Array.from({ length: appendsEach }, (_, index) => ({
          lines: Array.from({ length: linesPerAppend }, (_, n) =>
            line(experimentId, index * linesPerAppend + n, keys),
          ),
        }))
      })
      const started = performance.now()
      await Promise.all(
        batches.map(async (appends) => {
          for (const append of appends) {
            const sent = performance.now()
            await store.append(append)
            waits.push(performance.now() - sent)
          }
        }),
      )
      const seconds = (performance.now() - started) / 1000
      rates.push((callers * appendsEach * linesPerAppend * keys) / seconds)
    }
    result[`callers${callers}`] = {
      pointsPerSecond: Math.round(median(rates)),
      millisecondsToAnswer: times(waits),
    }
  }
  result.floor = await appendFloor(keys)
  return result
}

/** The engine alone: 100 000 points ready as text, one insert into the same table without any view. */
async function appendFloor(keys: number): Promise<object> {
  await clickhouse.client.command({ query: 'CREATE TABLE IF NOT EXISTS floor_points AS points' })
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const experimentId = newId()
    let rows = ''
    for (let n = 0; n < 1000; n++)
      for (let key = 0; key < keys; key++)
        rows += `${experimentId}\thistory\tmetric/${key}\t${n}\t${n}\t${n / 10}\t${1.7e9 + n / 10}\t${Math.random()}\t1\n`
    const started = performance.now()
    await clickhouse.write([
      {
        table: 'floor_points',
        columns: ['experiment', 'stream', 'key', 'line', 'step', 'runtime', 'timestamp', 'value', 'version'],
        rows: Buffer.from(rows),
      },
    ])
    rates.push((1000 * keys) / ((performance.now() - started) / 1000))
  }
  await clickhouse.client.command({ query: 'DROP TABLE floor_points' })
  return {
    what: 'flat insert of the same points, text made beforehand',
    pointsPerSecond: Math.round(median(rates)),
  }
}

/** One curve of a million points, thinned to 2 000, among other keys; and a screen of ten. */
async function measureCurve(): Promise<object> {
  const experimentId = newId()
  const linesEach = 20_000
  for (let start = 0; start < 1_000_000; start += linesEach)
    await store.append({
      lines: Array.from({ length: linesEach }, (_, n) => line(experimentId, start + n, 2)),
    })
  const screen = Array.from({ length: 10 }, () => newId())
  for (const id of screen)
    await store.append({ lines: Array.from({ length: linesEach }, (_, n) => line(id, n, 2)) })
  const sample = (query: Partial<SampleQuery>) => () =>
    store.sample({
      experimentIds: [experimentId],
      keys: ['metric/0'],
      stream: 'history',
      x: 'step',
      from: null,
      to: null,
      pointsMax: 2000,
      rewritten: new Set(),
      ...query,
    })
  const zoom = (share: number) => () => {
    const from = Math.random() * 1_000_000 * (1 - share)
    return sample({ from, to: from + 1_000_000 * share })()
  }
  const where = `experiment = {id:UUID} AND stream = 'history' AND key = 'metric/0'`
  const floor = async () => {
    const result = await clickhouse.client.query({
      query: `SELECT max(value), max(step) FROM points WHERE ${where}`,
      query_params: { id: experimentId },
    })
    return result.text()
  }
  return timed(25, {
    floorScanOfTwoColumns: floor,
    fullRange: sample({}),
    fullRangeOverTimestamp: sample({ x: 'timestamp' }),
    zoomHalf: zoom(0.5),
    zoomTenth: zoom(0.1),
    zoomThousandth: zoom(0.001),
    tenCurvesOf20000: sample({ experimentIds: screen }),
    rewritten: sample({ rewritten: new Set([experimentId]) }),
    overAnotherKey: sample({ x: { key: 'metric/1' } }),
    keys: () => store.keys({ experimentIds: [experimentId] }),
    last500Lines: () => store.latest({ experimentId, stream: 'history', limit: 500 }),
  })
}

/** 10 000 experiments with 50 config and 50 summary keys each. */
async function measureFind(): Promise<object> {
  const projectId = newId()
  const started = performance.now()
  for (let start = 0; start < 10_000; start += 500)
    await store.append({
      facts: Array.from({ length: 500 }, (_, n) => ({
        projectId,
        experimentId: newId(),
        removedKeys: [],
        facts: [
          ...Array.from({ length: 50 }, (_, key) => ({
            key: `summary.metric${key}`,
            number: Math.random(),
            text: null,
          })),
          ...Array.from({ length: 49 }, (_, key) => ({
            key: `config.key${key}`,
            number: key % 7,
            text: null,
          })),
          { key: 'config.name', number: null, text: `run ${start + n}` },
        ],
      })),
    })
  const fillSeconds = (performance.now() - started) / 1000
  const find = (query: Partial<FactQuery>) => () =>
    store.find({ projectIds: [projectId], filter: null, sort: [], offset: 0, limit: 50, ...query })
  const floor = async () => {
    const result = await clickhouse.client.query({
      query: `SELECT count(), sum(number) FROM facts WHERE project = {projectId:UUID} AND key IN ('', 'summary.metric3', 'summary.metric7')`,
      query_params: { projectId },
    })
    return result.text()
  }
  const half = { op: 'gt', key: 'summary.metric3', value: 0.5 } as const
  return {
    fillSeconds: Number(fillSeconds.toFixed(1)),
    ...(await timed(25, {
      floorScanOfTheSameRows: floor,
      filterAndSort: find({ filter: half, sort: [{ key: 'summary.metric7', descending: true }] }),
      filterOfThreeAndTwoSorts: find({
        filter: {
          op: 'and',
          filters: [
            half,
            { op: 'contains', key: 'config.name', value: 'RUN 1' },
            { op: 'exists', key: 'config.key3', exists: true },
          ],
        },
        sort: [
          { key: 'config.key5', descending: false },
          { key: 'summary.metric9', descending: true },
        ],
      }),
      newestFirst: find({}),
      factKeys: () => store.factKeys({ projectIds: [projectId], limit: 200 }),
    })),
  }
}

/** Every action in turn, again and again, so that a busy moment of the machine hits all alike. */
async function timed(repetitions: number, actions: Record<string, () => Promise<unknown>>): Promise<object> {
  const taken: Record<string, number[]> = {}
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (const [name, action] of Object.entries(actions)) {
      const started = performance.now()
      await action()
      ;(taken[name] ??= []).push(performance.now() - started)
    }
  return Object.fromEntries(Object.entries(taken).map(([name, some]) => [name, times(some)]))
}

function line(experimentId: string, n: number, keys: number): Line {
  const numbers: Record<string, number> = {}
  for (let key = 0; key < keys; key++) numbers[`metric/${key}`] = Math.sin(n / (100 + key)) + Math.random()
  return {
    experimentId,
    stream: 'history',
    line: n,
    step: n,
    runtimeSeconds: n / 10,
    timestampSeconds: 1.7e9 + n / 10,
    raw: JSON.stringify(numbers),
    numbers,
    objects: {},
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function times(values: number[]): { p50: number; p95: number; least: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) =>
    Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1))
  return { p50: at(0.5), p95: at(0.95), least: at(0) }
}

function megabytes(): number {
  return Math.round(process.memoryUsage().rss / 1e6)
}
