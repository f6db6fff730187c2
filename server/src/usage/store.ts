import type { BudgetPeriod, WhenEmpty } from '@teamgrid/api'
import { sql } from 'kysely'
import type { z } from 'zod'
import type { Db } from './deps.ts'
import type { HourOfUse } from './metering.ts'

/** The accounts that credits come from and go to; made by the migration. */
const houses = {
  issued: '00000000-0000-0000-0000-000000000001',
  consumed: '00000000-0000-0000-0000-000000000002',
} as const

export type Meter = {
  id: string
  attemptId: string
  kind: 'experiment' | 'session' | 'service'
  teamId: string
  userId: string
  projectId: string | null
  subjectId: string
  microcreditsPerHour: number
  startedAt: Date
  meteredUntil: Date
  endedAt: Date | null
  microcredits: number
}

export type NewMeter = Omit<Meter, 'meteredUntil' | 'endedAt' | 'microcredits'> & {
  subjectName: string
  cluster: string
  machine: string
  isSpot: boolean
  cpus: number
  gpus: number
}

/** Rows of one statement: PostgreSQL takes 65,535 values at most. */
const rowsMax = 3000

/** A stay that is there already is left as it is. */
export async function insertMeters(trx: Db, meters: readonly NewMeter[]): Promise<void> {
  for (let start = 0; start < meters.length; start += rowsMax) {
    const rows = meters.slice(start, start + rowsMax).map((meter) => ({
      id: meter.id,
      attempt_id: meter.attemptId,
      kind: meter.kind,
      team_id: meter.teamId,
      user_id: meter.userId,
      project_id: meter.projectId,
      subject_id: meter.subjectId,
      subject_name: meter.subjectName,
      cluster: meter.cluster,
      machine: meter.machine,
      is_spot: meter.isSpot,
      cpus: meter.cpus,
      gpus: meter.gpus,
      microcredits_per_hour: meter.microcreditsPerHour,
      started_at: meter.startedAt,
      metered_until: meter.startedAt,
    }))
    await trx
      .insertInto('meters')
      .values(rows)
      .onConflict((conflict) => conflict.column('attempt_id').doNothing())
      .execute()
  }
}

/** The first end counts, and none lies before the start. */
export async function endMeters(trx: Db, attemptIds: readonly string[], at: Date): Promise<void> {
  // In the order in which everybody locks them.
  await sql`with ending as materialized (
      select id from meters where attempt_id = any(${[...attemptIds]}::uuid[]) and ended_at is null order by id for update)
    update meters set ended_at = greatest(${at}::timestamptz, started_at) from ending where meters.id = ending.id`.execute(
    trx,
  )
}

/** Every stay with something still to be charged, in an order that is the same for all who lock them. */
export async function lockOpenMeters(trx: Db): Promise<Meter[]> {
  return trx
    .selectFrom('meters')
    .select([
      'id',
      'attempt_id as attemptId',
      'kind',
      'team_id as teamId',
      'user_id as userId',
      'project_id as projectId',
      'subject_id as subjectId',
      'microcredits_per_hour as microcreditsPerHour',
      'started_at as startedAt',
      'metered_until as meteredUntil',
      'ended_at as endedAt',
      'microcredits',
    ])
    .where('is_settled', '=', false)
    .orderBy('id')
    .forUpdate()
    .execute()
}

export type Seen = { id: string; meteredUntil: Date; microcredits: number; isSettled: boolean }

export async function noteSeen(trx: Db, seen: readonly Seen[]): Promise<void> {
  if (seen.length === 0) return
  await sql`update meters set metered_until = s.until, microcredits = s.microcredits, is_settled = s.settled
    from unnest(${seen.map((each) => each.id)}::uuid[], ${seen.map((each) => each.meteredUntil)}::timestamptz[],
      ${seen.map((each) => each.microcredits)}::bigint[], ${seen.map((each) => each.isSettled)}::boolean[])
      as s (id, until, microcredits, settled)
    where meters.id = s.id`.execute(trx)
}

