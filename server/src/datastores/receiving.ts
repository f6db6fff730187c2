/** Bytes of an upload as they arrive: whole contents, parts of large ones, and packs of small ones. */
import { createHash, type Hash } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GridError, packHeaderBytes, Sha256Hex } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import * as contents from './content-store.ts'
import { type BlobStore, partBytes } from '../stores/blob/blob-store.ts'
import type { DatastoresDeps } from './deps.ts'
import type { OpenUpload } from './uploads.ts'

const mebibyte = 1024 * 1024
/** Small contents travel and lie together: one request and one synced file for many. */
export const packBytesMax = 64 * mebibyte
export const packedContentBytesMax = mebibyte
/** Of S3. */
const partsMax = 10_000

export function createReceiving({ db, blobs, clock }: DatastoresDeps, openUpload: OpenUpload) {
  /**
   * A whole content. What is stored already is read and thrown away, since the sender proves to have it.
   * @throws GridError invalid when the bytes are not what the digest says, and then nothing is stored.
   */
  async function storeContent(
    actor: Actor,
    uploadId: string,
    sha256Hex: string,
    body: Readable,
  ): Promise<void> {
    checkDigest(sha256Hex)
    await openUpload(actor, uploadId)
    await store(uploadId, sha256Hex, body)
  }

  async function store(uploadId: string, sha256Hex: string, body: Readable): Promise<void> {
    const blobKey = contentKey(sha256Hex)
    const known = await contents.findContent(db, sha256Hex)
    if (known && known.damagedAt === null) {
      const sizeBytes = await measure(body, sha256Hex)
      await keep(uploadId, [{ sha256Hex, sizeBytes, blobKey: known.blobKey, startByte: known.startByte }])
      return
    }
    const { sizeBytes } = await blobs.put(blobKey, body, { expectedSha256Hex: sha256Hex })
    await keep(uploadId, [{ sha256Hex, sizeBytes, blobKey, startByte: 0 }], blobKey)
  }

  /** @param blobKey of bytes that were just stored: removed again when nothing came of them. */
  async function keep(uploadId: string, stored: contents.Content[], blobKey?: string): Promise<void> {
    try {
      const isNeeded = await contents.insertContents(db, uploadId, stored, clock.now())
      if (!isNeeded && blobKey !== undefined) await blobs.remove([blobKey])
    } catch (error) {
      if (blobKey !== undefined) await blobs.remove([blobKey])
      return gone(error)
    }
  }

  /**
   * Many small contents in one body: for each the SHA-256 (32 bytes), the size (8 bytes, big endian), the bytes.
   * All of them are stored, or none.
   */
  async function storePack(actor: Actor, uploadId: string, body: Readable): Promise<void> {
    await openUpload(actor, uploadId)
    const blobKey = `datastores/packs/${newId()}`
    const reader = createPackReader()
    // Of a blob without a name, nothing would ever be removed again.
    await blobs.put(blobKey, pipe(body, reader.stream), { sizeMaxBytes: packBytesMax })
    const found = reader.contents()
    if (found.length === 0) {
      await blobs.remove([blobKey])
      throw new GridError('invalid', 'This pack is empty')
    }
    await keep(
      uploadId,
      found.map((content) => ({ ...content, blobKey })),
      blobKey,
    )
  }

  /**
   * A part of a large content: `partBytes` from a multiple of them on, the last one fewer. Parts may come in any order,
   * and again.
   */
  async function storePart(
    actor: Actor,
    uploadId: string,
    sha256Hex: string,
    { startByte, sizeBytes }: { startByte: number; sizeBytes: number },
    body: Readable,
  ): Promise<void> {
    checkDigest(sha256Hex)
    const number = startByte / partBytes + 1
    if (!Number.isInteger(number) || number < 1 || number > partsMax)
      throw new GridError('invalid', `A part begins at a multiple of ${partBytes} bytes`)
    if (!Number.isInteger(sizeBytes) || sizeBytes < 1 || sizeBytes > partBytes)
      throw new GridError('invalid', `A part says how long it is, and has at most ${partBytes} bytes`)
    await openUpload(actor, uploadId)
    const { blobKey, token } = await arrivalOf(uploadId, sha256Hex)
    const proof = await blobs.putPart(blobKey, token, number, body, sizeBytes)
    await contents.putPartRow(db, uploadId, { sha256Hex, number, sizeBytes, proof }).catch(gone)
  }

  async function arrivalOf(uploadId: string, sha256Hex: string): Promise<contents.Arrival> {
    const begun = await contents.findArrival(db, uploadId, sha256Hex)
    if (begun) return begun
    const blobKey = contentKey(sha256Hex)
    const arrival = { blobKey, token: await blobs.beginParts(blobKey) }
    if (await contents.insertArrival(db, uploadId, sha256Hex, arrival).catch(gone)) return arrival
    await blobs.abandonParts(blobKey, arrival.token)
    const other = await contents.findArrival(db, uploadId, sha256Hex)
    if (!other) throw new GridError('conflict', 'This file was put together meanwhile')
    return other
  }

  /**
   * Makes one content of its parts.
   * @throws GridError conflict when parts are missing; invalid when together they are not what the digest says, and
   *   then they are forgotten.
   */
  async function joinParts(actor: Actor, uploadId: string, sha256Hex: string): Promise<void> {
    checkDigest(sha256Hex)
    await openUpload(actor, uploadId)
    const arrival = await contents.findArrival(db, uploadId, sha256Hex)
    const parts = await contents.listParts(db, uploadId, [sha256Hex])
    if (!arrival || parts.length === 0) throw new GridError('conflict', 'No part of this file has arrived')
    for (const [index, part] of parts.entries()) {
      const isWhole = part.sizeBytes === partBytes || index === parts.length - 1
      if (part.number !== index + 1 || !isWhole)
        throw new GridError('conflict', `Part ${index + 1} of this file has not arrived, or not all of it`)
    }
    const { blobKey, token } = arrival
    const proofs = parts.map((part) => part.proof)
    await blobs.finishParts(blobKey, token, proofs).catch(async (error: unknown) => {
      // An earlier call may have come this far and no further.
      if (!(await blobs.stat(blobKey))) throw error
    })
    try {
      // Only now is it one blob that can be read from its beginning, as a digest must.
      const sizeBytes = await measure(await blobs.get(blobKey), sha256Hex)
      await keep(uploadId, [{ sha256Hex, sizeBytes, blobKey, startByte: 0 }], blobKey)
    } catch (error) {
      if (error instanceof GridError && error.code === 'invalid') {
        await contents.deleteArrival(db, uploadId, sha256Hex)
        await blobs.remove([blobKey])
      }
      throw error
    }
    await contents.deleteArrival(db, uploadId, sha256Hex)
  }

  return { storeContent, storePack, storePart, joinParts }
}

