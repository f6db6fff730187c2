/** The SQL of registries: projects of the organisation with members of their own. */
import type { TeamRole } from '@teamgrid/api'
import { sql } from 'kysely'
import { type Filter, type Order, orderOf, registryFields, whereOf } from './filters.ts'
import type { Db } from './store.ts'

export type RegistryRole = Extract<TeamRole, 'admin' | 'member' | 'viewer'>

export type StoredRegistry = {
  id: string
  number: number
  /** The team row that stands for the organisation. */
  teamId: string
  teamSlug: string
  /** With its prefix, as the project is called. */
  name: string
  description: string
  /** `organisation`: everybody of it may look; `restricted`: members alone. */
  audience: 'organisation' | 'restricted'
  types: string[]
  allTypes: boolean
  createdAt: Date
  updatedAt: Date
}

/** Who is in a registry: a person, or everybody of a team. */
export type RegistryMember = { role: RegistryRole } & (
  | { user: { id: string; username: string; name: string; email: string | null }; team: null }
  | { team: { id: string; slug: string; name: string }; user: null }
)

export async function findOrganisation(db: Db): Promise<{ id: string; slug: string; name: string }> {
  const team = await db
    .selectFrom('teams')
    .select(['id', 'slug'])
    .where('kind', '=', 'organisation')
    .executeTakeFirstOrThrow()
  const instance = await db.selectFrom('instance').select('organisation_name').executeTakeFirst()
  return { ...team, name: instance?.organisation_name ?? 'My organisation' }
}

const registryQuery = (db: Db) =>
  db
    .selectFrom('registries as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .select([
      'p.id',
      'p.number',
      't.id as teamId',
      't.slug as teamSlug',
      'p.name',
      'p.description',
      'r.visibility as audience',
      'r.types',
      'r.all_types as allTypes',
      'p.created_at as createdAt',
      'p.updated_at as updatedAt',
    ])

export function findRegistry(db: Db, name: string): Promise<StoredRegistry | undefined> {
  return registryQuery(db)
    .where(sql`lower(p.name)`, '=', name.toLowerCase())
    .executeTakeFirst()
}

export function findRegistryById(db: Db, id: string): Promise<StoredRegistry | undefined> {
  return registryQuery(db).where('p.id', '=', id).executeTakeFirst()
}

/** By name unless told. */
export function listRegistries(
  db: Db,
  page: { filter?: Filter; order?: Order } = {},
): Promise<StoredRegistry[]> {
  let query = registryQuery(db)
  if (page.filter) query = query.where(whereOf(page.filter, registryFields))
  if (page.order) query = query.orderBy(orderOf(page.order, registryFields))
  return query.orderBy('p.name').execute()
}

const ranks: RegistryRole[] = ['viewer', 'member', 'admin']

/**
 * What somebody is in each registry: the best of what they and their teams were made, and a viewer where everybody of
 * the organisation is. Absent means that they may not know of it.
 */
export async function rolesIn(
  db: Db,
  who: { userId: string | null; teamIds: string[] },
  projectIds: string[],
): Promise<Map<string, RegistryRole>> {
  const roles = new Map<string, RegistryRole>()
  if (who.userId === null || projectIds.length === 0) return roles
  const note = (id: string, role: RegistryRole) => {
    const before = roles.get(id)
    if (before === undefined || ranks.indexOf(role) > ranks.indexOf(before)) roles.set(id, role)
  }
  const open = await db
    .selectFrom('registries')
    .select('project_id')
    .where('project_id', 'in', projectIds)
    .where('visibility', '=', 'organisation')
    .execute()
  for (const { project_id } of open) note(project_id, 'viewer')
  const given = await db
    .selectFrom('registry_members')
    .select(['project_id', 'role'])
    .where('project_id', 'in', projectIds)
    .where((eb) =>
      eb.or([eb('user_id', '=', who.userId), eb('team_id', '=', sql<string>`any(${who.teamIds}::uuid[])`)]),
    )
    .execute()
  for (const { project_id, role } of given) note(project_id, role)
  return roles
}

