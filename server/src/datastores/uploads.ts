/** An upload: what is being sent, until the manifest says that everything is there and it becomes a version. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import {
  comparePaths,
  type DatastoreUpload,
  type DatastoreVisibility,
  GridError,
  type ManifestEntry,
  readManifestLine,
} from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import * as contents from './content-store.ts'
import type { DatastoresDeps } from './deps.ts'
import { type Entry, insertEntries, splitPath } from './entry-store.ts'
import { partBytes } from '../stores/blob/blob-store.ts'
import { abandon, createReceiving, pipe, uploadGone } from './receiving.ts'
import * as store from './store.ts'

const daySeconds = 24 * 60 * 60
/** How long an upload that stands still can be continued. */
export const leaseSeconds = 7 * daySeconds
const entriesAtOnce = 2000
/** A manifest of millions of files; unpacked, so that a small body can't become a huge one. */
const manifestBytesMax = 4 * 1024 ** 3
const lineBytesMax = 16 * 1024

export type OpenUpload = (actor: Actor, uploadId: string) => Promise<contents.StoredUpload>

export type StartUpload = {
  team: string
  name: string
  owner?: string | undefined
  source: string
  visibility?: DatastoreVisibility | undefined
  files?: number | undefined
  sizeBytes?: number | undefined
}

