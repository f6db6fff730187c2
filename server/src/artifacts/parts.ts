/**
 * Large files in parts. Each part is checked against its MD5 as it arrives and written where it belongs in the whole,
 * so a part that was cut off is sent again alone and nothing is written twice. When all are there the whole is read
 * once and checked against its digest; only then the content exists. What never comes to its end is cleared away with
 * the version that it was for.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { StoredArtifact } from './artifact.ts'
import * as contents from './content-store.ts'
import { partsMax, readStoragePath } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Permission } from './permission.ts'
import { checkedBody, contentPrefix, discard } from './receiving.ts'
import * as store from './store.ts'
import * as strays from './stray-store.ts'
import type { Straying } from './straying.ts'
import * as uploads from './upload-store.ts'

/** S3's limit, which clients keep to: 5 GiB. */
const partBytesMax = 5 * 1024 ** 3

/** A store on S3 gathers a piece in memory, and clients send twenty parts at once. S3 takes no smaller ones than 5 MiB. */
const pieceBytesWanted = 8 * 1024 ** 2

/** A part of a file, as the link to send it says. */
type Announced = {
  artifactId: string
  content: string
  partNumber: number
  partCount: number
  md5Hex: string
}

export function createParts(
  { db, blobs, clock }: Pick<ArtifactsDeps, 'db' | 'blobs' | 'clock'>,
  { writable }: Permission,
  { newKey, newPartsKey, lostAt, removeStrays }: Straying,
) {
  /** Checking the whole takes long for large files; who asks again while it goes on waits for the same end. */
  const finishing = new Map<string, Promise<void>>()
  /** Parts that are arriving: of the same part sent twice at once, the second waits what becomes of the first. */
  const arriving = new Map<string, Promise<unknown>>()

  /**
   * Stores a part; the signed url is the permission. A part that is there already is read and thrown away.
   *
   * @param sizeBytes what the sender says that it has.
   * @returns its tag, to be handed back by who completes the upload: the hex of its MD5.
   * @throws GridError invalid when the bytes are not those announced, or another size than the other parts'.
   */
  async function storePart(
    part: Announced,
    body: Readable,
    sizeBytes: number | undefined,
  ): Promise<{ tag: string }> {
    const key = `${part.artifactId} ${part.content} ${part.partNumber}`
    for (let other = arriving.get(key); other; other = arriving.get(key)) await other.catch(() => {})
    const end = receive(part, body, sizeBytes)
    arriving.set(key, end)
    try {
      await end
    } finally {
      arriving.delete(key)
    }
    return { tag: part.md5Hex }
  }

  async function receive(part: Announced, body: Readable, sizeBytes: number | undefined): Promise<void> {
    try {
      const artifact = await store.findArtifact(db, part.artifactId)
      if (artifact?.state !== 'pending') throw new GridError('not_found')
      if (sizeBytes === undefined || sizeBytes < 1 || sizeBytes > partBytesMax)
        throw new GridError('invalid', `A part says how long it is, and has at most ${partBytesMax} bytes.`)
      const upload = await uploadFor(artifact, part.content)
      if ((await uploads.listParts(db, upload.id)).some(isSame(part))) return await discard(body)
      await keep(artifact, upload, part, await place(artifact, upload, part, body, sizeBytes))
    } catch (error) {
      body.resume()
      throw error
    }
  }

  async function uploadFor(artifact: StoredArtifact, content: string): Promise<uploads.Upload> {
    const begun = await uploads.findUpload(db, artifact.id, content)
    if (begun) return begun
    const fresh = await newPartsKey(contentPrefix(artifact.collection.projectId, content))
    const row = { id: newId(), artifactId: artifact.id, content, ...fresh, now: clock.now() }
    if (!(await uploads.insertUpload(db, row))) await removeStrays([fresh.blobKey])
    const upload = await uploads.findUpload(db, artifact.id, content)
    if (!upload) throw tooLate()
    return upload
  }

  /** Writes a part where it belongs, or aside when that is not known yet. */
  async function place(
    artifact: StoredArtifact,
    upload: uploads.Upload,
    part: Announced,
    body: Readable,
    sizeBytes: number,
  ): Promise<uploads.StoredPart> {
    const { partNumber, partCount, md5Hex } = part
    const isLast = partNumber === partCount
    const partBytes =
      isLast && partCount > 1 ? upload.partBytes : await uploads.fixPartBytes(db, upload.id, sizeBytes)
    if (partBytes === undefined) throw tooLate()
    if (partBytes === null) {
      // Only the others tell where the last one begins.
      const waitingKey = await newKey(`artifacts/${artifact.collection.projectId}/parts/${part.content}`)
      await blobs.put(waitingKey, body, { expectedMd5Hex: md5Hex, sizeBytes, sizeMaxBytes: sizeBytes })
      return { partNumber, md5Hex, sizeBytes, proofs: [], waitingKey }
    }
    checkSize({ partNumber, sizeBytes, isLast }, partBytes)
    const proofs = await write(upload, { partNumber, partCount, partBytes, md5Hex, sizeBytes }, body)
    return { partNumber, md5Hex, sizeBytes, proofs, waitingKey: null }
  }

  /** In pieces, for a store may hold a piece in memory. */
  async function write(
    { blobKey, partsToken }: uploads.Upload,
    part: { partNumber: number; partCount: number; partBytes: number; md5Hex: string; sizeBytes: number },
    body: Readable,
  ): Promise<string[]> {
    const { piecesPerPart, pieceBytes } = piecesOf(part)
    const md5 = createHash('md5')
    const cut = createCutter(body, (chunk) => md5.update(chunk))
    const proofs: string[] = []
    for (let at = 0; at < part.sizeBytes; at += pieceBytes) {
      const number = (part.partNumber - 1) * piecesPerPart + proofs.length + 1
      const size = Math.min(pieceBytes, part.sizeBytes - at)
      const startByte = (part.partNumber - 1) * part.partBytes + at
      proofs.push(await blobs.putPart(blobKey, partsToken, number, cut(size), size, startByte))
    }
    const found = md5.digest('hex')
    if (found !== part.md5Hex)
      throw new GridError('invalid', `The part arrived damaged: its MD5 is ${found}, not ${part.md5Hex}.`)
    return proofs
  }

  async function keep(
    artifact: StoredArtifact,
    upload: uploads.Upload,
    part: Announced,
    stored: uploads.StoredPart,
  ): Promise<void> {
    await db.transaction().execute(async (trx) => {
      // Holding the version: clearing it away waits, or has happened.
      if ((await store.lockArtifact(trx, artifact.id))?.state !== 'pending') throw new GridError('not_found')
      const now = await uploads.findUpload(trx, artifact.id, part.content)
      if (now?.id !== upload.id) throw tooLate()
      if (stored.waitingKey !== null && !(await strays.takeStray(trx, stored.waitingKey, clock.now())))
        throw tooLate()
      await uploads.setPart(trx, upload.id, stored)
      await strays.noteStrays(trx, [upload.blobKey], lostAt(), upload.partsToken)
      await store.touch(trx, [artifact.id], clock.now())
    })
  }

  /**
   * Makes one content of the parts of a file. Repeating it is fine.
   *
   * @param parts in order, each with the tag that its upload was answered with.
   * @returns the name of the content.
   * @throws GridError invalid when a part is missing or another, and then what has arrived is kept; also when the
   *   whole is not what was announced, and then all of it is forgotten.
   */
  async function completeParts(
    actor: Actor,
    input: { artifactId: string; storagePath: string; parts: { partNumber: number; md5Hex: string }[] },
  ): Promise<string> {
    const { artifactId, content } = readStoragePath(input.storagePath)
    if (artifactId !== input.artifactId) throw new GridError('invalid', 'The path is of another artifact.')
    const artifact = await writable(actor, artifactId)
    const { projectId } = artifact.collection
    if ((await contents.findBlobs(db, projectId, [content])).size > 0) return content
    const upload = await uploads.findUpload(db, artifactId, content)
    const stored = upload ? await uploads.listParts(db, upload.id) : []
    checkParts(stored, input.parts)
    const key = `${projectId} ${content}`
    let end = finishing.get(key)
    if (!end) {
      end = finish(artifact, upload!, content, stored).finally(() => finishing.delete(key))
      finishing.set(key, end)
    }
    await end
    return content
  }

  async function finish(
    artifact: StoredArtifact,
    upload: uploads.Upload,
    content: string,
    parts: uploads.StoredPart[],
  ): Promise<void> {
    const { blobKey, partsToken } = upload
    // An earlier call may have come this far and no further.
    if (!(await blobs.stat(blobKey))) {
      const proofs = [...parts.flatMap((part) => part.proofs), ...(await placeWaiting(upload, parts))]
      await blobs.finishParts(blobKey, partsToken, proofs)
    }
    const forget = async (alsoKey: boolean) => {
      const waiting = parts.flatMap((part) => part.waitingKey ?? [])
      const keys = alsoKey ? [blobKey, ...waiting] : waiting
      await db.transaction().execute(async (trx) => {
        await uploads.removeUpload(trx, upload.id)
        await strays.noteStrays(trx, keys, new Date(0))
      })
      await removeStrays(keys)
    }
    const stored = await measure(await blobs.get(blobKey), content).catch(async (error: unknown) => {
      if (error instanceof GridError && error.code === 'invalid') await forget(true)
      throw error
    })
    const isNew = await contents.insertBlob(
      db,
      {
        projectId: artifact.collection.projectId,
        md5Hex: content,
        blobKey,
        sizeBytes: stored.sizeBytes,
        sha256Hex: stored.sha256Hex,
        birthArtifactId: artifact.id,
      },
      clock.now(),
    )
    await forget(!isNew)
    await store.touch(db, [artifact.id], clock.now())
  }

  /** Puts the last part to its place, if it came before that was known. */
  async function placeWaiting(upload: uploads.Upload, parts: uploads.StoredPart[]): Promise<string[]> {
    const last = parts.at(-1)!
    if (last.waitingKey === null) return []
    const partBytes = parts[0]!.sizeBytes
    checkSize({ ...last, isLast: true }, partBytes)
    const bytes = await blobs.get(last.waitingKey)
    try {
      return await write(upload, { ...last, partCount: parts.length, partBytes }, bytes)
    } finally {
      bytes.destroy()
    }
  }

  return { storePart, completeParts }
}

