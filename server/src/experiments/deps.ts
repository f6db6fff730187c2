import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import type { SignedUrls } from '../lib/signed.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { MetricStore } from '../stores/clickhouse/metric-types.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'
import type { FactWriter } from './fact-writer.ts'
import type { News } from './news.ts'

export type ExperimentsDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<
    Teams,
    | 'teamGuard'
    | 'findTeam'
    | 'findProject'
    | 'findProjectGuard'
    | 'ensureProject'
    | 'onProjectDelete'
    | 'onReassign'
  >
  metrics: MetricStore
  blobs: BlobStore
  signed: SignedUrls
  events: Events
  deeds: Deeds
  clock: Clock
}

/** What the parts of this slice share. */
export type Parts = ExperimentsDeps & { facts: FactWriter; news: News }
