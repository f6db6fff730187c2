/**
 * A version of a datastore as a folder on this node: built once, whatever mounts it, and read by nobody before every
 * byte of it was checked.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  statfs,
  symlink,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { contentsOfPack, GridError, type ManifestEntry, readManifestLine } from '@teamgrid/api'
import { evict, makeFolders, noteUse, pin, placesIn, removeTree } from './cache.ts'
import { lockFile } from './lock.ts'
import type { DatastoreSource } from './source.ts'

type FileEntry = Extract<ManifestEntry, { kind: 'file' }>
/** Files of one content. */
type Same = { sha256Hex: string; sizeBytes: number; files: FileEntry[] }

/** Where a blob of the server's file store holds a content, for a node that shares its file system. */
export type LocalBlob = { path: string; startByte: number; isWhole: boolean }
export type LocalBlobs = {
  /** Those of these contents that lie in files here. */
  find: (sha256Hexes: string[]) => Promise<Map<string, LocalBlob>>
  /**
   * Whether a file of the tree may be the very file of the store: only where nothing that reads the tree could write to
   * it, such as behind a read-only mount as another user. Else they are cloned or copied.
   */
  mayLink: boolean
}

export type Materialise = {
  source: DatastoreSource
  /** A folder of this node, or one that nodes share. */
  cache: string
  /** SHA-256 of the manifest's lines; names the tree. */
  digest: string
  /** Who uses it: nothing removes the tree before `unpin` under this name. */
  pin: string
  /** All trees together take no more, as far as they are not pinned. */
  bytesMax?: number
  localBlobs?: LocalBlobs
  signal?: AbortSignal
  /** Told of bytes as they are in place. */
  onProgress?: (bytes: number, ofBytes: number) => void
}

const mebibyte = 1024 * 1024
const requestBytes = 64 * mebibyte
const requestFilesMax = 2000
const requestsAtOnce = 3
const writesAtOnce = 16
/** Larger ones are written as they arrive, not gathered. */
const gatheredBytesMax = mebibyte
const triesMax = 4
const manifestLineMax = 16 * 1024
const askedAtOnce = 5000

/**
 * The folder of a version, made if need be and pinned. Files are 0444 or 0555. One process builds, others wait for it;
 * what a killed one left is taken up again after it was checked.
 *
 * @returns its path; the same for every caller on this node.
 * @throws GridError unavailable, naming the file, when bytes are not what the manifest says; storage_full.
 */
export async function materialise(wanted: Materialise): Promise<string> {
  const places = placesIn(wanted.cache)
  const { digest, signal } = wanted
  await makeFolders(places)
  const lock = (await lockFile(places.lock(digest), { wait: true, ...(signal ? { signal } : {}) }))!
  try {
    const tree = places.tree(digest)
    if (!(await isFolder(tree))) {
      const entries = await readManifest(await wanted.source.manifest(), digest)
      const sizeBytes = sizeOf(entries)
      await makeRoom(wanted, sizeBytes)
      const partial = places.partial(digest)
      await build(wanted, partial, entries)
      await noteUse(places, digest, sizeBytes)
      await rename(partial, tree)
      await chmod(tree, 0o555)
    }
    await pin(places, digest, wanted.pin)
    await noteUse(places, digest)
    return tree
  } finally {
    await lock.release()
  }
}

async function makeRoom({ cache, bytesMax, digest }: Materialise, sizeBytes: number): Promise<void> {
  const places = placesIn(cache)
  if (bytesMax !== undefined) {
    const others = await evict(cache, Math.max(0, bytesMax - sizeBytes))
    if (others + sizeBytes > bytesMax)
      throw new GridError(
        'storage_full',
        `The cache of this node has no room for ${sizeBytes} bytes: ${others} of ${bytesMax} are in use`,
      )
  }
  const { bavail, bsize } = await statfs(places.root)
  const there = await bytesBelow(places.partial(digest))
  if (bavail * bsize < sizeBytes - there)
    throw new GridError('storage_full', `The disk of ${places.root} has no room for ${sizeBytes} bytes`)
}

