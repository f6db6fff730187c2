import { type ApiKey, GridError } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId, randomText } from '../lib/ids.ts'
import { hashOf } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { mayHaveKey, membershipsOf } from './actors.ts'
import type { TeamsDeps } from './service.ts'
import { findUser, listKeys, type UserRow } from './store.ts'

export type Keys = ReturnType<typeof createKeys>

/** Enough for every machine of a person, few enough that a leak of key-making code is noticed. */
const keysMax = 100
/** Exactly 40: clients up to 0.22.2 demand it. 36^40 is more than 200 bits. */
const secretLength = 40

export function createKeys({ db, access, clock }: TeamsDeps) {
  async function myKeys(actor: Actor): Promise<ApiKey[]> {
    return listKeys(db, wholly(actor))
  }

  async function createMyKey(actor: Actor, name: string) {
    const userId = wholly(actor)
    if (actor.kind === 'service') {
      throw new GridError('forbidden', 'A service account gets its keys from a team admin')
    }
    if (!mayHaveKey({ organisation_role: actor.organisationRole }, actor.memberships)) {
      throw new GridError('forbidden', 'View-only members have no API key', {
        hint: 'Ask a team admin to make you a member.',
      })
    }
    return db.transaction().execute((trx) => insertKey(trx, actor, userId, name))
  }

  async function revokeMyKey(actor: Actor, keyId: string): Promise<void> {
    await revoke(actor, wholly(actor), keyId)
  }

  /** For the organisation's admins and the operator, who may also bring a secret of their own. */
  async function keysOf(actor: Actor, username: string): Promise<ApiKey[]> {
    await access.proveInOrganisation(actor, 'org:keys')
    return listKeys(db, (await person(username)).id)
  }

  async function createKeyOf(actor: Actor, username: string, name: string, secret?: string) {
    if (actor.kind !== 'operator') {
      await access.proveInOrganisation(actor, 'org:keys')
      // A key made for somebody acts as them; only who can read the disk anyway may have that.
      throw new GridError('forbidden', 'Only the operator of this server makes keys for other people')
    }
    const user = await person(username)
    if (!mayHaveKey(user, await membershipsOf(db, user.id))) {
      throw new GridError('conflict', `${username} is view-only, and view-only members have no API key`, {
        hint: 'Give them another role first.',
      })
    }
    return db.transaction().execute((trx) => insertKey(trx, actor, user.id, name, secret))
  }

  async function revokeKeyOf(actor: Actor, username: string, keyId: string): Promise<void> {
    await access.proveInOrganisation(actor, 'org:keys')
    await revoke(actor, (await person(username)).id, keyId)
  }

  async function insertKey(
    trx: Kysely<Database>,
    actor: Actor,
    userId: string,
    name: string,
    secret = randomText(secretLength),
  ): Promise<ApiKey & { secret: string }> {
    const { count } = await trx
      .selectFrom('api_keys')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('user_id', '=', userId)
      .where('scope', '=', 'user')
      .where('revoked_at', 'is', null)
      .executeTakeFirstOrThrow()
    if (Number(count) >= keysMax) {
      throw new GridError('conflict', `There are ${keysMax} keys already`, {
        hint: 'Revoke one that is not used.',
      })
    }
    const now = clock.now()
    const row = {
      id: newId(),
      user_id: userId,
      name,
      secret_hash: hashOf(secret),
      hint: secret.slice(-4),
      start: startOf(secret),
      created_at: now,
    }
    const inserted = await trx
      .insertInto('api_keys')
      .values(row)
      .onConflict((conflict) => conflict.column('secret_hash').doNothing())
      .executeTakeFirst()
    if (!inserted.numInsertedOrUpdatedRows) {
      throw new GridError('conflict', 'This key is in use, or was; choose another')
    }
    await record(trx, actor, 'key:create', {
      teamId: null,
      kind: 'key',
      id: row.id,
      details: { name, for: userId },
    })
    const { id, hint, start } = row
    return { id, name, hint, start, createdAt: now.toISOString(), lastUsedAt: null, secret }
  }

  /**
   * A key that opens one experiment and nothing else, for the job that works on it. Its holder made the secret; here
   * it is known by its hash alone. It stands in no list of its person's and dies with the job.
   */
  async function insertJobKey(
    trx: Kysely<Database>,
    job: { id: string; userId: string; experimentId: string; name: string; secretHash: string },
  ): Promise<void> {
    await trx
      .insertInto('api_keys')
      .values({
        id: job.id,
        user_id: job.userId,
        name: job.name,
        secret_hash: job.secretHash,
        hint: '',
        scope: `experiment:${job.experimentId}`,
        created_at: clock.now(),
      })
      .execute()
  }

  async function revokeJobKey(trx: Kysely<Database>, id: string): Promise<void> {
    await trx
      .updateTable('api_keys')
      .set({ revoked_at: clock.now() })
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .execute()
  }

  async function revoke(actor: Actor, userId: string, keyId: string): Promise<void> {
    await db.transaction().execute((trx) => revokeIn(trx, actor, userId, keyId))
  }

  async function revokeIn(trx: Kysely<Database>, actor: Actor, userId: string, keyId: string): Promise<void> {
    const gone = await trx
      .updateTable('api_keys')
      .set({ revoked_at: clock.now() })
      .where('id', '=', keyId)
      .where('user_id', '=', userId)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (!gone.numUpdatedRows) throw new GridError('not_found')
    await record(trx, actor, 'key:revoke', { teamId: null, kind: 'key', id: keyId })
  }

  async function person(username: string): Promise<UserRow> {
    const user = await findUser(db, username)
    if (!user) throw new GridError('not_found', `There is no user ${username}`)
    return user
  }

  return {
    myKeys,
    createMyKey,
    revokeMyKey,
    keysOf,
    createKeyOf,
    revokeKeyOf,
    insertKey,
    revoke,
    revokeIn,
    insertJobKey,
    revokeJobKey,
  }
}

/** Its prefix, if it has one, and four characters: 180 bits stay secret. */
function startOf(secret: string): string {
  return secret.slice(0, secret.length - secretLength + 4)
}

/** @throws GridError unauthenticated for who is nobody, such as the operator. */
export function me(actor: Actor): string {
  if (actor.userId === null) {
    throw new GridError(
      'unauthenticated',
      actor.kind === 'operator' ? 'The operator is nobody: name a user' : undefined,
    )
  }
  return actor.userId
}

/**
 * `me`, for what changes one's own access.
 *
 * @throws GridError forbidden for the key of one job: what it is narrowed to, it must not widen.
 */
export function wholly(actor: Actor): string {
  if (actor.scope !== 'user')
    throw new GridError('forbidden', 'The key of one job cannot do this; use a key of your own')
  return me(actor)
}
