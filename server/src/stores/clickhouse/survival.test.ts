import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { GridError } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../lib/ids.ts'
import { createMetricStore } from './metric-store.ts'
import type { Append } from './metric-types.ts'
import { openClickHouse } from './open.ts'
import type { Found, Task } from './survival-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'teamgrid-survival-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const script = fileURLToPath(new URL('./survival-process.ts', import.meta.url))

/** Lets a process append until `lines` were acknowledged, then kills it. @returns what was acknowledged. */
async function appendAndKill(path: string, lines: number, task: Omit<Task & { do: 'append' }, 'do'>) {
  const child = spawn(process.execPath, [script, path, JSON.stringify({ do: 'append', ...task })], {
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

/** Starts the store in a process of its own, which repairs what it must, and reads everything. */
function readBack(path: string, experimentId: string): Found {
  const task: Task = { do: 'read', experimentId }
  return JSON.parse(
    execFileSync(process.execPath, [script, path, JSON.stringify(task)], { encoding: 'utf8' }),
  ) as Found
}

function expectEachOnce(found: Found, acknowledged: number[]): void {
  const lines = found.lines.map(([line]) => line)
  expect(lines).toEqual(expect.arrayContaining(acknowledged))
  expect(found.lines).toEqual(lines.map((line) => [line, `{"loss":${line}}`]))
  const once = [...new Set(lines)].sort((a, b) => a - b)
  expect(lines).toEqual(once)
  // What was not acknowledged may be there, also in part.
  for (const part of [found.points, found.console, found.objects]) {
    expect(part).toEqual(expect.arrayContaining(acknowledged))
    expect(part).toEqual([...new Set(part)].sort((a, b) => a - b))
  }
  expect(found.count).toBe(found.points.length)
}

test('kill -9 in the middle of writing loses no acknowledged line', { timeout: 120_000 }, async () => {
  const path = join(directory, 'killed')
  const experimentId = newId()
  const acknowledged: number[] = []
  for (const lines of [1, 40, 75]) {
    const firstLine = Math.ceil((Math.max(-1, ...acknowledged) + 1) / 8) * 8
    acknowledged.push(...(await appendAndKill(path, lines, { experimentId, firstLine })))
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(116)
  const found = readBack(path, experimentId)
  expectEachOnce(found, acknowledged)
  expect(found.warnings).toEqual([])
})

describe('a power cut', () => {
  const experimentId = newId()
  const written = join(directory, 'written')
  const atCheckpoint = join(directory, 'at-checkpoint')
  let acknowledged: number[]

  /** Writes past a checkpoint, until killed. What the copy of then holds was certainly on the disk. */
  beforeAll(async () => {
    const task = { experimentId, firstLine: 0, checkpointAt: 24, checkpointTo: atCheckpoint }
    acknowledged = await appendAndKill(written, 100, task)
  }, 120_000)

  /** The tables of one copy with the log of what was written. */
  function aDiskWith(tables: string, name: string): string {
    const path = join(directory, name)
    execFileSync('cp', ['-a', tables, path])
    rmSync(join(path, 'teamgrid-log'), { recursive: true })
    cpSync(join(written, 'teamgrid-log'), join(path, 'teamgrid-log'), { recursive: true })
    return path
  }

  test(
    'that takes everything since the last checkpoint but the log loses no acknowledged line',
    { timeout: 120_000 },
    () => {
      const path = aDiskWith(atCheckpoint, 'rolled-back')
      const found = readBack(path, experimentId)
      expectEachOnce(found, acknowledged)
      expect(found.warnings).toEqual([])
      expect(readdirSync(join(path, 'teamgrid-log'))).toEqual([])
    },
  )

  test('that tears parts loses no line either, and is told of', { timeout: 120_000 }, () => {
    const path = aDiskWith(written, 'torn')
    const known = new Set(partsIn(atCheckpoint))
    // Parts of one insert are not synced; what has been merged is.
    const torn = partsIn(path).filter((part) => !known.has(part) && /_(\d+)_\1_\d+$/.test(part))
    expect(torn.length).toBeGreaterThan(0)
    // Some lose all, others some files, as a file system does that had not written them yet.
    for (const [index, part] of torn.entries())
      for (const [place, file] of readdirSync(join(path, part)).entries()) {
        const harm = index % 4 === 0 ? 0 : (index + place) % 3
        if (harm === 0) truncateSync(join(path, part, file), 0)
        if (harm === 1) rmSync(join(path, part, file))
      }
    const found = readBack(path, experimentId)
    expectEachOnce(found, acknowledged)
    expect(found.warnings).toEqual([expect.stringContaining('were set aside')])
  })

  test('with a damaged log is told of, and what is readable of it is stored', { timeout: 120_000 }, () => {
    const path = aDiskWith(atCheckpoint, 'damaged')
    const log = join(path, 'teamgrid-log', readdirSync(join(path, 'teamgrid-log')).at(-1)!)
    const bytes = readFileSync(log)
    bytes[40]! ^= 1
    writeFileSync(log, bytes)
    const found = readBack(path, experimentId)
    const stored = new Set(found.lines.map(([line]) => line))
    const lost = acknowledged.filter((line) => !stored.has(line))
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThanOrEqual(8)
    expectEachOnce(
      found,
      acknowledged.filter((line) => stored.has(line)),
    )
    expect(found.warnings).toEqual([expect.stringContaining('is damaged from byte 0')])
  })
})

/** Folders of parts, as paths below the store. */
function partsIn(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/all_\d+_\d+_\d+$/.test(name),
  )
}

/** A store whose engine fails every insert with `failure`, until told otherwise. */
function failingStore(failure: () => Promise<void>) {
  const inserted: string[] = []
  const store = createMetricStore({
    client: undefined as never,
    close: async () => {},
    async write(inserts) {
      for (const { table, rows } of inserts) {
        await failure()
        inserted.push(`${table}: ${rows.toString()}`)
      }
    },
    forget: async () => {},
    checkpoint: async () => {},
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
