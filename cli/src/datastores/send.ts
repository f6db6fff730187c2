import { openAsBlob } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { GridError, type ManifestEntry, missingMax, printManifestLine } from '@teamgrid/api'
import type { Connection } from '../connection.ts'
import { eachAtOnce } from '../download.ts'
import type { Io } from '../io.ts'
import { createProgress } from '../progress.ts'
import { type HashCache, sha256Of } from './hashes.ts'
import type { LocalEntry, LocalFile } from './tree.ts'

const mebibyte = 1024 * 1024
/** What is smaller travels with others; the server says at most 1 MiB. */
const packedBytesMax = mebibyte
const packBytes = 8 * mebibyte
const packFilesMax = 2000
/** Larger ones travel in parts, so that a broken line costs one part. */
const wholeBytesMax = 64 * mebibyte
const partBytes = 32 * mebibyte
const transfersAtOnce = 4
const hashesAtOnce = 4
const triesMax = 6

export type Hashed = { file: LocalFile; sha256Hex: string }

/** Reads every file that is not in the cache. @throws GridError conflict for a file that changes while it is read. */
export async function hashTree(io: Io, entries: readonly LocalEntry[], cache: HashCache): Promise<Hashed[]> {
  const files = entries.filter((entry) => entry.kind === 'file')
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const progress = createProgress(io.stderr, io.now, total, files.length, 'Reading')
  const hashed: Hashed[] = Array.from({ length: files.length })
  try {
    await eachAtOnce([...files.keys()], hashesAtOnce, async (index) => {
      const file = files[index]!
      let sha256Hex = cache.of(file)
      if (sha256Hex === undefined) {
        const read = await sha256Of(file.place, (bytes) => progress.received(bytes), io.interrupted)
        if (read.sizeBytes !== file.sizeBytes) throw changed(file)
        sha256Hex = read.sha256Hex
        cache.set(file, sha256Hex)
      } else progress.received(file.sizeBytes)
      hashed[index] = { file, sha256Hex }
      progress.fileDone()
    })
  } finally {
    progress.end()
    await cache.save()
  }
  return hashed
}

function changed(file: LocalFile): GridError {
  return new GridError('conflict', `${file.path} changed while it was uploaded`, {
    hint: 'Run the command again when nothing writes to the folder: what arrived is kept.',
  })
}

export type Sent = {
  datastoreId: string
  version: number
  isNew: boolean
  sentFiles: number
  sentBytes: number
}

/**
 * Sends what the server has not, then the manifest. Whatever arrived stays there when it is interrupted.
 *
 * @throws GridError as the server says; unavailable when it does not answer for long.
 */
