import {
  checkTreePath,
  comparePaths,
  errorOfAnswer,
  GridError,
  missingMax,
  printManifestLine,
} from '@teamgrid/api'
import { grid } from '../../lib/client.ts'

export type Picked = { path: string; file: File }
export type Progress = {
  doing: 'reading' | 'sending' | 'finishing' | 'waiting' | 'fetching' | 'unpacking' | 'storing'
  bytes: number
  /** Zero while nobody knows. */
  ofBytes: number
}

const mebibyte = 1024 * 1024
/** A browser reads a file whole to name it by its SHA-256. */
export const fileBytesMax = 1024 * mebibyte
const packedBytesMax = mebibyte
const packBytes = 8 * mebibyte
const packFilesMax = 1000
/** As the server cuts large contents. */
const partBytes = 32 * mebibyte

const lookEveryMs = 1000

type Hashed = Picked & { sha256Hex: string }

/**
 * Uploads picked files as a new version of a datastore.
 *
 * @returns the version; `isNew` is false when nothing had changed.
 * @throws GridError; what arrived is kept, and the next try sends only the rest.
 */
export async function uploadPicked(
  to: { team: string; name: string },
  picked: readonly Picked[],
  tell: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<{ version: number; isNew: boolean }> {
  if (!isSecureContext)
    throw new GridError(
      'invalid',
      'A browser can upload only where this server is reached by https or as localhost',
      {
        hint: 'Use the command line: grid datastore create FOLDER',
      },
    )
  for (const { path, file } of picked) {
    checkTreePath(path)
    if (file.size > fileBytesMax)
      throw new GridError('too_large', `${path} is larger than a browser can upload`, {
        hint: 'Use the command line: grid datastore create FOLDER',
      })
  }
  const files = await hash(picked, tell, signal)
  const open = (await grid.datastores.uploads({})).find(
    (upload) => upload.team === to.team && upload.name === to.name && upload.importing === null,
  )
  const { id } =
    open ?? (await grid.datastores.startUpload({ team: to.team, name: to.name, source: 'browser' }))
  await send(id, files, tell, signal)
  tell({ doing: 'finishing', bytes: 0, ofBytes: 0 })
  const manifest = files
    .toSorted((a, b) => comparePaths(a.path, b.path))
    .map(({ path, file, sha256Hex }) =>
      printManifestLine({ kind: 'file', path, sizeBytes: file.size, sha256Hex, executable: false }),
    )
  const packed = new Blob(manifest).stream().pipeThrough(new CompressionStream('gzip'))
  const done = await put(id, '/manifest', await new Response(packed).blob(), signal)
  return done as { version: number; isNew: boolean }
}

/**
 * Has the server fetch an address as a new version, and waits for it; the server goes on with it when nobody waits.
 *
 * @throws GridError, also with what the server says went wrong.
 */
export async function importAddress(
  to: { team: string; name: string; source: string },
  tell: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<{ version: number }> {
  let now = await grid.datastores.startImport(to)
  for (;;) {
    if (now.state === 'done') return { version: now.version! }
    if (now.state === 'failed') throw new GridError('conflict', now.error ?? 'It could not be fetched')
    tell({ doing: now.state, bytes: now.doneBytes, ofBytes: now.ofBytes ?? 0 })
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    signal.throwIfAborted()
    now = await grid.datastores.import({ importId: now.id })
  }
}

async function hash(
  picked: readonly Picked[],
  tell: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Hashed[]> {
  const ofBytes = sizeOf(picked)
  const files: Hashed[] = []
  let bytes = 0
  for (const one of picked) {
    signal.throwIfAborted()
    const digest = await crypto.subtle.digest('SHA-256', await one.file.arrayBuffer())
    const sha256Hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    files.push({ ...one, sha256Hex })
    bytes += one.file.size
    tell({ doing: 'reading', bytes, ofBytes })
  }
  return files
}

const sizeOf = (files: readonly Picked[]) => files.reduce((sum, { file }) => sum + file.size, 0)

async function send(
  uploadId: string,
  files: readonly Hashed[],
  tell: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<void> {
  const byDigest = new Map(files.map((each) => [each.sha256Hex, each]))
  const digests = [...byDigest.keys()]
  const missing: Hashed[] = []
  const there = new Set<string>()
  for (let from = 0; from < digests.length; from += missingMax) {
    const sha256Hexes = digests.slice(from, from + missingMax)
    const answer = await grid.datastores.missing({ uploadId, sha256Hexes })
    missing.push(...answer.missing.map((digest) => byDigest.get(digest)!))
    for (const { sha256Hex, startByte } of answer.parts) there.add(`${sha256Hex} ${startByte}`)
  }
  const ofBytes = sizeOf(missing)
  let bytes = 0
  const sent = (some: readonly Hashed[]) => {
    bytes += sizeOf(some)
    tell({ doing: 'sending', bytes, ofBytes })
  }
  for (const pack of packsOf(missing.filter(({ file }) => file.size <= packedBytesMax))) {
    await put(uploadId, '/pack', new Blob(pack.flatMap((one) => [headerOf(one), one.file])), signal)
    sent(pack)
  }
  for (const { file, sha256Hex } of missing.filter(({ file: { size } }) => size > packedBytesMax)) {
    const path = `/contents/${sha256Hex}`
    if (file.size <= partBytes) {
      await put(uploadId, path, file, signal)
      bytes += file.size
      tell({ doing: 'sending', bytes, ofBytes })
      continue
    }
    // In parts, so that a broken line costs one of them.
    for (let start = 0; start < file.size; start += partBytes) {
      const part = file.slice(start, Math.min(start + partBytes, file.size))
      if (!there.has(`${sha256Hex} ${start}`)) await put(uploadId, `${path}/parts/${start}`, part, signal)
      bytes += part.size
      tell({ doing: 'sending', bytes, ofBytes })
    }
    await put(uploadId, `${path}/joined`, new Blob(), signal)
  }
}

function packsOf(small: readonly Hashed[]): Hashed[][] {
  const packs: Hashed[][] = []
  let bytes = Infinity
  for (const one of small) {
    if (bytes + one.file.size > packBytes || packs.at(-1)!.length >= packFilesMax) {
      packs.push([])
      bytes = 0
    }
    packs.at(-1)!.push(one)
    bytes += one.file.size
  }
  return packs
}

/** SHA-256 and size before each content of a pack. */
function headerOf({ sha256Hex, file }: Hashed): ArrayBuffer {
  const header = new DataView(new ArrayBuffer(40))
  for (let at = 0; at < 32; at += 1) header.setUint8(at, parseInt(sha256Hex.slice(at * 2, at * 2 + 2), 16))
  header.setBigUint64(32, BigInt(file.size))
  return header.buffer
}

async function put(uploadId: string, path: string, body: Blob, signal: AbortSignal): Promise<unknown> {
  const answer = await fetch(`/datastores/uploads/${uploadId}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body,
    signal,
  })
  const value: unknown = await answer.json().catch(() => undefined)
  if (!answer.ok) throw errorOfAnswer(answer.status, value)
  return value
}

/** Everything in what was dropped, folders opened. The paths of several things keep their own names in front. */
export async function pickedFromDrop(items: DataTransferItemList): Promise<Picked[]> {
  // Entries must be taken before the first wait: afterwards the list is empty.
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  const found = (await Promise.all(entries.map((entry) => readEntry(entry, '')))).flat()
  return entries.length === 1 && entries[0]!.isDirectory ? withoutTop(found) : found
}

/** What an input for files or for a folder holds. */
export function pickedFromInput(files: FileList): Picked[] {
  const found = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  return found.every(({ path }) => path.includes('/')) ? withoutTop(found) : found
}

/** A folder that is uploaded is the datastore, it is not in it. */
function withoutTop(found: Picked[]): Picked[] {
  return found.map(({ path, file }) => ({ path: path.slice(path.indexOf('/') + 1), file }))
}

async function readEntry(entry: FileSystemEntry, above: string): Promise<Picked[]> {
  const path = above + entry.name
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return [{ path, file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: Picked[] = []
  for (;;) {
    // A browser hands out a hundred at a time, and nothing at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return found
    for (const each of some) found.push(...(await readEntry(each, `${path}/`)))
  }
}
