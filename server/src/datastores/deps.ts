import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import type { SignedUrls } from '../lib/signed.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'

export type DatastoresDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard'>
  blobs: BlobStore
  signed: SignedUrls
  events: Events
  deeds: Deeds
  clock: Clock
}
