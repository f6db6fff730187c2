/**
 * What machines cost and who pays. Whoever keeps attempts says when one takes its machine and when it gives it back;
 * `tick` charges what is open and says what must stop.
 */
import { GridError, type Rate } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { createAccounts } from './accounts.ts'
import { createBudgets } from './budgets.ts'
import type { Db, UsageDeps } from './deps.ts'
import { costOf, periodOf } from './metering.ts'
import { createReading } from './reading.ts'
import * as store from './store.ts'
import { createTicking, credits, effectiveRule, wordsOf } from './ticking.ts'

export { tickMs, type Stop } from './ticking.ts'
export type Usage = ReturnType<typeof createUsage>

/** A stay on a machine, as whoever keeps attempts knows it. */
export type Stay = Omit<store.NewMeter, 'id' | 'microcreditsPerHour'>

/** What somebody is about to start. */
export type Plan = {
  teamId: string
  userId: string
  projectId: string | null
  cluster: string
  machine: string
  isSpot: boolean
  /** How many machines at once. */
  machines: number
}

export function createUsage(deps: UsageDeps) {
  const { db, access, clock } = deps
  const { tick } = createTicking(deps)
  const { table } = createReading(deps)
  const budgets = createBudgets(deps)

  /** In the transaction that notes that attempts have their machines. Again is once; the rate is that of the start. */
  async function startStays(trx: Db, stays: readonly Stay[]): Promise<void> {
    const rates = new Map<string, Promise<number>>()
    const meters = stays.map(async (stay) => {
      const of = JSON.stringify([stay.cluster, stay.machine, stay.isSpot])
      if (!rates.has(of)) rates.set(of, store.findRate(trx, { ...stay, at: stay.startedAt }))
      return { ...stay, id: newId(), microcreditsPerHour: await rates.get(of)! }
    })
    await store.insertMeters(trx, await Promise.all(meters))
  }

  /** In the transaction that notes their ends. What a stay cost is final at the next step. */
  async function endStays(trx: Db, attemptIds: readonly string[], at: Date): Promise<void> {
    await store.endMeters(trx, attemptIds, at)
  }

  /**
   * What a plan costs, and whether the team may begin it.
   *
   * @throws GridError out_of_credit when the credits or a hard budget are used up.
   */
  async function proveFunds(plan: Plan): Promise<{ microcreditsPerHour: number; warnings: string[] }> {
    const now = clock.now()
    const rate = await store.findRate(db, { ...plan, at: now })
    const microcreditsPerHour = rate * plan.machines
    // What costs nothing needs nothing.
    if (microcreditsPerHour === 0) return { microcreditsPerHour, warnings: [] }
    const warnings: string[] = []
    const [spending] = await store.findSpending(db, [plan.teamId])
    if (spending?.wasGranted) {
      if (spending.microcredits <= 0 && effectiveRule(spending) !== 'warn') {
        const { admins } = await store.findAdmins(db, plan.teamId)
        throw new GridError('out_of_credit', `${spending.team} has no credits left`, {
          hint: 'An admin of the organisation or its billing user can add credits.',
          admins: await usernames(admins),
        })
      }
      if (spending.microcredits < microcreditsPerHour) {
        const hours = Math.max(0, spending.microcredits) / microcreditsPerHour
        warnings.push(
          `${credits(spending.microcredits)} credits are left, enough for ${Math.floor(hours * 60)} minutes of this.`,
        )
      }
    }
    for (const budget of await store.listBudgets(db, [plan.teamId])) {
      if (budget.userId !== null && budget.userId !== plan.userId) continue
      if (budget.projectId !== null && budget.projectId !== plan.projectId) continue
      const period = periodOf(budget.period, now)
      const left = budget.microcredits - (await store.usedSince(db, budget, period.start))
      if (left < costOf(60, microcreditsPerHour) && budget.isHard) {
        throw new GridError('out_of_credit', `The budget of ${wordsOf(budget)} is used up`, {
          hint: period.end
            ? `It begins anew on ${period.end.toISOString().slice(0, 10)}; an admin of the team can raise it.`
            : 'An admin of the team can raise it.',
        })
      }
      if (left < microcreditsPerHour) {
        warnings.push(`${credits(Math.max(0, left))} credits are left in the budget of ${wordsOf(budget)}.`)
      }
    }
    return { microcreditsPerHour, warnings }
  }

  async function usernames(userIds: readonly string[]): Promise<string[]> {
    const rows = await db
      .selectFrom('users')
      .select('username')
      .where('id', '=', sql<string>`any(${[...userIds]}::uuid[])`)
      .orderBy('username')
      .execute()
    return rows.map((row) => row.username)
  }

  /** What holds now, the newest of each machine; what people sign in to see, so everybody does. */
  async function rates(actor: Actor): Promise<Rate[]> {
    if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
    const { rows } = await sql<Omit<Rate, 'validFrom'> & { validFrom: Date }>`
      select distinct on (machine, cluster, is_spot) cluster, machine, is_spot as "isSpot",
        microcredits_per_hour as "microcreditsPerHour", valid_from as "validFrom"
      from rates where valid_from <= ${clock.now()}
      order by machine, cluster, is_spot, valid_from desc, created_at desc`.execute(db)
    return rows.map((row) => ({ ...row, validFrom: row.validFrom.toISOString() }))
  }

  async function setRate(
    actor: Actor,
    input: Omit<Rate, 'validFrom'> & { validFrom?: string | undefined },
  ): Promise<Rate[]> {
    await access.proveInOrganisation(actor, 'rate:edit')
    const now = clock.now()
    const validFrom = input.validFrom === undefined ? now : new Date(input.validFrom)
    if (validFrom < new Date(now.getTime() - 60_000)) {
      throw new GridError('invalid', 'A rate cannot hold for the past', {
        hint: 'What was used has been charged; correct it with credits.',
      })
    }
    const id = newId()
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('rates')
        .values({
          id,
          cluster: input.cluster,
          machine: input.machine,
          is_spot: input.isSpot,
          microcredits_per_hour: input.microcreditsPerHour,
          valid_from: validFrom,
          created_by: actor.userId,
          created_at: now,
        })
        .execute()
      await record(trx, actor, 'rate:edit', { teamId: null, kind: 'rate', id, details: input })
    })
    return rates(actor)
  }

  return { startStays, endStays, tick, proveFunds, table, budgets, rates, setRate, ...createAccounts(deps) }
}
