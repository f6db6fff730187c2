/**
 * The trees on a node, in `<cache>/ds`: `<digest>/` a tree, `.use/<digest>` when it was last used and what it takes,
 * `.pins/<digest>/<name>` who uses it now, `.partial/<digest>/` one that is being built, `.locks/<digest>`.
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GridError } from '@teamgrid/api'
import { lockFile } from './lock.ts'

export type Tree = { digest: string; sizeBytes: number; usedAt: Date; pins: string[] }

export type Places = ReturnType<typeof placesIn>

export function placesIn(cache: string) {
  const root = join(cache, 'ds')
  return {
    root,
    tree: (digest: string) => join(root, checked(digest)),
    partial: (digest: string) => join(root, '.partial', checked(digest)),
    lock: (digest: string) => join(root, '.locks', checked(digest)),
    use: (digest: string) => join(root, '.use', checked(digest)),
    pins: (digest: string) => join(root, '.pins', checked(digest)),
    pin: (digest: string, name: string) => join(root, '.pins', checked(digest), checkedPin(name)),
    leaving: () => join(root, '.leaving', randomUUID()),
  }
}

function checked(digest: string): string {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new GridError('invalid', 'A SHA-256 is 64 hexadecimal digits')
  return digest
}

function checkedPin(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name))
    throw new GridError('invalid', `${JSON.stringify(name)} is no name for a pin`)
  return name
}

export async function makeFolders({ root }: Places): Promise<void> {
  for (const name of ['.partial', '.locks', '.use', '.pins', '.leaving'])
    await mkdir(join(root, name), { recursive: true, mode: 0o755 })
}

/** Least recently used first. */
export async function listTrees(cache: string): Promise<Tree[]> {
  const places = placesIn(cache)
  const names = await readdir(places.root).catch(() => [])
  const trees: Tree[] = []
  for (const digest of names.filter((name) => /^[0-9a-f]{64}$/.test(name))) {
    const noted = await readFile(places.use(digest), 'utf8').catch(() => '0')
    const usedAt = (await stat(places.use(digest)).catch(() => undefined))?.mtime ?? new Date(0)
    trees.push({ digest, sizeBytes: Number(noted) || 0, usedAt, pins: await pinsOf(places, digest) })
  }
  return trees.sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime())
}

const pinsOf = (places: Places, digest: string) => readdir(places.pins(digest)).catch(() => [] as string[])

export async function noteUse(places: Places, digest: string, sizeBytes?: number): Promise<void> {
  const now = new Date()
  if (sizeBytes !== undefined) await writeFile(places.use(digest), String(sizeBytes))
  await utimes(places.use(digest), now, now).catch(() => {})
}

/** To be called while the tree's lock is held. */
export async function pin(places: Places, digest: string, name: string): Promise<void> {
  const place = places.pin(digest, name)
  await mkdir(places.pins(digest), { recursive: true })
  await writeFile(place, '')
}

/** Says that whoever pinned a tree under this name is done with it; fine when it never did. */
export async function unpin(cache: string, digest: string, name: string): Promise<void> {
  const places = placesIn(cache)
  await rm(places.pin(digest, name), { force: true })
  await noteUse(places, digest)
}

/**
 * Takes away all pins but those under these names: for a node that comes back and knows what still runs.
 */
export async function keepPins(cache: string, names: ReadonlySet<string>): Promise<void> {
  for (const { digest, pins } of await listTrees(cache))
    for (const name of pins) if (!names.has(name)) await unpin(cache, digest, name)
}

/**
 * Removes trees, least recently used first and never a pinned one, until all together take `bytesMax` at most.
 *
 * @returns what they take then, which is more when the rest is pinned or being built.
 */
export async function evict(cache: string, bytesMax: number): Promise<number> {
  const places = placesIn(cache)
  await makeFolders(places)
  const trees = await listTrees(cache)
  let total = trees.reduce((sum, tree) => sum + tree.sizeBytes, 0)
  for (const { digest, sizeBytes } of trees) {
    if (total <= bytesMax) break
    // Pins are written under the same lock, so none comes between the look and the removal.
    const lock = await lockFile(places.lock(digest), { wait: false })
    if (!lock) continue
    const leaving = places.leaving()
    try {
      if ((await pinsOf(places, digest)).length > 0) continue
      await chmod(places.tree(digest), 0o755)
      await rename(places.tree(digest), leaving)
      await rm(places.use(digest), { force: true })
      total -= sizeBytes
    } finally {
      await lock.release()
    }
    await removeTree(leaving)
  }
  return total
}

/** Removes what nobody may write into. */
export async function removeTree(place: string): Promise<void> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
  if (entries.length > 0) await chmod(place, 0o755)
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(place, entry.name))
  await rm(place, { recursive: true, force: true })
}
