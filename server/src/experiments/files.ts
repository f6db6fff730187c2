/**
 * Files of experiments. The bytes of each upload lie under a key of their own that nobody else refers to, so replacing
 * or deleting a file frees its bytes without counting references.
 */
import type { Readable } from 'node:stream'
import { GridError, type FileInfo } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { readerOf, writerOf } from '../lib/signed.ts'
import type { Parts } from './deps.ts'
import { cleanPath, subjectOf } from './experiment.ts'
import { type Db, findExperiment, findSlimExperiment, findSlimExperiments } from './store.ts'
import { withDatabase } from './trouble.ts'
import type { ExperimentRef, StoredExperiment, StoredFile } from './types.ts'

/** A page of a listing, and all that is deleted at once. */
const filesMax = 100_000
/** Names in one line of the audit log; how many there were stands beside them. */
const namedMax = 20

export type FileSearch = {
  names?: string[]
  /** SQL LIKE: `%` and `_`. */
  like?: string
  prefix?: string
  limit?: number
  /** Path of the last one seen. */
  after?: string
}

export function createFiles({ db, access, blobs, signed, events, news, clock }: Parts) {
  /**
   * Urls to PUT files to, in the order asked. They are absolute and need no login.
   * @returns `path` as it will be listed.
   * @throws GridError invalid for paths no file may have.
   */
  async function uploadUrls(
    actor: Actor,
    ref: ExperimentRef,
    paths: string[],
  ): Promise<{ path: string; url: string }[]> {
    return await withDatabase(async () => {
      const { id, teamId } = await access.allowed(actor, 'experiment:log', findSlimExperiment(db, ref))
      return paths.map(cleanPath).map((path) => {
        const claim = {
          do: 'put-file',
          experimentId: id,
          path,
          ...writerOf(actor, teamId, { kind: 'experiment', id }),
        } as const
        return { path, url: actor.origin + signed.sign(claim, { fileName: path }) }
      })
    })
  }

  /**
   * Stores a file, replacing one of the same path. The signed url is the permission, so there is no actor.
   * @throws GridError not_found when the experiment was deleted meanwhile; storage_full; unavailable.
   */
  async function storeFile(experimentId: string, path: string, body: Readable): Promise<StoredFile> {
    const clean = cleanPath(path)
    return await withDatabase(async () => {
      const experiment = await existing(experimentId)
      const blobKey = `files/${experiment.projectId}/${experimentId}/${newId()}`
      const { sizeBytes, md5Hex, sha256Hex } = await blobs.put(blobKey, body)
      const { teamId } = experiment
      const content = { blobKey, sizeBytes, md5Hex, sha256Hex, updatedAt: clock.now() }
      const file = { teamId, experimentId, path: clean, ...content }
      let replaced: string | undefined
      try {
        replaced = await db.transaction().execute((trx) => replaceFile(trx, experimentId, file))
      } catch (error) {
        await blobs.remove([blobKey])
        throw error
      }
      if (replaced !== undefined) await blobs.remove([replaced])
      events.publish({
        type: 'files.changed',
        teamId: experiment.teamId,
        projectId: experiment.projectId,
        experimentId,
      })
      return file
    })
  }

  async function existing(id: string): Promise<StoredExperiment> {
    const [experiment] = await findSlimExperiments(db, [id])
    if (!experiment) throw new GridError('not_found', 'This experiment was deleted.')
    return experiment
  }

  /** By path, in order. */
  async function listFiles(actor: Actor, id: string, search: FileSearch = {}): Promise<StoredFile[]> {
    const [found] = await findSlimExperiments(db, [id])
    await access.allowed(actor, 'file:read', found)
    return await selectFiles(db, id, search)
  }

  /** A url to GET a file from, for a day, without a login; it ends when the actor may no longer see the experiment. */
  function fileUrl(actor: Actor, { teamId, experimentId, path, blobKey }: StoredFile): string {
    const claim = {
      do: 'get',
      blobKey,
      mediaType: mediaTypeOf(path),
      ...readerOf(actor, teamId, { kind: 'experiment', id: experimentId }),
    } as const
    return actor.origin + signed.sign(claim, { fileName: path })
  }

  /** Files of an experiment for its page. `url` is empty for those who may look and not download. */
  async function files(actor: Actor, ref: ExperimentRef, prefix?: string): Promise<FileInfo[]> {
    const experiment = await access.allowed(actor, 'file:read', findExperiment(db, ref))
    const mayDownload = await access.permits(actor, 'file:download', experiment)
    const found = await selectFiles(db, experiment.id, prefix === undefined ? {} : { prefix })
    return found.map((file) => ({
      path: file.path,
      sizeBytes: file.sizeBytes,
      mediaType: mediaTypeOf(file.path),
      updatedAt: file.updatedAt.toISOString(),
      md5Hex: file.md5Hex,
      url: mayDownload ? fileUrl(actor, file) : '',
    }))
  }

  async function removeFiles(actor: Actor, id: string, paths: string[]): Promise<void> {
    const [found] = await findSlimExperiments(db, [id])
    const experiment = await access.allowed(actor, 'file:delete', found)
    const removed = await db.transaction().execute(async (trx) => {
      const rows = await trx
        .deleteFrom('files')
        .where('experiment_id', '=', id)
        .where('path', 'in', ['', ...paths.map(cleanPath)])
        .returning(['path', 'blob_key'])
        .execute()
      const { details, ...subject } = subjectOf(experiment)
      const files = rows.map(({ path }) => path).toSorted()
      if (files.length > 0) {
        await record(trx, actor, 'file:delete', {
          ...subject,
          details: { ...details, count: files.length, files: files.slice(0, namedMax) },
        })
        await news.acted(trx, actor, experiment, 'deleted files of')
      }
      return rows
    })
    news.committed()
    await blobs.remove(removed.map((row) => row.blob_key))
    if (removed.length > 0)
      events.publish({
        type: 'files.changed',
        teamId: experiment.teamId,
        projectId: experiment.projectId,
        experimentId: id,
      })
  }

  return { uploadUrls, storeFile, listFiles, fileUrl, files, removeFiles }
}