/** A row that refers to an upload which is not there any more. */
function gone(error: unknown): never {
  throw (error as { code?: string }).code === '23503' ? new GridError('not_found', uploadGone) : error
}

export const uploadGone = 'This upload was completed, given up, or left alone for too long; begin a new one'

/** Blobs that are one content. */
export const contentPrefix = 'datastores/contents/'

/** A key of its own for every arrival, so that no later one can change what is stored. */
function contentKey(sha256Hex: string): string {
  return `${contentPrefix}${sha256Hex}/${newId()}`
}

function checkDigest(sha256Hex: string): void {
  if (!Sha256Hex.safeParse(sha256Hex).success)
    throw new GridError('invalid', 'A SHA-256 is 64 hexadecimal digits')
}

async function measure(body: Readable, sha256Hex: string): Promise<number> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    hash.update(chunk)
    sizeBytes += chunk.length
  }
  const found = hash.digest('hex')
  if (found !== sha256Hex)
    throw new GridError('invalid', `The file arrived damaged: its SHA-256 is ${found}, not ${sha256Hex}.`)
  return sizeBytes
}

/** Errors of the source become errors of what is read, which the method `pipe` would not do. */
export function pipe(source: Readable, through: Transform): Readable {
  pipeline(source, through).catch(() => {})
  return through
}

/** Lets a pack through as it is, checks every content in it, and knows where each lies. */
function createPackReader() {
  const found: { sha256Hex: string; sizeBytes: number; startByte: number }[] = []
  let at = 0
  const header = Buffer.alloc(packHeaderBytes)
  let headerFilled = 0
  let content: { hash: Hash; expected: string; sizeBytes: number; left: number } | undefined

  function take(chunk: Buffer): void {
    let from = 0
    while (from < chunk.length) {
      if (content === undefined) {
        const taken = chunk.copy(header, headerFilled, from, from + packHeaderBytes - headerFilled)
        headerFilled += taken
        from += taken
        if (headerFilled < packHeaderBytes) return
        headerFilled = 0
        const size = header.readBigUInt64BE(32)
        if (size > packedContentBytesMax)
          throw new GridError('invalid', 'A pack is for small files; send this one by itself')
        content = {
          hash: createHash('sha256'),
          expected: header.toString('hex', 0, 32),
          sizeBytes: Number(size),
          left: Number(size),
        }
      } else {
        const piece = chunk.subarray(from, from + content.left)
        content.hash.update(piece)
        content.left -= piece.length
        from += piece.length
      }
      if (content.left === 0) finish(at + from)
    }
  }

  function finish(end: number): void {
    const { hash, expected, sizeBytes } = content!
    const digest = hash.digest('hex')
    if (digest !== expected)
      throw new GridError('invalid', `A file arrived damaged: its SHA-256 is ${digest}, not ${expected}.`)
    found.push({ sha256Hex: digest, sizeBytes, startByte: end - sizeBytes })
    content = undefined
  }

  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        take(chunk)
        at += chunk.length
        done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      const isWhole = content === undefined && headerFilled === 0
      done(isWhole ? null : new GridError('invalid', 'This pack ends in the middle of a file'))
    },
  })
  return { stream, contents: () => found }
}

/** Parts of contents that will not be finished. */
export async function abandon(blobs: BlobStore, unfinished: readonly contents.Arrival[]): Promise<void> {
  for (const { blobKey, token } of unfinished) await blobs.abandonParts(blobKey, token)
}
