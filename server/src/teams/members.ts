import { type ApiKey, GridError, type Invitation, type Member, type Team } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { hashOf, newToken } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { type Keys, wholly } from './keys.ts'
import { claimSlug } from './people.ts'
import type { PersonRole, TeamsDeps } from './service.ts'
import { type GuardedTeam, createTeamSettings, presentTeams } from './settings.ts'
import * as store from './store.ts'

export function createMembers(deps: TeamsDeps, keys: Keys) {
  const { db, access, events, clock } = deps
  const { teamGuard } = createTeamSettings(deps)

  async function members(actor: Actor, slug: string): Promise<Member[]> {
    const team = await access.allowed(actor, 'member:read', teamGuard(slug))
    return store.listMembers(db, team.id)
  }

  /** Puts an existing person into a team without asking them: for organisation admins and the operator. */
  async function addMember(actor: Actor, slug: string, username: string, role: PersonRole): Promise<Member> {
    access.allowedInOrganisation(actor, 'org:users')
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    const user = await store.findUser(db, username)
    if (user?.kind !== 'person') throw new GridError('not_found', `There is no person ${username}`)
    await db.transaction().execute(async (trx) => {
      await insertMembership(trx, team.id, user.id, role, clock.now())
      await record(trx, actor, 'member:add', {
        teamId: team.id,
        kind: 'user',
        id: user.id,
        details: { username, role },
      })
    })
    return told(team, user.id)
  }

  async function changeMember(
    actor: Actor,
    slug: string,
    username: string,
    role: PersonRole,
  ): Promise<Member> {
    const team = await access.allowed(actor, 'member:edit', teamGuard(slug))
    const member = await getMember(team, username)
    if (member.kind === 'service') throw new GridError('invalid', 'A service account keeps its role')
    await db.transaction().execute(async (trx) => {
      if (member.role === 'admin' && role !== 'admin') await refuseIfLastAdmin(trx, team, member)
      await trx
        .updateTable('memberships')
        .set({ role })
        .where('team_id', '=', team.id)
        .where('user_id', '=', member.userId)
        .execute()
      // A link made as an admin would bring them back as one, under another name.
      if (member.role === 'admin' || role === 'viewer')
        await withdrawInvitations(trx, member.userId, clock.now(), team.id)
      await record(trx, actor, 'member:edit', {
        teamId: team.id,
        kind: 'user',
        id: member.userId,
        details: { username: member.username, from: member.role, to: role },
      })
    })
    return told(team, member.userId)
  }

  /** Takes somebody out, or leaves. What they made stays; every way in ends with the membership. */
  async function removeMember(actor: Actor, slug: string, username: string): Promise<void> {
    const isSelf = actor.username.toLowerCase() === username.toLowerCase()
    const team = await access.allowed(actor, isSelf ? 'team:leave' : 'member:remove', teamGuard(slug))
    const member = await getMember(team, username)
    await db.transaction().execute(async (trx) => {
      if (member.role === 'admin') await refuseIfLastAdmin(trx, team, member)
      await trx
        .deleteFrom('memberships')
        .where('team_id', '=', team.id)
        .where('user_id', '=', member.userId)
        .execute()
      if (member.kind === 'service') {
        // A service account belongs to one team: without it, nothing of it may work.
        await trx
          .updateTable('api_keys')
          .set({ revoked_at: clock.now() })
          .where('user_id', '=', member.userId)
          .where('revoked_at', 'is', null)
          .execute()
        await trx
          .updateTable('users')
          .set({ disabled_at: clock.now() })
          .where('id', '=', member.userId)
          .execute()
      }
      // Invitations that the removed person made must not let them back in.
      await withdrawInvitations(trx, member.userId, clock.now(), team.id)
      await record(trx, actor, isSelf ? 'team:leave' : 'member:remove', {
        teamId: team.id,
        kind: 'user',
        id: member.userId,
        details: { username: member.username },
      })
    })
    events.publish({ type: 'team.changed', teamId: team.id })
  }

  async function listInvitations(actor: Actor, slug: string): Promise<Invitation[]> {
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    return store.listInvitations(db, team.id, clock.now())
  }

  async function invite(
    actor: Actor,
    slug: string,
    input: { email?: string; role: PersonRole; expiresInDays: number },
  ): Promise<Invitation & { url: string }> {
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    if (input.role === 'admin') await access.allowed(actor, 'member:edit', team)
    const id = newId()
    const token = newToken()
    const now = clock.now()
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('invitations')
        .values({
          id,
          team_id: team.id,
          token_hash: hashOf(token),
          email: input.email ?? null,
          role: input.role,
          created_by: actor.userId,
          created_at: now,
          expires_at: new Date(now.getTime() + input.expiresInDays * 24 * 60 * 60 * 1000),
        })
        .execute()
      await record(trx, actor, 'member:invite', {
        teamId: team.id,
        kind: 'invitation',
        id,
        details: { email: input.email ?? null, role: input.role },
      })
    })
    const invitation = (await store.listInvitations(db, team.id, now)).find((each) => each.id === id)!
    return { ...invitation, url: `${actor.origin}/invite/${token}` }
  }

  async function revokeInvitation(actor: Actor, slug: string, invitationId: string): Promise<void> {
    const team = await teamGuard(slug)
    const invitation = await db
      .selectFrom('invitations')
      .select(['id', 'created_by'])
      .where('id', '=', invitationId)
      .where('team_id', '=', team?.id ?? null)
      .executeTakeFirst()
    await access.allowed(
      actor,
      'invite:revoke',
      team && invitation && { ...team, kind: 'invitation', ownerId: invitation.created_by },
    )
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('invitations')
        .set({ revoked_at: clock.now() })
        .where('id', '=', invitationId)
        .where('accepted_at', 'is', null)
        .where('revoked_at', 'is', null)
        .execute()
      await record(trx, actor, 'invite:revoke', { teamId: team!.id, kind: 'invitation', id: invitationId })
    })
  }

  async function getInvitation(token: string) {
    const found = await findOpenInvitation(db, token, clock.now())
    const by = found.created_by ? await store.findUserById(db, found.created_by) : undefined
    return {
      team: found.slug,
      teamName: found.team_name,
      role: found.role,
      invitedBy: by ? { username: by.username, name: by.name } : null,
      email: found.email,
      expiresAt: found.expires_at.toISOString(),
    }
  }

  async function accept(actor: Actor, token: string): Promise<Team> {
    const userId = wholly(actor)
    if (actor.kind !== 'person') throw new GridError('forbidden', 'Only people accept invitations')
    const user = (await store.findUserById(db, userId))!
    const teamId = await db.transaction().execute(async (trx) => {
      const invitation = await findOpenInvitation(trx, token, clock.now())
      if (invitation.email && invitation.email.toLowerCase() !== user.email?.toLowerCase()) {
        throw new GridError(
          'forbidden',
          `This invitation is for ${invitation.email}, and you are ${user.username}`,
          {
            hint: 'Sign out and open the link again.',
          },
        )
      }
      await acceptInvitation(trx, invitation, userId, clock.now())
      await record(trx, actor, 'member:join', {
        teamId: invitation.team_id,
        kind: 'user',
        id: userId,
        details: { role: invitation.role },
      })
      return invitation.team_id
    })
    events.publish({ type: 'team.changed', teamId })
    const [team] = await presentTeams(db, [teamId], userId)
    return team!
  }

  async function createServiceAccount(
    actor: Actor,
    slug: string,
    input: { username: string; name?: string },
  ) {
    const team = await access.allowed(actor, 'service:create', teamGuard(slug))
    if (team.teamKind === 'personal')
      throw new GridError('invalid', 'A personal team has no service accounts')
    const id = newId()
    const key = await db.transaction().execute(async (trx) => {
      await claimSlug(trx, input.username)
      await trx
        .insertInto('users')
        .values({
          id,
          username: input.username,
          name: input.name?.trim() || input.username,
          email: null,
          kind: 'service',
          default_team_id: team.id,
          created_at: clock.now(),
        })
        .execute()
      await trx
        .insertInto('memberships')
        .values({ team_id: team.id, user_id: id, role: 'service', created_at: clock.now() })
        .execute()
      await record(trx, actor, 'service:create', {
        teamId: team.id,
        kind: 'user',
        id,
        details: { username: input.username },
      })
      return keys.insertKey(trx, actor, id, 'First key')
    })
    return { member: await told(team, id), key }
  }

  async function serviceKeys(actor: Actor, slug: string, username: string): Promise<ApiKey[]> {
    return store.listKeys(db, (await serviceAccount(actor, slug, username)).userId)
  }

  async function createServiceKey(actor: Actor, slug: string, username: string, name: string) {
    const member = await serviceAccount(actor, slug, username)
    return db.transaction().execute((trx) => keys.insertKey(trx, actor, member.userId, name))
  }

  async function revokeServiceKey(
    actor: Actor,
    slug: string,
    username: string,
    keyId: string,
  ): Promise<void> {
    await keys.revoke(actor, (await serviceAccount(actor, slug, username)).userId, keyId)
  }

  // --- helpers ---

  async function serviceAccount(actor: Actor, slug: string, username: string): Promise<Member> {
    const team = await access.allowed(actor, 'service:create', teamGuard(slug))
    const member = await getMember(team, username)
    if (member.kind !== 'service') throw new GridError('not_found', `${username} is not a service account`)
    return member
  }

  async function getMember(team: GuardedTeam, username: string): Promise<Member> {
    const found = (await store.listMembers(db, team.id)).find(
      (member) => member.username.toLowerCase() === username.toLowerCase(),
    )
    if (!found) throw new GridError('not_found', `${username} is not in team ${team.slug}`)
    return found
  }

  async function told(team: GuardedTeam, userId: string): Promise<Member> {
    events.publish({ type: 'team.changed', teamId: team.id })
    return (await store.listMembers(db, team.id)).find((member) => member.userId === userId)!
  }

  /** The row lock makes two admins who leave at once wait for each other. */
  async function refuseIfLastAdmin(trx: Kysely<Database>, team: GuardedTeam, member: Member): Promise<void> {
    const admins = await trx
      .selectFrom('memberships')
      .select('user_id')
      .where('team_id', '=', team.id)
      .where('role', '=', 'admin')
      .forUpdate()
      .execute()
    if (admins.every((admin) => admin.user_id === member.userId)) {
      throw new GridError(
        'conflict',
        `${member.username} is the last admin of ${team.slug}; make somebody else admin first`,
      )
    }
  }

  return {
    members,
    addMember,
    changeMember,
    removeMember,
    listInvitations,
    invite,
    revokeInvitation,
    getInvitation,
    accept,
    createServiceAccount,
    serviceKeys,
    createServiceKey,
    revokeServiceKey,
  }
}

