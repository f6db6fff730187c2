/** Fetching a source onto this machine: an address, an archive behind one, or a folder of an S3 store. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { checkTreePath, comparePaths, GridError, type ManifestEntry } from '@teamgrid/api'
import type { Outbound } from '../lib/outbound.ts'
import type { Bucket, OpenBucket } from '../stores/blob/blob-store.ts'
import { createSink, type Extracted, type ExtractLimits } from './extract.ts'
import { archiveFormatOf, extractInThread } from './extracting.ts'

export type ImportSource =
  | { kind: 'address'; url: string }
  | {
      kind: 'bucket'
      bucket: string
      prefix: string
      endpoint: string | null
      region: string
      /** Null: what everybody may read. */
      credential: { accessKeyId: string; secretAccessKey: string } | null
    }

export type ImportProgress = {
  state: 'fetching' | 'unpacking' | 'storing'
  doneBytes: number
  ofBytes: number | null
  files: number
}
type Tell = (progress: ImportProgress) => void

const gibibyte = 1024 ** 3
const triesMax = 6
const entriesMax = 2_000_000
const ratioMax = 200
/** Of the disk that others need too. */
const freeShare = 0.9
const objectsAtOnce = 16
const smallObjectBytes = 1024 * 1024

export function createImporting(deps: { outbound: Pick<Outbound, 'download'>; openBucket: OpenBucket }) {
  /**
   * @param folder of this import alone; what is in it from an earlier try is used again.
   * @throws GridError in words for whoever asked for the import.
   */
  async function fetchSource(
    source: ImportSource,
    folder: string,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<Extracted> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const out = join(folder, 'contents')
    await rm(out, { recursive: true, force: true })
    await mkdir(out)
    if (source.kind === 'bucket') return fromBucket(source, out, tell, signal)
    const { place, name, sizeBytes } = await download(source.url, folder, tell, signal)
    const format = archiveFormatOf(name)
    if (!format) return await oneFile(place, name, sizeBytes)
    const limits: ExtractLimits = {
      entriesMax,
      bytesMax: Math.floor((await freeBytes(folder)) * freeShare),
      ratioMax,
      ratioFromBytes: gibibyte,
    }
    tell({ state: 'unpacking', doneBytes: 0, ofBytes: null, files: 0 })
    return await extractInThread(
      { archive: place, format, folder: out, limits },
      ({ files, bytes }) => tell({ state: 'unpacking', doneBytes: bytes, ofBytes: null, files }),
      signal,
    )
  }

  /** Into one file, going on where an earlier try was cut off as long as it is still the same there. */
  async function download(url: string, folder: string, tell: Tell, signal: AbortSignal) {
    const place = join(folder, 'download')
    const noted = join(folder, 'download.json')
    for (let tried = 1; ; tried += 1) {
      try {
        return await tryDownload()
      } catch (error) {
        const isPassing = error instanceof GridError && error.code === 'unavailable'
        if (!isPassing || tried >= triesMax || signal.aborted) throw error
        await pause(500 * 2 ** (tried - 1), undefined, { signal })
      }
    }

    async function tryDownload() {
      const mark = await readFile(noted, 'utf8').catch(() => '')
      const there = mark === '' ? 0 : ((await stat(place).catch(() => undefined))?.size ?? 0)
      const goingOn: Record<string, string> = there > 0 ? { range: `bytes=${there}-`, 'if-range': mark } : {}
      // Packed on the wire, sizes and ranges would be of something else.
      const answer = await deps.outbound.download(url, { 'accept-encoding': 'identity', ...goingOn }, signal)
      const { status, headers, body } = answer
      if (status === 416 && there > 0) {
        body.destroy()
        await rm(noted, { force: true })
        throw new GridError('unavailable', 'What is there became shorter')
      }
      if (status !== 200 && status !== 206) {
        body.destroy()
        const isPassing = status >= 500 || status === 429 || status === 408
        throw new GridError(
          isPassing ? 'unavailable' : 'invalid',
          `${answer.url.host} answered ${status} instead of the file`,
        )
      }
      const from = status === 206 ? there : 0
      const length = Number(headers['content-length'] ?? NaN)
      const ofBytes = Number.isFinite(length) ? from + length : null
      const free = await freeBytes(folder)
      const room = () =>
        new GridError(
          'storage_full',
          `The file has ${ofBytes ?? 'more'} bytes, for which this server has no room`,
        )
      if (ofBytes !== null && ofBytes - from > free * freeShare) throw room()
      const etag = headers.etag?.startsWith('W/') ? undefined : headers.etag
      await writeFile(noted, etag ?? headers['last-modified'] ?? '')
      let doneBytes = from
      tell({ state: 'fetching', doneBytes, ofBytes, files: 0 })
      const file = await open(place, from > 0 ? 'a' : 'w')
      try {
        // Piece by piece, so that when the line breaks all that arrived is in the file.
        for await (const chunk of body as AsyncIterable<Buffer>) {
          doneBytes += chunk.length
          if (doneBytes - from > free * freeShare) throw room()
          await file.writeFile(chunk)
          tell({ state: 'fetching', doneBytes, ofBytes, files: 0 })
        }
      } catch (error) {
        if (error instanceof GridError || signal.aborted) throw error
        throw new GridError('unavailable', `The transfer broke off: ${(error as Error).message}`, {
          cause: error,
        })
      } finally {
        body.destroy()
        await file.close()
      }
      if (ofBytes !== null && doneBytes !== ofBytes)
        throw new GridError('unavailable', `The transfer broke off after ${doneBytes} of ${ofBytes} bytes`)
      return { place, name: nameOf(headers['content-disposition'], answer.url, url), sizeBytes: doneBytes }
    }
  }

  async function fromBucket(
    source: Extract<ImportSource, { kind: 'bucket' }>,
    out: string,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const bucket = deps.openBucket(source)
    try {
      const objects: { key: string; path: string; sizeBytes: number; etag: string }[] = []
      let ofBytes = 0
      for await (const object of bucket.list(source.prefix)) {
        signal.throwIfAborted()
        // Consoles make an empty object for a folder.
        if (object.key.endsWith('/')) continue
        const path =
          object.key === source.prefix ? object.key.split('/').at(-1)! : pathBelow(source.prefix, object.key)
        if (path === undefined) continue
        checkTreePath(path)
        objects.push({ ...object, path })
        ofBytes += object.sizeBytes
        if (objects.length > entriesMax)
          throw new GridError('too_large', `There are more than ${entriesMax} objects`)
      }
      if (objects.length === 0)
        throw new GridError('not_found', `There is nothing at s3://${source.bucket}/${source.prefix}`)
      if (ofBytes > (await freeBytes(out)) * freeShare)
        throw new GridError(
          'storage_full',
          `The objects have ${ofBytes} bytes, for which this server has no room`,
        )
      const sink = createSink(out)
      const entries: ManifestEntry[] = []
      let doneBytes = 0
      for (let from = 0; from < objects.length; from += objectsAtOnce) {
        const some = objects.slice(from, from + objectsAtOnce)
        // Small ones cost a round trip each, so they are asked for together.
        const bodies = await Promise.all(
          some.map((object) =>
            object.sizeBytes <= smallObjectBytes ? whole(bucket, object) : Promise.resolve(undefined),
          ),
        )
        for (const [index, object] of some.entries()) {
          signal.throwIfAborted()
          const body = bodies[index]
            ? Readable.from([bodies[index]])
            : await bucket.get(object.key, object.etag)
          const { sha256Hex, sizeBytes } = await sink.add(body, object.sizeBytes)
          entries.push({ kind: 'file', path: object.path, sizeBytes, sha256Hex, executable: false })
          doneBytes += sizeBytes
          tell({ state: 'fetching', doneBytes, ofBytes, files: entries.length })
        }
      }
      return { entries, ...(await sink.end()) }
    } finally {
      bucket.close()
    }
  }

  return { fetchSource }
}