async function bytesBelow(folder: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []))
    if (entry.isFile()) sum += (await lstat(join(entry.parentPath, entry.name))).size
  return sum
}

const sizeOf = (entries: readonly ManifestEntry[]) =>
  entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.sizeBytes : 0), 0)

const isFolder = async (place: string) => (await lstat(place).catch(() => undefined))?.isDirectory() ?? false

/** @throws GridError unavailable when it is not the manifest that was asked for. */
async function readManifest(packed: NodeJS.ReadableStream, digest: string): Promise<ManifestEntry[]> {
  const unpacked = createGunzip()
  pipeline(packed, unpacked, () => {})
  const hash = createHash('sha256')
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const entries: ManifestEntry[] = []
  let rest = ''
  const damaged = (cause?: unknown) =>
    new GridError('unavailable', 'The list of files arrived damaged', { cause })
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      hash.update(chunk)
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop()!
      if (rest.length > manifestLineMax) throw damaged()
      // Refuses every path and link that leads out of the tree: what another machine says decides where this one writes.
      for (const line of lines) entries.push(readManifestLine(line))
    }
  } catch (error) {
    throw error instanceof GridError ? error : damaged(error)
  }
  if (rest !== '' || hash.digest('hex') !== digest) throw damaged()
  return entries
}

async function build(wanted: Materialise, root: string, entries: ManifestEntry[]): Promise<void> {
  const { onProgress, signal } = wanted
  const ofBytes = sizeOf(entries)
  let bytes = 0
  const placed = ({ sizeBytes, files }: Same) => onProgress?.((bytes += sizeBytes * files.length), ofBytes)

  const folders = new Set<string>([''])
  for (const entry of entries) {
    const folder = entry.kind === 'folder' ? entry.path : parentOf(entry.path)
    for (let path = folder; !folders.has(path); path = parentOf(path)) folders.add(path)
  }
  const isBegun = await isFolder(root)
  for (const path of [...folders].sort()) {
    await mkdir(join(root, path), { recursive: true })
    // One that was killed near its end had closed some already.
    if (isBegun) await chmod(join(root, path), 0o755)
  }

  const byContent = new Map<string, Same>()
  for (const file of entries) {
    if (file.kind !== 'file') continue
    const same = byContent.get(file.sha256Hex)
    if (same) same.files.push(file)
    else
      byContent.set(file.sha256Hex, { sha256Hex: file.sha256Hex, sizeBytes: file.sizeBytes, files: [file] })
  }
  const left = new Map(byContent)
  const done = async (same: Same, first: string) => {
    await placeOthers(root, same, first)
    left.delete(same.sha256Hex)
    placed(same)
  }
  if (isBegun) {
    await eachAtOnce([...byContent.values()], writesAtOnce, async (same) => {
      const first = join(root, same.files[0]!.path)
      if (await isRight(first, same)) await done(same, first)
      else for (const { path } of same.files) await rm(join(root, path), { force: true })
    })
  }
  if (wanted.localBlobs) await takeLocal(wanted.localBlobs, root, left, done)

  await eachAtOnce(requestsOf([...left.values()]), requestsAtOnce, async (some) => {
    for (let tried = 1; ; tried += 1) {
      signal?.throwIfAborted()
      const asked = some.filter(({ sha256Hex }) => left.has(sha256Hex))
      if (asked.length === 0) return
      try {
        await fetchSome(wanted, root, asked, done)
      } catch (error) {
        const isPassing = error instanceof GridError && ['unavailable', 'overloaded'].includes(error.code)
        if (!isPassing || error instanceof Damaged || tried >= triesMax) throw error
        await pause(250 * 2 ** tried, signal)
      }
    }
  })

  // Last, so that nothing above could go through one.
  for (const entry of entries) {
    if (entry.kind !== 'link') continue
    await rm(join(root, entry.path), { force: true })
    await symlink(entry.target, join(root, entry.path))
  }
  for (const path of [...folders].filter(Boolean)) await chmod(join(root, path), 0o555)
}

