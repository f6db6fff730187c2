/** The SQL of files that come in parts. */
import type { Db } from './store.ts'

export type StoredPart = { partNumber: number; md5Hex: string; sizeBytes: number; blobKey: string }

/** @returns the id of the upload, which is one per version and content. */
export async function ensureUpload(
  trx: Db,
  upload: { id: string; artifactId: string; content: string; now: Date },
): Promise<string> {
  await trx
    .insertInto('artifact_uploads')
    .values({
      id: upload.id,
      artifact_id: upload.artifactId,
      content: upload.content,
      created_at: upload.now,
    })
    .onConflict((conflict) => conflict.columns(['artifact_id', 'content']).doNothing())
    .execute()
  return (await findUpload(trx, upload.artifactId, upload.content))!
}

export async function findUpload(db: Db, artifactId: string, content: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('artifact_uploads')
    .select('id')
    .where('artifact_id', '=', artifactId)
    .where('content', '=', content)
    .executeTakeFirst()
  return row?.id
}

/** @returns the key of the part that this one replaces. */
export async function setPart(trx: Db, uploadId: string, part: StoredPart): Promise<string | undefined> {
  const before = await trx
    .selectFrom('artifact_upload_parts')
    .select('blob_key')
    .where('upload_id', '=', uploadId)
    .where('part_number', '=', part.partNumber)
    .forUpdate()
    .executeTakeFirst()
  const row = { md5_hex: part.md5Hex, size_bytes: part.sizeBytes, blob_key: part.blobKey }
  await trx
    .insertInto('artifact_upload_parts')
    .values({ upload_id: uploadId, part_number: part.partNumber, ...row })
    .onConflict((conflict) => conflict.columns(['upload_id', 'part_number']).doUpdateSet(row))
    .execute()
  return before?.blob_key
}

/** In order. */
export async function listParts(db: Db, uploadId: string): Promise<StoredPart[]> {
  return await db
    .selectFrom('artifact_upload_parts')
    .select([
      'part_number as partNumber',
      'md5_hex as md5Hex',
      'size_bytes as sizeBytes',
      'blob_key as blobKey',
    ])
    .where('upload_id', '=', uploadId)
    .orderBy('part_number')
    .execute()
}

/** @returns the keys of its parts, which nothing refers to any more. */
export async function removeUpload(trx: Db, artifactId: string, content: string): Promise<string[]> {
  const uploadId = await findUpload(trx, artifactId, content)
  if (uploadId === undefined) return []
  const parts = await listParts(trx, uploadId)
  await trx.deleteFrom('artifact_uploads').where('id', '=', uploadId).execute()
  return parts.map(({ blobKey }) => blobKey)
}