export async function sendTree(
  io: Io,
  connection: Connection,
  uploadId: string,
  entries: readonly LocalEntry[],
  hashed: readonly Hashed[],
): Promise<Sent> {
  const byDigest = new Map(hashed.map((one) => [one.sha256Hex, one]))
  const put = (path: string, body: BodyInit) =>
    again(io, () => connection.put(`/datastores/uploads/${uploadId}${path}`, body))
  let sentFiles = 0
  let sentBytes = 0

  async function sendMissing(): Promise<void> {
    const { missing, parts } = await ask()
    const wanted = missing.map((digest) => byDigest.get(digest)!)
    const total = wanted.reduce((sum, { file }) => sum + file.sizeBytes, 0)
    const progress = createProgress(io.stderr, io.now, total, wanted.length, 'Sending')
    const small = wanted.filter(({ file }) => file.sizeBytes <= packedBytesMax)
    const large = wanted.filter(({ file }) => file.sizeBytes > packedBytesMax)
    const done = ({ file }: Hashed) => {
      sentFiles += 1
      sentBytes += file.sizeBytes
      progress.fileDone()
    }
    const work = [
      ...packsOf(small).map((pack) => async () => {
        await put('/pack', new Uint8Array(await readPack(pack)))
        for (const one of pack) {
          progress.received(one.file.sizeBytes)
          done(one)
        }
      }),
      ...large.map((one) => async () => {
        await sendLarge(one, new Set(parts.get(one.sha256Hex)), (bytes) => progress.received(bytes))
        done(one)
      }),
    ]
    try {
      await eachAtOnce(work, transfersAtOnce, (each) => each())
    } finally {
      progress.end()
    }
  }

  async function ask(): Promise<{ missing: string[]; parts: Map<string, number[]> }> {
    const missing: string[] = []
    const parts = new Map<string, number[]>()
    const digests = [...byDigest.keys()]
    for (let from = 0; from < digests.length; from += missingMax) {
      const sha256Hexes = digests.slice(from, from + missingMax)
      const answer = await again(io, () => connection.client.datastores.missing({ uploadId, sha256Hexes }))
      missing.push(...answer.missing)
      for (const { sha256Hex, startByte } of answer.parts)
        parts.set(sha256Hex, [...(parts.get(sha256Hex) ?? []), startByte])
    }
    return { missing, parts }
  }

  async function sendLarge(
    { file, sha256Hex }: Hashed,
    there: ReadonlySet<number>,
    sent: (bytes: number) => void,
  ): Promise<void> {
    const blob = await openAsBlob(file.place)
    if (blob.size !== file.sizeBytes) throw changed(file)
    if (file.sizeBytes <= wholeBytesMax) {
      await put(`/contents/${sha256Hex}`, blob)
      sent(file.sizeBytes)
      return
    }
    for (let start = 0; start < file.sizeBytes; start += partBytes) {
      const part = blob.slice(start, Math.min(start + partBytes, file.sizeBytes))
      if (!there.has(start)) await put(`/contents/${sha256Hex}/parts/${start}`, part)
      sent(part.size)
    }
    await put(`/contents/${sha256Hex}/joined`, '')
  }

  const manifest = await promisify(gzip)(manifestOf(entries, hashed))
  for (let tried = 1; ; tried += 1) {
    await sendMissing()
    try {
      const done = (await put('/manifest', new Uint8Array(manifest))) as Omit<Sent, 'sentFiles' | 'sentBytes'>
      return { ...done, sentFiles, sentBytes }
    } catch (error) {
      // A team mate may have deleted what the server had when it was asked.
      if (tried > 1 || !(error instanceof GridError) || error.code !== 'conflict') throw error
    }
  }
}

function manifestOf(entries: readonly LocalEntry[], hashed: readonly Hashed[]): string {
  const digests = new Map(hashed.map(({ file, sha256Hex }) => [file.path, sha256Hex]))
  const lineOf = (entry: LocalEntry): ManifestEntry => {
    if (entry.kind !== 'file') return entry
    const { path, sizeBytes, executable } = entry
    return { kind: 'file', path, sizeBytes, sha256Hex: digests.get(path)!, executable }
  }
  return entries.map((entry) => printManifestLine(lineOf(entry))).join('')
}

function packsOf(small: readonly Hashed[]): Hashed[][] {
  const packs: Hashed[][] = []
  let bytes = Infinity
  for (const one of small) {
    if (bytes + one.file.sizeBytes > packBytes || packs.at(-1)!.length >= packFilesMax) {
      packs.push([])
      bytes = 0
    }
    packs.at(-1)!.push(one)
    bytes += one.file.sizeBytes
  }
  return packs
}

async function readPack(pack: readonly Hashed[]): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (const { file, sha256Hex } of pack) {
    const content = await readFile(file.place)
    if (content.length !== file.sizeBytes) throw changed(file)
    const header = Buffer.alloc(40)
    header.write(sha256Hex, 'hex')
    header.writeBigUInt64BE(BigInt(content.length), 32)
    pieces.push(header, content)
  }
  return Buffer.concat(pieces)
}

/** Tries again while the server is away or busy. */
export async function again<Result>(io: Io, act: () => Promise<Result>): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act()
    } catch (error) {
      const isPassing = error instanceof GridError && ['unavailable', 'overloaded'].includes(error.code)
      if (io.interrupted.aborted || !isPassing || tried >= triesMax) throw error
      await io.pause(Math.max(500 * 2 ** (tried - 1), (error.details.retryAfterSeconds ?? 0) * 1000))
    }
  }
}
