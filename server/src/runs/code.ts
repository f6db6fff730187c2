/** Archives of code, by what they hold: the same code submitted again is sent once. */
import type { Readable } from 'node:stream'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { RunsDeps } from './service.ts'
import { findCode } from './store.ts'

export const codeBytesMax = 500 * 1024 * 1024

export function createCode({ db, access, teams, blobs, clock }: RunsDeps) {
  async function hasCode(actor: Actor, team: string, sha256: string): Promise<boolean> {
    const { id } = await access.allowed(actor, 'run:create', teams.teamGuard(team))
    return (await findCode(db, id, sha256)) !== undefined
  }

  /** @throws GridError too_large; conflict when what arrives is not what was announced. */
  async function storeCode(actor: Actor, team: string, sha256: string, body: Readable): Promise<void> {
    const { id } = await access.allowed(actor, 'run:create', teams.teamGuard(team))
    if (await findCode(db, id, sha256)) return void body.resume()
    const blobKey = `code/${id}/${newId()}`
    const stored = await blobs.put(blobKey, body, { sizeMaxBytes: codeBytesMax, expectedSha256Hex: sha256 })
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('code_archives')
      .values({
        team_id: id,
        sha256,
        size_bytes: stored.sizeBytes,
        blob_key: blobKey,
        created_by: actor.userId,
        created_at: clock.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    // Somebody else has just sent the same.
    if (numInsertedOrUpdatedRows === 0n) await blobs.remove([blobKey])
  }

  return { hasCode, storeCode }
}
