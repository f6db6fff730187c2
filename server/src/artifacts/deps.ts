import type { ExperimentDetails, FileInfo } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Events } from '../events.ts'
import type { ExperimentRef, StoredExperiment } from '../experiments/types.ts'
import type { Clock } from '../lib/clock.ts'
import type { SignedUrls } from '../lib/signed.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'

export type ArtifactsDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'findProjectGuard' | 'ensureProject' | 'onProjectDelete'>
  experiments: {
    find(actor: Actor, ref: ExperimentRef): Promise<StoredExperiment | undefined>
    findById(actor: Actor, id: string): Promise<StoredExperiment | undefined>
    get(actor: Actor, ref: ExperimentRef): Promise<ExperimentDetails>
    files(actor: Actor, ref: ExperimentRef): Promise<FileInfo[]>
  }
  blobs: BlobStore
  signed: SignedUrls
  events: Events
  deeds: Deeds
  clock: Clock
}
