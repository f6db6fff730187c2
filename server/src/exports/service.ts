/** A team's data whole: taken out at any time, and given back to an empty server. */
import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Datastores } from '../datastores/service.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { Clock } from '../lib/clock.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { MetricStore } from '../stores/clickhouse/metric-types.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'
import { createExport } from './export.ts'
import { createImport } from './import.ts'

export type ExportsDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'sealAudit' | 'adoptPerson' | 'claimSlug'>
  experiments: Pick<Experiments, 'pointsOf' | 'rebuildFacts'>
  datastores: Pick<Datastores, 'beginAdoption'>
  metrics: MetricStore
  blobs: BlobStore
  events: Events
  clock: Clock
}

export type Exports = ReturnType<typeof createExports>

export function createExports(deps: ExportsDeps) {
  return { ...createExport(deps), ...createImport(deps) }
}