/** @throws GridError invalid when the bytes are not the content of that name. */
async function measure(bytes: Readable, content: string): Promise<{ sizeBytes: number; sha256Hex: string }> {
  const { body, limits } = await checkedBody(content, bytes)
  const sha256 = createHash('sha256')
  const md5 = limits.expectedMd5Hex === undefined ? undefined : createHash('md5')
  let sizeBytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sha256.update(chunk)
    md5?.update(chunk)
    sizeBytes += chunk.length
  }
  const found = md5?.digest('hex')
  if (found !== limits.expectedMd5Hex)
    throw new GridError('invalid', `The file arrived damaged: its MD5 is ${found}, not ${content}.`)
  return { sizeBytes, sha256Hex: sha256.digest('hex') }
}

/** How a part is cut into pieces that a store takes: of about the same size, and never too many in all. */
function piecesOf({ partBytes, partCount }: { partBytes: number; partCount: number }) {
  const wanted = Math.ceil(partBytes / pieceBytesWanted)
  const piecesPerPart = Math.max(1, Math.min(wanted, Math.floor(partsMax / partCount)))
  return { piecesPerPart, pieceBytes: Math.ceil(partBytes / piecesPerPart) }
}

/** Reads a stream in stretches, one after the other, each as a stream of its own. */
function createCutter(body: Readable, see: (chunk: Buffer) => void): (bytes: number) => Readable {
  const source = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let rest: Buffer | undefined
  async function* stretch(bytes: number): AsyncIterable<Buffer> {
    for (let left = bytes; left > 0;) {
      let chunk = rest
      rest = undefined
      if (chunk === undefined) {
        const next = await source.next()
        if (next.done) return
        chunk = next.value
      }
      const taken = chunk.subarray(0, left)
      if (taken.length < chunk.length) rest = chunk.subarray(taken.length)
      left -= taken.length
      see(taken)
      yield taken
    }
  }
  return (bytes) => Readable.from(stretch(bytes), { objectMode: false })
}