async function whole(bucket: Bucket, { key, etag }: { key: string; etag: string }): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of (await bucket.get(key, etag)) as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Of `a/b` and the key `a/b/c`: `c`. `a/bc` is not below it. */
function pathBelow(prefix: string, key: string): string | undefined {
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return key.startsWith(folder) ? key.slice(folder.length) : undefined
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function oneFile(place: string, path: string, sizeBytes: number): Promise<Extracted> {
  checkTreePath(path)
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(place, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer)
  const sha256Hex = hash.digest('hex')
  return {
    entries: [{ kind: 'file', path, sizeBytes, sha256Hex, executable: false }],
    packs: [],
    large: [{ place, sha256Hex }],
  }
}

/** What the answer calls itself, else the end of the address that was asked for, else of where it led. */
function nameOf(disposition: string | undefined, final: URL, asked: string): string {
  const said = /filename="?([^";]+)"?/i.exec(disposition ?? '')?.[1]
  const ends = [new URL(asked), final].map(({ pathname }) => {
    const end = pathname.split('/').at(-1)!
    try {
      return decodeURIComponent(end)
    } catch {
      return end
    }
  })
  const names = [said, ...ends].map((name) => (name ?? '').split(/[/\\]/).at(-1)!.trim())
  return names.find((name) => name !== '' && name !== '.' && name !== '..') ?? 'download'
}

/** In the order of a manifest. */
export const sorted = (entries: readonly ManifestEntry[]) =>
  entries.toSorted((a, b) => comparePaths(a.path, b.path))
