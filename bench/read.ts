/**
 * Reading through the front door: the curve of a million points at full range and at random zooms, and a page of the
 * table of 10,000 experiments with 50 config and 50 summary keys, filtered and sorted; and what the idle server keeps
 * in memory. Floor of the same run: an endpoint that reads one row.
 *
 *   node bench/read.ts
 */
import { execFileSync } from 'node:child_process'
import {
  begin,
  benchServer,
  machine,
  median,
  project,
  quantile,
  rounded,
  send,
  team,
  timed,
} from './support/server.ts'

const points = 1_000_000
const experiments = 10_000
const bench = await benchServer()
const { grid } = bench

await begin(bench, 'long')
for (let from = 0; from < points; from += 20_000) {
  const content = Array.from({ length: 20_000 }, (_, index) => {
    const step = from + index
    return `{"_step":${step},"_runtime":${step / 10},"_timestamp":${1.79e9 + step / 10},"loss":${Math.exp(-step / 2e5) + Math.random() / 10}}`
  })
  await send(bench, 'long', JSON.stringify({ files: { 'wandb-history.jsonl': { offset: from, content } } }))
}
const { id } = await grid.experiments.get({ team, project, experiment: 'long' })

const value = (index: number, key: number) => (Math.sin(index * (key + 1)) + 1) * 50
for (let start = 0; start < experiments; start += 50) {
  await Promise.all(
    Array.from({ length: 50 }, (_, offset) => {
      const index = start + offset
      const config = Object.fromEntries(
        Array.from({ length: 50 }, (_, key) => [`c${key}`, { value: value(index, key) }]),
      )
      const summary = Object.fromEntries(
        Array.from({ length: 50 }, (_, key) => [`s${key}`, value(index + 7, key)]),
      )
      return begin(bench, `e${index}`, { config: JSON.stringify(config), summary: JSON.stringify(summary) })
    }),
  )
}

const full: number[] = []
const zoomed: number[] = []
const table: number[] = []
const floor: number[] = []
// A team reads more than it writes: what the writing left to be merged is done, and every path was walked once.
await new Promise((resolve) => setTimeout(resolve, 20_000))
for (let round = -3; round < 40; round += 1) {
  const curve = { experimentIds: [id], keys: ['loss'], pointsMax: 2000 }
  full.push(await timed(() => grid.experiments.curves(curve)))
  const width = points * Math.random() ** 3
  const from = Math.random() * (points - width)
  zoomed.push(await timed(() => grid.experiments.curves({ ...curve, from, to: from + width })))
  const key = (round + 50) % 50
  table.push(
    await timed(() =>
      grid.experiments.query({
        team,
        project,
        filters: [{ column: `config.c${key}`, op: 'gt', value: 50 }],
        sort: [{ column: `summary.s${(key + 9) % 50}`, descending: true }],
        columns: [`config.c${key}`, 'summary.s1', 'summary.s2'],
        limit: 50,
        offset: ((round + 5) % 5) * 50,
      }),
    ),
  )
  floor.push(await timed(() => grid.projects.get({ team, project })))
  if (round < 0) for (const each of [full, zoomed, table, floor]) each.length = 0
}

const idle = await idleMegabytes()
const figures = (values: number[]) => ({ p50: rounded(median(values)), p95: rounded(quantile(values, 0.95)) })
console.log(
  JSON.stringify(
    {
      ...machine(),
      curveOfMillionMs: { full: figures(full), zoom: figures(zoomed) },
      tableMs: { experiments, keys: 100, ...figures(table) },
      floors: { oneProjectMs: figures(floor) },
      residentMegabytes: { afterThisBench: Math.round(residentMegabytes(bench.server.pid)), idle },
    },
    null,
    2,
  ),
)
await bench.server.stop()

/** Of a fresh server that nobody has used: its own process and Postgres', shared pages counted once. */
async function idleMegabytes(): Promise<number> {
  const fresh = await benchServer()
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  const megabytes = Math.round(residentMegabytes(fresh.server.pid))
  await fresh.server.stop()
  return megabytes
}

function residentMegabytes(pid: number): number {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
  const family = new Set([pid])
  for (const [child, parent] of all.toSorted(([a], [b]) => a - b)) if (family.has(parent)) family.add(child)
  return [...family].reduce((sum, each) => sum + proportionalMegabytes(each), 0)
}

/** Proportional set size: a page that several processes share counts once in their sum. Source: proc(5), smaps_rollup. */
function proportionalMegabytes(pid: number): number {
  try {
    const text = execFileSync('cat', [`/proc/${pid}/smaps_rollup`], { encoding: 'utf8' })
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
