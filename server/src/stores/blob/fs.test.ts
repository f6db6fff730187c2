import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blobStoreContract } from './blob-store.contract.ts'
import { openFsBlobStore } from './fs.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-blobs-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

blobStoreContract('files', () => openFsBlobStore(join(folder, 'contract')))

test.runIf(canMount())(
  'a full disk is storage_full, leaves nothing, and what was stored before stays',
  async () => {
    const disk = join(folder, 'disk')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      const store = await openFsBlobStore(disk)
      await store.put('small', Readable.from([Buffer.from('kept')]))
      await expect(store.put('large', Readable.from([randomBytes(4_000_000)]))).rejects.toMatchObject({
        code: 'storage_full',
      })
      expect(await text(await store.get('small'))).toBe('kept')
      await store.put('again', Readable.from([randomBytes(500_000)]))
      expect(await readdir(join(disk, '~incoming'))).toEqual([])
    } finally {
      execFileSync('umount', [disk])
    }
  },
)

test('uploads cut off by a crash are cleared away at the next start', async () => {
  const place = join(folder, 'crashed')
  await openFsBlobStore(place)
  await writeFile(join(place, '~incoming/half'), 'half')
  const store = await openFsBlobStore(place)
  expect(await readdir(join(place, '~incoming'))).toEqual([])
  const found = []
  for await (const { key } of store.list('')) found.push(key)
  expect(found).toEqual([])
})

test('files are closed to others, spread over shards, and empty folders do not pile up', async () => {
  const place = join(folder, 'tidy')
  const store = await openFsBlobStore(place)
  await store.put('files/p/abcdef', Readable.from([Buffer.from('x')]))
  expect((await stat(place)).mode & 0o777).toBe(0o700)
  expect((await stat(join(place, 'files/p/~ab/abcdef'))).mode & 0o777).toBe(0o600)
  await store.remove(['files/p/abcdef'])
  expect((await readdir(place)).toSorted()).toEqual(['~incoming', '~parts'])
})

test('putting and removing neighbours at the same moment loses nothing', async () => {
  const store = await openFsBlobStore(join(folder, 'busy'))
  const rounds = Array.from({ length: 100 }, (_, index) => index)
  await Promise.all(
    rounds.map(async (index) => {
      await store.put(`busy/gone${index}`, Readable.from([Buffer.from('x')]))
      await store.remove([`busy/gone${index}`])
    }),
  )
  await Promise.all(
    rounds.flatMap((index) => [
      store.put(`busy/kept${index}`, Readable.from([Buffer.from('x')])),
      store.remove([`busy/gone${index}`]),
    ]),
  )
  const found = []
  for await (const { key } of store.list('busy/')) found.push(key)
  expect(found).toHaveLength(rounds.length)
})

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
