/**
 * Who uses which version. A run or session is let in once, by its person's rights, when it is pinned; from then on the
 * version is kept and its bytes may be read in its name, until it is unpinned.
 */
import type { Readable } from 'node:stream'
import { type DatastoreUse, GridError } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { DatastoresDeps } from './deps.ts'
import type { Reading } from './reading.ts'
import * as store from './store.ts'
import * as uses from './use-store.ts'

const shownMax = 200

export type UseBy = { kind: uses.UseKind; id: string }
/** Whoever pins; `label` is how people call it, and only those who may see it are told. */
export type Pinning = UseBy & { label: string; teamId: string; ownerId: string; isPrivate?: boolean }
/** What a node needs to know to mount a version. */
export type Mountable = {
  datastoreId: string
  versionId: string
  /** Of its manifest: names the tree. */
  digest: string
  owner: string
  name: string
  number: number
  files: number
  sizeBytes: number
}

export function createUses({ db, access, events, clock }: DatastoresDeps, reading: Reading) {
  /**
   * The version that a reference means, for somebody who wants to mount it.
   *
   * @param ref in any form of `parseDatastoreReference`.
   * @param version what was said beside it (`--datastore_version`); it must agree.
   * @throws GridError not_found, listing what there is; invalid; forbidden
   */
  async function mountable(
    actor: Actor,
    ref: string,
    action: 'datastore:use' | 'datastore:mount',
    more: { team?: string | undefined; version?: number | undefined } = {},
  ): Promise<Mountable> {
    const wanted = withVersion(ref, more.version)
    const { datastore, version } = await reading.resolve(actor, wanted, more.team)
    await access.allowed(actor, action, store.findDatastore(db, datastore.id))
    const stored = (await store.findVersion(db, datastore.id, version.number))!
    return {
      datastoreId: datastore.id,
      versionId: stored.id,
      digest: stored.digest,
      owner: datastore.owner.username,
      name: datastore.name,
      number: stored.number,
      files: stored.files,
      sizeBytes: stored.sizeBytes,
    }
  }

  /**
   * Notes in the caller's transaction that a version is used; the same use again changes nothing. Permission was
   * proven by `mountable`.
   *
   * @throws GridError conflict when the version went into the trash meanwhile.
   */
  async function pin(trx: Kysely<Database>, { versionId }: Pick<Mountable, 'versionId'>, by: Pinning) {
    if (!(await uses.lockVersion(trx, versionId, 'share')))
      throw new GridError('conflict', 'This version was put into the trash; restore it first')
    await uses.insertUse(trx, {
      id: newId(),
      versionId,
      kind: by.kind,
      usedById: by.id,
      label: by.label,
      teamId: by.teamId,
      ownerId: by.ownerId,
      isPrivate: by.isPrivate ?? false,
      startedAt: clock.now(),
    })
  }

  /** Ends every use of a run, experiment or session; fine when it has none. */
  async function unpin(trx: Kysely<Database>, { kind, id }: UseBy): Promise<void> {
    for (const ended of await uses.endUses(trx, kind, id, clock.now()))
      events.publish({ type: 'datastore.changed', ...ended })
  }

  /** A version that is used is not deleted. To be called in the transaction that deletes. @throws GridError conflict */
  async function refuseWhileUsed(
    trx: Kysely<Database>,
    actor: Actor,
    datastore: store.StoredDatastore,
    version: store.StoredVersion,
  ): Promise<void> {
    await uses.lockVersion(trx, version.id, 'update')
    const live = await uses.liveUses(trx, version.id)
    if (live.length === 0) return
    const seen = await onlySeen(actor, live)
    const names = seen.slice(0, 10).map((use) => `${use.kind} ${use.label} of ${use.username}`)
    if (live.length > names.length) {
      const rest = live.length - names.length
      names.push(names.length === 0 ? `${rest} of other teams` : `${rest} more`)
    }
    throw new GridError(
      'conflict',
      `Version ${version.number} of ${datastore.name} is in use by ${names.join(', ')}`,
      { hint: 'Delete it when they have ended, or stop them first.' },
    )
  }

  async function onlySeen(actor: Actor, found: uses.StoredUse[]): Promise<uses.StoredUse[]> {
    const may = await Promise.all(found.map((use) => isSeen(actor, use)))
    return found.filter((_, index) => may[index])
  }

  const isSeen = (actor: Actor, use: uses.StoredUse) =>
    access.permits(actor, readAction[use.kind], {
      teamId: use.teamId,
      ownerId: use.ownerId,
      kind: use.kind,
      label: use.label,
      ...(use.isPrivate ? { visibility: 'private' as const } : {}),
    })

  /** What uses and used a datastore, newest first; of what the actor may not see only the number. */
  async function usesOf(
    actor: Actor,
    datastoreId: string,
  ): Promise<{ items: DatastoreUse[]; hidden: number }> {
    const datastore = await reading.readable(actor, datastoreId)
    const found = await uses.listUses(db, datastore.id, shownMax)
    const seen = await onlySeen(actor, found)
    return { items: seen.map((use) => shownUse(use, datastore)), hidden: found.length - seen.length }
  }

  /** The other way: what a run, experiment or session uses. Nothing for what the actor may not see. */
  async function usedBy(
    actor: Actor,
    { kind, id }: UseBy,
  ): Promise<{ items: DatastoreUse[]; hidden: number }> {
    const found = await onlySeen(actor, await uses.listUsesBy(db, kind, id))
    const items: DatastoreUse[] = []
    for (const use of found) {
      const datastore = (await store.findDatastore(db, use.datastoreId))!
      if (await access.permits(actor, 'datastore:read', datastore)) items.push(shownUse(use, datastore))
    }
    return { items, hidden: found.length - items.length }
  }

  /** @throws GridError not_found when that does not use this version, or has ended. */
  async function pinnedVersion(by: UseBy, datastoreId: string, number: number): Promise<store.StoredVersion> {
    const version = await store.findVersion(db, datastoreId, number)
    const live = version ? await uses.liveUses(db, version.id) : []
    if (!live.some((use) => use.kind === by.kind && use.usedById === by.id))
      throw new GridError('not_found', 'This version is not mounted there')
    return version!
  }

  /** The gzipped manifest of a version, for the node that mounts it. @throws GridError not_found */
  async function pinnedManifest(by: UseBy, datastoreId: string, number: number): Promise<Readable> {
    return reading.manifestBytes(await pinnedVersion(by, datastoreId, number))
  }

  /** As `readPack`, in the name of what is pinned. @throws GridError not_found, unavailable */
  async function pinnedPack(by: UseBy, datastoreId: string, number: number, sha256Hexes: string[]) {
    return reading.packFrom(await pinnedVersion(by, datastoreId, number), sha256Hexes)
  }

  /**
   * Reads a content of a pinned version again, because it arrived wrong; a damaged one is never handed out any more.
   * @returns whether it is whole. @throws GridError not_found
   */
  async function pinnedCheck(by: UseBy, datastoreId: string, number: number, sha256Hex: string) {
    return reading.checkIn(await pinnedVersion(by, datastoreId, number), sha256Hex)
  }

  /** Where contents of a pinned version lie on this machine; empty when the store is no folder here. */
  async function pinnedPlaces(by: UseBy, datastoreId: string, number: number, sha256Hexes: string[]) {
    return reading.placesIn(await pinnedVersion(by, datastoreId, number), sha256Hexes)
  }

  return {
    mountable,
    pin,
    unpin,
    refuseWhileUsed,
    usesOf,
    usedBy,
    pinnedManifest,
    pinnedPack,
    pinnedCheck,
    pinnedPlaces,
  }
}

const readAction = { run: 'run:read', experiment: 'experiment:read', session: 'session:read' } as const

function withVersion(ref: string, version: number | undefined): string {
  if (version === undefined) return ref
  const given = /[:/](\d+)$/.exec(ref.trim())?.[1]
  if (given === undefined)
    return ref.includes('/') ? `${ref.replace(/\/+$/, '')}/${version}` : `${ref}:${version}`
  if (Number(given) === version) return ref
  throw new GridError('invalid', `"${ref}" names version ${given}, and version ${version} was asked for`, {
    hint: 'Say the version once.',
  })
}

function shownUse(use: uses.StoredUse, datastore: store.StoredDatastore): DatastoreUse {
  return {
    kind: use.kind,
    id: use.usedById,
    label: use.label,
    team: use.teamSlug,
    by: { username: use.username, name: use.name },
    datastore: { id: datastore.id, owner: datastore.owner.username, name: datastore.name },
    version: use.number,
    startedAt: use.startedAt.toISOString(),
    endedAt: use.endedAt?.toISOString() ?? null,
  }
}
