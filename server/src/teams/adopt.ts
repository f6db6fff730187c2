import { GridError } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { claimSlug } from './people.ts'
import { findUserByEmail, findUserById } from './store.ts'

/** Somebody as an export of another server brings them. */
export type AdoptedPerson = {
  id: string
  username: string
  name: string
  email: string | null
  kind: 'person' | 'service'
  disabled_at: string | null
  created_at: string
}

/**
 * Brings somebody over from another server, under the same id. They come without password and keys, and are nobody's
 * admin here; a password link lets them in. Somebody who is here already under that id and name stays as they are.
 *
 * @param options.withTeam whether to make their personal team; false when the import brings it.
 * @param options.withSignIn whether to make the row they sign in by; false when it is there.
 * @throws GridError conflict, when somebody else has the name or the address here.
 */
export async function adoptPerson(
  trx: Kysely<Database>,
  person: AdoptedPerson,
  { withTeam, withSignIn = true }: { withTeam: boolean; withSignIn?: boolean },
): Promise<void> {
  const there = await findUserById(trx, person.id)
  if (there) {
    if (there.username === person.username && there.kind === person.kind) return
    throw new GridError('conflict', `${there.username} has the id of ${person.username} here`)
  }
  await claimSlug(trx, person.username)
  if (person.email !== null && (await findUserByEmail(trx, person.email)))
    throw new GridError('conflict', `Somebody has the e-mail address ${person.email} already`, {
      hint: 'An export belongs into an empty server.',
    })
  await trx.insertInto('users').values(person).execute()
  if (person.kind === 'service') return
  if (withSignIn && person.email !== null)
    await trx
      .insertInto('auth_user')
      .values({ id: person.id, name: person.name, email: person.email.toLowerCase() })
      .execute()
  if (!withTeam) return
  const teamId = newId()
  await trx
    .insertInto('teams')
    .values({
      id: teamId,
      slug: person.username,
      name: person.name,
      kind: 'personal',
      personal_user_id: person.id,
      created_by: person.id,
    })
    .execute()
  await trx.insertInto('memberships').values({ team_id: teamId, user_id: person.id, role: 'admin' }).execute()
  await trx.updateTable('users').set({ default_team_id: teamId }).where('id', '=', person.id).execute()
}