/** @returns the blob that nobody refers to any more. */
async function replaceFile(trx: Db, experimentId: string, file: StoredFile): Promise<string | undefined> {
  // Holding the experiment's row: deleting it waits, or has happened.
  const { rows } = await sql`
    select 1 from experiments where id = ${experimentId} and deleted_at is null for share`.execute(trx)
  if (rows.length === 0) throw new GridError('not_found', 'This experiment was deleted.')
  const columns = {
    blob_key: file.blobKey,
    size_bytes: file.sizeBytes,
    md5_hex: file.md5Hex,
    sha256_hex: file.sha256Hex,
    updated_at: file.updatedAt,
  }
  const inserted = await trx
    .insertInto('files')
    .values({ id: newId(), experiment_id: experimentId, path: file.path, ...columns })
    .onConflict((conflict) => conflict.columns(['experiment_id', 'path']).doNothing())
    .returning('id')
    .executeTakeFirst()
  if (inserted) return undefined
  const before = await trx
    .selectFrom('files')
    .select(['id', 'blob_key'])
    .where('experiment_id', '=', experimentId)
    .where('path', '=', file.path)
    .forUpdate()
    .executeTakeFirst()
  if (!before)
    throw new GridError('unavailable', 'The file was deleted in this moment.', { retryAfterSeconds: 1 })
  await trx.updateTable('files').set(columns).where('id', '=', before.id).execute()
  return before.blob_key
}

export async function selectFiles(db: Db, experimentId: string, search: FileSearch): Promise<StoredFile[]> {
  let query = db
    .selectFrom('files')
    .innerJoin('experiments', 'experiments.id', 'files.experiment_id')
    .select(['team_id', 'path', 'blob_key', 'size_bytes', 'md5_hex', 'sha256_hex', 'files.updated_at'])
    .where('experiment_id', '=', experimentId)
    .orderBy('path')
    .limit(search.limit ?? filesMax)
  if (search.names) query = query.where('path', 'in', ['', ...search.names])
  if (search.like !== undefined) query = query.where('path', 'like', search.like)
  if (search.prefix) query = query.where(sql<boolean>`starts_with(path, ${search.prefix})`)
  if (search.after !== undefined) query = query.where('path', '>', search.after)
  return (await query.execute()).map((row) => ({
    teamId: row.team_id,
    experimentId,
    path: row.path,
    blobKey: row.blob_key,
    sizeBytes: row.size_bytes,
    md5Hex: row.md5_hex,
    sha256Hex: row.sha256_hex,
    updatedAt: row.updated_at,
  }))
}
