import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { evict, keepPins, listTrees, removeTree, unpin } from './cache.ts'
import { type Materialise, materialise } from './materialise.ts'
import { serve, type Served, sha256, type Tree } from './testing.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-materialise-'))
})
afterAll(() => removeTree(folder))

let caches = 0
const aCache = () => join(folder, `cache-${(caches += 1)}`)
const program = fileURLToPath(new URL('testing.ts', import.meta.url))

const make = ({ source, digest }: Served, cache: string, more: Partial<Materialise> = {}) =>
  materialise({ source, digest, cache, pin: 'test', ...more })

/** Path → mode and content of everything below. */
async function snapshot(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name)
    const mode = ((await lstat(place)).mode & 0o777).toString(8)
    if (entry.isSymbolicLink()) found[relative(root, place)] = `-> ${await readlink(place)}`
    else if (entry.isDirectory()) found[relative(root, place)] = mode
    else found[relative(root, place)] = `${mode} ${await readFile(place, 'utf8')}`
  }
  return found
}

const tree: Tree = {
  'train/a.txt': 'a',
  'train/same.txt': 'a',
  'train/deep/run.sh': 'x:echo',
  'empty.txt': '',
  'nothing/': '',
  large: 'l'.repeat(3 * 1024 * 1024),
  link: { link: 'train/a.txt' },
}

describe('a tree', () => {
  test('has the files, modes, links and empty folders of its version, and asks once for many', async () => {
    const served = serve(tree)
    const cache = aCache()
    const told: number[] = []
    const path = await make(served, cache, { onProgress: (bytes, of) => told.push(bytes / of) })
    expect(path).toBe(join(cache, 'ds', served.digest))
    expect(await snapshot(path)).toEqual({
      train: '555',
      'train/a.txt': '444 a',
      'train/same.txt': '444 a',
      'train/deep': '555',
      'train/deep/run.sh': '555 x:echo',
      'empty.txt': '444 ',
      nothing: '555',
      large: `444 ${'l'.repeat(3 * 1024 * 1024)}`,
      link: '-> train/a.txt',
    })
    expect(served.asked).toHaveLength(1)
    expect(told.at(-1)).toBe(1)
    expect(await make(served, cache, { pin: 'second' })).toBe(path)
    expect(served.asked).toHaveLength(1)
  })

  test('is not made of bytes that arrived wrong; rotten ones are named and never mounted', async () => {
    const served = serve({ good: 'good', 'deep/bad': 'bad' })
    served.rotten.add(sha256('bad'))
    const cache = aCache()
    await expect(make(served, cache)).rejects.toThrow(
      `The stored bytes of "deep/bad" (SHA-256 ${sha256('bad')}) are damaged`,
    )
    await expect(lstat(join(cache, 'ds', served.digest))).rejects.toThrow('ENOENT')
    expect(await listTrees(cache)).toEqual([])
    served.rotten.clear()
    expect(await snapshot(await make(served, cache))).toMatchObject({ 'deep/bad': '444 bad' })
  })

  test('asks again for what the line spoiled, and only for that', async () => {
    const served = serve({ a: 'a', b: 'b', c: 'c' })
    served.rotten.add(sha256('b'))
    served.source.check = () => {
      served.rotten.clear()
      return Promise.resolve(true)
    }
    expect(Object.keys(await snapshot(await make(served, aCache())))).toEqual(['a', 'b', 'c'])
    expect(served.asked.at(-1)).toContain(sha256('b'))
    expect(served.asked.at(-1)).not.toContain(sha256('a'))
  })

  test('is not made of another manifest than the one that was asked for', async () => {
    const served = serve({ a: 'a' })
    const other = serve({ a: 'b' })
    await expect(make({ ...served, digest: other.digest }, aCache())).rejects.toThrow(/arrived damaged/)
  })

  test('is not begun where the disk of the node or its share of it is too small', async () => {
    await expect(make(serve(tree), aCache(), { bytesMax: 1000 })).rejects.toThrow(/no room/)
  })
})

