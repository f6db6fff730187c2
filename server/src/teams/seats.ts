/** Seats: how many people work here. Without a limit, which is the default, this only counts. */
import { GridError } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

/**
 * People who may work. Who is view-only in every team they were put into needs no seat; nor do service accounts and
 * disabled people.
 */
const usesSeat = sql<boolean>`
  u.kind = 'person' and u.disabled_at is null and (
    exists (select 1 from memberships m join teams t on t.id = m.team_id
            where m.user_id = u.id and t.kind = 'team' and m.role <> 'viewer')
    or not exists (select 1 from memberships m join teams t on t.id = m.team_id
                   where m.user_id = u.id and t.kind = 'team'))`

export async function countSeats(
  db: Kysely<Database>,
): Promise<{ used: number; viewOnly: number; serviceAccounts: number }> {
  const { rows } = await sql<{ used: string; view_only: string; services: string }>`
    select count(*) filter (where ${usesSeat}) as used,
      count(*) filter (where u.kind = 'person' and u.disabled_at is null and not (${usesSeat})) as view_only,
      count(*) filter (where u.kind = 'service' and u.disabled_at is null) as services
    from users u`.execute(db)
  const row = rows[0]!
  return { used: Number(row.used), viewOnly: Number(row.view_only), serviceAccounts: Number(row.services) }
}

/**
 * Does something that may need another seat, in the caller's transaction.
 *
 * @throws GridError conflict, when it would need more than there are; lowering the limit below what is used takes
 *   nobody's seat.
 */
export async function withinSeats<Result>(
  trx: Kysely<Database>,
  act: () => Promise<Result>,
): Promise<Result> {
  const { seats_max: max } = await trx.selectFrom('instance').select('seats_max').executeTakeFirstOrThrow()
  if (max === null) return act()
  // Two who join at once must not both take the last one.
  await sql`select pg_advisory_xact_lock(hashtext('seats'))`.execute(trx)
  const before = await countSeats(trx)
  const result = await act()
  const after = await countSeats(trx)
  if (after.used > before.used && after.used > max) {
    throw new GridError('conflict', `All ${max} seats of the organisation are in use`, {
      hint: 'Ask an organisation admin to add seats, or join as view-only, which needs none.',
    })
  }
  return result
}
