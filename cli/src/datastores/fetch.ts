import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { createGunzip } from 'node:zlib'
import { comparePaths, type Datastore, GridError, type ManifestEntry, readManifestLine } from '@teamgrid/api'
import type { Connection } from '../connection.ts'
import { eachAtOnce } from '../download.ts'
import type { Io } from '../io.ts'
import { placeUnder } from '../local-paths.ts'
import { createProgress } from '../progress.ts'
import { sha256Of } from './hashes.ts'
import { again } from './send.ts'

type FileEntry = Extract<ManifestEntry, { kind: 'file' }>
export type Fetched = { files: number; bytes: number; unchanged: number; folder: string }

const requestBytes = 64 * 1024 * 1024
const requestFilesMax = 1000
const requestsAtOnce = 3

/**
 * Rebuilds a version in a folder. Files that are there already with the right content are kept; every other one is
 * written beside, checked against its SHA-256, and only then gets its name. Nothing is written outside the folder, and
 * nothing through a link that lies in it.
 *
 * @throws GridError conflict, when something else is in the way; unavailable.
 */
export async function fetchTree(
  io: Io,
  connection: Connection,
  datastore: Datastore,
  version: number,
  folder: string,
): Promise<Fetched> {
  const entries = await readManifest(io, connection, datastore.id, version)
  await mkdir(folder, { recursive: true })
  for (const entry of entries) if (entry.kind === 'folder') await makeFolder(folder, entry.path)
  const files = entries.filter((entry) => entry.kind === 'file')
  const folders = new Set(files.map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf('/')))))
  for (const path of folders) await makeFolder(folder, path)

  const wanted = new Map<string, FileEntry[]>()
  let unchanged = 0
  await eachAtOnce(files, 8, async (file) => {
    if (await isThere(io, placeOf(folder, file.path), file)) unchanged += 1
    else wanted.set(file.sha256Hex, [...(wanted.get(file.sha256Hex) ?? []), file])
  })
  const contents = [...wanted.values()]
  const total = contents.reduce((sum, [file]) => sum + file!.sizeBytes, 0)
  const progress = createProgress(io.stderr, io.now, total, contents.length, 'Receiving')
  const partial = join(folder, '.grid-partial')
  try {
    await eachAtOnce(requestsOf(contents), requestsAtOnce, (some) =>
      again(io, async () => {
        const left = some.filter(([file]) => wanted.has(file!.sha256Hex))
        if (left.length === 0) return
        const sha256Hexes = left.map(([file]) => file!.sha256Hex)
        const answer = await connection.post(`/datastores/${datastore.id}/versions/${version}/pack`, {
          sha256Hexes,
        })
        const pack = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>)
        await readPack(
          pack,
          partial,
          (bytes) => progress.received(bytes),
          async (sha256Hex, place) => {
            const same = wanted.get(sha256Hex)
            if (!same) throw new GridError('unavailable', 'The server sent something that was not asked for')
            await placeAll(folder, place, same)
            wanted.delete(sha256Hex)
            progress.fileDone()
          },
        )
      }),
    )
  } finally {
    progress.end()
    await rm(partial, { recursive: true, force: true })
  }
  // Last, so that nothing above could go through one.
  for (const entry of entries) if (entry.kind === 'link') await makeLink(folder, entry)
  return { files: files.length - unchanged, bytes: total, unchanged, folder }
}

async function readManifest(
  io: Io,
  connection: Connection,
  datastoreId: string,
  version: number,
): Promise<ManifestEntry[]> {
  const { url } = await connection.client.datastores.manifest({ datastoreId, version })
  const answer = await io.fetch(new URL(url, `${connection.url}/`).href, { signal: io.interrupted })
  if (!answer.ok || !answer.body)
    throw new GridError('unavailable', `The server answered ${answer.status} to the manifest`)
  const entries: ManifestEntry[] = []
  let rest = ''
  const packed = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>)
  const unpacked = packed.pipe(createGunzip())
  packed.once('error', (error) => unpacked.destroy(error))
  const decoder = new TextDecoder()
  for await (const chunk of unpacked) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n')
    rest = lines.pop()!
    // Checked again here: what another machine sends decides where this one writes.
    for (const line of lines) entries.push(readManifestLine(line))
  }
  const isSorted = entries.every(
    (entry, at) => at === 0 || comparePaths(entries[at - 1]!.path, entry.path) < 0,
  )
  if (rest !== '' || !isSorted) throw new GridError('unavailable', 'The manifest arrived damaged')
  return entries
}

function placeOf(folder: string, path: string): string {
  const place = placeUnder(folder, path)
  if (place === undefined) throw new GridError('invalid', `${path} cannot be a file on this machine`)
  return place
}