class Damaged extends GridError {}

async function fetchSome(
  { source, signal }: Materialise,
  root: string,
  asked: Same[],
  done: (same: Same, first: string) => Promise<void>,
): Promise<void> {
  const byDigest = new Map(asked.map((same) => [same.sha256Hex, same]))
  const writing = new Set<Promise<void>>()
  let failed: unknown
  const pack = await source.pack([...byDigest.keys()])
  try {
    for await (const { sha256Hex, sizeBytes, body } of contentsOfPack(pack)) {
      signal?.throwIfAborted()
      if (failed !== undefined) throw failed
      const same = byDigest.get(sha256Hex)
      if (!same || same.sizeBytes !== sizeBytes)
        throw new GridError('unavailable', 'The server sent something that was not asked for')
      const first = join(root, same.files[0]!.path)
      if (sizeBytes > gatheredBytesMax) {
        if (!(await writeStream(first, same, body))) throw await damaged(source, same)
        await done(same, first)
        continue
      }
      const content = await gather(body, sizeBytes)
      const act = (async () => {
        if (createHash('sha256').update(content).digest('hex') !== sha256Hex)
          throw await damaged(source, same)
        await writeWhole(first, same, content)
        await done(same, first)
      })()
      const noted = act
        .catch((error: unknown) => void (failed ??= error))
        .finally(() => writing.delete(noted))
      writing.add(noted)
      if (writing.size >= writesAtOnce) await Promise.race(writing)
    }
  } catch (error) {
    failed ??= error instanceof GridError || signal?.aborted ? error : broken(error)
  } finally {
    pack.destroy()
    await Promise.all(writing)
  }
  if (failed !== undefined) throw failed
}

const broken = (cause: unknown) =>
  new GridError('unavailable', `The transfer broke off: ${(cause as Error).message}`, { cause })

/** Wrong bytes are the line's fault or the store's: the server looks, and what is rotten there is never mounted. */
async function damaged(source: DatastoreSource, { sha256Hex, files }: Same): Promise<GridError> {
  const path = JSON.stringify(files[0]!.path)
  if (await source.check(sha256Hex))
    return new GridError('unavailable', `${path} arrived damaged: its SHA-256 is not ${sha256Hex}`)
  return new Damaged('unavailable', `The stored bytes of ${path} (SHA-256 ${sha256Hex}) are damaged`, {
    hint: 'Upload the same file again: that repairs every version that holds it.',
  })
}

async function gather(body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Uint8Array> {
  const content = Buffer.allocUnsafe(sizeBytes)
  let at = 0
  for await (const chunk of body) {
    content.set(chunk, at)
    at += chunk.length
  }
  return content
}

const modeOf = ({ executable }: FileEntry) => (executable ? 0o555 : 0o444)

async function writeWhole(place: string, { files }: Same, content: Uint8Array): Promise<void> {
  await rm(place, { force: true })
  const file = await open(place, 'wx')
  try {
    await file.writeFile(content)
    await file.chmod(modeOf(files[0]!))
  } finally {
    await file.close()
  }
}

/** @returns whether its bytes are right; if not, nothing is left. */
async function writeStream(place: string, same: Same, body: AsyncIterable<Uint8Array>): Promise<boolean> {
  await rm(place, { force: true })
  const hash = createHash('sha256')
  const file = await open(place, 'wx')
  let isRight = false
  try {
    await file.writeFile(hashed(body, hash))
    await file.chmod(modeOf(same.files[0]!))
    isRight = hash.digest('hex') === same.sha256Hex
  } finally {
    await file.close()
    if (!isRight) await rm(place, { force: true })
  }
  return isRight
}

async function* hashed(body: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    hash.update(chunk)
    yield chunk
  }
}

