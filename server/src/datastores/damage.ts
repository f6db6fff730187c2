/** Stored bytes that are not what they were: found, quarantined, and told to those who can bring them again. */
import { createHash } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import * as contents from './content-store.ts'
import type { DatastoresDeps } from './deps.ts'

/** Everything is read again within this many weeks. */
const weeks = 52
const hoursOfRound = weeks * 7 * 24
/** What arrived or was read lately is not read again yet, however little there is. */
const restDays = 7
const contentsAtOnce = 1000

/** Nobody asked for it: the server looks by itself. */
const itself = { userId: null, via: 'server', client: 'web', address: null, attributedTo: null } as const

export function createDamage({ db, blobs, notifications, events, clock }: DatastoresDeps) {
  /**
   * Reads a content again. One whose bytes are not what its digest says is never handed out any more, the activity of
   * every team that holds it says so, and their admins are told.
   *
   * @returns whether it is whole.
   * @throws GridError unavailable when the store does not answer, which says nothing about the content.
   */
  async function verify(sha256Hex: string): Promise<boolean> {
    const content = await contents.findContent(db, sha256Hex)
    if (!content || content.damagedAt) return false
    if (await isWhole(content)) {
      await contents.setVerified(db, sha256Hex, clock.now())
      return true
    }
    await quarantine(content)
    return false
  }

  async function isWhole({ sha256Hex, blobKey, startByte, sizeBytes }: contents.Content): Promise<boolean> {
    const hash = createHash('sha256')
    try {
      if (sizeBytes > 0) {
        const range = { start: startByte, end: startByte + sizeBytes - 1 }
        for await (const chunk of await blobs.get(blobKey, range)) hash.update(chunk as Buffer)
      }
    } catch (error) {
      // Gone, or shorter than it was: as bad as changed.
      if (error instanceof GridError && error.code !== 'unavailable') return false
      throw error
    }
    return hash.digest('hex') === sha256Hex
  }

  async function quarantine({ sha256Hex, blobKey }: contents.Content): Promise<void> {
    const found: { teamId: string; datastoreId: string }[] = []
    await db.transaction().execute(async (trx) => {
      if (!(await contents.setDamaged(trx, sha256Hex, blobKey, clock.now()))) return
      for (const held of await contents.holdersOf(trx, sha256Hex)) {
        found.push(held)
        const { name, number, path } = held
        await record(trx, itself, 'datastore:damaged', {
          teamId: held.teamId,
          kind: 'datastore',
          id: held.datastoreId,
          details: { name, version: number, path, sha256: sha256Hex },
        })
        const where = `${path} of version ${number} of ${held.username}:${name}`
        const says = `Its bytes on the server are not what they were (SHA-256 ${sha256Hex}), so nobody gets them any more. Upload the same file again: that repairs every version that holds it.`
        await notifications.tell(
          trx,
          {
            teamId: held.teamId,
            kind: 'failure',
            level: 'error',
            title: `A file of a datastore is damaged: ${where}`.slice(0, 300),
            text: says,
            link: `/${held.teamSlug}/datastores/${held.username}/${name}`,
            mail: { subject: `Damaged file in ${held.username}:${name}`, paragraphs: [where, says] },
          },
          [...new Set([...(await contents.adminsOf(trx, held.teamId)), held.ownerId])],
        )
      }
    })
    notifications.committed()
    for (const { teamId, datastoreId } of found)
      events.publish({ type: 'datastore.changed', teamId, datastoreId })
  }

  /**
   * An hour's share of reading everything again in a year: what was not read for longest first.
   *
   * @returns how many were read, and which are damaged.
   */
  async function scrub(): Promise<{ read: number; damaged: string[] }> {
    const before = new Date(clock.now().getTime() - restDays * 24 * 60 * 60 * 1000)
    const share = Math.ceil((await contents.storedBytes(db)) / hoursOfRound)
    const damaged: string[] = []
    let read = 0
    let bytes = 0
    for (const { sha256Hex, sizeBytes } of await contents.longestUnread(db, before, contentsAtOnce)) {
      if (!(await verify(sha256Hex))) damaged.push(sha256Hex)
      read += 1
      bytes += sizeBytes
      if (bytes >= share) break
    }
    return { read, damaged }
  }

  return { verify, scrub }
}
