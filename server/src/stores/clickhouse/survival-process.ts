/**
 * A process for `survival.test.ts` to kill, on the store in `argv[2]`. What it does is JSON in `argv[3]`:
 *
 * - `append`: appends lines from `firstLine` on until killed and prints the number of every line that was acknowledged.
 *   With `checkpointAt`, there is a checkpoint at that line, and a copy of the tables of then in `checkpointTo`.
 * - `read`: prints what is stored of the experiment.
 */
import { execFileSync } from 'node:child_process'
import { createMetricStore } from './metric-store.ts'
import { openClickHouse } from './open.ts'

export type Task =
  | { do: 'append'; experimentId: string; firstLine: number; checkpointAt?: number; checkpointTo?: string }
  | { do: 'read'; experimentId: string }

export type Found = {
  lines: [line: number, raw: string][]
  points: number[]
  console: number[]
  objects: number[]
  count: number
  warnings: string[]
}

const [path, given] = process.argv.slice(2) as [string, string]
const task = JSON.parse(given) as Task
const warnings: string[] = []
const clickhouse = await openClickHouse({ url: null, path, warn: (text) => warnings.push(text) })
const store = createMetricStore(clickhouse)
const { experimentId } = task
if (task.do === 'append') {
  for (let first = task.firstLine; ; first += 8) {
    if (first === task.checkpointAt) {
      await clickhouse.client.command({ query: 'SYSTEM STOP MERGES' })
      await clickhouse.checkpoint()
      execFileSync('cp', ['-a', path, task.checkpointTo!])
      await clickhouse.client.command({ query: 'SYSTEM START MERGES' })
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => appendLine(first + index)))
  }
}
process.stdout.write(JSON.stringify(await read()))
await store.close()

async function appendLine(line: number): Promise<void> {
  const raw = `{"loss":${line}}`
  await store.append({
    lines: [
      {
        experimentId,
        stream: 'history',
        line,
        step: line,
        runtimeSeconds: line,
        timestampSeconds: line,
        raw,
        numbers: { loss: line },
        objects: { note: { type: 'string', json: `"${line}"` } },
      },
    ],
    console: [{ experimentId, line, timeMs: line, level: 'info', label: '', text: raw }],
  })
  process.stdout.write(`${line}\n`)
}

async function read(): Promise<Found> {
  const limit = 10_000
  const stored = await store.latest({ experimentId, stream: 'history', limit })
  const [curve] = await store.sample({
    experimentIds: [experimentId],
    keys: ['loss'],
    stream: 'history',
    x: 'step',
    from: null,
    to: null,
    pointsMax: limit,
    rewritten: new Set(),
  })
  const console = await store.console({ experimentId, limit })
  const objects = await store.objects({ experimentId, keys: ['note'], limit })
  const keys = await store.keys({ experimentIds: [experimentId], stream: 'history' })
  return {
    lines: stored.map(({ line, raw }) => [line, raw]),
    points: curve?.y ?? [],
    console: console.lines.map(({ line }) => line),
    objects: objects.map(({ line }) => line),
    count: keys.find(({ key }) => key === 'loss')?.count ?? 0,
    warnings,
  }
}
