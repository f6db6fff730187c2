/** Bytes that arrive behind signed urls: the url is the permission, so nothing here knows who sends. */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Writable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import { newId } from '../lib/ids.ts'
import { md5HexOf, md5HexPattern } from './artifact.ts'
import * as contents from './content-store.ts'
import { alreadyCommitted } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import { manifestBytesMax } from './manifest.ts'
import * as store from './store.ts'

export function createReceiving({ db, blobs }: Pick<ArtifactsDeps, 'db' | 'blobs'>) {
  /**
   * Stores a file's content, once per project however often it is sent.
   * @throws GridError invalid when the bytes are not what the digest says, and then nothing is stored.
   */
  async function storeBlob(artifactId: string, md5Hex: string, body: Readable): Promise<void> {
    const artifact = await store.findArtifact(db, artifactId)
    if (!artifact || artifact.state === 'deleted' || !md5HexPattern.test(md5Hex))
      throw new GridError('not_found')
    const { projectId } = artifact.collection
    const known = await contents.findBlobs(db, projectId, [md5Hex])
    if (known.size > 0) return await discard(body)
    if (artifact.state !== 'pending') throw alreadyCommitted(artifact)
    // A key of its own for every upload, so that no later one can change what is stored.
    const blobKey = `${contentPrefix(projectId, md5Hex)}/${newId()}`
    const stored = await blobs.put(blobKey, body, { expectedMd5Hex: md5Hex })
    const isNew = await contents.insertBlob(db, {
      projectId,
      md5Hex,
      blobKey,
      sizeBytes: stored.sizeBytes,
      sha256Hex: stored.sha256Hex,
      birthArtifactId: artifactId,
    })
    if (!isNew) await blobs.remove([blobKey])
  }

  /** Stores the manifest of a version that is not committed. @throws GridError as `storeBlob`; too_large. */
  async function storeManifest(manifestId: string, body: Readable): Promise<void> {
    const manifest = await contents.findManifest(db, manifestId)
    const artifact = manifest && (await store.findArtifact(db, manifest.artifactId))
    const md5Hex = manifest && md5HexOf(manifest.digest)
    if (!artifact || artifact.state === 'deleted' || md5Hex === undefined) throw new GridError('not_found')
    if (artifact.state === 'committed') return await discard(body)
    const blobKey = `${manifestPrefix(artifact.collection.projectId, artifact.id)}/${newId()}`
    await blobs.put(blobKey, body, { sizeMaxBytes: manifestBytesMax, expectedMd5Hex: md5Hex })
    const isWanted = await contents.setManifestBlob(db, manifestId, manifest.digest, blobKey)
    const unused = isWanted ? manifest.blobKey : blobKey
    if (unused !== null) await blobs.remove([unused])
    if (!isWanted) throw new GridError('invalid', 'Another manifest has taken the place of this one.')
  }

  return { storeBlob, storeManifest }
}

/** Everything stored for one content of a project. */
export function contentPrefix(projectId: string, md5Hex: string): string {
  return `artifacts/${projectId}/content/${md5Hex}`
}

export function manifestPrefix(projectId: string, artifactId: string): string {
  return `artifacts/${projectId}/manifests/${artifactId}`
}

/** Reads to the end, because a client that is cut off in the middle of sending repeats it. */
async function discard(body: Readable): Promise<void> {
  await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done() }))
}
