import type { Access } from '../access.ts'
import type { Deeds } from '../activity.ts'
import type { Notice } from '../alerts/service.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { Clock } from '../lib/clock.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Teams } from '../teams/service.ts'
import type { Db } from './store.ts'

export type ReportsDeps = {
  db: Db
  access: Access
  teams: Pick<Teams, 'findProjectGuard'>
  experiments: Pick<Experiments, 'shown'>
  notifications: {
    tell: (trx: Db, notice: Notice, userIds?: readonly string[]) => Promise<string[]>
    committed: () => void
  }
  sealed: Sealed
  events: Events
  deeds: Deeds
  /** Where links in mails lead; empty when the server does not know its address. */
  linkOrigin: string
  clock: Clock
}
