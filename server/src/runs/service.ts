/** Runs: one submission each, with the experiments that came of it. The themes are in the files composed here. */
import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Compute } from '../compute/service.ts'
import type { Datastores } from '../datastores/service.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { Clock } from '../lib/clock.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'
import type { Usage } from '../usage/service.ts'
import { createActing } from './acting.ts'
import { createCharging } from './charging.ts'
import { createCode } from './code.ts'
import { createOwning } from './owning.ts'
import { createReading } from './reading.ts'
import { createSubmitting } from './submitting.ts'

export type Runs = ReturnType<typeof createRuns>

export type RunsDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'ensureProject'>
  experiments: Pick<Experiments, 'inRun' | 'storeFile' | 'delete' | 'stop'>
  datastores: Pick<
    Datastores,
    'mountable' | 'pin' | 'unpin' | 'pinnedManifest' | 'pinnedPack' | 'pinnedCheck'
  >
  compute: Compute
  blobs: BlobStore
  sealed: Sealed
  /** The address that people know; null when nobody has said one. */
  publicUrl: string | null
  usage: Pick<Usage, 'startStays' | 'endStays' | 'tick' | 'proveFunds'>
  events: Events
  clock: Clock
  log: (text: string, error: unknown) => void
}

export function createRuns(deps: RunsDeps) {
  const reading = createReading(deps)
  createOwning(deps)
  return {
    ...reading,
    ...createCharging(deps),
    ...createCode(deps),
    ...createSubmitting(deps, reading),
    ...createActing(deps, reading),
  }
}
