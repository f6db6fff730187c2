/** Rows that say who is in a team, and who was. */
import { GridError, type TeamRole } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

/** @throws GridError conflict, for who is in it already. */
export async function insertMembership(
  trx: Kysely<Database>,
  teamId: string,
  userId: string,
  role: TeamRole,
  now: Date,
): Promise<void> {
  const inserted = await trx
    .insertInto('memberships')
    .values({ team_id: teamId, user_id: userId, role, created_at: now })
    .onConflict((conflict) => conflict.columns(['team_id', 'user_id']).doNothing())
    .executeTakeFirst()
  if (!inserted.numInsertedOrUpdatedRows) throw new GridError('conflict', 'They are in this team already')
  await trx.deleteFrom('former_members').where('team_id', '=', teamId).where('user_id', '=', userId).execute()
}

/** Takes the row away and remembers that there was one: nobody logs in the name of somebody who left. */
export async function deleteMembership(
  trx: Kysely<Database>,
  teamId: string,
  userId: string,
  now: Date,
): Promise<void> {
  const gone = await trx
    .deleteFrom('memberships')
    .where('team_id', '=', teamId)
    .where('user_id', '=', userId)
    .returning('role')
    .executeTakeFirst()
  if (!gone) return
  await trx
    .insertInto('former_members')
    .values({ team_id: teamId, user_id: userId, role: gone.role, left_at: now })
    .onConflict((conflict) =>
      conflict.columns(['team_id', 'user_id']).doUpdateSet({ role: gone.role, left_at: now }),
    )
    .execute()
}
