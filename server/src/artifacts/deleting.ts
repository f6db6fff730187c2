/**
 * Deleting versions and whole collections, and clearing away what nobody counts on any more: content, abandoned
 * versions, versions whose time is over, uploads that did not come to their end.
 *
 * The database forgets in one transaction, and notes there which keys of the file store are stray; those are removed
 * right after it and, if that fails, by the next step of `sweep`. Nothing is removed that was not noted first.
 */
import { GridError } from '@teamgrid/api'
import { pathOf, record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { StoredArtifact, StoredCollection } from './artifact.ts'
import * as contents from './content-store.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Permission } from './permission.ts'
import * as expiry from './expiry-store.ts'
import * as collectionStore from './collection-store.ts'
import * as linkStore from './link-store.ts'
import * as store from './store.ts'
import * as strays from './stray-store.ts'
import type { Straying } from './straying.ts'

/** What deleting would take away, and what it would free: bytes that no other version has. */
export type DeletePreview = {
  versions: { artifact: StoredArtifact; usedBy: number; links: number }[]
  /** Bytes of all files, those that others keep included. */
  sizeBytes: number
  freedBytes: number
  freedFiles: number
  /** Why it would be refused, or null. */
  refusal: string | null
}

/** A link to send to is good for a day, so after that nobody can go on. */
const abandonedAfterHours = 25
/** Writers of one version may each take their time. */
const distributedAfterHours = 7 * 24
const versionsPerSweep = 200
const contentsPerStep = 5000

export type Deleting = ReturnType<typeof createDeleting>

export function createDeleting(
  deps: ArtifactsDeps,
  { visible, guardOf }: Permission,
  { removeDue }: Pick<Straying, 'removeDue'>,
) {
  const { db, access, events, deeds, clock } = deps

  /**
   * Deletes a version. Its number is never given again.
   * @param options.withAliases without it a version that has aliases is kept, so that nothing named is lost by accident.
   * @throws GridError not_found, forbidden, conflict
   */
  async function deleteArtifact(
    actor: Actor,
    id: string,
    options: { withAliases: boolean },
  ): Promise<StoredArtifact> {
    const artifact = await access.allowed(actor, 'artifact:delete', visible(actor, id))
    const { collection, teamId } = artifact
    await forget(collection.projectId, async (trx) => {
      await collectionStore.lockCollection(trx, collection, clock.now())
      const now = await store.findArtifact(trx, id)
      if (!now || now.state === 'deleted') return []
      const refusal = await refusalOf(trx, [now], options.withAliases)
      if (refusal) throw refusal
      await record(trx, actor, 'artifact:delete', {
        teamId,
        kind: 'artifact',
        id,
        details: { name: artifact.label, collection: collection.name, sizeBytes: now.sizeBytes },
      })
      await tellOwners(trx, actor, collection, [now])
      await moveNewest(trx, collection.id, id)
      return [id]
    })
    changed(collection)
    return artifact
  }

  /** Deletes a collection with every version in it; of a collection of links, the links alone. */
  async function deleteCollection(actor: Actor, collection: StoredCollection): Promise<void> {
    await proveCollection(actor, collection)
    await forget(
      collection.projectId,
      async (trx) => {
        await collectionStore.lockCollection(trx, collection, clock.now())
        const ids = await store.lockVersions(trx, collection.id)
        if (collection.kind === 'sequence')
          await tellOwners(trx, actor, collection, await store.findArtifacts(trx, ids))
        await record(trx, actor, 'artifact:delete', {
          teamId: collection.teamId,
          kind: 'artifact',
          id: collection.id,
          details: { collection: collection.name, versions: ids.length },
        })
        return ids
      },
      (trx) => collectionStore.deleteCollection(trx, collection.id),
    )
    changed(collection)
  }

  /** Everybody whose versions somebody else deletes hears of it once, however many there are. */
  async function tellOwners(
    trx: store.Db,
    actor: Actor,
    collection: StoredCollection,
    artifacts: StoredArtifact[],
  ): Promise<void> {
    const whose = Map.groupBy(artifacts, ({ ownerId, createdById }) => `${ownerId} ${createdById ?? ''}`)
    for (const [first, ...more] of whose.values()) {
      const { teamId, ownerId, createdById } = first!
      const what = more.length === 0 ? first!.label : `${more.length + 1} versions of ${collection.name}`
      const title = `${actor.username} deleted ${what}`
      await deeds.told(trx, actor, {
        teamId,
        ownerId,
        createdById: createdById ?? null,
        title,
        text: `${title} in project ${collection.projectName}. Files that no other version has are gone.`,
        link: pathOf(collection.teamSlug, collection.projectName, 'artifacts'),
      })
    }
  }

  /** Whoever deletes a collection may delete each version in it; an empty one, whoever may edit it. */
  async function proveCollection(actor: Actor, collection: StoredCollection): Promise<void> {
    await access.allowed(actor, 'artifact:read', await guardOf(actor, collection))
    if (collection.kind === 'portfolio') {
      await access.allowed(actor, 'artifact:edit', await guardOf(actor, collection))
      return
    }
    const { artifacts } = await store.listVersions(
      db,
      { collectionId: collection.id, teamIds: [collection.teamId] },
      { limit: versionsAtOnceMax + 1 },
    )
    if (artifacts.length > versionsAtOnceMax) {
      throw new GridError('too_large', `${collection.name} has more than ${versionsAtOnceMax} versions.`, {
        hint: 'Delete versions first, or the project.',
      })
    }
    if (artifacts.length === 0) await access.allowed(actor, 'artifact:edit', await guardOf(actor, collection))
    // One refusal is enough to tell why.
    for (const artifact of artifacts) await access.allowed(actor, 'artifact:delete', artifact)
  }

  /** What deleting these versions, or this collection, would take away and free. */
  async function previewDelete(
    actor: Actor,
    what: { artifacts: StoredArtifact[] } | { collection: StoredCollection },
    options: { withAliases: boolean },
  ): Promise<DeletePreview> {
    const artifacts =
      'artifacts' in what
        ? what.artifacts
        : (
            await store.listVersions(
              db,
              { collectionId: what.collection.id, teamIds: [what.collection.teamId] },
              { limit: versionsAtOnceMax },
            )
          ).artifacts
    let refusal: string | null = null
    try {
      if ('collection' in what) await proveCollection(actor, what.collection)
      else {
        for (const artifact of artifacts) await access.allowed(actor, 'artifact:delete', artifact)
        const now = await store.findArtifacts(
          db,
          artifacts.map(({ id }) => id),
        )
        const found = await refusalOf(db, now, options.withAliases)
        if (found) throw found
      }
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      refusal = error.message
    }
    const ids = artifacts.map(({ id }) => id)
    const [first] = artifacts
    const freed = first
      ? await contents.countFreed(db, first.collection.projectId, ids)
      : { bytes: 0, files: 0 }
    const uses = await store.countUsers(db, ids)
    return {
      versions: artifacts.map((artifact) => ({
        artifact,
        usedBy: uses.get(artifact.id) ?? 0,
        links: artifact.linkCount,
      })),
      sizeBytes: artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      freedBytes: freed.bytes,
      freedFiles: freed.files,
      refusal,
    }
  }

  /** Names lead people to versions; what has one goes only when that is said. */
  async function refusalOf(
    trx: store.Db,
    artifacts: StoredArtifact[],
    withAliases: boolean,
  ): Promise<GridError | undefined> {
    if (withAliases) return undefined
    for (const artifact of artifacts) {
      const memberships = await linkStore.listMemberships(trx, artifact)
      const aliases = memberships.flatMap((membership) => membership.aliases)
      if (aliases.length > 0) {
        return new GridError(
          'conflict',
          `${artifact.label} has aliases (${[...new Set(aliases)].slice(0, 5).join(', ')}), so it is not deleted.`,
          { hint: 'Delete it with its aliases, or take them away first.' },
        )
      }
    }
    return undefined
  }

  /** `latest` goes to the newest version that stays. */
  async function moveNewest(trx: store.Db, collectionId: string, leavingId: string): Promise<void> {
    const leaving = await store.findArtifact(trx, leavingId)
    if (!leaving?.aliases.includes('latest')) return
    const next = await store.newestVersion(trx, collectionId, { before: leaving.versionIndex ?? 0 })
    if (next) await collectionStore.giveAliases(trx, collectionId, next.id, ['latest'])
  }

  /** Buries what `choose` names and clears its content, in one transaction; then removes files. */
  async function forget(
    projectId: string,
    choose: (trx: store.Db) => Promise<string[]>,
    finish: (trx: store.Db) => Promise<void> = async () => {},
  ): Promise<void> {
    await db.transaction().execute(async (trx) => {
      const ids = await choose(trx)
      if (ids.length > 0) {
        const named = await contents.contentsOf(trx, ids)
        const { keys } = await store.bury(trx, ids)
        await strays.noteStrays(trx, keys, new Date(0))
        for (let start = 0; start < named.length; start += contentsPerStep)
          await contents.clearContents(trx, projectId, named.slice(start, start + contentsPerStep))
      }
      await finish(trx)
    })
    deeds.committed()
    await removeDue()
  }

  /**
   * One step of a loop: clears abandoned versions, those whose time is over, and stray files.
   * @returns how many of each.
   */
  async function sweep(): Promise<{ abandoned: number; expired: number; files: number }> {
    const now = clock.now().getTime()
    const hoursAgo = (hours: number) => new Date(now - hours * 3_600_000)
    const abandoned = await expiry.listAbandoned(
      db,
      { alone: hoursAgo(abandonedAfterHours), distributed: hoursAgo(distributedAfterHours) },
      versionsPerSweep,
    )
    for (const artifact of abandoned) {
      await forget(artifact.collection.projectId, async (trx) => {
        const { id } = artifact
        const locked = await store.lockArtifact(trx, id)
        return locked?.state === 'pending' ? [id] : []
      })
    }
    const expired = await expiry.listExpired(db, clock.now(), versionsPerSweep)
    for (const artifact of expired) {
      const { collection } = artifact
      await forget(collection.projectId, async (trx) => {
        await collectionStore.lockCollection(trx, collection, clock.now())
        if ((await store.lockArtifact(trx, artifact.id))?.state !== 'committed') return []
        await moveNewest(trx, collection.id, artifact.id)
        return [artifact.id]
      })
      changed(collection)
    }
    let files = 0
    for (let isAll = false; !isAll;) {
      const step = await removeDue()
      files += step.removed
      isAll = step.isAll
    }
    return { abandoned: abandoned.length, expired: expired.length, files }
  }

  function changed({ teamId, projectId }: StoredCollection): void {
    events.publish({ type: 'project.changed', teamId, projectId })
  }

  return { deleteArtifact, deleteCollection, previewDelete, sweep }
}

const versionsAtOnceMax = 10_000
