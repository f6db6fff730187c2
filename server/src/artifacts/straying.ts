/** Keys of the file store: made for what is to come, removed when nothing refers to them. */
import { GridError } from '@teamgrid/api'
import { newId } from '../lib/ids.ts'
import type { ArtifactsDeps } from './deps.ts'
import * as strays from './stray-store.ts'
import * as uploads from './upload-store.ts'

export type Straying = ReturnType<typeof createStraying>

/** An upload that takes longer than this is lost; a link to send to is good for a day. */
const uploadHoursMax = 72
const keysPerSweep = 5000

export function createStraying({ db, blobs, clock }: Pick<ArtifactsDeps, 'db' | 'blobs' | 'clock'>) {
  /** When what is arriving now is taken for lost. */
  function lostAt(): Date {
    return new Date(clock.now().getTime() + uploadHoursMax * 3_600_000)
  }

  /** A key that is removed some day unless something comes to refer to it. */
  async function newKey(prefix: string): Promise<string> {
    const key = `${prefix}/${newId()}`
    await strays.noteStrays(db, [key], lostAt())
    return key
  }

  /** As `newKey`, of a whole that arrives in parts. */
  async function newPartsKey(prefix: string): Promise<{ blobKey: string; partsToken: string }> {
    const blobKey = `${prefix}/${newId()}`
    const partsToken = await blobs.beginParts(blobKey)
    await strays.noteStrays(db, [blobKey], lostAt(), partsToken)
    return { blobKey, partsToken }
  }

  /** Removes files that were noted as stray. What fails stays noted, and the next sweep tries again. */
  async function removeStrays(keys: string[]): Promise<void> {
    if (keys.length === 0) return
    try {
      await remove(await strays.findStrays(db, keys))
    } catch (error) {
      if (!(error instanceof GridError)) throw error
    }
  }

  /** Removes what is due, at most some thousand. @returns how many. */
  async function removeDue(): Promise<{ removed: number; isAll: boolean }> {
    const due = await strays.dueStrays(db, clock.now(), keysPerSweep)
    if (due.length > 0) await remove(due)
    return { removed: due.length, isAll: due.length < keysPerSweep }
  }

  async function remove(due: strays.Stray[]): Promise<void> {
    const keys = due.map(({ key }) => key)
    // First the rows, so that a part that comes late begins a new whole.
    await uploads.removeLost(db, keys)
    for (const { key, partsToken } of due) if (partsToken !== null) await blobs.abandonParts(key, partsToken)
    await blobs.remove(keys)
    await strays.forgetStrays(db, keys)
  }

  return { lostAt, newKey, newPartsKey, removeStrays, removeDue }
}
