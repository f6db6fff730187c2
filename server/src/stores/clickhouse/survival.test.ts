import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { GridError } from '@teamgrid/api'
import { afterAll, expect, test } from 'vitest'
import { newId } from '../../lib/ids.ts'
import { createMetricStore } from './metric-store.ts'
import type { Append } from './metric-types.ts'
import { openClickHouse } from './open.ts'

const directory = mkdtempSync(join(tmpdir(), 'teamgrid-survival-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Lets a process append until `lines` were acknowledged, then ends it as a power cut would. */
async function appendAndKill(
  path: string,
  experimentId: string,
  lines: number,
  firstLine: number,
): Promise<number[]> {
  const script = fileURLToPath(new URL('./append-until-killed.ts', import.meta.url))
  const child = spawn(process.execPath, [script, path, experimentId, String(firstLine)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  const acknowledged: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line))
    if (acknowledged.length === lines) child.kill('SIGKILL')
  }
  await ended
  expect(child.signalCode).toBe('SIGKILL')
  return acknowledged
}

test('kill -9 in the middle of writing loses no acknowledged line', { timeout: 120_000 }, async () => {
  const path = join(directory, 'killed')
  const experimentId = newId()
  const acknowledged: number[] = []
  for (const lines of [1, 40, 75])
    acknowledged.push(
      ...(await appendAndKill(
        path,
        experimentId,
        lines,
        Math.ceil((Math.max(-1, ...acknowledged) + 1) / 8) * 8,
      )),
    )
  expect(acknowledged.length).toBeGreaterThanOrEqual(116)

  const store = createMetricStore(await openClickHouse({ url: null, path }))
  const stored = await store.latest({ experimentId, stream: 'history', limit: 10_000 })
  const lines = new Map(stored.map(({ line, raw }) => [line, raw]))
  for (const line of acknowledged) expect(lines.get(line)).toBe(`{"loss":${line}}`)
  const [curve] = await store.sample({
    experimentIds: [experimentId],
    keys: ['loss'],
    stream: 'history',
    x: 'step',
    from: null,
    to: null,
    pointsMax: 10_000,
    rewritten: new Set(),
  })
  const points = new Set(curve!.y)
  for (const line of acknowledged) expect(points.has(line)).toBe(true)
  const console = await store.console({ experimentId, limit: 10_000 })
  const consoleLines = new Set(console.lines.map((line) => line.line))
  for (const line of acknowledged) expect(consoleLines.has(line)).toBe(true)
  await store.close()
})

/** A store whose engine fails every insert with `failure`, until told otherwise. */
function failingStore(failure: () => Promise<void>) {
  const inserted: string[] = []
  const store = createMetricStore({
    client: undefined as never,
    close: async () => {},
    async insert(table, _columns, rows) {
      await failure()
      inserted.push(`${table}: ${rows}`)
    },
  })
  return { store, inserted }
}

const anAppend = (text = 'x'): Append => ({
  console: [{ experimentId: newId(), line: 0, timeMs: null, level: 'info', label: '', text }],
})

test.each([
  [
    new Error('Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)'),
    'storage_full',
  ],
  [
    new Error('Code: 75. DB::Exception: Cannot write: , errno: 28, strerror: No space left on device.'),
    'storage_full',
  ],
  [new Error('Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)'), 'overloaded'],
  [new Error('connect ECONNREFUSED 127.0.0.1:8123'), 'unavailable'],
] as const)(
  'when the engine says "%s", its writers hear %s and the next are served',
  async (trouble, code) => {
    let failing = true
    const { store, inserted } = failingStore(async () => {
      if (failing) throw trouble
    })
    const attempts = await Promise.allSettled([store.append(anAppend()), store.append(anAppend())])
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code } })
      expect((attempt as PromiseRejectedResult).reason).toBeInstanceOf(GridError)
    }
    failing = false
    await store.append(anAppend())
    expect(inserted).toHaveLength(1)
    await store.close()
  },
)

test('writers that come while one is written go together, and a full queue sends them away', async () => {
  let release = () => {}
  const { store, inserted } = failingStore(() => new Promise((resolve) => (release = resolve)))
  const megabytes = 'x'.repeat(2 * 1024 * 1024)
  const waiting = [store.append(anAppend(megabytes))]
  let refused: unknown
  while (refused === undefined && waiting.length < 100)
    try {
      const attempt = store.append(anAppend(megabytes))
      // A refusal comes at once; a caller that is queued hears nothing before the engine answers.
      const answer = await Promise.race([
        attempt.then(() => 'stored'),
        Promise.resolve().then(() => 'waiting'),
      ])
      expect(answer).toBe('waiting')
      waiting.push(attempt)
      attempt.catch(() => {})
      await Promise.resolve()
    } catch (error) {
      refused = error
    }
  expect(refused).toMatchObject({ code: 'overloaded', details: { retryAfterSeconds: 2 } })
  expect(waiting.length).toBeGreaterThan(40)
  const done = Promise.all(waiting)
  const releasing = setInterval(() => release(), 1)
  await done
  clearInterval(releasing)
  // 8 MB a group: three of a little more than 2 MB. The first went alone.
  expect(inserted.length).toBe(1 + Math.ceil((waiting.length - 1) / 3))
  await store.close()
})

test('a new database gets its tables, an old one is left alone', async () => {
  const { migrateClickHouse } = await import('./migrate.ts')
  const clickhouse = await openClickHouse({ url: null, path: join(directory, 'killed') })
  expect(await migrateClickHouse(clickhouse)).toEqual([])
  await clickhouse.close()
  await clickhouse.close()
})
