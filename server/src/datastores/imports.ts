/**
 * What the server fetches by itself: an upload that it fills in somebody's name. A row tells what is to be done and how
 * far it is, so that a restart goes on with it; the bytes so far lie in a folder of its own.
 */
import { rm } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import {
  type DatastoreImport,
  type DatastoreVisibility,
  GridError,
  missingMax,
  printManifestLine,
} from '@teamgrid/api'
import { sql } from 'kysely'
import type { Actor } from '../actor.ts'
import { insertUpload } from './content-store.ts'
import type { DatastoresDeps } from './deps.ts'
import type { Extracted } from './extract.ts'
import { archiveFormatOf } from './extracting.ts'
import { createImporting, type ImportProgress, type ImportSource, sorted } from './importing.ts'
import { pipe } from './receiving.ts'
import type { createUploads } from './uploads.ts'

const atOnce = 2
const toldEveryMs = 1000
const keptDays = 7

export type StartImport = {
  team: string
  name: string
  source: string
  owner?: string | undefined
  visibility?: DatastoreVisibility | undefined
  endpoint?: string | undefined
  region?: string | undefined
  accessKeyId?: string | undefined
  secretAccessKey?: string | undefined
}

export function createImports(
  deps: DatastoresDeps,
  uploads: Pick<
    ReturnType<typeof createUploads>,
    'prepareUpload' | 'missing' | 'storePack' | 'storeContent' | 'commit' | 'discardUpload' | 'openUpload'
  >,
) {
  const { db, sealed, outbound, scratch, clock, events, log } = deps
  const { fetchSource } = createImporting(deps)
  const running = new Map<string, { stop: AbortController; ended: Promise<void> }>()
  let isClosed = false

  /** @throws GridError invalid for a source that cannot be fetched, before anything is begun. */
  async function startImport(actor: Actor, input: StartImport): Promise<DatastoreImport> {
    const { team, name, owner, visibility } = input
    const upload = await uploads.prepareUpload(actor, { team, name, owner, visibility, source: '' })
    const source = sourceOf(input)
    if (source.kind === 'address') outbound.checkUrl(source.url)
    else if (source.endpoint) outbound.checkUrl(source.endpoint)
    const shown = shownSource(source)
    await insertUpload(db, { ...upload, source: shown })
    await db
      .insertInto('datastore_imports')
      .values({
        id: upload.id,
        team_id: upload.teamId,
        owner_id: upload.ownerId,
        via_user_id: upload.viaUserId,
        client: actor.client,
        name: input.name,
        source: shown,
        // Addresses may hold a signature that opens more than this file.
        sealed_source: sealed.seal(JSON.stringify(source), contextOf(upload.id)),
        created_at: clock.now(),
        changed_at: clock.now(),
      })
      .execute()
    void step().catch((error: unknown) => log('Fetching a datastore failed', error))
    return getImport(actor, upload.id)
  }

  const contextOf = (id: string) => `datastore-import:${id}`

  async function found(actor: Actor, id: string) {
    const row = await db
      .selectFrom('datastore_imports as i')
      .innerJoin('teams as t', 't.id', 'i.team_id')
      .selectAll('i')
      .select('t.slug')
      .where('i.id', '=', id)
      .executeTakeFirst()
    if (!row || actor.userId === null || ![row.owner_id, row.via_user_id].includes(actor.userId))
      throw new GridError('not_found')
    return row
  }

  async function getImport(actor: Actor, id: string): Promise<DatastoreImport> {
    const row = await found(actor, id)
    return {
      id: row.id,
      team: row.slug,
      name: row.name,
      source: row.source,
      state: row.state,
      doneBytes: row.done_bytes,
      ofBytes: row.of_bytes,
      files: row.file_count,
      error: row.error,
      datastoreId: row.datastore_id,
      version: row.version,
      createdAt: row.created_at.toISOString(),
    }
  }

  /** Tries a failed one again; what was fetched already is used. */
  async function retryImport(actor: Actor, id: string): Promise<DatastoreImport> {
    const row = await found(actor, id)
    if (row.state === 'failed') {
      await uploads.openUpload(actor, id)
      await db
        .updateTable('datastore_imports')
        .set({ state: 'waiting', error: null, changed_at: clock.now() })
        .where('id', '=', id)
        .where('state', '=', 'failed')
        .execute()
      void step().catch((error: unknown) => log('Fetching a datastore failed', error))
    }
    return getImport(actor, id)
  }

  /** Stops it and forgets what was fetched; for whoever gave up its upload. */
  async function forgetImport(id: string): Promise<void> {
    const one = running.get(id)
    one?.stop.abort(new GridError('not_found', 'It was given up'))
    await one?.ended
    await db.deleteFrom('datastore_imports').where('id', '=', id).where('state', '<>', 'done').execute()
    await rm(join(scratch, id), { recursive: true, force: true })
  }

  /** Takes up what waits, and what a restart interrupted. */
  async function step(): Promise<void> {
    const rows = await db
      .selectFrom('datastore_imports')
      .select('id')
      .where('state', 'not in', ['done', 'failed'])
      .orderBy('created_at')
      .execute()
    for (const { id } of rows) {
      if (isClosed || running.size >= atOnce) return
      if (running.has(id)) continue
      const stop = new AbortController()
      const ended = run(id, stop.signal)
        .catch((error: unknown) => log('Fetching a datastore failed', error))
        .finally(() => {
          running.delete(id)
          if (!isClosed) void step().catch((error: unknown) => log('Fetching a datastore failed', error))
        })
      running.set(id, { stop, ended })
    }
  }

  async function run(id: string, signal: AbortSignal): Promise<void> {
    const row = await db.selectFrom('datastore_imports').selectAll().where('id', '=', id).executeTakeFirst()
    if (!row || row.state === 'done' || row.state === 'failed') return
    const folder = join(scratch, id)
    let toldAt = 0
    let telling: Promise<unknown> = Promise.resolve()
    const tell = (progress: ImportProgress) => {
      const now = Date.now()
      if (now - toldAt < toldEveryMs) return
      toldAt = now
      telling = telling.then(() => note(id, progress)).catch(() => {})
    }
    try {
      const actor = await actorOf(row)
      await uploads.openUpload(actor, id)
      const source = JSON.parse(sealed.open(row.sealed_source!, contextOf(id))) as ImportSource
      const extracted = await fetchSource(source, folder, tell, signal)
      const done = await store(actor, id, extracted, tell, signal)
      await telling
      await db
        .updateTable('datastore_imports')
        .set({
          state: 'done',
          error: null,
          sealed_source: null,
          file_count: extracted.entries.length,
          datastore_id: done.datastoreId,
          version: done.version,
          changed_at: clock.now(),
        })
        .where('id', '=', id)
        .execute()
      await rm(folder, { recursive: true, force: true })
    } catch (error) {
      await telling
      // The server stops, and goes on with it when it is back.
      if (isClosed) return
      const known = error instanceof GridError ? error : undefined
      if (!known) log('Fetching a datastore failed', error)
      const says = known
        ? [known.message, known.details.hint].filter(Boolean).join('. ')
        : 'Something went wrong in the server; its log tells more'
      await db
        .updateTable('datastore_imports')
        .set({ state: 'failed', error: says, changed_at: clock.now() })
        .where('id', '=', id)
        .execute()
    }
    events.publish({ type: 'datastore.changed', teamId: row.team_id, datastoreId: id })
  }

  const note = (id: string, { state, doneBytes, ofBytes, files }: ImportProgress) =>
    db
      .updateTable('datastore_imports')
      .set({ state, done_bytes: doneBytes, of_bytes: ofBytes, file_count: files, changed_at: clock.now() })
      .where('id', '=', id)
      .execute()

  /** As whoever started it, with the rights they have now. */
  async function actorOf(row: {
    owner_id: string
    via_user_id: string | null
    client: string
  }): Promise<Actor> {
    const client = row.client as Actor['client']
    const actor = await deps.teams.actors.ofUser(row.via_user_id ?? row.owner_id, { origin: '', client })
    if (!actor) throw new GridError('forbidden', 'Who asked for this is not here any more')
    if (row.via_user_id === null) return { ...actor, via: 'import' }
    const owner = await deps.teams.actors.ofUser(row.owner_id, { origin: '', client })
    if (!owner) throw new GridError('forbidden', 'Who this is for is not here any more')
    const attributedTo = { userId: row.owner_id, username: owner.username, name: owner.name }
    return { ...actor, via: 'import', attributedTo }
  }

  async function store(
    actor: Actor,
    id: string,
    { entries, packs, large }: Extracted,
    tell: (progress: ImportProgress) => void,
    signal: AbortSignal,
  ) {
    const files = entries.filter((entry) => entry.kind === 'file')
    const digests = [...new Set(files.map(({ sha256Hex }) => sha256Hex))]
    const sizes = new Map(files.map(({ sha256Hex, sizeBytes }) => [sha256Hex, sizeBytes]))
    const ofBytes = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
    const missing = new Set<string>()
    for (let from = 0; from < digests.length; from += missingMax)
      for (const digest of (await uploads.missing(actor, id, digests.slice(from, from + missingMax))).missing)
        missing.add(digest)
    let doneBytes = 0
    const stored = (sha256Hexes: readonly string[]) => {
      for (const digest of sha256Hexes) doneBytes += sizes.get(digest) ?? 0
      tell({ state: 'storing', doneBytes, ofBytes, files: files.length })
    }
    for (const { place, sha256Hexes } of packs) {
      signal.throwIfAborted()
      if (sha256Hexes.some((digest) => missing.has(digest)))
        await uploads.storePack(actor, id, createReadStream(place))
      stored(sha256Hexes)
    }
    for (const { place, sha256Hex } of large) {
      signal.throwIfAborted()
      if (missing.has(sha256Hex)) await uploads.storeContent(actor, id, sha256Hex, createReadStream(place))
      stored([sha256Hex])
    }
    const manifest = Readable.from(sorted(entries).map(printManifestLine))
    return await uploads.commit(actor, id, pipe(manifest, createGzip()))
  }

  /** Forgets what ended long ago, or whose upload is gone. */
  async function clearImports(): Promise<void> {
    const before = new Date(clock.now().getTime() - keptDays * 24 * 60 * 60 * 1000)
    const gone = await db
      .deleteFrom('datastore_imports')
      .where('state', 'in', ['done', 'failed'])
      .where('changed_at', '<', before)
      .where(sql<boolean>`not exists (select from datastore_uploads u where u.id = datastore_imports.id)`)
      .returning('id')
      .execute()
    for (const { id } of gone) await rm(join(scratch, id), { recursive: true, force: true })
  }

  /** Stops what runs, to be gone on with at the next start. */
  async function closeImports(): Promise<void> {
    isClosed = true
    for (const { stop } of running.values()) stop.abort(new Error('The server stops'))
    await Promise.all([...running.values()].map(({ ended }) => ended))
  }

  return { startImport, getImport, retryImport, forgetImport, stepImports: step, clearImports, closeImports }
}

