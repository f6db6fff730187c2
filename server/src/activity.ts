import type { Kysely } from 'kysely'
import type { Actor } from './actor.ts'
import { newId } from './lib/ids.ts'
import type { Database } from './stores/postgres/schema.ts'

/** Writes who did what, in the same transaction as the act, so that neither exists without the other. */
export async function record(
  trx: Kysely<Database>,
  actor: Actor,
  action: string,
  subject: { teamId: string | null; kind: string; id: string; details?: object },
): Promise<void> {
  await trx
    .insertInto('activity')
    .values({
      id: newId(),
      team_id: subject.teamId,
      actor_user_id: actor.userId,
      via: actor.via,
      action,
      subject_kind: subject.kind,
      subject_id: subject.id,
      details: JSON.stringify({
        ...subject.details,
        ...(actor.attributedTo ? { for: actor.attributedTo.username } : {}),
      }),
    })
    .execute()
}
