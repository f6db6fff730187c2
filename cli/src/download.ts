import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, mkdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { GridError } from '@teamgrid/api'
import { noAnswer } from './connection.ts'
import type { Io } from './io.ts'

export type Wanted = {
  /** Absolute, or relative to the server. */
  url: string
  sizeBytes: number
  /** Empty when the server does not know it. */
  md5Hex: string
  updatedAt: string
  /** Where it goes; a place under `root`. */
  place: string
}

/** Tries for one file; a signed url that ran out is asked for again in between. */
const triesMax = 4

/**
 * Fetches one file, unless the same bytes are already there. What was fetched before an interruption is kept beside and
 * continued; a file only appears under its name when it is whole and its checksum is right.
 *
 * @param options.root folder that holds `.grid-partial`, on the same file system as the place.
 * @param options.freshUrl a new signed url for the file, when the old one has run out.
 * @param options.received called with the bytes of each piece; negative when pieces had to be thrown away.
 * @throws GridError unavailable, when it could not be had after all tries.
 */
export async function download(
  io: Io,
  wanted: Wanted,
  options: {
    server: string
    root: string
    freshUrl: () => Promise<string>
    received: (bytes: number) => void
  },
): Promise<'downloaded' | 'unchanged'> {
  if (await isSame(wanted)) return 'unchanged'
  const partial = join(options.root, '.grid-partial', partialName(wanted))
  await makeFolder(dirname(partial))
  await makeFolder(dirname(wanted.place))
  let url = wanted.url
  for (let tried = 1; ; tried += 1) {
    try {
      await fetchInto(io, new URL(url, `${options.server}/`).href, partial, wanted, options.received)
      break
    } catch (error) {
      if (io.interrupted.aborted) throw io.interrupted.reason
      if (tried >= triesMax || (error instanceof GridError && error.code !== 'unavailable')) throw error
      await io.pause(250 * 4 ** (tried - 1))
      url = await options.freshUrl()
    }
  }
  const modified = new Date(wanted.updatedAt)
  await utimes(partial, modified, modified)
  await refuseFolder(wanted.place)
  await rename(partial, wanted.place)
  return 'downloaded'
}

/** Same size and same checksum; without a checksum the size and the time of the last download decide. */
async function isSame(wanted: Wanted): Promise<boolean> {
  const there = await stat(wanted.place).catch(() => null)
  if (!there?.isFile() || there.size !== wanted.sizeBytes) return false
  if (!wanted.md5Hex) return Math.abs(there.mtimeMs - new Date(wanted.updatedAt).getTime()) < 2000
  return (await md5Of(wanted.place)) === wanted.md5Hex
}

/** A partial file belongs to one content at one place, so a file that changed starts from its beginning. */
function partialName(wanted: Wanted): string {
  const identity = [wanted.place, wanted.md5Hex, wanted.sizeBytes, wanted.updatedAt].join('\n')
  return createHash('sha256').update(identity).digest('hex').slice(0, 40)
}

async function fetchInto(
  io: Io,
  url: string,
  partial: string,
  wanted: Wanted,
  received: (bytes: number) => void,
): Promise<void> {
  const there = (await stat(partial).catch(() => null))?.size ?? 0
  const start = there <= wanted.sizeBytes ? there : 0
  let counted = 0
  const count = (bytes: number) => {
    counted += bytes
    received(bytes)
  }
  try {
    count(start)
    if (start < wanted.sizeBytes || wanted.sizeBytes === 0) {
      await transfer(io, url, partial, start, count)
    }
    const size = (await stat(partial)).size
    if (size !== wanted.sizeBytes) {
      throw new GridError('unavailable', `The transfer broke off after ${size} of ${wanted.sizeBytes} bytes`)
    }
    if (wanted.md5Hex && (await md5Of(partial)) !== wanted.md5Hex) {
      await rm(partial, { force: true })
      throw new GridError('unavailable', 'What arrived has another checksum')
    }
  } catch (error) {
    received(-counted)
    throw error
  }
}

async function transfer(
  io: Io,
  url: string,
  partial: string,
  start: number,
  count: (bytes: number) => void,
): Promise<void> {
  let response: Response
  try {
    // The url itself carries the permission; our key stays here.
    response = await io.fetch(url, {
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
      signal: io.interrupted,
    })
  } catch (error) {
    throw noAnswer(error, new URL(url).origin, io.interrupted)
  }
  if (!response.ok) {
    await response.body?.cancel()
    if (response.status === 416) await rm(partial, { force: true })
    throw new GridError('unavailable', `The server answered ${response.status}`)
  }
  const continues = response.status === 206
  if (!continues) count(-start)
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count(chunk.length)
      done(null, chunk)
    },
  })
  const body = response.body
    ? Readable.fromWeb(response.body as ReadableStream<Uint8Array>)
    : Readable.from([])
  try {
    await pipeline(body, counter, createWriteStream(partial, { flags: continues ? 'a' : 'w' }), {
      signal: io.interrupted,
    })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === 'write'
      ? new GridError('storage_full', `Cannot write: ${(error as Error).message}`, { cause: error })
      : noAnswer(error, new URL(url).origin, io.interrupted)
  }
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw new GridError('conflict', `Cannot make the folder ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

async function refuseFolder(place: string): Promise<void> {
  const there = await lstat(place).catch(() => null)
  if (there?.isDirectory()) throw new GridError('conflict', `${place} is a folder`)
}

/** Runs `work` over `items`, at most `atOnce` at a time, in order of start. */
export async function eachAtOnce<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    while (next < items.length) await work(items[next++]!)
  })
  await Promise.all(workers)
}
