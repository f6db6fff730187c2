import { GridError, type Me, type OrganisationRole, type User } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { hashOf, newToken, sameSecret } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { type Keys, me, wholly } from './keys.ts'
import { acceptInvitation, findOpenInvitation, withdrawInvitations } from './invitations.ts'
import { withinSeats } from './seats.ts'
import type { TeamsDeps } from './service.ts'
import { presentTeams } from './settings.ts'
import {
  findTeam,
  findUser,
  findUserByEmail,
  findUserById,
  isSlugTaken,
  listUsers,
  userOf,
  type UserRow,
} from './store.ts'

export type NewPerson = { username: string; name?: string; email: string; password?: string }

/** Words that stand first in a url of ours or of the client, so no team or person may be called so. */
export const reservedSlugs = new Set(
  (
    'admin api artifacts artifactsv2 assets authorize blobs docs files graphql home invite live login logout me new ' +
    'oidc operator ready register reset-password runs sdk settings setup signup static subscriptions sweeps teams usage users ' +
    'anonymous uncategorized favicon.ico robots.txt'
  ).split(' '),
)

export function createPeople(deps: TeamsDeps, keys: Keys) {
  const { db, access, identity, clock } = deps

  async function about(origin: string, version: string) {
    const row = await instanceRow()
    return {
      organisation: row.organisation_name,
      version,
      url: origin,
      setupNeeded: row.setup_token_hash !== null,
      signUpOpen: row.sign_up_open,
      signIn: await identity.signIn(),
    }
  }

  /** A fresh one-time link for the first person; undefined once there is one. Only its hash is kept. */
  async function newSetupToken(): Promise<string | undefined> {
    const token = newToken()
    const changed = await db
      .updateTable('instance')
      .set({ setup_token_hash: hashOf(token) })
      .where('setup_token_hash', 'is not', null)
      .executeTakeFirst()
    return changed.numUpdatedRows ? token : undefined
  }

  async function setUp(actor: Actor, input: NewPerson & { token: string; password: string }): Promise<User> {
    // Before the slow hash, which strangers could otherwise make us compute for nothing; and again under the lock.
    refuseSetup((await instanceRow()).setup_token_hash, input.token)
    const person = await prepare(input)
    return db.transaction().execute(async (trx) => {
      const row = await trx
        .selectFrom('instance')
        .select('setup_token_hash')
        .forUpdate()
        .executeTakeFirstOrThrow()
      refuseSetup(row.setup_token_hash, input.token)
      const user = await insertPerson(trx, actor, person, 'admin')
      await trx.updateTable('instance').set({ setup_token_hash: null }).execute()
      return userOf(user)
    })
  }

  function refuseSetup(expectedHash: string | null, token: string): void {
    if (expectedHash === null) {
      throw new GridError('conflict', 'This server has its first admin already', {
        hint: 'Sign in, or ask them to invite you.',
      })
    }
    if (!sameSecret(hashOf(token), expectedHash)) {
      throw new GridError('not_found', 'This link is not valid any more', {
        hint: 'Every start of the server prints a new one until it is used.',
      })
    }
  }

  async function signUp(
    actor: Actor,
    input: NewPerson & { invitation?: string; password: string },
  ): Promise<User> {
    const row = await instanceRow()
    if (!input.invitation && !row.sign_up_open) {
      throw new GridError('forbidden', 'This server takes new people by invitation only', {
        hint: 'Ask a team admin for an invitation link.',
      })
    }
    // As above: a made-up invitation costs a look-up and no more.
    if (input.invitation) await findOpenInvitation(db, input.invitation, clock.now())
    const person = await prepare(input)
    return db.transaction().execute(async (trx) => {
      const invitation = input.invitation
        ? await findOpenInvitation(trx, input.invitation, clock.now())
        : undefined
      if (invitation?.email && invitation.email.toLowerCase() !== input.email.toLowerCase()) {
        throw new GridError('forbidden', `This invitation is for ${invitation.email}`)
      }
      if (invitation?.user_id) {
        throw new GridError('forbidden', 'This invitation is for somebody who has an account already', {
          hint: 'Sign in with that account and open the link again.',
        })
      }
      const user = await withinSeats(trx, async () => {
        const made = await insertPerson(trx, actor, person, 'member')
        if (invitation) await acceptInvitation(trx, invitation, made.id, clock.now())
        return made
      })
      return userOf(user)
    })
  }

  async function changeInstance(
    actor: Actor,
    input: { organisation?: string; signUpOpen?: boolean },
  ): Promise<void> {
    await access.proveInOrganisation(actor, 'org:settings')
    await db.transaction().execute(async (trx) => {
      if (input.organisation !== undefined || input.signUpOpen !== undefined) {
        await trx
          .updateTable('instance')
          .set({
            ...(input.organisation === undefined ? {} : { organisation_name: input.organisation }),
            ...(input.signUpOpen === undefined ? {} : { sign_up_open: input.signUpOpen }),
          })
          .execute()
      }
      await record(trx, actor, 'org:settings', {
        teamId: null,
        kind: 'organisation',
        id: 'organisation',
        details: input,
      })
    })
  }

  async function createUser(
    actor: Actor,
    input: NewPerson & { apiKey?: string; admin: boolean },
  ): Promise<User> {
    await access.proveInOrganisation(actor, 'org:users')
    if (input.apiKey !== undefined && actor.kind !== 'operator') {
      throw new GridError('forbidden', 'Only the operator of this server makes keys for other people')
    }
    const person = await prepare(input)
    return db.transaction().execute(async (trx) => {
      const user = await withinSeats(trx, () =>
        insertPerson(trx, actor, person, input.admin ? 'admin' : 'member'),
      )
      if (input.apiKey !== undefined) await keys.insertKey(trx, actor, user.id, 'API key', input.apiKey)
      // A server set up by automation has its first admin; the one-time link must not make a second.
      if (input.admin) await trx.updateTable('instance').set({ setup_token_hash: null }).execute()
      return userOf(user)
    })
  }

  async function listPeople(actor: Actor, input: { search?: string; limit: number; cursor?: string }) {
    await access.proveInOrganisation(actor, 'org:users')
    const rows = await listUsers(db, {
      limit: input.limit + 1,
      ...(input.search ? { search: input.search } : {}),
      ...(input.cursor ? { after: input.cursor } : {}),
    })
    const items = rows.slice(0, input.limit).map(userOf)
    return { items, nextCursor: rows.length > input.limit ? items.at(-1)!.username : null }
  }

  async function changeUser(
    actor: Actor,
    username: string,
    change: { name?: string; organisationRole?: OrganisationRole; disabled?: boolean; password?: string },
  ): Promise<User> {
    await access.proveInOrganisation(actor, 'org:users')
    if (change.password !== undefined && actor.kind !== 'operator') {
      throw new GridError('forbidden', 'Only the operator of this server sets passwords', {
        hint: 'Make a password reset link and hand it over.',
      })
    }
    const hash = change.password === undefined ? undefined : await identity.hashPassword(change.password)
    return db.transaction().execute(async (trx) => {
      const user = await findUser(trx, username)
      if (!user) throw new GridError('not_found', `There is no user ${username}`)
      const demoted = change.disabled === true || (change.organisationRole ?? 'admin') !== 'admin'
      if (user.kind !== 'person' && (change.organisationRole ?? 'member') !== 'member')
        throw new GridError('invalid', 'A service account has no role in the organisation')
      if (user.organisation_role === 'admin' && demoted) await refuseIfLastAdmin(trx, user.id)
      // Their open links would bring them back, under another name.
      if (change.disabled || (user.organisation_role === 'admin' && demoted))
        await withdrawInvitations(trx, user.id, clock.now())
      await trx
        .updateTable('users')
        .set({
          name: change.name ?? user.name,
          organisation_role: change.organisationRole ?? user.organisation_role,
          disabled_at:
            change.disabled === undefined
              ? user.disabled_at
              : change.disabled
                ? (user.disabled_at ?? clock.now())
                : null,
        })
        .where('id', '=', user.id)
        .execute()
      if (hash !== undefined) await setPassword(trx, user, hash)
      if (change.disabled || hash !== undefined) await identity.endSessions(trx, user.id)
      const { password: _, ...shown } = change
      await record(trx, actor, 'user:change', { teamId: null, kind: 'user', id: user.id, details: shown })
      return userOf((await findUserById(trx, user.id))!)
    })
  }

  async function resetPassword(actor: Actor, username: string) {
    await access.proveInOrganisation(actor, 'org:users')
    const user = await findUser(db, username)
    if (!user || user.kind !== 'person') throw new GridError('not_found', `There is no person ${username}`)
    const { token, expiresAt } = await identity.makeResetToken(user.id)
    await record(db, actor, 'user:reset-password', { teamId: null, kind: 'user', id: user.id })
    return { url: `${actor.origin}/reset-password?token=${token}`, expiresAt: expiresAt.toISOString() }
  }

  async function getMe(actor: Actor): Promise<Me> {
    const user = await findUserById(db, me(actor))
    if (!user) throw new GridError('unauthenticated')
    const teams = await presentTeams(
      db,
      [...actor.memberships.keys()],
      actor.userId,
      await access.policyLocks(),
    )
    const before = teams.find((team) => team.id === user.default_team_before_id)
    const now = teams.find((team) => team.id === user.default_team_id)
    return {
      user: userOf(user),
      defaultTeam: teams.find((team) => team.id === actor.defaultTeamId)?.slug ?? '',
      defaultTeamSwitch:
        before && now && before !== now && user.default_team_switched_at
          ? { from: before.slug, to: now.slug, at: user.default_team_switched_at.toISOString() }
          : null,
      teams,
      via: actor.via.startsWith('key:') ? 'key' : 'cookie',
    }
  }

  async function changeMe(actor: Actor, change: { name?: string; defaultTeam?: string }): Promise<Me> {
    const userId = wholly(actor)
    let teamId = actor.defaultTeamId
    if (change.defaultTeam !== undefined) {
      const team = await findTeam(db, change.defaultTeam)
      if (!team || !actor.memberships.has(team.id)) {
        throw new GridError('not_found', `You are in no team ${change.defaultTeam}`)
      }
      teamId = team.id
    }
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('users')
        .set({
          default_team_id: teamId,
          ...(change.defaultTeam === undefined
            ? {}
            : { default_team_before_id: null, default_team_switched_at: null }),
          ...(change.name === undefined ? {} : { name: change.name }),
        })
        .where('id', '=', userId)
        .execute()
      if (change.name !== undefined) {
        await trx.updateTable('auth_user').set({ name: change.name }).where('id', '=', userId).execute()
      }
      if (Object.keys(change).length > 0)
        await record(trx, actor, 'user:change', { teamId: null, kind: 'user', id: userId, details: change })
    })
    return getMe({ ...actor, defaultTeamId: teamId })
  }

  // --- helpers ---

  async function instanceRow() {
    return db.selectFrom('instance').selectAll().executeTakeFirstOrThrow()
  }

  /** The slow hash is made before the transaction begins. */
  async function prepare(input: NewPerson) {
    return {
      ...input,
      passwordHash: input.password === undefined ? null : await identity.hashPassword(input.password),
    }
  }

  async function insertPerson(
    trx: Kysely<Database>,
    actor: Actor,
    input: NewPerson & { passwordHash: string | null },
    organisationRole: OrganisationRole,
  ): Promise<UserRow> {
    await claimSlug(trx, input.username)
    if (await findUserByEmail(trx, input.email)) {
      throw new GridError('conflict', `Somebody has the e-mail address ${input.email} already`)
    }
    const id = newId()
    const teamId = newId()
    const now = clock.now()
    const name = input.name?.trim() || input.username
    await trx.insertInto('auth_user').values({ id, name, email: input.email.toLowerCase() }).execute()
    if (input.passwordHash !== null) await insertPassword(trx, id, input.passwordHash)
    await trx
      .insertInto('users')
      .values({
        id,
        username: input.username,
        name,
        email: input.email,
        organisation_role: organisationRole,
        created_at: now,
      })
      .execute()
    await trx
      .insertInto('teams')
      .values({
        id: teamId,
        slug: input.username,
        name,
        kind: 'personal',
        personal_user_id: id,
        created_by: id,
        created_at: now,
      })
      .execute()
    await trx
      .insertInto('memberships')
      .values({ team_id: teamId, user_id: id, role: 'admin', created_at: now })
      .execute()
    await trx.updateTable('users').set({ default_team_id: teamId }).where('id', '=', id).execute()
    await record(trx, actor.userId ? actor : { ...actor, userId: id }, 'user:create', {
      teamId: null,
      kind: 'user',
      id,
      details: { username: input.username },
    })
    return (await findUserById(trx, id))!
  }

  async function insertPassword(trx: Kysely<Database>, userId: string, hash: string): Promise<void> {
    await trx
      .insertInto('auth_account')
      .values({ id: newId(), user_id: userId, account_id: userId, provider_id: 'credential', password: hash })
      .execute()
  }

  async function setPassword(trx: Kysely<Database>, user: UserRow, hash: string): Promise<void> {
    if (user.kind !== 'person') throw new GridError('invalid', 'A service account has no password')
    await trx
      .deleteFrom('auth_account')
      .where('user_id', '=', user.id)
      .where('provider_id', '=', 'credential')
      .execute()
    await insertPassword(trx, user.id, hash)
  }

  async function refuseIfLastAdmin(trx: Kysely<Database>, userId: string): Promise<void> {
    const others = await trx
      .selectFrom('users')
      .select('id')
      .where('organisation_role', '=', 'admin')
      .where('disabled_at', 'is', null)
      .where('id', '!=', userId)
      .forUpdate()
      .execute()
    if (others.length === 0)
      throw new GridError('conflict', 'The organisation needs an admin; make somebody else one first')
  }

  return {
    about,
    newSetupToken,
    setUp,
    signUp,
    changeInstance,
    createUser,
    listPeople,
    changeUser,
    resetPassword,
    getMe,
    changeMe,
  }
}

/** Usernames and team slugs share one name space; two requests for one name are told apart by a lock. */
export async function claimSlug(trx: Kysely<Database>, slug: string): Promise<void> {
  if (reservedSlugs.has(slug.toLowerCase()))
    throw new GridError('conflict', `"${slug}" is a reserved name; choose another`)
  await sql`select pg_advisory_xact_lock(hashtext('slug:' || lower(${slug})))`.execute(trx)
  if (await isSlugTaken(trx, slug))
    throw new GridError('conflict', `The name "${slug}" is taken; choose another`)
}
