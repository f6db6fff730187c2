import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { Clock } from '../lib/clock.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'

export type SweepsDeps = {
  db: Kysely<Database>
  access: Access
  teams: Pick<Teams, 'findTeam' | 'findProjectGuard' | 'ensureProject'>
  experiments: Pick<
    Experiments,
    'upsert' | 'query' | 'ofSweep' | 'courses' | 'stopInSweep' | 'giveUp' | 'annotatable' | 'putInSweep'
  >
  events: Events
  deeds: Deeds
  clock: Clock
}
