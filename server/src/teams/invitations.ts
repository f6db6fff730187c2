/** Invitations: by link, to an address, or to an account; they expire, can be withdrawn and sent again. */
import { GridError, type Invitation, type MyInvitation, type NewInvitation, type Team } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { hashOf, newToken } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { invitationMail } from './invitation-mail.ts'
import { me, wholly } from './keys.ts'
import { insertMembership } from './memberships.ts'
import { withinSeats } from './seats.ts'
import type { PersonRole, TeamsDeps } from './service.ts'
import { type GuardedTeam, createTeamSettings, presentTeams } from './settings.ts'
import * as store from './store.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Of one team at once; more is a mailing list. */
const openMax = 500

type NewInvite = {
  email?: string
  username?: string
  role: PersonRole
  expiresInDays: number
}

export function createInvitations(deps: TeamsDeps) {
  const { db, access, events, clock, mail } = deps
  const { teamGuard } = createTeamSettings(deps)

  async function listInvitations(actor: Actor, slug: string): Promise<Invitation[]> {
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    return store.listInvitations(db, { teamId: team.id, now: clock.now() })
  }

  async function invite(actor: Actor, slug: string, input: NewInvite): Promise<NewInvitation> {
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    if (input.role === 'admin') await access.allowed(actor, 'member:edit', team)
    const { email, userId } = await addressee(team, input)
    const id = newId()
    const token = newToken()
    const now = clock.now()
    const expiresAt = new Date(now.getTime() + input.expiresInDays * dayMs)
    const state = await db.transaction().execute(async (trx) => {
      await refuseSecond(trx, team, { email, userId })
      await trx
        .insertInto('invitations')
        .values({
          id,
          team_id: team.id,
          token_hash: hashOf(token),
          email,
          user_id: userId,
          role: input.role,
          created_by: actor.userId,
          created_at: now,
          expires_at: expiresAt,
        })
        .execute()
      await record(trx, actor, 'member:invite', {
        teamId: team.id,
        kind: 'invitation',
        id,
        details: { email, username: input.username ?? null, role: input.role },
      })
      return send(trx, actor, team, { id, email, userId, role: input.role, expiresAt }, token)
    })
    return told(actor, team, id, token, state)
  }

  /** A new link and a new term; the old link ends, so that a letter gone astray opens nothing. */
  async function resendInvitation(actor: Actor, slug: string, invitationId: string): Promise<NewInvitation> {
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    const token = newToken()
    const now = clock.now()
    const state = await db.transaction().execute(async (trx) => {
      const found = await trx
        .selectFrom('invitations')
        .selectAll()
        .where('id', '=', invitationId)
        .where('team_id', '=', team.id)
        .forUpdate()
        .executeTakeFirst()
      if (!found) throw new GridError('not_found')
      if (found.role === 'admin') await access.allowed(actor, 'member:edit', team)
      if (found.accepted_at) throw new GridError('conflict', 'This invitation was used already')
      if (found.revoked_at) throw new GridError('conflict', 'This invitation was withdrawn; make a new one')
      const term = Math.max(dayMs, found.expires_at.getTime() - found.created_at.getTime())
      const expiresAt = new Date(now.getTime() + Math.min(term, 90 * dayMs))
      await trx
        .updateTable('invitations')
        .set({ token_hash: hashOf(token), expires_at: expiresAt })
        .where('id', '=', invitationId)
        .execute()
      await record(trx, actor, 'invite:resend', { teamId: team.id, kind: 'invitation', id: invitationId })
      const { id, email, user_id: userId, role } = found
      return send(trx, actor, team, { id, email, userId, role, expiresAt }, token)
    })
    return told(actor, team, invitationId, token, state)
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
      await withdraw(trx, invitationId)
      await record(trx, actor, 'invite:revoke', { teamId: team!.id, kind: 'invitation', id: invitationId })
    })
    events.publish({ type: 'team.changed', teamId: team!.id })
  }

  async function getInvitation(actor: Actor, token: string) {
    const found = await findOpenInvitation(db, token, clock.now())
    const by = found.created_by ? await store.findUserById(db, found.created_by) : undefined
    const named = found.user_id ? await store.findUserById(db, found.user_id) : undefined
    const user = actor.userId === null ? undefined : await store.findUserById(db, actor.userId)
    return {
      team: found.slug,
      teamName: found.team_name,
      role: found.role,
      invitedBy: by ? { username: by.username, name: by.name } : null,
      email: found.email,
      username: named?.username ?? null,
      expiresAt: found.expires_at.toISOString(),
      fits: user ? isFor(found, user) : null,
    }
  }

  async function accept(actor: Actor, token: string): Promise<Team> {
    return join(actor, (trx) => findOpenInvitation(trx, token, clock.now()))
  }

  /** Invitations to the caller that wait, whether they name the account or its address. */
  async function myInvitations(actor: Actor): Promise<MyInvitation[]> {
    const user = await store.findUserById(db, me(actor))
    if (user?.kind !== 'person') return []
    const open = await store.openInvitationsFor(db, user, clock.now())
    return open.map((row) => ({
      id: row.id,
      team: row.slug,
      teamName: row.team_name,
      role: row.role,
      invitedBy: row.by_username === null ? null : { username: row.by_username, name: row.by_name! },
      expiresAt: row.expires_at.toISOString(),
    }))
  }

  async function acceptMine(actor: Actor, invitationId: string): Promise<Team> {
    return join(actor, (trx) => mine(trx, actor, invitationId))
  }

  async function declineMine(actor: Actor, invitationId: string): Promise<void> {
    wholly(actor)
    const teamId = await db.transaction().execute(async (trx) => {
      const { id, team_id } = await mine(trx, actor, invitationId)
      await withdraw(trx, id)
      await record(trx, actor, 'invite:decline', { teamId: team_id, kind: 'invitation', id })
      return team_id
    })
    events.publish({ type: 'team.changed', teamId })
  }

  // --- helpers ---

  async function join(actor: Actor, find: (trx: Kysely<Database>) => Promise<OpenInvitation>): Promise<Team> {
    const userId = wholly(actor)
    if (actor.kind !== 'person') throw new GridError('forbidden', 'Only people accept invitations')
    const user = (await store.findUserById(db, userId))!
    const teamId = await db.transaction().execute(async (trx) => {
      const invitation = await find(trx)
      if (!isFor(invitation, user)) throw await notFor(trx, invitation, user.username)
      await withinSeats(trx, () => acceptInvitation(trx, invitation, userId, clock.now()))
      await record(trx, actor, 'member:join', {
        teamId: invitation.team_id,
        kind: 'user',
        id: userId,
        details: { role: invitation.role },
      })
      return invitation.team_id
    })
    events.publish({ type: 'team.changed', teamId })
    const [team] = await presentTeams(db, [teamId], userId, await access.policyLocks())
    return team!
  }

  async function mine(trx: Kysely<Database>, actor: Actor, invitationId: string): Promise<OpenInvitation> {
    const user = (await store.findUserById(trx, me(actor)))!
    const open = await store.openInvitationsFor(trx, user, clock.now())
    const found = open.find((each) => each.id === invitationId)
    if (!found) throw new GridError('not_found', 'There is no such invitation, or it was withdrawn')
    return found
  }

  /** Whom it is for: an address, an account, or (neither) whoever has the link. */
  async function addressee(
    team: GuardedTeam,
    { email, username }: NewInvite,
  ): Promise<{ email: string | null; userId: string | null }> {
    if (email !== undefined && username !== undefined)
      throw new GridError('invalid', 'Give an e-mail address or a username, not both')
    if (email === undefined && username === undefined) return { email: null, userId: null }
    const user =
      username === undefined ? await store.findUserByEmail(db, email!) : await store.findUser(db, username)
    if (username !== undefined && (user?.kind !== 'person' || user.disabled_at)) {
      throw new GridError('not_found', `There is no account ${username}`, {
        hint: 'Invite them by their e-mail address: the link lets them make an account.',
      })
    }
    if (!user) return { email: email!, userId: null }
    const role = await db
      .selectFrom('memberships')
      .select('role')
      .where('team_id', '=', team.id)
      .where('user_id', '=', user.id)
      .executeTakeFirst()
    if (role) throw new GridError('conflict', `${user.username} is in ${team.slug} already`)
    return { email: username === undefined ? email! : null, userId: user.id }
  }

  async function refuseSecond(
    trx: Kysely<Database>,
    team: GuardedTeam,
    { email, userId }: { email: string | null; userId: string | null },
  ): Promise<void> {
    const open = (await store.listInvitations(trx, { teamId: team.id, now: clock.now() })).filter(
      (each) => each.state === 'pending',
    )
    if (open.length >= openMax)
      throw new GridError('conflict', `There are ${openMax} open invitations already; revoke some first`)
    const second = open.find(
      (each) =>
        (userId !== null && each.userId === userId) ||
        (email !== null && each.email?.toLowerCase() === email.toLowerCase()),
    )
    if (second) {
      const whom = second.person?.username ?? second.email
      throw new GridError('conflict', `${whom} has an open invitation to ${team.slug} already`, {
        hint: 'Send it again, or revoke it first.',
      })
    }
  }

  async function withdraw(trx: Kysely<Database>, invitationId: string): Promise<void> {
    await trx
      .updateTable('invitations')
      .set({ revoked_at: clock.now() })
      .where('id', '=', invitationId)
      .where('accepted_at', 'is', null)
      .where('revoked_at', 'is', null)
      .execute()
  }

  /** Into the outbox, in the same transaction: nobody is written to about an invitation that was not made. */
  async function send(
    trx: Kysely<Database>,
    actor: Actor,
    team: GuardedTeam,
    invitation: {
      id: string
      email: string | null
      userId: string | null
      role: PersonRole
      expiresAt: Date
    },
    token: string,
  ): Promise<NewInvitation['mail']> {
    const user = invitation.userId ? await store.findUserById(trx, invitation.userId) : undefined
    const to = invitation.email ?? user?.email ?? null
    if (to === null) return { state: 'no address', says: 'Hand the link over; it works once.' }
    if (!mail.isOn) {
      return { state: 'no mail server', says: 'This server sends no mail, so hand the link over.' }
    }
    await mail.enqueue(
      trx,
      to,
      invitationMail({
        team: team.name || team.slug,
        role: invitation.role,
        inviter: actor.name || actor.username,
        url: `${actor.origin}/invite/${token}`,
        expiresAt: invitation.expiresAt,
        hasAccount: user !== undefined,
      }),
    )
    await trx
      .updateTable('invitations')
      .set({ sent_at: clock.now() })
      .where('id', '=', invitation.id)
      .execute()
    return { state: 'sent', says: `A message is on its way to ${to}.` }
  }

  async function told(
    actor: Actor,
    team: GuardedTeam,
    id: string,
    token: string,
    sent: NewInvitation['mail'],
  ): Promise<NewInvitation> {
    if (sent.state === 'sent') mail.wake()
    events.publish({ type: 'team.changed', teamId: team.id })
    const all = await store.listInvitations(db, { teamId: team.id, now: clock.now(), id })
    const { userId: _, ...invitation } = all[0]!
    return { ...invitation, url: `${actor.origin}/invite/${token}`, mail: sent }
  }

  return {
    listInvitations,
    invite,
    resendInvitation,
    revokeInvitation,
    getInvitation,
    accept,
    myInvitations,
    acceptMine,
    declineMine,
  }
}

