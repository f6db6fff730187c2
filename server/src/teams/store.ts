import type {
  Activity,
  ApiKey,
  Invitation,
  Member,
  Project,
  TeamRequest,
  TeamRole,
  User,
} from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import type { z } from 'zod'
import type { Database } from '../stores/postgres/schema.ts'

type Db = Kysely<Database>

export type UserRow = {
  id: string
  username: string
  name: string
  email: string | null
  kind: 'person' | 'service'
  organisation_role: 'admin' | 'billing' | 'member'
  default_team_id: string | null
  disabled_at: Date | null
  created_at: Date
  default_team_before_id: string | null
  default_team_switched_at: Date | null
}

export type TeamRow = {
  id: string
  slug: string
  name: string
  kind: 'team' | 'personal'
  policy_preset: string
  policy_overrides: Record<string, boolean | string>
  created_at: Date
}

export const userOf = (row: UserRow): User => ({
  id: row.id,
  username: row.username,
  name: row.name,
  email: row.email,
  kind: row.kind,
  organisationRole: row.organisation_role,
  disabled: row.disabled_at !== null,
  createdAt: row.created_at.toISOString(),
})

const sameText = (column: 'username' | 'slug' | 'email' | 'name', value: string) =>
  sql<boolean>`lower(${sql.ref(column)}) = lower(${value})`

export const findUser = (db: Db, username: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where(sameText('username', username)).executeTakeFirst()

export const findUserById = (db: Db, id: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()

export const findUserByEmail = (db: Db, email: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where(sameText('email', email)).executeTakeFirst()

/** The organisation, which keeps registries, is not a team that anybody asks for. */
export const findTeam = (db: Db, slug: string): Promise<TeamRow | undefined> =>
  db
    .selectFrom('teams')
    .selectAll()
    .where(sameText('slug', slug))
    .where('kind', '!=', 'organisation')
    .$narrowType<{ kind: TeamRow['kind'] }>()
    .executeTakeFirst()

/** A username and a team slug may not be the same: both stand where clients say "entity". */
export async function isSlugTaken(db: Db, slug: string): Promise<boolean> {
  const team = db.selectFrom('teams').select('id').where(sameText('slug', slug))
  return (await findUser(db, slug)) !== undefined || (await team.executeTakeFirst()) !== undefined
}

export async function listUsers(
  db: Db,
  input: { search?: string; limit: number; after?: string },
): Promise<UserRow[]> {
  let query = db
    .selectFrom('users')
    .selectAll()
    .orderBy(sql`lower(username)`)
    .limit(input.limit)
  if (input.after !== undefined) query = query.where(sql<boolean>`lower(username) > lower(${input.after})`)
  if (input.search) {
    const like = `%${input.search.replace(/[\\%_]/g, '\\$&')}%`
    query = query.where((eb) =>
      eb.or([eb('username', 'ilike', like), eb('name', 'ilike', like), eb('email', 'ilike', like)]),
    )
  }
  return query.execute()
}

/** What a list of teams shows, with counts; the role is that of `userId`. */
export async function teamRows(db: Db, teamIds: string[], userId: string | null) {
  if (teamIds.length === 0) return []
  const rows = await db
    .selectFrom('teams')
    .select((eb) => [
      'teams.id',
      'teams.slug',
      'teams.name',
      'teams.kind',
      'teams.created_at',
      'teams.policy_preset',
      'teams.policy_overrides',
      eb
        .selectFrom('memberships')
        .select((e) => e.fn.countAll<number>().as('n'))
        .whereRef('team_id', '=', 'teams.id')
        .as('members'),
      eb
        .selectFrom('projects')
        .select((e) => e.fn.countAll<number>().as('n'))
        .whereRef('team_id', '=', 'teams.id')
        .as('projects'),
      eb
        .selectFrom('experiments')
        .select((e) => e.fn.countAll<number>().as('n'))
        .whereRef('team_id', '=', 'teams.id')
        .where('state', '=', 'running')
        .where('deleted_at', 'is', null)
        .as('running'),
      eb
        .selectFrom('memberships')
        .select('role')
        .whereRef('team_id', '=', 'teams.id')
        .where('user_id', '=', userId)
        .as('role'),
      eb
        .selectFrom('memberships')
        .innerJoin('users', 'users.id', 'memberships.user_id')
        .select(sql<string[]>`array_agg(users.username order by users.username)`.as('names'))
        .whereRef('memberships.team_id', '=', 'teams.id')
        .where('memberships.role', '=', 'admin')
        .as('admins'),
    ])
    .where('teams.id', 'in', teamIds)
    .where('teams.kind', '!=', 'organisation')
    .$narrowType<{ kind: TeamRow['kind'] }>()
    .orderBy(sql`teams.kind = 'personal'`)
    .orderBy(sql`lower(teams.slug)`)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    slug: row.slug,
    name: row.name,
    kind: row.kind,
    role: row.role as TeamRole | null,
    createdAt: row.created_at.toISOString(),
    members: Number(row.members),
    projects: Number(row.projects),
    running: Number(row.running),
    admins: row.admins ?? [],
    policy_preset: row.policy_preset,
    policy_overrides: row.policy_overrides,
  }))
}