export function createUploads(deps: DatastoresDeps) {
  const { db, access, teams, blobs, events, clock } = deps
  const lease = () => new Date(clock.now().getTime() + leaseSeconds * 1000)

  async function startUpload(actor: Actor, input: StartUpload): Promise<DatastoreUpload> {
    const upload = await prepareUpload(actor, input)
    await contents.insertUpload(db, upload)
    return await shown(upload)
  }

  /** What `startUpload` begins, proven and not yet begun. */
  async function prepareUpload(actor: Actor, input: StartUpload): Promise<contents.StoredUpload> {
    const team = await access.allowed(actor, 'team:read', teams.teamGuard(input.team))
    const maker = actor.attributedTo?.userId ?? actor.userId
    if (maker === null)
      throw new GridError('forbidden', 'The operator owns nothing; sign in as a person to upload')
    const forUserId = input.owner === undefined ? maker : await memberOf(team.id, input.owner)
    const upload = {
      id: newId(),
      teamId: team.id,
      teamSlug: team.slug,
      ownerId: maker,
      viaUserId: actor.attributedTo ? actor.userId : null,
      forUserId,
      name: input.name,
      source: input.source,
      visibility: input.visibility ?? (team.teamKind === 'personal' ? 'private' : 'team'),
      files: input.files ?? null,
      sizeBytes: input.sizeBytes ?? null,
      createdAt: clock.now(),
      expiresAt: lease(),
    }
    await mayAddVersion(actor, upload)
    return upload
  }

  /** Asked at the beginning, at every arrival and at the end: rights may go while a long upload runs. */
  async function mayAddVersion(actor: Actor, upload: contents.StoredUpload): Promise<void> {
    const existing = await store.findByName(db, {
      teamId: upload.teamId,
      ownerId: upload.forUserId,
      name: upload.name,
    })
    if (existing && (await access.permits(actor, 'datastore:read', existing))) {
      const isOwn = existing.ownerId === upload.ownerId || existing.createdById === actor.userId
      await access.allowed(actor, isOwn ? 'datastore:create' : 'datastore:version', existing)
    } else if (existing || upload.forUserId !== upload.ownerId) {
      throw new GridError('not_found', 'There is no such datastore of theirs to add a version to')
    } else {
      await access.allowed(actor, 'datastore:create', {
        teamId: upload.teamId,
        ownerId: upload.ownerId,
        createdById: upload.viaUserId,
        kind: 'datastore',
        label: upload.name,
      })
    }
  }

  async function memberOf(teamId: string, username: string): Promise<string> {
    const row = await db
      .selectFrom('memberships as m')
      .innerJoin('users as u', 'u.id', 'm.user_id')
      .select('u.id')
      .where('m.team_id', '=', teamId)
      .where((eb) => eb(eb.fn('lower', ['u.username']), '=', username.toLowerCase()))
      .executeTakeFirst()
    if (!row) throw new GridError('not_found', `Nobody in this team is called ${username}`)
    return row.id
  }

  const openUpload: OpenUpload = async (actor, uploadId) => {
    const upload = await ownUpload(actor, uploadId)
    await mayAddVersion(actor, upload)
    if (!(await contents.renewUpload(db, uploadId, lease()))) throw new GridError('not_found', uploadGone)
    return upload
  }

  /** Of others, nobody learns that it exists. */
  async function ownUpload(actor: Actor, uploadId: string): Promise<contents.StoredUpload> {
    const upload = await contents.findUpload(db, uploadId)
    if (!upload || actor.userId === null || ![upload.ownerId, upload.viaUserId].includes(actor.userId))
      throw new GridError('not_found', uploadGone)
    return upload
  }

  async function listUploads(actor: Actor): Promise<DatastoreUpload[]> {
    if (actor.userId === null || actor.scope !== 'user') return []
    return Promise.all((await contents.listUploads(db, actor.userId)).map(shown))
  }

  async function shown(upload: contents.StoredUpload): Promise<DatastoreUpload> {
    return {
      id: upload.id,
      team: upload.teamSlug,
      name: upload.name,
      source: upload.source,
      files: upload.files,
      sizeBytes: upload.sizeBytes,
      arrivedBytes: await contents.arrivedBytes(db, upload.id),
      createdAt: upload.createdAt.toISOString(),
      expiresAt: upload.expiresAt.toISOString(),
      importing: await contents.importState(db, upload.id),
    }
  }

  /** Which contents must be sent: those that the uploader cannot read anyway. */
  async function missing(actor: Actor, uploadId: string, sha256Hexes: string[]) {
    const upload = await openUpload(actor, uploadId)
    await contents.grantReadable(db, upload, sha256Hexes, clock.now())
    const granted = await contents.grantedSizes(db, uploadId, sha256Hexes)
    const wanted = [...new Set(sha256Hexes)].filter((digest) => !granted.has(digest))
    const parts = await contents.listParts(db, uploadId, wanted)
    return {
      missing: wanted,
      parts: parts.map(({ number, ...part }) => ({
        sha256Hex: part.sha256Hex,
        startByte: (number - 1) * partBytes,
        sizeBytes: part.sizeBytes,
      })),
    }
  }

  async function discardUpload(actor: Actor, uploadId: string): Promise<void> {
    await ownUpload(actor, uploadId)
    await abandon(blobs, await contents.deleteUpload(db, uploadId))
  }

  /**
   * The last step: the manifest, gzipped. When everything in it is there, it becomes a version; the same files as an
   * existing version are that version.
   *
   * @throws GridError invalid, naming what is wrong with the manifest; conflict, when contents have not arrived.
   */
  async function commit(
    actor: Actor,
    uploadId: string,
    body: Readable,
  ): Promise<{ datastoreId: string; version: number; isNew: boolean }> {
    const upload = await openUpload(actor, uploadId)
    const versionId = newId()
    const manifestKey = `datastores/manifests/${versionId}`
    const spool = `datastores/incoming/${newId()}`
    await blobs.put(spool, body, { sizeMaxBytes: manifestBytesMax })
    let isKept = false
    try {
      // Packed again by ourselves: the same manifest is the same bytes, and nobody else's packing is handed out.
      const lines = manifestLines(await blobs.get(spool))
      const hash = createHash('sha256')
      async function* copied() {
        for await (const line of lines) {
          hash.update(line).update('\n')
          yield `${line}\n`
        }
      }
      await blobs.put(manifestKey, pipe(Readable.from(copied()), createGzip()))
      const digest = hash.digest('hex')
      const done = await db
        .transaction()
        .execute((trx) => makeVersion(trx, actor, upload, { versionId, manifestKey, digest }))
      isKept = done.isNew
      await abandon(blobs, done.unfinished)
      events.publish({ type: 'datastore.changed', teamId: upload.teamId, datastoreId: done.datastoreId })
      return { datastoreId: done.datastoreId, version: done.version, isNew: done.isNew }
    } finally {
      await blobs.remove(isKept ? [spool] : [spool, manifestKey])
    }
  }

  async function makeVersion(
    trx: Kysely<Database>,
    actor: Actor,
    upload: contents.StoredUpload,
    { versionId, manifestKey, digest }: { versionId: string; manifestKey: string; digest: string },
  ) {
    const { datastore, made } = await store.ensureDatastore(trx, {
      id: newId(),
      teamId: upload.teamId,
      ownerId: upload.forUserId,
      viaUserId: upload.viaUserId,
      name: upload.name,
      visibility: upload.visibility,
      createdAt: clock.now(),
    })
    const existing = await store.findVersionByDigest(trx, datastore.id, digest)
    if (existing) {
      const unfinished = await contents.deleteUpload(trx, upload.id)
      return { datastoreId: datastore.id, version: existing.number, isNew: false, unfinished }
    }
    const version = {
      id: versionId,
      datastoreId: datastore.id,
      digest,
      manifestKey,
      source: upload.source,
      createdBy: upload.ownerId,
      createdAt: clock.now(),
    }
    // Entries refer to the version, which knows its sums only when all entries have been read.
    const number = await store.insertVersion(trx, { ...version, files: 0, sizeBytes: 0 })
    const totals = await insertTree(trx, upload.id, versionId, manifestLines(await blobs.get(manifestKey)))
    await trx
      .updateTable('datastore_versions')
      .set({ file_count: totals.files, size_bytes: totals.sizeBytes })
      .where('id', '=', versionId)
      .execute()
    const unfinished = await contents.deleteUpload(trx, upload.id)
    await record(trx, actor, made ? 'datastore:create' : 'datastore:version', {
      teamId: upload.teamId,
      kind: 'datastore',
      id: datastore.id,
      details: { name: upload.name, version: number, files: totals.files, bytes: totals.sizeBytes },
    })
    return { datastoreId: datastore.id, version: number, isNew: true, unfinished }
  }

  return {
    startUpload,
    prepareUpload,
    listUploads,
    missing,
    discardUpload,
    commit,
    ...createReceiving(deps, openUpload),
    openUpload,
  }
}