export async function addHours(
  trx: Db,
  hours: readonly (HourOfUse & { meter: Pick<Meter, 'id' | 'teamId'> })[],
): Promise<void> {
  if (hours.length === 0) return
  await sql`insert into usage_hours (meter_id, hour, team_id, seconds, microcredits)
    select * from unnest(${hours.map((each) => each.meter.id)}::uuid[], ${hours.map((each) => each.hour)}::timestamptz[],
      ${hours.map((each) => each.meter.teamId)}::uuid[], ${hours.map((each) => each.seconds)}::integer[],
      ${hours.map((each) => each.microcredits)}::bigint[])
    on conflict (meter_id, hour) do update set seconds = usage_hours.seconds + excluded.seconds,
      microcredits = usage_hours.microcredits + excluded.microcredits`.execute(trx)
}

export type Transfer = { transferId: string; teamId: string; microcredits: number }

/** Moves credits between teams and a house account: both sides of each entry, and the teams' balances. */
export async function transfer(
  trx: Db,
  {
    house,
    reason,
    note,
    by,
    at,
  }: {
    house: keyof typeof houses
    reason: 'credit' | 'usage' | 'adjustment'
    note: string
    by: string | null
    at: Date
  },
  transfers: readonly Transfer[],
): Promise<void> {
  if (transfers.length === 0) return
  // In one order for everybody, so that two who charge several teams cannot wait for each other.
  const ordered = transfers.toSorted((one, other) => (one.teamId < other.teamId ? -1 : 1))
  const teamIds = ordered.map((each) => each.teamId)
  const amounts = ordered.map((each) => each.microcredits)
  await sql`insert into ledger_accounts (id, kind, team_id)
    select gen_random_uuid(), 'team', id from unnest(${teamIds}::uuid[]) as id order by id
    on conflict (team_id) do nothing`.execute(trx)
  await sql`with t as materialized (
      select * from unnest(${ordered.map((each) => each.transferId)}::uuid[], ${teamIds}::uuid[], ${amounts}::bigint[])
        as t (transfer_id, team_id, microcredits)),
    moved as (
      update ledger_accounts a set microcredits = a.microcredits + t.microcredits from t where a.team_id = t.team_id
      returning a.id, t.transfer_id, t.microcredits)
    insert into ledger_entries (transfer_id, account_id, microcredits, reason, note, created_by, created_at)
      select transfer_id, id, microcredits, ${reason}, ${note}, ${by}::uuid, ${at}::timestamptz from moved
      union all
      select transfer_id, ${houses[house]}::uuid, -microcredits, ${reason}, ${note}, ${by}::uuid, ${at}::timestamptz from moved
  `.execute(trx)
}

/** Whether this transfer is in the books already. */
export async function hasTransfer(db: Db, transferId: string): Promise<boolean> {
  const row = await db
    .selectFrom('ledger_entries')
    .select('number')
    .where('transfer_id', '=', transferId)
    .executeTakeFirst()
  return row !== undefined
}

export type Spending = {
  teamId: string
  team: string
  microcredits: number
  /** Whether anybody ever gave it credits. */
  wasGranted: boolean
  whenEmpty: WhenEmpty | null
  lowMicrocredits: number
  toldLow: boolean
  toldEmpty: boolean
}

export async function findSpending(db: Db, teamIds: readonly string[]): Promise<Spending[]> {
  const { rows } = await sql<Spending>`select t.id as "teamId", t.slug as team,
      coalesce(a.microcredits, 0) as microcredits,
      exists (select from ledger_entries e where e.account_id = a.id and e.reason = 'credit') as "wasGranted",
      r.when_empty as "whenEmpty", coalesce(r.low_microcredits, 10000000) as "lowMicrocredits",
      coalesce(r.told_low, false) as "toldLow", coalesce(r.told_empty, false) as "toldEmpty"
    from teams t left join ledger_accounts a on a.team_id = t.id left join spending_rules r on r.team_id = t.id
    where t.id = any(${teamIds}::uuid[]) order by t.slug`.execute(db)
  return rows
}

export async function saveRules(
  trx: Db,
  teamId: string,
  rules: { whenEmpty?: WhenEmpty | null; lowMicrocredits?: number },
): Promise<void> {
  const set = {
    ...(rules.whenEmpty === undefined ? {} : { when_empty: rules.whenEmpty }),
    ...(rules.lowMicrocredits === undefined ? {} : { low_microcredits: rules.lowMicrocredits }),
    told_low: false,
    told_empty: false,
  }
  await trx
    .insertInto('spending_rules')
    .values({ team_id: teamId, ...set })
    .onConflict((conflict) => conflict.column('team_id').doUpdateSet(set))
    .execute()
}