export async function listMembers(db: Db, teamId: string): Promise<Member[]> {
  const rows = await db
    .selectFrom('memberships')
    .innerJoin('users', 'users.id', 'memberships.user_id')
    .select(['users.id', 'username', 'name', 'email', 'users.kind', 'role', 'memberships.created_at'])
    .where('team_id', '=', teamId)
    // The newest last: the wandb client takes the last member for the service account it has just made.
    .orderBy('memberships.created_at')
    .orderBy('users.id')
    .execute()
  return rows.map((row) => ({
    userId: row.id,
    username: row.username,
    name: row.name,
    email: row.email,
    role: row.role,
    kind: row.kind,
    joinedAt: row.created_at.toISOString(),
  }))
}

export async function listKeys(db: Db, userId: string): Promise<ApiKey[]> {
  const rows = await db
    .selectFrom('api_keys')
    .select(['id', 'name', 'hint', 'start', 'created_at', 'last_used_at'])
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .where('scope', '=', 'user')
    .orderBy('created_at', 'desc')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    hint: row.hint,
    start: row.start,
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }))
}

export async function listInvitations(
  db: Db,
  where: { teamId: string; now: Date; id?: string },
): Promise<(Invitation & { userId: string | null })[]> {
  let query = db
    .selectFrom('invitations')
    .leftJoin('users', 'users.id', 'invitations.created_by')
    .leftJoin('users as named', 'named.id', 'invitations.user_id')
    .select([
      'invitations.id',
      'invitations.email',
      'invitations.role',
      'invitations.created_at',
      'invitations.user_id',
      'invitations.sent_at',
      'expires_at',
      'accepted_at',
      'revoked_at',
      'users.username',
      'users.name',
      'named.username as named_username',
      'named.name as named_name',
    ])
    .where('team_id', '=', where.teamId)
    .orderBy('invitations.created_at', 'desc')
    .limit(1000)
  if (where.id !== undefined) query = query.where('invitations.id', '=', where.id)
  return (await query.execute()).map((row) => ({
    id: row.id,
    email: row.email,
    userId: row.user_id,
    person: row.named_username === null ? null : { username: row.named_username, name: row.named_name! },
    sentAt: row.sent_at?.toISOString() ?? null,
    role: row.role,
    createdBy: row.username === null ? null : { username: row.username, name: row.name! },
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    state: row.accepted_at
      ? 'accepted'
      : row.revoked_at
        ? 'revoked'
        : row.expires_at <= where.now
          ? 'expired'
          : 'pending',
  }))
}

/** Open invitations that name an account or its address, the newest first. */
export async function openInvitationsFor(db: Db, user: { id: string; email: string | null }, now: Date) {
  return db
    .selectFrom('invitations')
    .innerJoin('teams', 'teams.id', 'invitations.team_id')
    .leftJoin('users as inviter', 'inviter.id', 'invitations.created_by')
    .selectAll('invitations')
    .select([
      'teams.slug',
      'teams.name as team_name',
      'inviter.username as by_username',
      'inviter.name as by_name',
    ])
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .where((eb) =>
      eb.or([
        eb('invitations.user_id', '=', user.id),
        ...(user.email === null ? [] : [sql<boolean>`lower(invitations.email) = lower(${user.email})`]),
      ]),
    )
    .orderBy('invitations.created_at', 'desc')
    .limit(100)
    .execute()
}

