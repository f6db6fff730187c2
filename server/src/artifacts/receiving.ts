/** Bytes that arrive behind signed urls: the url is the permission, so nothing here knows who sends. */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Writable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import { contentPattern, md5HexOf } from './artifact.ts'
import * as contents from './content-store.ts'
import { alreadyCommitted } from './creating.ts'
import type { StoredArtifact } from './artifact.ts'
import type { ArtifactsDeps } from './deps.ts'
import { manifestBytesMax } from './manifest.ts'
import type { Straying } from './straying.ts'
import { expectXxh128 } from './xxh128.ts'
import * as store from './store.ts'
import * as strays from './stray-store.ts'

export function createReceiving(
  { db, blobs, clock }: Pick<ArtifactsDeps, 'db' | 'blobs' | 'clock'>,
  { newKey, removeStrays }: Pick<Straying, 'newKey' | 'removeStrays'>,
) {
  /**
   * Stores a file's content, once per project however often it is sent.
   * @param sizeBytes how much is to come, if that is known.
   * @throws GridError invalid when the bytes are not what the digest says, and then nothing is stored.
   */
  async function storeBlob(
    artifactId: string,
    content: string,
    body: Readable,
    sizeBytes?: number,
  ): Promise<void> {
    const artifact = await store.findArtifact(db, artifactId)
    if (!artifact || artifact.state === 'deleted' || !contentPattern.test(content))
      throw new GridError('not_found')
    const { projectId } = artifact.collection
    const known = await contents.findBlobs(db, projectId, [content])
    if (known.size > 0) return await discard(body)
    if (artifact.state !== 'pending') throw alreadyCommitted(artifact)
    await storeContent(artifact, content, body, sizeBytes)
  }

  /** Stores content under a key of its own, so that no later upload can change what is stored. */
  async function storeContent(
    { id, collection: { projectId } }: StoredArtifact,
    content: string,
    body: Readable,
    sizeBytes?: number,
  ): Promise<void> {
    const blobKey = await newKey(contentPrefix(projectId, content))
    const checked = await checkedBody(content, body)
    const stored = await blobs.put(blobKey, checked.body, {
      ...checked.limits,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
    })
    const isNew = await contents.insertBlob(
      db,
      {
        projectId,
        md5Hex: content,
        blobKey,
        sizeBytes: stored.sizeBytes,
        sha256Hex: stored.sha256Hex,
        birthArtifactId: id,
      },
      clock.now(),
    )
    if (!isNew) await removeStrays([blobKey])
    await store.touch(db, [id], clock.now())
  }

  /** Stores the manifest of a version that is not committed. @throws GridError as `storeBlob`; too_large. */
  async function storeManifest(manifestId: string, body: Readable): Promise<void> {
    const manifest = await contents.findManifest(db, manifestId)
    const artifact = manifest && (await store.findArtifact(db, manifest.artifactId))
    const md5Hex = manifest && md5HexOf(manifest.digest)
    if (!artifact || artifact.state === 'deleted' || md5Hex === undefined) throw new GridError('not_found')
    if (artifact.state === 'committed') return await discard(body)
    const blobKey = await newKey(manifestPrefix(artifact.collection.projectId, artifact.id))
    await blobs.put(blobKey, body, { sizeMaxBytes: manifestBytesMax, expectedMd5Hex: md5Hex })
    const { isWanted, unused } = await db.transaction().execute(async (trx) => {
      // Read again and held, for the same manifest may arrive twice at once.
      const now = await contents.lockManifest(trx, manifestId)
      const taken = await strays.takeStray(trx, blobKey, clock.now())
      const isSet = taken && (await contents.setManifestBlob(trx, manifestId, manifest.digest, blobKey))
      const unused = [isSet ? now?.blobKey : blobKey].filter((key) => key != null)
      await strays.noteStrays(trx, unused, new Date(0))
      return { isWanted: isSet, unused }
    })
    await removeStrays(unused)
    if (!isWanted) throw new GridError('invalid', 'Another manifest has taken the place of this one.')
  }

  return { storeBlob, storeManifest }
}

/** The bytes, failing at their end unless they are the content of that name. */
export async function checkedBody(
  content: string,
  body: Readable,
): Promise<{ body: Readable; limits: { expectedMd5Hex?: string } }> {
  if (!content.startsWith('x')) return { body, limits: { expectedMd5Hex: content } }
  return { body: await expectXxh128(body, content.slice(1)), limits: {} }
}

/** Everything stored for one content of a project. */
export function contentPrefix(projectId: string, content: string): string {
  return `artifacts/${projectId}/content/${content}`
}

export function manifestPrefix(projectId: string, artifactId: string): string {
  return `artifacts/${projectId}/manifests/${artifactId}`
}

/** Reads to the end, because a client that is cut off in the middle of sending repeats it. */
export async function discard(body: Readable): Promise<void> {
  await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done() }))
}