/** A process of its own that makes the tree. @param stopAfter it hangs after so many contents. */
function start(cache: string, log: string, tree: Tree, stopAfter = 0) {
  const argv = [program, cache, JSON.stringify(tree), log, String(stopAfter)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = once(child.stdout, 'data').then(([chunk]) => String(chunk).trim())
  const ended = once(child, 'exit')
  return { child, said, ended }
}

test('of processes that want one tree at once, one makes it', async () => {
  const cache = aCache()
  const log = join(folder, 'raced.log')
  const small = { ...tree, large: 'not so large' }
  const racers = [start(cache, log, small), start(cache, log, small), start(cache, log, small)]
  const paths = await Promise.all(racers.map(({ said }) => said))
  await Promise.all(racers.map(({ ended }) => ended))
  expect(new Set(paths)).toEqual(new Set([join(cache, 'ds', serve(small).digest)]))
  expect((await readFile(log, 'utf8')).trim().split('\n')).toHaveLength(1)
  expect((await listTrees(cache))[0]!.pins).toHaveLength(3)
}, 30_000)

test('what a killed process left is taken up again, and what is wrong of it made anew', async () => {
  const cache = aCache()
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, each) => [`d/${each}`, `content ${each}`]))
  const { child, said, ended } = start(cache, join(folder, 'killed.log'), many, 40)
  expect(await said).toBe('half way')
  child.kill('SIGKILL')
  await ended
  const served = serve(many)
  const partial = join(cache, 'ds', '.partial', served.digest, 'd')
  const [left] = await readdir(partial)
  await chmod(join(partial, left!), 0o644)
  await writeFile(join(partial, left!), 'torn')
  const path = await make(served, cache)
  expect(Object.keys(await snapshot(path))).toHaveLength(61)
  expect(await readFile(join(path, 'd', left!), 'utf8')).toBe(many[`d/${left}`])
  expect(served.asked.flat().length).toBeLessThan(60)
  expect(served.asked.flat()).toContain(sha256(many[`d/${left}`]!))
}, 30_000)

describe('the cache', () => {
  test('gives up what was used longest ago, and never what is pinned', async () => {
    const cache = aCache()
    const [first, second, third] = ['one', 'two', 'six'].map((each) => serve({ file: each.repeat(100) }))
    await make(first!, cache, { pin: 'a' })
    await make(second!, cache, { pin: 'b' })
    await unpin(cache, second!.digest, 'b')
    await expect(make(third!, cache, { bytesMax: 500 })).rejects.toThrow(/no room/)
    expect((await listTrees(cache)).map(({ digest }) => digest)).toEqual([first!.digest])
    await make(third!, cache, { bytesMax: 600, pin: 'c' })
    expect(await evict(cache, 0)).toBe(600)
    await keepPins(cache, new Set(['c']))
    expect(await evict(cache, 0)).toBe(300)
    expect((await listTrees(cache)).map(({ digest, pins }) => [digest, pins])).toEqual([
      [third!.digest, ['c']],
    ])
  })

  test('refuses names that lead elsewhere', async () => {
    const served = serve({ a: 'a' })
    await expect(make(served, aCache(), { pin: '../x' })).rejects.toThrow(/no name/)
    await expect(make({ ...served, digest: '../x' }, aCache())).rejects.toThrow(/64 hexadecimal/)
  })
})

test('what lies in files of this machine is taken from there, checked all the same', async () => {
  const served = serve({
    whole: 'whole file',
    packed: 'in a pack',
    rotten: 'as it was',
    empty: '',
    tool: 'x:tool',
  })
  const blobs = join(folder, 'blobs')
  await mkdir(blobs)
  const place = async (name: string, bytes: string) => {
    await writeFile(join(blobs, name), bytes, { mode: 0o600 })
    return join(blobs, name)
  }
  const found = new Map([
    [sha256('whole file'), { path: await place('w', 'whole file'), startByte: 0, isWhole: true }],
    [sha256('in a pack'), { path: await place('p', '....in a pack....'), startByte: 4, isWhole: false }],
    [sha256('as it was'), { path: await place('r', 'as it is!'), startByte: 0, isWhole: true }],
    [sha256('x:tool'), { path: await place('t', 'x:tool'), startByte: 0, isWhole: true }],
  ])
  const localBlobs = { find: () => Promise.resolve(found), mayLink: true }
  const path = await make(served, aCache(), { localBlobs })
  expect(await snapshot(path)).toEqual({
    whole: '444 whole file',
    packed: '444 in a pack',
    rotten: '444 as it was',
    empty: '444 ',
    tool: '555 x:tool',
  })
  expect(served.asked.flat().toSorted()).toEqual([sha256('as it was'), sha256('')].toSorted())
  expect((await lstat(join(path, 'whole'))).nlink).toBe(2)
  // One file of the store has one mode, so an executable is a copy.
  expect((await lstat(join(path, 'tool'))).nlink).toBe(1)
  const apart = await make(served, aCache(), { localBlobs: { ...localBlobs, mayLink: false } })
  expect((await lstat(join(apart, 'whole'))).nlink).toBe(1)
})

test('a source that breaks off is asked again for the rest', async () => {
  const served = serve({ a: 'a', b: 'b' })
  let broken = 0
  served.onSent = (contents) => {
    if (contents === 1 && (broken += 1) === 1) throw new Error('the line went dead')
  }
  expect(Object.keys(await snapshot(await make(served, aCache())))).toEqual(['a', 'b'])
})