async function isRight(place: string, same: Pick<Same, 'sha256Hex' | 'sizeBytes'>): Promise<boolean> {
  const there = await lstat(place).catch(() => undefined)
  return there?.isFile() === true && there.size === same.sizeBytes && (await hashOf(place)) === same.sha256Hex
}

async function hashOf(place: string, range?: { start: number; end: number }): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(place, { highWaterMark: mebibyte, ...range }))
    hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Further files of a content: the same file where their modes agree, else a copy. */
async function placeOthers(root: string, { files }: Same, first: string): Promise<void> {
  for (const file of files.slice(1)) {
    const place = join(root, file.path)
    await rm(place, { force: true })
    const isSame = file.executable === files[0]!.executable
    if (isSame && (await linked(first, place))) continue
    await copyFile(first, place, constants.COPYFILE_FICLONE)
    await chmod(place, modeOf(file))
  }
}

/** @returns false where a file has no further names: on some file systems, or after very many. */
async function linked(from: string, to: string): Promise<boolean> {
  return await link(from, to).then(
    () => true,
    () => false,
  )
}

/** Takes what lies in the server's files. What is not right there is left for the server to send, and to look at. */
async function takeLocal(
  { find, mayLink }: LocalBlobs,
  root: string,
  left: ReadonlyMap<string, Same>,
  done: (same: Same, first: string) => Promise<void>,
): Promise<void> {
  const digests = [...left.keys()]
  for (let from = 0; from < digests.length; from += askedAtOnce) {
    const found = [...(await find(digests.slice(from, from + askedAtOnce)))]
    await eachAtOnce(found, writesAtOnce, async ([sha256Hex, blob]) => {
      const same = left.get(sha256Hex)!
      const first = join(root, same.files[0]!.path)
      const isTaken = await take(blob, first, same, mayLink).catch(() => false)
      if (isTaken) await done(same, first)
      else await rm(first, { force: true })
    })
  }
}

async function take(blob: LocalBlob, place: string, same: Same, mayLink: boolean): Promise<boolean> {
  const { sizeBytes, files } = same
  await rm(place, { force: true })
  if (blob.isWhole && sizeBytes > 0) {
    const isLinked = mayLink && !files[0]!.executable && (await linked(blob.path, place))
    if (!isLinked) await copyFile(blob.path, place, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    await chmod(place, modeOf(files[0]!))
    return isRight(place, same)
  }
  const range = { start: blob.startByte, end: blob.startByte + sizeBytes - 1 }
  const body = sizeBytes === 0 ? none() : createReadStream(blob.path, { highWaterMark: mebibyte, ...range })
  return writeStream(place, same, body as AsyncIterable<Uint8Array>)
}

async function* none(): AsyncGenerator<Uint8Array> {}

function requestsOf(contents: readonly Same[]): Same[][] {
  const requests: Same[][] = []
  let bytes = Infinity
  for (const same of contents) {
    if (bytes + same.sizeBytes > requestBytes || requests.at(-1)!.length >= requestFilesMax) {
      requests.push([])
      bytes = 0
    }
    requests.at(-1)!.push(same)
    bytes += same.sizeBytes
  }
  return requests
}

const parentOf = (path: string) => (path.includes('/') ? dirname(path) : '')

async function eachAtOnce<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0
  let hasFailed = false
  const worker = async () => {
    while (next < items.length && !hasFailed) {
      await act(items[next++]!).catch((error: unknown) => {
        hasFailed = true
        throw error
      })
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure) throw failure.reason
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    })
  })
}

/** Forgets a tree that was begun and will not be finished. */
export async function forgetPartial(cache: string, digest: string): Promise<void> {
  await removeTree(placesIn(cache).partial(digest))
}