/** The lines of a gzipped manifest, without newlines. @throws GridError invalid, too_large */
async function* manifestLines(packed: Readable): AsyncGenerator<string> {
  const unpacked = pipe(packed, createGunzip())
  let rest = ''
  let bytes = 0
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > manifestBytesMax) throw new GridError('too_large', 'This manifest is too large')
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop()!
      if (rest.length > lineBytesMax) throw new GridError('invalid', 'A line of the manifest is too long')
      yield* lines
    }
  } catch (error) {
    if (error instanceof GridError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof TypeError || code?.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE')
      throw new GridError('invalid', 'The manifest is not gzipped text', { cause: error })
    throw error
  } finally {
    packed.destroy()
    unpacked.destroy()
  }
  if (rest !== '') throw new GridError('invalid', 'The last line of the manifest is not complete')
}

type Open = { path: string; sizeBytes: number; files: number }

/**
 * Writes the entries of a manifest, and the folders they imply with their sums, in bounded memory: since paths are
 * sorted, everything in a folder comes in one piece.
 */
async function insertTree(
  trx: Kysely<Database>,
  uploadId: string,
  versionId: string,
  lines: AsyncIterable<string>,
) {
  const totals: Open = { path: '', sizeBytes: 0, files: 0 }
  const open: Open[] = []
  let batch: Entry[] = []
  let before: string | undefined

  async function flush(): Promise<void> {
    const files = batch.filter((entry) => entry.kind === 'file')
    const sizes = await contents.grantedSizes(trx, uploadId, [
      ...new Set(files.map((entry) => entry.sha256Hex!)),
    ])
    for (const { folder, name, sha256Hex, sizeBytes } of files) {
      const path = folder === '' ? name : `${folder}/${name}`
      const stored = sizes.get(sha256Hex!)
      if (stored === undefined)
        throw new GridError(
          'conflict',
          `The file ${JSON.stringify(path)} has not arrived; send it and try again`,
        )
      if (stored !== sizeBytes)
        throw new GridError('invalid', `${JSON.stringify(path)} has ${stored} bytes, not ${sizeBytes}`)
    }
    await insertEntries(trx, versionId, batch).catch((error: unknown) => {
      if ((error as { code?: string }).code !== '23505') throw error
      throw new GridError('invalid', 'A name in the manifest is that of a file and of a folder')
    })
    batch = []
  }

  async function add(entry: Entry): Promise<void> {
    batch.push(entry)
    if (batch.length >= entriesAtOnce) await flush()
  }

  async function close(until: number): Promise<void> {
    while (open.length > until) {
      const { path, sizeBytes, files } = open.pop()!
      const above = open.at(-1) ?? totals
      above.sizeBytes += sizeBytes
      above.files += files
      await add(folderEntry(path, sizeBytes, files))
    }
  }

  for await (const line of lines) {
    const entry = readManifestLine(line)
    if (before !== undefined && comparePaths(before, entry.path) >= 0)
      throw new GridError('invalid', `The manifest is not in order at ${JSON.stringify(entry.path)}`)
    before = entry.path
    const [folder] = splitPath(entry.path)
    const folders = foldersOf(folder)
    const shared = folders.findIndex((path, index) => open[index]?.path !== path)
    await close(shared < 0 ? folders.length : shared)
    for (const path of folders.slice(open.length)) open.push({ path, sizeBytes: 0, files: 0 })
    if (entry.kind === 'folder') {
      await add(folderEntry(entry.path, 0, 0))
      continue
    }
    const inside = open.at(-1) ?? totals
    if (entry.kind === 'file') {
      inside.sizeBytes += entry.sizeBytes
      inside.files += 1
    }
    await add(leafEntry(entry))
  }
  await close(0)
  await flush()
  return totals
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`; nothing for the top. */
function foldersOf(folder: string): string[] {
  if (folder === '') return []
  const names = folder.split('/')
  return names.map((_, index) => names.slice(0, index + 1).join('/'))
}

function folderEntry(path: string, sizeBytes: number, files: number): Entry {
  const [folder, name] = splitPath(path)
  return {
    folder,
    name,
    kind: 'folder',
    sizeBytes,
    files,
    sha256Hex: null,
    executable: false,
    linkTarget: null,
  }
}

function leafEntry(entry: Exclude<ManifestEntry, { kind: 'folder' }>): Entry {
  const [folder, name] = splitPath(entry.path)
  return entry.kind === 'file'
    ? {
        folder,
        name,
        kind: 'file',
        sizeBytes: entry.sizeBytes,
        files: 1,
        sha256Hex: entry.sha256Hex,
        executable: entry.executable,
        linkTarget: null,
      }
    : {
        folder,
        name,
        kind: 'link',
        sizeBytes: 0,
        files: 0,
        sha256Hex: null,
        executable: false,
        linkTarget: entry.target,
      }
}