/** @throws GridError invalid */
function sourceOf(input: StartImport): ImportSource {
  const { source, accessKeyId, secretAccessKey } = input
  const s3 = /^s3:\/\/([^/?#]+)(?:\/(.*))?$/i.exec(source)
  if (s3) {
    const bucket = s3[1]!
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
      throw new GridError('invalid', `${bucket} is no name of a bucket`)
    if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
      throw new GridError('invalid', 'An access key has an id and a secret; one of them is missing')
    return {
      kind: 'bucket',
      bucket,
      prefix: s3[2] ?? '',
      endpoint: input.endpoint ?? null,
      region: input.region ?? 'us-east-1',
      credential: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : null,
    }
  }
  if (!/^https?:\/\//i.test(source) || !URL.canParse(source))
    throw new GridError('invalid', `${source.slice(0, 200)} is no source the server can fetch`, {
      hint: 'Say https://…, or s3://bucket/prefix.',
    })
  archiveFormatOf(new URL(source).pathname)
  return { kind: 'address', url: source }
}

/** Without what may open more than people should see. */
function shownSource(source: ImportSource): string {
  if (source.kind === 'bucket') return `s3://${source.bucket}/${source.prefix}`
  const { origin, pathname } = new URL(source.url)
  return origin + pathname
}