export async function insertRegistry(
  trx: Db,
  row: {
    id: string
    teamId: string
    name: string
    description: string
    audience: StoredRegistry['audience']
    types: string[]
    allTypes: boolean
    createdBy: string | null
    now: Date
  },
): Promise<boolean> {
  const made = await trx
    .insertInto('projects')
    .values({
      id: row.id,
      team_id: row.teamId,
      name: row.name,
      description: row.description,
      created_by: row.createdBy,
      created_at: row.now,
      updated_at: row.now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!made) return false
  await trx
    .insertInto('registries')
    .values({
      project_id: row.id,
      visibility: row.audience,
      types: row.types,
      all_types: row.allTypes,
    })
    .execute()
  return true
}

export async function changeRegistry(
  trx: Db,
  id: string,
  change: {
    name?: string
    description?: string
    audience?: StoredRegistry['audience']
    types?: string[]
    allTypes?: boolean
  },
  now: Date,
): Promise<void> {
  await trx
    .updateTable('projects')
    .set({
      updated_at: now,
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.description === undefined ? {} : { description: change.description }),
    })
    .where('id', '=', id)
    .execute()
  const row = {
    ...(change.audience === undefined ? {} : { visibility: change.audience }),
    ...(change.types === undefined ? {} : { types: change.types }),
    ...(change.allTypes === undefined ? {} : { all_types: change.allTypes }),
  }
  if (Object.keys(row).length > 0) {
    await trx.updateTable('registries').set(row).where('project_id', '=', id).execute()
  }
}

export async function listMembers(db: Db, projectId: string): Promise<RegistryMember[]> {
  const rows = await db
    .selectFrom('registry_members as m')
    .leftJoin('users as u', 'u.id', 'm.user_id')
    .leftJoin('teams as t', 't.id', 'm.team_id')
    .select([
      'm.role',
      'u.id as u_id',
      'u.username',
      'u.name as u_name',
      'u.email',
      't.id as t_id',
      't.slug',
      't.name as t_name',
    ])
    .where('m.project_id', '=', projectId)
    .where((eb) => eb.or([eb('u.disabled_at', 'is', null), eb('m.user_id', 'is', null)]))
    .orderBy('u.username')
    .orderBy('t.slug')
    .execute()
  return rows.map((row) =>
    row.u_id === null
      ? { role: row.role, user: null, team: { id: row.t_id!, slug: row.slug!, name: row.t_name! } }
      : {
          role: row.role,
          team: null,
          user: { id: row.u_id, username: row.username!, name: row.u_name!, email: row.email },
        },
  )
}

/** People and teams by name; those that are not there are left out. */
export async function findMembers(
  db: Db,
  named: { usernames: string[]; teams: string[] },
): Promise<({ userId: string } | { teamId: string })[]> {
  const lower = (names: string[]) => sql`any(${names.map((name) => name.toLowerCase())}::text[])`
  const users = await db
    .selectFrom('users')
    .select('id')
    .where(sql`lower(username)`, '=', lower(named.usernames))
    .where('disabled_at', 'is', null)
    .execute()
  const teams = await db
    .selectFrom('teams')
    .select('id')
    .where(sql`lower(slug)`, '=', lower(named.teams))
    .where('kind', '=', 'team')
    .execute()
  return [...users.map(({ id }) => ({ userId: id })), ...teams.map(({ id }) => ({ teamId: id }))]
}

export async function setMember(
  trx: Db,
  projectId: string,
  who: { userId: string } | { teamId: string },
  role: RegistryRole,
): Promise<void> {
  const isUser = 'userId' in who
  await trx
    .insertInto('registry_members')
    .values({
      project_id: projectId,
      user_id: isUser ? who.userId : null,
      team_id: isUser ? null : who.teamId,
      role,
    })
    .onConflict((conflict) =>
      conflict.columns(['project_id', isUser ? 'user_id' : 'team_id']).doUpdateSet({ role }),
    )
    .execute()
}

export async function removeMember(
  trx: Db,
  projectId: string,
  who: { userId: string } | { teamId: string },
): Promise<void> {
  await trx
    .deleteFrom('registry_members')
    .where('project_id', '=', projectId)
    .where('userId' in who ? 'user_id' : 'team_id', '=', 'userId' in who ? who.userId : who.teamId)
    .execute()
}

/** How many people and teams are in each registry. */
export async function countMembers(db: Db, projectIds: string[]): Promise<Map<string, number>> {
  if (projectIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('registry_members')
    .select((eb) => ['project_id', eb.fn.countAll<number>().as('n')])
    .where('project_id', 'in', projectIds)
    .groupBy('project_id')
    .execute()
  return new Map(rows.map((row) => [row.project_id, row.n]))
}
