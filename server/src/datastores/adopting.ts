/** Contents that an export brings: checked as they come, small ones laid together, known ones left as they are. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { GridError, Sha256Hex } from '@teamgrid/api'
import { sql } from 'kysely'
import { newId } from '../lib/ids.ts'
import { type Content, findContent } from './content-store.ts'
import type { DatastoresDeps } from './deps.ts'
import { contentPrefix, packedContentBytesMax } from './receiving.ts'

/** Held in memory until it is stored as one blob. */
const packBytes = 16 * 1024 * 1024

export type Adoption = ReturnType<ReturnType<typeof createAdopting>['beginAdoption']>

export function createAdopting({ db, blobs, clock }: Pick<DatastoresDeps, 'db' | 'blobs' | 'clock'>) {
  /**
   * What no version comes to hold is cleared away later like that of an upload which was given up, so a broken import needs
   * no cleaning up.
   */
  function beginAdoption() {
    let small: { sha256Hex: string; bytes: Buffer }[] = []
    let smallBytes = 0

    /** @throws GridError invalid when the bytes are not what the digest says. */
    async function take(
      sha256Hex: string,
      body: AsyncIterable<Uint8Array>,
      sizeBytes: number,
    ): Promise<void> {
      if (!Sha256Hex.safeParse(sha256Hex).success)
        throw new GridError('invalid', `"${sha256Hex.slice(0, 100)}" is no SHA-256`)
      const known = await findContent(db, sha256Hex)
      const isKnown = known !== undefined && known.damagedAt === null
      if (isKnown || sizeBytes <= packedContentBytesMax) {
        const hash = createHash('sha256')
        const parts: Uint8Array[] = []
        for await (const part of body) {
          hash.update(part)
          if (!isKnown) parts.push(part)
        }
        if (hash.digest('hex') !== sha256Hex) throw damaged(sha256Hex)
        if (isKnown) return await touch(sha256Hex)
        small.push({ sha256Hex, bytes: Buffer.concat(parts) })
        smallBytes += sizeBytes
        if (smallBytes >= packBytes) await flush()
        return
      }
      const blobKey = `${contentPrefix}${sha256Hex}/${newId()}`
      await blobs.put(blobKey, Readable.from(body), { expectedSha256Hex: sha256Hex, sizeBytes })
      await insert([{ sha256Hex, sizeBytes, blobKey, startByte: 0 }])
    }

    async function flush(): Promise<void> {
      if (small.length === 0) return
      const blobKey = `datastores/packs/${newId()}`
      let startByte = 0
      const rows = small.map(({ sha256Hex, bytes }) => {
        const row = { sha256Hex, sizeBytes: bytes.length, blobKey, startByte }
        startByte += bytes.length
        return row
      })
      await blobs.put(blobKey, Readable.from(small.map(({ bytes }) => bytes)))
      small = []
      smallBytes = 0
      await insert(rows)
    }

    return { take, flush }
  }

  async function touch(sha256Hex: string): Promise<void> {
    await db
      .updateTable('datastore_contents')
      .set({ touched_at: clock.now() })
      .where('sha256_hex', '=', sha256Hex)
      .execute()
  }

  /** In one order everywhere, so that two that bring the same never wait for each other in a circle. */
  async function insert(contents: readonly Content[]): Promise<void> {
    const rows = contents
      .toSorted((a, b) => (a.sha256Hex < b.sha256Hex ? -1 : 1))
      .map((content) => ({
        sha256_hex: content.sha256Hex,
        size_bytes: content.sizeBytes,
        blob_key: content.blobKey,
        start_byte: content.startByte,
        touched_at: clock.now(),
      }))
    for (let from = 0; from < rows.length; from += 1000)
      await db
        .insertInto('datastore_contents')
        .values(rows.slice(from, from + 1000))
        .onConflict((conflict) =>
          conflict.column('sha256_hex').doUpdateSet({
            touched_at: sql`excluded.touched_at`,
            blob_key: sql`case when datastore_contents.damaged_at is null then datastore_contents.blob_key else excluded.blob_key end`,
            start_byte: sql`case when datastore_contents.damaged_at is null then datastore_contents.start_byte else excluded.start_byte end`,
            damaged_at: null,
          }),
        )
        .execute()
  }

  return { beginAdoption }
}

function damaged(sha256Hex: string): GridError {
  return new GridError('invalid', `A file of a datastore is damaged in this export: it is not ${sha256Hex}`)
}
