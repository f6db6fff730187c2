/** Credits: who has how many, where they came from, and what happens at their end. */
import { type Balance, GridError, type LedgerEntry, type WhenEmpty } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { UsageDeps } from './deps.ts'
import { periodOf } from './metering.ts'
import * as store from './store.ts'
import { credits, effectiveRule } from './ticking.ts'

const dayMs = 24 * 60 * 60 * 1000
/** The forecast goes by so many days. */
const paceDays = 7

export function createAccounts({ db, access, teams, events, clock }: UsageDeps) {
  async function balance(actor: Actor, slug: string): Promise<Balance> {
    const team = await access.allowed(actor, 'balance:read', teams.teamGuard(slug))
    return (await balancesOf([team.teamId]))[0]!
  }

  /** Those of the teams the actor is in, the personal one included, where the role may see them. */
  async function balances(actor: Actor): Promise<Balance[]> {
    const slugs = await db
      .selectFrom('teams')
      .select('slug')
      .where('id', '=', sql<string>`any(${[...actor.memberships.keys()]}::uuid[])`)
      .where('kind', '<>', 'organisation')
      .execute()
    const guards = await Promise.all(slugs.map(({ slug }) => teams.teamGuard(slug)))
    const readable = await Promise.all(
      guards.map(async (team) =>
        team && (await access.permits(actor, 'balance:read', team)) ? [team.teamId] : [],
      ),
    )
    return balancesOf(readable.flat())
  }

  async function balancesOf(teamIds: readonly string[]): Promise<Balance[]> {
    if (teamIds.length === 0) return []
    const now = clock.now()
    const month = periodOf('month', now)
    const { rows } = await sql<{
      teamId: string
      granted: number
      used: number
      pace: number
      machines: number
      month: number
      recent: number
    }>`select t.id as "teamId",
        (select coalesce(sum(e.microcredits), 0)::bigint from ledger_entries e join ledger_accounts a on a.id = e.account_id
          where a.team_id = t.id and e.reason <> 'usage') as granted,
        (select coalesce(sum(h.microcredits), 0)::bigint from usage_hours h where h.team_id = t.id) as used,
        (select coalesce(sum(m.microcredits_per_hour), 0)::bigint from meters m
          where m.team_id = t.id and m.ended_at is null) as pace,
        (select count(*) from meters m where m.team_id = t.id and m.ended_at is null) as machines,
        (select coalesce(sum(h.microcredits), 0)::bigint from usage_hours h
          where h.team_id = t.id and h.hour >= ${month.start}) as month,
        (select coalesce(sum(h.microcredits), 0)::bigint from usage_hours h
          where h.team_id = t.id and h.hour >= ${new Date(now.getTime() - paceDays * dayMs)}) as recent
      from teams t where t.id = any(${[...teamIds]}::uuid[])`.execute(db)
    const numbers = new Map(rows.map((row) => [row.teamId, row]))
    return (await store.findSpending(db, teamIds)).map((spending) => {
      const { granted, used, pace, machines, month: thisMonth, recent } = numbers.get(spending.teamId)!
      const { microcredits, lowMicrocredits, wasGranted } = spending
      const daysLeft = (month.end!.getTime() - now.getTime()) / dayMs
      const state = !wasGranted
        ? 'unlimited'
        : microcredits <= 0
          ? 'empty'
          : microcredits <= lowMicrocredits
            ? 'low'
            : 'enough'
      return {
        team: spending.team,
        microcredits,
        grantedMicrocredits: granted,
        usedMicrocredits: used,
        microcreditsPerHour: pace,
        machines,
        endsAt:
          wasGranted && microcredits > 0 && pace > 0
            ? new Date(Math.min(8.64e15, now.getTime() + (microcredits / pace) * 3_600_000)).toISOString()
            : null,
        month: {
          usedMicrocredits: thisMonth,
          forecastMicrocredits: thisMonth + Math.round((recent / paceDays) * daysLeft),
        },
        whenEmpty: effectiveRule(spending),
        lowMicrocredits,
        state,
      }
    })
  }

  /** @throws GridError not_found, forbidden, policy_denied; invalid when more is taken back than there is */
  async function addCredit(
    actor: Actor,
    {
      team: slug,
      microcredits,
      note,
      requestId,
    }: {
      team: string
      microcredits: number
      note: string
      requestId?: string | undefined
    },
  ): Promise<Balance> {
    const team = await access.allowed(actor, 'credit:add', teams.teamGuard(slug))
    const transferId = requestId ?? newId()
    await db.transaction().execute(async (trx) => {
      // Two tries of one request, at the same time too, are one gift.
      await sql`select pg_advisory_xact_lock(hashtext('credit:' || ${team.teamId}))`.execute(trx)
      if (await store.hasTransfer(trx, transferId)) return
      const [before] = await store.findSpending(trx, [team.teamId])
      if (microcredits < 0 && before!.microcredits + microcredits < 0) {
        throw new GridError('invalid', `${slug} has ${credits(before!.microcredits)} credits left`, {
          hint: 'Take back at most that many.',
        })
      }
      const [reason, by] = [microcredits > 0 ? 'credit' : 'adjustment', actor.userId] as const
      await store.transfer(trx, { house: 'issued', reason, note, by, at: clock.now() }, [
        { transferId, teamId: team.teamId, microcredits },
      ])
      await store.noteTold(trx, team.teamId, { toldLow: false, toldEmpty: false })
      await record(trx, actor, 'credit:add', {
        teamId: team.teamId,
        kind: 'team',
        id: team.teamId,
        details: { microcredits, ...(note ? { note } : {}) },
      })
    })
    events.publish({ type: 'usage.changed', teamId: team.teamId })
    return (await balancesOf([team.teamId]))[0]!
  }

  async function setRules(
    actor: Actor,
    {
      team: slug,
      whenEmpty,
      lowMicrocredits,
    }: {
      team: string
      whenEmpty?: WhenEmpty | null | undefined
      lowMicrocredits?: number | undefined
    },
  ): Promise<Balance> {
    const team = await access.allowed(actor, 'budget:edit', teams.teamGuard(slug))
    const rules = {
      ...(whenEmpty === undefined ? {} : { whenEmpty }),
      ...(lowMicrocredits === undefined ? {} : { lowMicrocredits }),
    }
    await db.transaction().execute(async (trx) => {
      await store.saveRules(trx, team.teamId, rules)
      await record(trx, actor, 'budget:edit', {
        teamId: team.teamId,
        kind: 'team',
        id: team.teamId,
        details: rules,
      })
    })
    events.publish({ type: 'usage.changed', teamId: team.teamId })
    return (await balancesOf([team.teamId]))[0]!
  }

  /** Newest first. */
  async function ledger(
    actor: Actor,
    { team: slug, limit, cursor }: { team: string; limit: number; cursor?: string | undefined },
  ): Promise<{ items: LedgerEntry[]; nextCursor: string | null }> {
    const team = await access.allowed(actor, 'balance:read', teams.teamGuard(slug))
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
      throw new GridError('invalid', 'This is no cursor')
    const rows = await db
      .selectFrom('ledger_entries as e')
      .innerJoin('ledger_accounts as a', 'a.id', 'e.account_id')
      .leftJoin('users as u', 'u.id', 'e.created_by')
      .select(['e.number', 'e.reason', 'e.microcredits', 'e.note', 'e.created_at', 'u.username', 'u.name'])
      .where('a.team_id', '=', team.teamId)
      .$if(cursor !== undefined, (query) => query.where('e.number', '<', Number(cursor)))
      .orderBy('e.number', 'desc')
      .limit(limit + 1)
      .execute()
    const items = rows.slice(0, limit).map(({ username, name, created_at, ...row }) => ({
      ...row,
      by: username === null ? null : { username, name: name ?? '' },
      at: created_at.toISOString(),
    }))
    return { items, nextCursor: rows.length > limit ? String(items.at(-1)!.number) : null }
  }

  return { balance, balances, addCredit, setRules, ledger }
}
