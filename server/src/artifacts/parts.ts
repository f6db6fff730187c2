/**
 * Large files in parts. Each part is a blob of its own, checked against its MD5 as it arrives, so a part that was cut
 * off is sent again alone. When all are there they are joined into one blob, checked against the digest of the whole;
 * only then the content exists. Parts of uploads that never end are cleared with the version that they were for.
 */
import { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import * as contents from './content-store.ts'
import { readStoragePath } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Permission } from './permission.ts'
import type { Receiving } from './receiving.ts'
import * as store from './store.ts'
import * as uploads from './upload-store.ts'

/** S3's limit, which clients keep to: 5 GiB. */
const partBytesMax = 5 * 1024 ** 3

export function createParts(
  { db, blobs, clock }: Pick<ArtifactsDeps, 'db' | 'blobs' | 'clock'>,
  { writable }: Permission,
  { newKey, removeStrays, storeContent }: Receiving,
) {
  /** Joining takes long for large files; who asks again while it goes on waits for the same end. */
  const joining = new Map<string, Promise<void>>()

  /**
   * Stores a part; the signed url is the permission.
   * @returns its tag, to be handed back by who completes the upload: the hex of its MD5.
   * @throws GridError invalid when the bytes are not those announced.
   */
  async function storePart(
    where: { artifactId: string; content: string; partNumber: number; md5Hex: string },
    body: Readable,
  ): Promise<{ tag: string }> {
    const artifact = await store.findArtifact(db, where.artifactId)
    if (!artifact || artifact.state !== 'pending') {
      body.resume()
      throw new GridError('not_found')
    }
    const { projectId } = artifact.collection
    const blobKey = await newKey(`artifacts/${projectId}/parts/${where.content}`)
    const stored = await blobs.put(blobKey, body, {
      expectedMd5Hex: where.md5Hex,
      sizeMaxBytes: partBytesMax,
    })
    const replaced = await db.transaction().execute(async (trx) => {
      // Holding the version: clearing it away waits, or has happened.
      if ((await store.lockArtifact(trx, artifact.id))?.state !== 'pending') throw new GridError('not_found')
      if (!(await contents.takeStray(trx, blobKey, clock.now()))) throw tooLate()
      const uploadId = await uploads.ensureUpload(trx, {
        id: newId(),
        artifactId: artifact.id,
        content: where.content,
        now: clock.now(),
      })
      const replaced = await uploads.setPart(trx, uploadId, {
        partNumber: where.partNumber,
        md5Hex: stored.md5Hex,
        sizeBytes: stored.sizeBytes,
        blobKey,
      })
      if (replaced !== undefined) await contents.noteStrays(trx, [replaced], new Date(0))
      await store.touch(trx, [artifact.id], clock.now())
      return replaced
    })
    if (replaced !== undefined) await removeStrays([replaced])
    return { tag: stored.md5Hex }
  }

  /**
   * Joins the parts of a file. Repeating it is fine.
   *
   * @param parts in order, each with the tag that its upload was answered with.
   * @returns the name of the content.
   * @throws GridError invalid when a part is missing or another, or the whole is not what was announced; what has
   *   arrived is kept, so that parts can be sent again.
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
    const stored = upload ? await uploads.listParts(db, upload) : []
    checkParts(stored, input.parts)
    const key = `${projectId} ${content}`
    let end = joining.get(key)
    if (!end) {
      const whole = Readable.from(bytesOf(stored))
      const sizeBytes = stored.reduce((sum, part) => sum + part.sizeBytes, 0)
      end = storeContent(artifact, content, whole, sizeBytes).finally(() => joining.delete(key))
      joining.set(key, end)
    }
    await end
    const keys = await db.transaction().execute(async (trx) => {
      const keys = await uploads.removeUpload(trx, artifactId, content)
      await contents.noteStrays(trx, keys, new Date(0))
      return keys
    })
    await removeStrays(keys)
    return content
  }

  async function* bytesOf(parts: uploads.StoredPart[]): AsyncIterable<Buffer> {
    for (const { blobKey } of parts) yield* await blobs.get(blobKey)
  }

  return { storePart, completeParts }
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
