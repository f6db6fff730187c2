import { GridError, type Member, type Removal } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { withdrawInvitations } from './invitations.ts'
import { deleteMembership, insertMembership } from './memberships.ts'
import { withinSeats } from './seats.ts'
import { lastAdminSays, removalSentences } from './removal.ts'
import type { PersonRole, TeamsDeps } from './service.ts'
import { type GuardedTeam, createTeamSettings } from './settings.ts'
import * as store from './store.ts'

/** What a slice above does when somebody's work gets another owner. What it returns runs after the commit. */
export type Reassigning = (
  trx: Kysely<Database>,
  what: { teamId: string; fromId: string; toId: string },
) => Promise<{ experiments: number; afterwards: () => Promise<void> }>

export function createMembers(deps: TeamsDeps) {
  const { db, access, events, clock } = deps
  const { teamGuard } = createTeamSettings(deps)
  const reassigning: Reassigning[] = []
  const onReassign = (act: Reassigning) => void reassigning.push(act)

  async function members(actor: Actor, slug: string): Promise<Member[]> {
    const team = await access.allowed(actor, 'member:read', teamGuard(slug))
    return store.listMembers(db, team.id)
  }

  /** Puts an existing person into a team without asking them: for organisation admins and the operator. */
  async function addMember(actor: Actor, slug: string, username: string, role: PersonRole): Promise<Member> {
    await access.proveInOrganisation(actor, 'org:users')
    const team = await access.allowed(actor, 'member:invite', teamGuard(slug))
    const user = await store.findUser(db, username)
    if (user?.kind !== 'person') throw new GridError('not_found', `There is no person ${username}`)
    await db.transaction().execute(async (trx) => {
      await withinSeats(trx, () => insertMembership(trx, team.id, user.id, role, clock.now()))
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
      await withinSeats(trx, () =>
        trx
          .updateTable('memberships')
          .set({ role })
          .where('team_id', '=', team.id)
          .where('user_id', '=', member.userId)
          .execute(),
      )
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
      await deleteMembership(trx, team.id, member.userId, clock.now())
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

  /** What `removeMember` would do, in sentences; nothing changes. */
  async function removal(actor: Actor, slug: string, username: string): Promise<Removal> {
    const isSelf = actor.username.toLowerCase() === username.toLowerCase()
    const team = await access.allowed(actor, isSelf ? 'team:leave' : 'member:remove', teamGuard(slug))
    const member = await getMember(team, username)
    const left = await store.workOf(db, team.id, member.userId, clock.now())
    const admins = (await store.listMembers(db, team.id)).filter((each) => each.role === 'admin')
    const isLastAdmin = member.role === 'admin' && admins.length === 1
    return {
      username: member.username,
      ...removalSentences(team.slug, member, left),
      refused: isLastAdmin ? lastAdminSays(member.username, team.slug) : null,
    }
  }

  async function formerMembers(actor: Actor, slug: string) {
    const team = await access.allowed(actor, 'member:reassign', teamGuard(slug))
    return (await store.formerMemberRows(db, team.id)).map(({ userId: _, ...row }) => row)
  }

  /** Gives what a former member made in the team to one of its members: projects and experiments, all or nothing. */
  async function reassign(actor: Actor, slug: string, username: string, to: string) {
    const team = await access.allowed(actor, 'member:reassign', teamGuard(slug))
    const heir = await getMember(team, to)
    if (heir.role === 'viewer' || heir.kind === 'service')
      throw new GridError('invalid', `${to} cannot own work: name a member or an admin`)
    const former = (await store.formerMemberRows(db, team.id)).find(
      (each) => each.username.toLowerCase() === username.toLowerCase(),
    )
    if (!former) {
      throw new GridError('not_found', `${username} is not a former member of ${team.slug}`, {
        hint: 'Only what somebody left behind can be given to somebody else.',
      })
    }
    const done = await db.transaction().execute(async (trx) => {
      const what = { teamId: team.id, fromId: former.userId, toId: heir.userId }
      const parts = []
      for (const act of reassigning) parts.push(await act(trx, what))
      const projects = await trx
        .updateTable('projects')
        .set({ created_by: heir.userId })
        .where('team_id', '=', team.id)
        .where('created_by', '=', former.userId)
        .executeTakeFirst()
      const experiments = parts.reduce((sum, part) => sum + part.experiments, 0)
      await record(trx, actor, 'member:reassign', {
        teamId: team.id,
        kind: 'user',
        id: former.userId,
        details: {
          from: former.username,
          to: heir.username,
          experiments,
          projects: Number(projects.numUpdatedRows),
        },
      })
      return { parts, experiments, projects: Number(projects.numUpdatedRows) }
    })
    for (const part of done.parts) await part.afterwards()
    events.publish({ type: 'team.changed', teamId: team.id })
    return { experiments: done.experiments, projects: done.projects }
  }

  // --- helpers ---

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
      throw new GridError('conflict', lastAdminSays(member.username, team.slug))
    }
  }

  return { members, addMember, changeMember, removeMember, removal, formerMembers, reassign, onReassign }
}
