import type { DatastoresDeps } from './deps.ts'
import * as contents from './content-store.ts'
import { abandon } from './receiving.ts'
import { trashDays } from './reading.ts'

const hourMs = 60 * 60 * 1000
/** An upload may have been told of a content that no version holds; it has this long to use it. */
const untouchedMs = 48 * hourMs
const batch = 1000

export function createClearing({ db, blobs, clock }: DatastoresDeps) {
  /**
   * Gives back what nobody holds: uploads left alone, versions long in the trash, contents in no version. Rows go
   * first and bytes after them, so that a crash in between leaves bytes without a row, never a row without bytes.
   */
  async function clear(): Promise<void> {
    const now = clock.now()
    for (const id of await contents.expiredUploads(db, now, batch))
      await abandon(blobs, await contents.deleteUpload(db, id))
    const deletedBefore = new Date(now.getTime() - trashDays * 24 * hourMs)
    const manifests = await db
      .transaction()
      .execute((trx) => contents.purgeVersions(trx, deletedBefore, now, batch))
    await blobs.remove(manifests)
    const untouchedSince = new Date(now.getTime() - untouchedMs)
    for (;;) {
      const keys = await db
        .transaction()
        .execute((trx) => contents.forgetContents(trx, untouchedSince, batch))
      if (keys.length === 0) return
      await blobs.remove(keys)
    }
  }

  return { clear }
}