type OpenInvitation = Awaited<ReturnType<typeof findOpenInvitation>>

/** @throws GridError not_found with the reason: who has the link may know what became of it. */
export async function findOpenInvitation(db: Kysely<Database>, token: string, now: Date) {
  const found = await db
    .selectFrom('invitations')
    .innerJoin('teams', 'teams.id', 'invitations.team_id')
    .selectAll('invitations')
    .select(['teams.slug', 'teams.name as team_name'])
    .where('token_hash', '=', hashOf(token))
    .executeTakeFirst()
  const problem = !found
    ? 'This invitation does not exist'
    : found.accepted_at
      ? 'This invitation was used already'
      : found.revoked_at
        ? 'This invitation was withdrawn'
        : found.expires_at <= now
          ? 'This invitation has expired'
          : undefined
  if (!found || problem) throw new GridError('not_found', problem, { hint: 'Ask for a new one.' })
  return found
}

/** Ends the open links that somebody made: to one team, or to all. */
export async function withdrawInvitations(
  trx: Kysely<Database>,
  userId: string,
  now: Date,
  teamId?: string,
): Promise<void> {
  let query = trx
    .updateTable('invitations')
    .set({ revoked_at: now })
    .where('created_by', '=', userId)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
  if (teamId !== undefined) query = query.where('team_id', '=', teamId)
  await query.execute()
}

/** Joins, with the higher of the old and the new role, and makes this the place for new work. */
export async function acceptInvitation(
  trx: Kysely<Database>,
  invitation: OpenInvitation,
  userId: string,
  now: Date,
): Promise<void> {
  const used = await trx
    .updateTable('invitations')
    .set({ accepted_at: now, accepted_by: userId })
    .where('id', '=', invitation.id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  if (!used.numUpdatedRows) throw new GridError('not_found', 'This invitation was used already')
  await insertMembership(trx, invitation.team_id, userId, invitation.role, now)
  if (invitation.role !== 'viewer') {
    await trx
      .updateTable('users')
      .set({ default_team_id: invitation.team_id })
      .where('id', '=', userId)
      .execute()
  }
}

async function insertMembership(
  trx: Kysely<Database>,
  teamId: string,
  userId: string,
  role: PersonRole,
  now: Date,
): Promise<void> {
  const inserted = await trx
    .insertInto('memberships')
    .values({ team_id: teamId, user_id: userId, role, created_at: now })
    .onConflict((conflict) => conflict.columns(['team_id', 'user_id']).doNothing())
    .executeTakeFirst()
  if (!inserted.numInsertedOrUpdatedRows) throw new GridError('conflict', 'They are in this team already')
}