function isSame(part: { partNumber: number; md5Hex: string }) {
  return (stored: uploads.StoredPart) =>
    stored.partNumber === part.partNumber && stored.md5Hex === part.md5Hex
}

function checkSize(
  part: { partNumber: number; sizeBytes: number; isLast: boolean },
  partBytes: number,
): void {
  if (part.isLast ? part.sizeBytes <= partBytes : part.sizeBytes === partBytes) return
  throw new GridError(
    'invalid',
    `Part ${part.partNumber} has ${part.sizeBytes} bytes; all have ${partBytes}, and only the last one may have fewer.`,
  )
}

function checkParts(stored: uploads.StoredPart[], named: { partNumber: number; md5Hex: string }[]): void {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]))
  const ordered = named.toSorted((a, b) => a.partNumber - b.partNumber)
  for (const [at, { partNumber, md5Hex }] of ordered.entries()) {
    // Clients hand the ETag back as it came, which has quotes around it.
    const isThere = byNumber.get(partNumber)?.md5Hex === md5Hex.replaceAll('"', '').toLowerCase()
    if (partNumber !== at + 1 || !isThere) {
      throw new GridError('invalid', `Part ${at + 1} has not been sent, or is another one.`)
    }
  }
  if (ordered.length === 0 || ordered.length !== stored.length) {
    throw new GridError('invalid', `${stored.length} parts have arrived, ${ordered.length} are named.`)
  }
}

const tooLate = () =>
  new GridError('unavailable', 'Storing this part took too long.', { retryAfterSeconds: 1 })
