import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Alerts } from '../alerts/service.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import type { Outbound } from '../lib/outbound.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { SignedUrls } from '../lib/signed.ts'
import type { BlobStore, OpenBucket } from '../stores/blob/blob-store.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'

export type DatastoresDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'actors'>
  blobs: BlobStore
  signed: SignedUrls
  events: Events
  deeds: Deeds
  clock: Clock
  notifications: Alerts['notifications']
  sealed: Sealed
  /** To addresses of sources. */
  outbound: Outbound
  openBucket: OpenBucket
  /** A folder for what is being fetched; kept over restarts. */
  scratch: string
  log: (text: string, error: unknown) => void
}