/** Made one by one, so that a link in the way is seen instead of followed. */
async function makeFolder(folder: string, path: string): Promise<void> {
  if (path === '') return
  const names = path.split('/')
  for (let depth = 1; depth <= names.length; depth += 1) {
    const place = placeOf(folder, names.slice(0, depth).join('/'))
    await mkdir(place).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST' && (await lstat(place)).isDirectory()) return
      throw new GridError('conflict', `Cannot make the folder ${place}: ${error.message}`, { cause: error })
    })
  }
}

async function isThere(io: Io, place: string, file: FileEntry): Promise<boolean> {
  const there = await lstat(place).catch(() => undefined)
  if (!there?.isFile() || there.size !== file.sizeBytes) return false
  const { sha256Hex } = await sha256Of(place, () => {}, io.interrupted)
  return sha256Hex === file.sha256Hex && ((there.mode & 0o100) !== 0) === file.executable
}

function requestsOf(contents: readonly FileEntry[][]): FileEntry[][][] {
  const requests: FileEntry[][][] = []
  let bytes = Infinity
  for (const same of contents) {
    const { sizeBytes } = same[0]!
    if (bytes + sizeBytes > requestBytes || requests.at(-1)!.length >= requestFilesMax) {
      requests.push([])
      bytes = 0
    }
    requests.at(-1)!.push(same)
    bytes += sizeBytes
  }
  return requests
}

/** Takes a pack apart into files in `partial`, each checked before `done` is told of it. */
async function readPack(
  pack: Readable,
  partial: string,
  received: (bytes: number) => void,
  done: (sha256Hex: string, place: string) => Promise<void>,
): Promise<void> {
  await mkdir(partial, { recursive: true })
  let header = Buffer.alloc(0)
  let current: Awaited<ReturnType<typeof begin>> | undefined

  async function begin() {
    const sha256Hex = header.toString('hex', 0, 32)
    const left = Number(header.readBigUInt64BE(32))
    header = Buffer.alloc(0)
    const place = join(partial, `${sha256Hex}.${process.pid}`)
    return { sha256Hex, left, place, hash: createHash('sha256'), file: createWriteStream(place) }
  }
  async function take(chunk: Buffer): Promise<void> {
    let rest = chunk
    for (;;) {
      if (current === undefined) {
        const missing = 40 - header.length
        header = Buffer.concat([header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (header.length < 40) return
        current = await begin()
      }
      const piece = rest.subarray(0, current.left)
      rest = rest.subarray(piece.length)
      current.hash.update(piece)
      current.left -= piece.length
      received(piece.length)
      if (piece.length > 0 && !current.file.write(piece))
        await new Promise<void>((resolve, reject) =>
          current!.file.once('drain', resolve).once('error', reject),
        )
      if (current.left > 0) return
      const { sha256Hex, place, file, hash } = current
      current = undefined
      file.end()
      await finished(file)
      if (hash.digest('hex') !== sha256Hex)
        throw new GridError('unavailable', 'What arrived has another checksum')
      await done(sha256Hex, place)
      if (rest.length === 0) return
    }
  }
  try {
    for await (const chunk of pack) await take(chunk as Buffer)
  } catch (error) {
    current?.file.destroy()
    if (error instanceof GridError) throw error
    throw new GridError('unavailable', `The transfer broke off: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (current !== undefined || header.length > 0)
    throw new GridError('unavailable', 'The transfer broke off in the middle of a file')
}

/** The first file of a content takes the bytes, the others copies of them. */
async function placeAll(folder: string, from: string, files: readonly FileEntry[]): Promise<void> {
  for (const [index, file] of files.entries()) {
    const place = placeOf(folder, file.path)
    const there = await lstat(place).catch(() => undefined)
    if (there?.isDirectory()) throw new GridError('conflict', `${place} is a folder`)
    const fresh = index === files.length - 1 ? from : `${from}.${index}`
    if (fresh !== from) await copyFile(from, fresh)
    await chmod(fresh, file.executable ? 0o755 : 0o644)
    await rename(fresh, place)
  }
}

async function makeLink(folder: string, entry: Extract<ManifestEntry, { kind: 'link' }>): Promise<void> {
  const at = entry.path.lastIndexOf('/')
  await makeFolder(folder, at < 0 ? '' : entry.path.slice(0, at))
  const place = placeOf(folder, entry.path)
  const there = await lstat(place).catch(() => undefined)
  if (there?.isSymbolicLink()) await rm(place)
  else if (there) throw new GridError('conflict', `${place} is in the way of a link`)
  await symlink(entry.target, place)
}
