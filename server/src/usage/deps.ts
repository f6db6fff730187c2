import type { Kysely } from 'kysely'
import type { Access } from '../access.ts'
import type { Alerts } from '../alerts/service.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Teams } from '../teams/service.ts'

export type Db = Kysely<Database>

export type UsageDeps = {
  db: Db
  access: Access
  teams: Pick<Teams, 'teamGuard' | 'findProjectGuard'>
  notifications: Pick<Alerts['notifications'], 'tell' | 'committed'>
  events: Events
  clock: Clock
  /** Where links in mails lead; empty when the server does not know its address. */
  linkOrigin: string
}