export async function noteTold(
  trx: Db,
  teamId: string,
  { toldLow, toldEmpty }: { toldLow: boolean; toldEmpty: boolean },
): Promise<void> {
  const set = { told_low: toldLow, told_empty: toldEmpty }
  await trx
    .insertInto('spending_rules')
    .values({ team_id: teamId, ...set })
    .onConflict((conflict) => conflict.column('team_id').doUpdateSet(set))
    .execute()
}

export async function findAdmins(db: Db, teamId: string): Promise<{ slug: string; admins: string[] }> {
  const { slug } = await db
    .selectFrom('teams')
    .select('slug')
    .where('id', '=', teamId)
    .executeTakeFirstOrThrow()
  const rows = await db
    .selectFrom('memberships')
    .select('user_id')
    .where('team_id', '=', teamId)
    .where('role', '=', 'admin')
    .execute()
  return { slug, admins: rows.map((row) => row.user_id) }
}

export type StoredBudget = {
  id: string
  teamId: string
  team: string
  userId: string | null
  username: string | null
  userName: string | null
  projectId: string | null
  project: string | null
  period: z.infer<typeof BudgetPeriod>
  microcredits: number
  noticePercents: number[]
  isHard: boolean
  toldPeriod: string
  toldPercent: number
}

const budgetQuery = (db: Db) =>
  db
    .selectFrom('budgets as b')
    .innerJoin('teams as t', 't.id', 'b.team_id')
    .leftJoin('users as u', 'u.id', 'b.user_id')
    .leftJoin('projects as p', 'p.id', 'b.project_id')
    .select([
      'b.id',
      'b.team_id as teamId',
      't.slug as team',
      'b.user_id as userId',
      'u.username',
      'u.name as userName',
      'b.project_id as projectId',
      'p.name as project',
      'b.period',
      'b.microcredits',
      'b.notice_percents as noticePercents',
      'b.is_hard as isHard',
      'b.told_period as toldPeriod',
      'b.told_percent as toldPercent',
    ])
    .orderBy('b.created_at')
    .orderBy('b.id')

export async function listBudgets(db: Db, teamIds: readonly string[]): Promise<StoredBudget[]> {
  return budgetQuery(db)
    .where('b.team_id', '=', sql<string>`any(${teamIds}::uuid[])`)
    .execute()
}

export async function findBudget(db: Db, teamId: string, id: string): Promise<StoredBudget | undefined> {
  return budgetQuery(db).where('b.team_id', '=', teamId).where('b.id', '=', id).executeTakeFirst()
}

export async function noteBudgetTold(
  trx: Db,
  id: string,
  { period, percent }: { period: string; percent: number },
): Promise<void> {
  await trx
    .updateTable('budgets')
    .set({ told_period: period, told_percent: percent })
    .where('id', '=', id)
    .execute()
}

/** What counts against a budget since its period began. */
export async function usedSince(
  db: Db,
  { teamId, userId, projectId }: Pick<StoredBudget, 'teamId' | 'userId' | 'projectId'>,
  start: Date,
): Promise<number> {
  const { rows } = await sql<{ used: number }>`select coalesce(sum(h.microcredits), 0)::bigint as used
    from usage_hours h join meters m on m.id = h.meter_id
    where h.team_id = ${teamId} and h.hour >= ${start}
      ${userId === null ? sql`` : sql`and m.user_id = ${userId}`}
      ${projectId === null ? sql`` : sql`and m.project_id = ${projectId}`}`.execute(db)
  return rows[0]!.used
}

/** The rate that holds at a time: the one that names the most, and of those the newest. Spot falls back to the ordinary. */
export async function findRate(
  db: Db,
  { cluster, machine, isSpot, at }: { cluster: string; machine: string; isSpot: boolean; at: Date },
): Promise<number> {
  const { rows } = await sql<{ rate: number }>`select microcredits_per_hour as rate from rates
    where (cluster = ${cluster} or cluster is null) and machine in (${machine}, '*')
      and (is_spot = false or is_spot = ${isSpot}) and valid_from <= ${at}
    order by machine = '*', cluster is null, is_spot desc, valid_from desc, created_at desc limit 1`.execute(
    db,
  )
  return rows[0]?.rate ?? 0
}
