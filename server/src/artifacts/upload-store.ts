/** The SQL of files that come in parts. */
import { sql } from 'kysely'
import type { Db } from './store.ts'

/** A whole that is being put together. */
export type Upload = { id: string; blobKey: string; partsToken: string; partBytes: number | null }

export type StoredPart = {
  partNumber: number
  md5Hex: string
  sizeBytes: number
  /** What the file store wants to know of its pieces, in order. */
  proofs: string[]
  /** Where the last part waits whose place was not known when it came. */
  waitingKey: string | null
}

const uploadQuery = (db: Db) =>
  db
    .selectFrom('artifact_uploads')
    .select(['id', 'blob_key as blobKey', 'parts_token as partsToken', 'part_bytes as partBytes'])

/** One per version and content. */
export function findUpload(db: Db, artifactId: string, content: string): Promise<Upload | undefined> {
  return uploadQuery(db)
    .where('artifact_id', '=', artifactId)
    .where('content', '=', content)
    .executeTakeFirst()
}

/** @returns false when there is one already. */
export async function insertUpload(
  trx: Db,
  upload: {
    id: string
    artifactId: string
    content: string
    blobKey: string
    partsToken: string
    now: Date
  },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('artifact_uploads')
    .values({
      id: upload.id,
      artifact_id: upload.artifactId,
      content: upload.content,
      blob_key: upload.blobKey,
      parts_token: upload.partsToken,
      created_at: upload.now,
    })
    .onConflict((conflict) => conflict.columns(['artifact_id', 'content']).doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** The first part that is not the last one says how large they are. @returns what was said first. */
export async function fixPartBytes(db: Db, uploadId: string, partBytes: number): Promise<number | undefined> {
  const row = await db
    .updateTable('artifact_uploads')
    .set({ part_bytes: sql<number>`coalesce(part_bytes, ${partBytes}::bigint)` })
    .where('id', '=', uploadId)
    .returning('part_bytes')
    .executeTakeFirst()
  return row?.part_bytes ?? undefined
}

export async function setPart(trx: Db, uploadId: string, part: StoredPart): Promise<void> {
  const row = {
    md5_hex: part.md5Hex,
    size_bytes: part.sizeBytes,
    proofs: part.proofs,
    waiting_key: part.waitingKey,
  }
  await trx
    .insertInto('artifact_upload_parts')
    .values({ upload_id: uploadId, part_number: part.partNumber, ...row })
    .onConflict((conflict) => conflict.columns(['upload_id', 'part_number']).doUpdateSet(row))
    .execute()
}

/** In order. */
export async function listParts(db: Db, uploadId: string): Promise<StoredPart[]> {
  return await db
    .selectFrom('artifact_upload_parts')
    .select([
      'part_number as partNumber',
      'md5_hex as md5Hex',
      'size_bytes as sizeBytes',
      'proofs',
      'waiting_key as waitingKey',
    ])
    .where('upload_id', '=', uploadId)
    .orderBy('part_number')
    .execute()
}

export async function removeUpload(trx: Db, uploadId: string): Promise<void> {
  await trx.deleteFrom('artifact_uploads').where('id', '=', uploadId).execute()
}

/** Forgets uploads whose bytes are being cleared away. */
export async function removeLost(db: Db, blobKeys: string[]): Promise<void> {
  await db
    .deleteFrom('artifact_uploads')
    .where('blob_key', 'in', ['', ...blobKeys])
    .execute()
}
