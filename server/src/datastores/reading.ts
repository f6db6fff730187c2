import type { Readable } from 'node:stream'
import {
  type Datastore,
  type DatastoreDifference,
  type DatastoreEntry,
  type DatastoreVersion,
  GridError,
  parseDatastoreReference,
  type StorageOfOwner,
} from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { type BlobClaim, readerOf } from '../lib/signed.ts'
import * as contents from './content-store.ts'
import type { DatastoresDeps } from './deps.ts'
import * as entries from './entry-store.ts'
import { packStream } from './pack-stream.ts'
import { contentPrefix } from './receiving.ts'
import * as store from './store.ts'

/** How long a deleted version stays in the trash. */
export const trashDays = 7
const dayMs = 24 * 60 * 60 * 1000
const differencesShown = 1000
/** Datastores of one name that a reference may be about. */
const candidatesMax = 200

export type Verify = (sha256Hex: string) => Promise<boolean>
export type Reading = ReturnType<typeof createReading>

export function createReading({ db, access, teams, blobs, signed }: DatastoresDeps, verify: Verify) {
  /** @throws GridError not_found */
  async function readable(actor: Actor, datastoreId: string): Promise<store.StoredDatastore> {
    return access.allowed(actor, 'datastore:read', store.findDatastore(db, datastoreId))
  }

  /**
   * A version whose files the actor may look at.
   * @throws GridError not_found, forbidden or policy_denied
   */
  async function browsable(actor: Actor, datastoreId: string, number: number) {
    const datastore = await readable(actor, datastoreId)
    await access.allowed(actor, 'datastore:browse', datastore)
    const version = await store.findVersion(db, datastore.id, number)
    if (!version || version.purgedAt) throw await noVersion(datastore, number)
    if (version.deletedAt)
      throw new GridError('not_found', `Version ${number} of ${datastore.name} is in the trash`)
    return { datastore, version }
  }

  async function noVersion(datastore: store.StoredDatastore, number: number): Promise<GridError> {
    const there = (await store.listVersions(db, [datastore.id])).filter((each) => !each.deletedAt)
    const listed =
      there.length === 0
        ? 'none'
        : there
            .map((each) => each.number)
            .toReversed()
            .join(', ')
    return new GridError('not_found', `${datastore.name} has no version ${number}; it has ${listed}`)
  }

  async function list(
    actor: Actor,
    input: {
      team?: string | undefined
      owner?: string | undefined
      cursor?: string | undefined
      limit: number
    },
  ): Promise<{ items: Datastore[]; nextCursor: string | null }> {
    const team =
      input.team === undefined
        ? undefined
        : await access.allowed(actor, 'datastore:read', teams.teamGuard(input.team))
    const teamIds = team ? [team.id] : await access.contentTeamIds(actor)
    const organisationToo = team === undefined && actor.kind === 'person'
    const owner = input.owner === 'me' ? actor.username : input.owner
    const found = await store.listDatastores(
      db,
      {
        teamIds,
        organisationToo,
        ...(owner === undefined ? {} : { owner }),
        ...(input.cursor === undefined ? {} : { after: input.cursor }),
      },
      input.limit,
    )
    const last = found.length === input.limit ? found.at(-1)!.id : null
    return { items: await present(await onlyReadable(actor, found)), nextCursor: last }
  }

  async function onlyReadable(actor: Actor, found: store.StoredDatastore[]) {
    const may = await Promise.all(found.map((each) => access.permits(actor, 'datastore:read', each)))
    return found.filter((_, index) => may[index])
  }

  async function present(found: store.StoredDatastore[]): Promise<Datastore[]> {
    const ids = found.map((each) => each.id)
    const [versions, damaged] = await Promise.all([
      store.listVersions(db, ids),
      contents.damagedFiles(db, ids),
    ])
    return found.map((datastore) => ({
      id: datastore.id,
      team: datastore.teamSlug,
      name: datastore.name,
      owner: datastore.owner,
      description: datastore.description,
      visibility: datastore.visibility,
      createdAt: datastore.createdAt.toISOString(),
      versions: versions
        .filter((version) => version.datastoreId === datastore.id)
        .map((version) => shownVersion(version, damaged.get(version.id) ?? 0)),
    }))
  }

  async function get(actor: Actor, datastoreId: string): Promise<Datastore> {
    return (await present([await readable(actor, datastoreId)]))[0]!
  }

  /**
   * What `[owner:]name[:version]` means: mine first, then my default team's, then any that I may see; without a
   * version the newest.
   *
   * @throws GridError not_found, saying what there is; invalid when it may mean several, listing them.
   */
  async function resolve(
    actor: Actor,
    ref: string,
    team?: string,
  ): Promise<{ datastore: Datastore; version: DatastoreVersion }> {
    const { owner, name, version } = parseDatastoreReference(ref)
    const found = await candidates(actor, name, owner === 'me' ? actor.username : owner, team)
    const one = await chosen(ref, found, actor, owner === null)
    const [datastore] = await present([one])
    const alive = datastore!.versions.filter((each) => each.status === 'succeeded')
    if (version === null) {
      if (!alive[0]) throw new GridError('not_found', `${one.owner.username}:${name} has no version`)
      return { datastore: datastore!, version: alive[0] }
    }
    const wanted = alive.find((each) => each.number === version)
    if (!wanted) throw await noVersion(one, version)
    return { datastore: datastore!, version: wanted }
  }

  async function candidates(actor: Actor, name: string, owner: string | null, team?: string) {
    const only = team && (await access.allowed(actor, 'datastore:read', teams.teamGuard(team)))
    const where = {
      teamIds: only ? [only.id] : await access.contentTeamIds(actor),
      organisationToo: !only && actor.kind === 'person',
      ...(owner === null ? {} : { owner }),
    }
    const found = await onlyReadable(actor, await store.listDatastores(db, { ...where, name }, candidatesMax))
    if (found.length > 0) return found
    const others = await onlyReadable(actor, await store.listDatastores(db, where, candidatesMax))
    const listed = others.slice(0, 10).map((each) => `  ${each.owner.username}:${each.name}`)
    throw new GridError(
      'not_found',
      `There is no datastore "${name}"${owner === null ? '' : ` of ${owner}`}, or it is not yours to see`,
      listed.length > 0 ? { hint: `There are:\n${listed.join('\n')}` } : {},
    )
  }

  async function chosen(ref: string, found: store.StoredDatastore[], actor: Actor, mineFirst: boolean) {
    const mine = mineFirst ? found.filter((each) => each.ownerId === actor.userId) : []
    const near = mineFirst ? found.filter((each) => each.teamId === actor.defaultTeamId) : []
    const best = [mine, near, found].find((some) => some.length > 0)!
    if (best.length === 1) return best[0]!
    throw new GridError('invalid', `"${ref}" names ${best.length} datastores`, {
      hint: `Say which one:\n${best
        .slice(0, 10)
        .map((each) => `  ${each.owner.username}:${each.name}  in team ${each.teamSlug}`)
        .join('\n')}`,
    })
  }

  async function files(
    actor: Actor,
    input: {
      datastoreId: string
      version: number
      folder: string
      limit: number
      cursor?: string | undefined
    },
  ): Promise<{ items: DatastoreEntry[]; nextCursor: string | null }> {
    const { version } = await browsable(actor, input.datastoreId, input.version)
    const folder = input.folder.replace(/^\/+|\/+$/g, '')
    const page = await entries.listFolder(db, version.id, folder, {
      limit: input.limit,
      ...(input.cursor === undefined ? {} : { after: input.cursor }),
    })
    if (page.length === 0 && folder !== '') {
      const itself = await entries.findEntry(db, version.id, folder)
      if (itself?.kind !== 'folder') throw new GridError('not_found', `There is no folder ${folder}`)
    }
    return {
      items: page.map(shownEntry),
      nextCursor: page.length === input.limit ? page.at(-1)!.name : null,
    }
  }

  async function file(actor: Actor, datastoreId: string, number: number, path: string) {
    const { datastore, version } = await browsable(actor, datastoreId, number)
    const entry = await entries.findEntry(db, version.id, path)
    if (entry?.kind !== 'file') throw new GridError('not_found', `There is no file ${path}`)
    const content = (await contents.findContent(db, entry.sha256Hex!))!
    if (content.damagedAt) {
      throw new GridError('unavailable', `The stored bytes of ${path} are damaged and are not handed out`, {
        hint: 'Upload the file again: the same content repairs every version that holds it.',
      })
    }
    const mediaType = mediaTypeOf(path)
    const claim = { do: 'get', blobKey: content.blobKey, mediaType } as const
    const slice = { startByte: content.startByte, sizeBytes: content.sizeBytes }
    const mayDownload = await access.permits(actor, 'datastore:download', datastore)
    return {
      ...shownEntry(entry),
      mediaType,
      url: link(actor, datastore, { ...claim, slice }, path),
      downloadUrl: mayDownload ? link(actor, datastore, { ...claim, slice, download: true }, path) : '',
    }
  }

  function link(
    actor: Actor,
    { id, teamId, visibility }: store.StoredDatastore,
    claim: BlobClaim,
    name: string,
  ): string {
    // What is open to the organisation is not lost with a membership.
    const reader = visibility === 'organisation' ? {} : readerOf(actor, teamId, { kind: 'datastore', id })
    return actor.origin + signed.sign({ ...claim, ...reader } as BlobClaim, { fileName: name })
  }

  async function manifest(actor: Actor, datastoreId: string, number: number) {
    const { datastore, version } = await browsable(actor, datastoreId, number)
    await access.allowed(actor, 'datastore:download', datastore)
    const claim = {
      do: 'get',
      blobKey: version.manifestKey,
      mediaType: 'application/gzip',
      download: true,
    } as const
    const name = `${datastore.name}-${number}.jsonl.gz`
    return { url: link(actor, datastore, claim, name), digest: version.digest }
  }

  /**
   * Contents of a version in one stream, each as in a pack that is sent (`receiving.ts`): for whoever rebuilds the
   * tree, such as a node that mounts it.
   *
   * @throws GridError not_found for a content that is not in the version; unavailable for a damaged one.
   */
  async function readPack(
    actor: Actor,
    datastoreId: string,
    number: number,
    sha256Hexes: string[],
  ): Promise<AsyncIterable<Buffer>> {
    return packFrom(await downloadable(actor, datastoreId, number), sha256Hexes)
  }

  /** As `readPack`, for whoever has proven that this version is theirs to read. */
  async function packFrom(version: Pick<store.StoredVersion, 'id'>, sha256Hexes: string[]) {
    const inside = await insideOf(version, sha256Hexes)
    const found = await contents.listContents(db, [...inside])
    const damaged = found.find((content) => content.damagedAt)
    if (damaged) throw new GridError('unavailable', `The stored content ${damaged.sha256Hex} is damaged`)
    return packStream(blobs, found)
  }

  async function insideOf(version: Pick<store.StoredVersion, 'id'>, sha256Hexes: string[]) {
    const inside = await entries.contentsIn(db, version.id, sha256Hexes)
    if (sha256Hexes.some((each) => !inside.has(each)))
      throw new GridError('not_found', 'This version has no such content')
    return inside
  }

  /** As `check`, for whoever has proven that this version is theirs to read. */
  async function checkIn(version: Pick<store.StoredVersion, 'id'>, sha256Hex: string): Promise<boolean> {
    await insideOf(version, [sha256Hex])
    return verify(sha256Hex)
  }

  /**
   * Looks again at a content that arrived wrong at the actor's. One whose stored bytes are not what its digest says is
   * never handed out any more.
   *
   * @returns whether it is whole.
   */
  async function check(actor: Actor, datastoreId: string, number: number, sha256Hex: string) {
    return checkIn(await downloadable(actor, datastoreId, number), sha256Hex)
  }

  async function downloadable(actor: Actor, datastoreId: string, number: number) {
    const { datastore, version } = await browsable(actor, datastoreId, number)
    await access.allowed(actor, 'datastore:download', datastore)
    return version
  }

  /** Where whole contents lie in files of this machine, as far as they do. */
  async function placesIn(version: Pick<store.StoredVersion, 'id'>, sha256Hexes: string[]) {
    const inside = await insideOf(version, sha256Hexes)
    const places = new Map<string, { path: string; startByte: number; isWhole: boolean }>()
    if (!blobs.localPath) return places
    for (const content of await contents.listContents(db, [...inside])) {
      if (content.damagedAt) continue
      const { sha256Hex, blobKey, startByte } = content
      const isWhole = blobKey.startsWith(contentPrefix)
      places.set(sha256Hex, { path: blobs.localPath(blobKey), startByte, isWhole })
    }
    return places
  }

  /** The manifest as it is stored, for whoever rebuilds the tree with a key. */
  async function manifestStream(actor: Actor, datastoreId: string, number: number): Promise<Readable> {
    return manifestBytes(await downloadable(actor, datastoreId, number))
  }

  /** Gzipped, for whoever has proven that this version is theirs to read. */
  function manifestBytes(version: Pick<store.StoredVersion, 'manifestKey'>): Promise<Readable> {
    return blobs.get(version.manifestKey)
  }

  async function difference(
    actor: Actor,
    datastoreId: string,
    number: number,
    since: number,
  ): Promise<DatastoreDifference> {
    const { version: after } = await browsable(actor, datastoreId, number)
    const { version: before } = await browsable(actor, datastoreId, since)
    const { counts, entries: differing } = await entries.compareVersions(
      db,
      before.id,
      after.id,
      differencesShown,
    )
    const count = (how: string) => counts.get(how) ?? 0
    return {
      added: count('added'),
      removed: count('removed'),
      changed: count('changed'),
      same: count('same'),
      entries: differing,
    }
  }

  async function deletion(actor: Actor, datastoreId: string, number: number) {
    const { version } = await browsable(actor, datastoreId, number)
    return {
      sizeBytes: version.sizeBytes,
      freesBytes: await entries.bytesOnlyIn(db, version.id),
      restorableDays: trashDays,
    }
  }

  /** Of people whose datastores the actor may see; what is private to others is in nobody's sum. */
  async function storage(actor: Actor, slug: string): Promise<StorageOfOwner[]> {
    const team = await access.allowed(actor, 'datastore:read', teams.teamGuard(slug))
    return (await store.storageByOwner(db, team.id)).map(({ username, name, ...sums }) => ({
      owner: { username, name },
      datastores: sums.datastores,
      versions: sums.versions,
      sizeBytes: sums.sizeBytes,
      storedBytes: sums.storedBytes,
    }))
  }

  return {
    readable,
    list,
    get,
    resolve,
    files,
    file,
    manifest,
    readPack,
    packFrom,
    manifestBytes,
    manifestStream,
    check,
    checkIn,
    placesIn,
    difference,
    deletion,
    storage,
  }
}

function shownVersion(version: store.StoredVersion, damagedFiles: number): DatastoreVersion {
  return {
    number: version.number,
    status: version.deletedAt ? 'deleted' : 'succeeded',
    digest: version.digest,
    source: version.source,
    damagedFiles,
    files: version.files,
    sizeBytes: version.sizeBytes,
    createdBy: version.createdBy,
    createdAt: version.createdAt.toISOString(),
    restorableUntil: version.deletedAt
      ? new Date(version.deletedAt.getTime() + trashDays * dayMs).toISOString()
      : null,
  }
}

function shownEntry({ folder: _, ...entry }: entries.Entry): DatastoreEntry {
  return entry
}
