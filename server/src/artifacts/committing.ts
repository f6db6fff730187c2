/**
 * The second half of saving: the manifest is read and checked against what is stored, the version is numbered and
 * becomes visible. All or nothing, and once however often it is asked.
 */
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { growingTableType, newestAlias, type StoredArtifact } from './artifact.ts'
import * as contents from './content-store.ts'
import type { ArtifactsDeps } from './deps.ts'
import {
  contentOf,
  digestOf,
  type Entry,
  type Manifest,
  mergeManifests,
  parseManifest,
  printManifest,
  sizeOf,
} from './manifest.ts'
import type { News } from './news.ts'
import type { Permission } from './permission.ts'
import { contentPrefix, manifestPrefix } from './receiving.ts'
import * as collectionStore from './collection-store.ts'
import * as store from './store.ts'
import * as strays from './stray-store.ts'
import type { Straying } from './straying.ts'

export function createCommitting(
  deps: ArtifactsDeps,
  { writable, seen }: Permission,
  { newKey, removeStrays }: Pick<Straying, 'newKey' | 'removeStrays'>,
  news: News,
) {
  const { db, access, blobs, events, clock } = deps

  /**
   * Publishes a version: merges its manifests, checks that every file is stored, numbers it, moves `latest` and the
   * aliases asked for. A committed version is returned as it is.
   *
   * @throws GridError invalid when a manifest or a file was not sent, or the manifest makes no sense; the version then
   *   stays pending, and may be completed and committed later.
   */
  async function commitArtifact(actor: Actor, id: string): Promise<StoredArtifact> {
    const artifact = await writable(actor, id)
    if (artifact.state === 'committed') return artifact
    try {
      if (await commit(actor, artifact)) {
        const { teamId, projectId } = artifact.collection
        events.publish({ type: 'project.changed', teamId, projectId })
        news.committed()
      }
    } catch (error) {
      // Asked twice at once, the second may find the manifests of the first already put away.
      const now = await store.findArtifact(db, id)
      if (now?.state !== 'committed') throw error
    }
    return (await store.findArtifact(db, id))!
  }

  /** @returns false when somebody else committed it meanwhile. */
  async function commit(actor: Actor, artifact: StoredArtifact): Promise<boolean> {
    const { id } = artifact
    const manifests = await contents.listManifests(db, id)
    for (;;) {
      const before = await store.newestVersion(db, artifact.collection.id)
      const manifest = await complete(actor, artifact, await merged(actor, artifact, manifests, before))
      const manifestKey = await newKey(manifestPrefix(artifact.collection.projectId, id))
      await blobs.put(manifestKey, Readable.from([printManifest(manifest)]))
      const { outcome, unused } = await publish(actor, artifact, manifest, manifestKey, before)
      await removeStrays(unused)
      if (outcome !== 'outrun') return outcome === 'ours'
    }
  }

  /** What the client sent, as one manifest over the version it builds on. */
  async function merged(
    actor: Actor,
    artifact: StoredArtifact,
    manifests: contents.StoredManifest[],
    before: StoredArtifact | undefined,
  ): Promise<Manifest> {
    const whole = manifests.find((each) => each.type !== 'PATCH')
    // Writers that did not get to the end have sent a part of their files and no manifest; theirs never counts.
    const parts = manifests.filter((each) => each.type === 'PATCH' && each.blobKey !== null)
    if (whole ? whole.blobKey === null : parts.length === 0) {
      throw new GridError('invalid', `The manifest of ${artifact.collection.name} has not been sent.`)
    }
    const layers: Manifest[] = []
    if (whole?.type === 'INCREMENTAL' && whole.baseArtifactId !== null) {
      layers.push(await baseOf(actor, artifact, whole.baseArtifactId))
    }
    // Rows logged quickly after each other: the version before was not there yet when this one was announced.
    if (whole?.type === 'INCREMENTAL' && isGrowing(artifact) && before && before.id !== whole.baseArtifactId)
      layers.push(await baseOf(actor, artifact, before.id))
    for (const { blobKey } of [...(whole ? [whole] : []), ...parts]) {
      layers.push(parseManifest(await text(await blobs.get(blobKey!))))
    }
    return mergeManifests(layers)
  }

  async function baseOf(actor: Actor, artifact: StoredArtifact, baseId: string): Promise<Manifest> {
    const base = await seen(actor, await store.findArtifact(db, baseId))
    if (base?.state !== 'committed' || base.collection.projectId !== artifact.collection.projectId) {
      throw new GridError(
        'invalid',
        `The version that ${artifact.collection.name} adds to is not in this project.`,
      )
    }
    const entries = await contents.listEntries(db, baseId)
    return new Map(entries.map((entry) => [entry.path, entry]))
  }

  /** Every file with the size and birth of what is stored, whatever the manifest says about them. */
  async function complete(actor: Actor, artifact: StoredArtifact, manifest: Manifest): Promise<Manifest> {
    const { projectId } = artifact.collection
    const files = [...manifest.values()].filter((entry) => entry.ref === null)
    const names = [...new Set(files.map((entry) => contentOf(entry)!))]
    const stored = await db.transaction().execute(async (trx) => {
      await contents.shareProject(trx, projectId)
      await contents.claim(trx, artifact.id, projectId, names)
      return await contents.findBlobs(trx, projectId, names)
    })
    const missing: Entry[] = []
    for (const entry of files) {
      const content = contentOf(entry)!
      if (stored.has(content)) continue
      const adopted = await adopt(actor, projectId, entry, content)
      if (adopted) stored.set(content, adopted)
      else missing.push(entry)
    }
    if (missing.length > 0) throw notSent(artifact, missing, files.length)
    const completed = new Map<string, Entry>()
    for (const [path, entry] of manifest) {
      const blob = entry.ref === null ? stored.get(contentOf(entry)!)! : undefined
      completed.set(
        path,
        blob
          ? { ...entry, sizeBytes: blob.sizeBytes, birthArtifactId: blob.birthArtifactId ?? artifact.id }
          : { ...entry, birthArtifactId: null },
      )
    }
    return completed
  }

  /**
   * Content that a draft of another project's version brings along: it is copied, if the actor may download that
   * version. Otherwise a digest alone would fetch what somebody else stores.
   */
  async function adopt(
    actor: Actor,
    projectId: string,
    entry: Entry,
    content: string,
  ): Promise<contents.Blob | undefined> {
    if (entry.birthArtifactId === null) return undefined
    const birth = await seen(actor, await store.findArtifact(db, entry.birthArtifactId))
    if (!birth || birth.collection.projectId === projectId) return undefined
    if (!(await access.permits(actor, 'artifact:download', birth))) return undefined
    const theirs = (await contents.findBlobs(db, birth.collection.projectId, [content])).get(content)
    if (!theirs) return undefined
    const blobKey = await newKey(contentPrefix(projectId, content))
    await blobs.copy(theirs.blobKey, blobKey)
    if (!(await contents.insertBlob(db, { ...theirs, projectId, blobKey }, clock.now())))
      await removeStrays([blobKey])
    return (await contents.findBlobs(db, projectId, [content])).get(content)
  }

  /**
   * @param before the newest version when the manifest was merged.
   * @returns keys that have done their service, and whether it is published now: not when somebody else committed it
   *   meanwhile, or was quicker with a version that this one has to build on.
   */
  async function publish(
    actor: Actor,
    artifact: StoredArtifact,
    manifest: Manifest,
    manifestKey: string,
    before: StoredArtifact | undefined,
  ): Promise<{ outcome: 'ours' | 'theirs' | 'outrun'; unused: string[] }> {
    const { collection } = artifact
    return await db.transaction().execute(async (trx) => {
      // The collection first, as everywhere, or two transactions could wait for each other.
      await collectionStore.lockCollection(trx, collection, clock.now())
      const isPending = (await store.lockArtifact(trx, artifact.id))?.state === 'pending'
      const isOutrun =
        isGrowing(artifact) && (await store.newestVersion(trx, collection.id))?.id !== before?.id
      if (!isPending || isOutrun) {
        await strays.noteStrays(trx, [manifestKey], new Date(0))
        return { outcome: isPending ? 'outrun' : 'theirs', unused: [manifestKey] }
      }
      if (!(await strays.takeStray(trx, manifestKey, clock.now()))) {
        throw new GridError('unavailable', 'Storing the manifest took too long.', { retryAfterSeconds: 1 })
      }
      await contents.insertEntries(trx, artifact.id, manifest.values())
      await contents.dropClaims(trx, [artifact.id])
      // What clients sent, with the paths of their machines in it, has done its service.
      const sent = (await contents.listManifests(trx, artifact.id)).flatMap(({ blobKey }) => blobKey ?? [])
      await strays.noteStrays(trx, sent, new Date(0))
      const versionIndex = await store.markCommitted(
        trx,
        { id: artifact.id, collectionId: collection.id },
        {
          contentDigest: await digestOf(manifest, artifact.digestAlgorithm),
          manifestKey,
          sizeBytes: sizeOf(manifest),
          fileCount: manifest.size,
          now: clock.now(),
        },
      )
      const { wantedAliases } = (await store.findArtifact(trx, artifact.id))!
      await collectionStore.giveAliases(trx, collection.id, artifact.id, [newestAlias, ...wantedAliases])
      await record(trx, actor, 'artifact:create', {
        teamId: artifact.teamId,
        kind: 'artifact',
        id: artifact.id,
        details: { name: `${collection.name}:v${versionIndex}` },
      })
      const made = { collection, artifact: { id: artifact.id, name: collection.name, versionIndex } }
      const aliases = [newestAlias, ...wantedAliases]
      await news.tell(trx, actor, { event: 'created', ...made, aliases, tags: artifact.tags })
      await news.tell(trx, actor, { event: 'alias-added', ...made, aliases })
      if (artifact.tags.length > 0)
        await news.tell(trx, actor, { event: 'tag-added', ...made, tags: artifact.tags })
      return { outcome: 'ours', unused: sent }
    })
  }

  return { commitArtifact }
}

const isGrowing = ({ collection }: StoredArtifact): boolean => collection.type === growingTableType

function notSent(artifact: StoredArtifact, missing: Entry[], total: number): GridError {
  const examples = missing.slice(0, 3).map((entry) => JSON.stringify(entry.path.slice(0, 100)))
  return new GridError(
    'invalid',
    `${missing.length} of the ${total} files of ${artifact.collection.name} have not been sent, such as ${examples.join(', ')}.`,
    { hint: 'Log the artifact again; what has arrived is not sent twice.' },
  )
}
