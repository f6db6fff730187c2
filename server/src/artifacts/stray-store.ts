/**
 * The SQL of keys in the file store that nothing refers to: of what was deleted, and of what is still arriving.
 *
 * A key is noted before it is written and taken from here when something refers to it, so whatever becomes of this
 * process, nothing stays that nobody knows of.
 */
import { sql } from 'kysely'
import type { Db } from './store.ts'

/** @param partsToken of a whole that is being put together of parts; they are given up with it. */
export type Stray = { key: string; partsToken: string | null }

/** Notes keys to be removed after that instant. */
export async function noteStrays(
  trx: Db,
  keys: string[],
  removeAfter: Date,
  partsToken: string | null = null,
): Promise<void> {
  if (keys.length === 0) return
  await sql`
    insert into stray_blobs (blob_key, remove_after, parts_token)
    select key, ${removeAfter}, ${partsToken}::text from unnest(${keys}::text[]) as key
    on conflict (blob_key) do update set remove_after = excluded.remove_after`.execute(trx)
}

/** @returns false when it is not there or its time is over, so that somebody may be removing it. */
export async function takeStray(trx: Db, key: string, now: Date): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('stray_blobs')
    .where('blob_key', '=', key)
    .where('remove_after', '>', now)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

const strayQuery = (db: Db) =>
  db.selectFrom('stray_blobs').select(['blob_key as key', 'parts_token as partsToken'])

export function dueStrays(db: Db, now: Date, limit: number): Promise<Stray[]> {
  return strayQuery(db).where('remove_after', '<=', now).orderBy('remove_after').limit(limit).execute()
}

/** Of these keys those that are stray, whenever they are due. */
export function findStrays(db: Db, keys: string[]): Promise<Stray[]> {
  return strayQuery(db)
    .where('blob_key', 'in', ['', ...keys])
    .execute()
}

export async function forgetStrays(db: Db, keys: string[]): Promise<void> {
  await db
    .deleteFrom('stray_blobs')
    .where('blob_key', 'in', ['', ...keys])
    .execute()
}