/** Who left a team or was removed from it, with how much still bears their name. */
export async function formerMemberRows(db: Db, teamId: string) {
  const rows = await db
    .selectFrom('former_members')
    .innerJoin('users', 'users.id', 'former_members.user_id')
    .select((eb) => [
      'users.id',
      'users.username',
      'users.name',
      'former_members.left_at',
      eb
        .selectFrom('experiments')
        .select((e) => e.fn.countAll<number>().as('n'))
        .where('experiments.team_id', '=', teamId)
        .whereRef('experiments.created_by', '=', 'users.id')
        .where('deleted_at', 'is', null)
        .as('experiments'),
      eb
        .selectFrom('projects')
        .select((e) => e.fn.countAll<number>().as('n'))
        .where('projects.team_id', '=', teamId)
        .whereRef('projects.created_by', '=', 'users.id')
        .as('projects'),
    ])
    .where('former_members.team_id', '=', teamId)
    .orderBy('former_members.left_at', 'desc')
    .limit(500)
    .execute()
  return rows.map((row) => ({
    userId: row.id,
    username: row.username,
    name: row.name,
    leftAt: row.left_at.toISOString(),
    experiments: Number(row.experiments),
    projects: Number(row.projects),
  }))
}

export async function projectRows(
  db: Db,
  where: { teamId: string; name?: string; ids?: string[] },
): Promise<(Project & { teamId: string; ownerId: string | null; number: number })[]> {
  let query = db
    .selectFrom('projects')
    .innerJoin('teams', 'teams.id', 'projects.team_id')
    .leftJoin('users', 'users.id', 'projects.created_by')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('experiments')
          .select((e) => [
            e.fn.countAll<number>().as('experiments'),
            sql<number>`count(*) filter (where state = 'running')`.as('running'),
            sql<number>`count(*) filter (where state in ('failed', 'crashed'))`.as('failed'),
            e.fn.max('heartbeat_at').as('last'),
          ])
          .whereRef('experiments.project_id', '=', 'projects.id')
          .where('deleted_at', 'is', null)
          .as('counts'),
      (join) => join.onTrue(),
    )
    .select([
      'projects.id',
      'projects.number',
      'projects.team_id',
      'teams.slug as team',
      'projects.name',
      'projects.description',
      'projects.created_by',
      'projects.created_at',
      'projects.updated_at',
      'projects.visibility',
      'users.username',
      'users.name as person',
      'counts.experiments',
      'counts.running',
      'counts.failed',
      'counts.last',
    ])
    .where('projects.team_id', '=', where.teamId)
    .orderBy(sql`coalesce(counts.last, projects.updated_at)`, 'desc')
  if (where.name !== undefined) query = query.where(sql<boolean>`lower(projects.name) = lower(${where.name})`)
  if (where.ids) query = query.where('projects.id', 'in', where.ids)
  return (await query.execute()).map((row) => ({
    id: row.id,
    number: row.number,
    teamId: row.team_id,
    team: row.team,
    name: row.name,
    description: row.description,
    visibility: row.visibility,
    ownerId: row.created_by,
    createdBy: row.username === null ? null : { username: row.username, name: row.person! },
    createdAt: row.created_at.toISOString(),
    updatedAt: (row.last && row.last > row.updated_at ? row.last : row.updated_at).toISOString(),
    experiments: Number(row.experiments ?? 0),
    running: Number(row.running ?? 0),
    failed: Number(row.failed ?? 0),
  }))
}

/** The plain row, without counts: for the hot path of every message a script sends. */
export async function findProjectRow(db: Db, teamId: string, name: string) {
  return db
    .selectFrom('projects')
    .innerJoin('teams', 'teams.id', 'projects.team_id')
    .select([
      'projects.id',
      'projects.number',
      'projects.team_id as teamId',
      'teams.slug as teamSlug',
      'projects.name',
      'projects.created_by as ownerId',
      'projects.description',
      'projects.created_at as createdAt',
      'projects.visibility',
      'projects.created_by as keptById',
    ])
    .where('projects.team_id', '=', teamId)
    .where(sql<boolean>`lower(projects.name) = lower(${name})`)
    .executeTakeFirst()
}