export type OpenInvitation = {
  id: string
  team_id: string
  role: PersonRole
  email: string | null
  user_id: string | null
}

type Invited = { id: string; email: string | null }

/** Whether an account may accept it: the one it names, or the one of its address; a bare link fits everybody. */
function isFor(invitation: OpenInvitation, user: Invited): boolean {
  if (invitation.user_id !== null && invitation.email === null) return invitation.user_id === user.id
  if (invitation.email === null) return true
  return invitation.user_id === user.id || invitation.email.toLowerCase() === user.email?.toLowerCase()
}

async function notFor(
  trx: Kysely<Database>,
  invitation: OpenInvitation,
  username: string,
): Promise<GridError> {
  const named = invitation.user_id ? await store.findUserById(trx, invitation.user_id) : undefined
  const whom = invitation.email ?? named?.username ?? 'somebody else'
  return new GridError('forbidden', `This invitation is for ${whom}, and you are ${username}`, {
    hint: 'Sign out and open the link again.',
  })
}

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

/** Joins, and makes this the place for new work, remembering what it was before. */
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
  if (invitation.role === 'viewer') return
  await trx
    .updateTable('users')
    .set((eb) => ({
      default_team_before_id: eb.ref('default_team_id'),
      default_team_switched_at: now,
      default_team_id: invitation.team_id,
    }))
    .where('id', '=', userId)
    .execute()
}
