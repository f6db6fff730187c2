import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Engine, type Insert, openLoggedWrites } from './logged-writes.ts'

const directory = mkdtempSync(join(tmpdir(), 'teamgrid-logged-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let folders = 0
const aFolder = () => join(directory, String(folders++))

/** What the engine did, in words, and a disk that can be told to fail. */
async function aStore(folder: string, engine: Partial<Engine> = {}) {
  const done: string[] = []
  const warnings: string[] = []
  const disk = { sync: async () => {} }
  const writes = await openLoggedWrites(
    {
      async insert({ table, columns, rows }) {
        done.push(`${table}(${columns.join()}) ${rows.toString()}`)
      },
      async forget(ids) {
        done.push(`forget ${ids.join()}`)
      },
      ...engine,
    },
    { directory: folder, sync: () => disk.sync(), warn: (text) => warnings.push(text) },
  )
  return { ...writes, done, warnings, disk }
}

const rows = (text: string): Insert[] => [{ table: 'lines', columns: ['a', 'b'], rows: Buffer.from(text) }]
const segments = (folder: string) => readdirSync(folder).length

test('what was under way is done again in its order, also what was to be forgotten', async () => {
  const folder = aFolder()
  const before = await aStore(folder)
  await before.write([...rows('é\n1\n'), { table: 'console', columns: ['c'], rows: Buffer.from('\n') }])
  await before.forget(['x', 'y'])
  await before.write(rows('2'))
  const after = await aStore(folder)
  expect(await after.replay()).toBe(3)
  expect(after.done).toEqual(before.done)
  expect(after.done).toEqual(['lines(a,b) é\n1\n', 'console(c) \n', 'forget x,y', 'lines(a,b) 2'])
  await after.checkpoint()
  expect(segments(folder)).toBe(0)
})

test('a checkpoint waits for what the engine is still storing, and later writes stay in the log', async () => {
  const folder = aFolder()
  let release = () => {}
  const stored = new Promise<void>((resolve) => (release = resolve))
  const store = await aStore(folder, { insert: () => stored })
  const writing = store.write(rows('1'))
  let isDurable = false
  const checkpoint = store.checkpoint().then(() => (isDurable = true))
  // It is in the log long before: the next write follows it there.
  const later = store.write(rows('2'))
  while (segments(folder) < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(isDurable).toBe(false)
  release()
  await Promise.all([writing, checkpoint, later])
  const after = await aStore(folder)
  await after.replay()
  expect(after.done).toEqual(['lines(a,b) 2'])
})

test('while the disk does not take what was written, the log stays, and it is told', async () => {
  const folder = aFolder()
  const store = await aStore(folder)
  store.disk.sync = () => Promise.reject(new Error('EIO: i/o error'))
  await store.write(rows('1'))
  await expect(store.checkpoint()).rejects.toThrow('EIO')
  await store.write(rows('2'))
  await store.close()
  expect(store.warnings).toEqual([expect.stringContaining('EIO: i/o error')])
  const after = await aStore(folder)
  expect(await after.replay()).toBe(2)
  await after.checkpoint()
  expect(segments(folder)).toBe(0)
})

test('a write whose rows the engine refused is refused, one that cannot be logged too', async () => {
  const folder = aFolder()
  const refusing = await aStore(folder, { insert: () => Promise.reject(new Error('not now')) })
  await expect(refusing.write(rows('1'))).rejects.toThrow('not now')
  const store = await aStore(folder)
  rmSync(folder, { recursive: true })
  await expect(store.write(rows('2'))).rejects.toThrow('ENOENT')
})