export async function listActivity(
  db: Db,
  input: { teamId: string; actorUserId?: string; limit: number; before?: string },
): Promise<z.infer<typeof Activity>[]> {
  let query = db
    .selectFrom('activity')
    .leftJoin('users', 'users.id', 'activity.actor_user_id')
    .select([
      'activity.id',
      'activity.created_at',
      'via',
      'action',
      'subject_kind',
      'subject_id',
      'details',
      'users.username',
      'users.name',
    ])
    .where('activity.team_id', '=', input.teamId)
    .orderBy('activity.id', 'desc')
    .limit(input.limit)
  if (input.before) query = query.where('activity.id', '<', input.before)
  if (input.actorUserId) query = query.where('activity.actor_user_id', '=', input.actorUserId)
  return (await query.execute()).map((row) => ({
    id: row.id,
    at: row.created_at.toISOString(),
    actor: row.username === null ? null : { username: row.username, name: row.name! },
    via: row.via,
    action: row.action,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    details: row.details,
  }))
}

/** What somebody has in a team, counted. */
export async function workOf(db: Db, teamId: string, userId: string, now: Date) {
  const { rows } = await sql<Record<string, string>>`select
    (select count(*) from experiments where team_id = ${teamId} and created_by = ${userId} and deleted_at is null) as experiments,
    (select count(*) from experiments where team_id = ${teamId} and created_by = ${userId} and deleted_at is null
      and state in ('pending', 'running', 'preempting')) as running,
    (select count(*) from projects where team_id = ${teamId} and created_by = ${userId}) as projects,
    (select count(*) from artifacts a join artifact_collections c on c.id = a.collection_id
      join projects p on p.id = c.project_id
      where p.team_id = ${teamId} and a.created_by = ${userId} and a.state = 'committed') as artifacts,
    (select count(*) from api_keys where user_id = ${userId} and revoked_at is null) as keys,
    (select count(*) from auth_session where user_id = ${userId}::text and expires_at > ${now}) as sessions,
    (select count(*) from invitations where team_id = ${teamId} and created_by = ${userId}
      and accepted_at is null and revoked_at is null and expires_at > ${now}) as invitations`.execute(db)
  const row = rows[0]!
  const running = await db
    .selectFrom('experiments')
    .innerJoin('projects', 'projects.id', 'experiments.project_id')
    .select(['experiments.name', 'projects.name as project'])
    .where('experiments.team_id', '=', teamId)
    .where('experiments.created_by', '=', userId)
    .where('experiments.deleted_at', 'is', null)
    .where('experiments.state', 'in', ['pending', 'running', 'preempting'])
    .orderBy('experiments.created_at', 'desc')
    .limit(5)
    .execute()
  return {
    running,
    runningTotal: Number(row.running),
    experiments: Number(row.experiments),
    projects: Number(row.projects),
    artifacts: Number(row.artifacts),
    keys: Number(row.keys),
    sessions: Number(row.sessions),
    invitations: Number(row.invitations),
  }
}

export async function listTeamRequests(
  db: Db,
  where: { id?: string; requestedBy?: string; onlyOpen?: boolean },
): Promise<TeamRequest[]> {
  let query = db
    .selectFrom('team_requests')
    .innerJoin('users as asker', 'asker.id', 'team_requests.requested_by')
    .leftJoin('users as decider', 'decider.id', 'team_requests.decided_by')
    .selectAll('team_requests')
    .select([
      'asker.username as asker_username',
      'asker.name as asker_name',
      'decider.username as decider_username',
      'decider.name as decider_name',
    ])
    .orderBy(sql`decided_at is not null`)
    .orderBy('team_requests.created_at', 'desc')
    .limit(200)
  if (where.id !== undefined) query = query.where('team_requests.id', '=', where.id)
  if (where.requestedBy !== undefined) query = query.where('requested_by', '=', where.requestedBy)
  if (where.onlyOpen) query = query.where('decided_at', 'is', null)
  return (await query.execute()).map((row) => ({
    id: row.id,
    slug: row.slug,
    name: row.name,
    reason: row.reason,
    requestedBy: { username: row.asker_username, name: row.asker_name },
    createdAt: row.created_at.toISOString(),
    state: row.decided_at === null ? 'open' : row.granted ? 'granted' : 'declined',
    decidedBy:
      row.decider_username === null ? null : { username: row.decider_username, name: row.decider_name! },
    decidedAt: row.decided_at?.toISOString() ?? null,
    note: row.note,
  }))
}
