import { GridError, type Project, ProjectName } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor, Guarded, TeamRules } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { TeamsDeps } from './service.ts'
import { createTeamSettings } from './settings.ts'
import * as store from './store.ts'

export type StoredProject = Guarded & {
  id: string
  number: number
  teamSlug: string
  name: string
  description: string
  createdAt: Date
}

export function createProjects(deps: TeamsDeps) {
  const { db, access, events, deeds, clock } = deps
  const { teamGuard } = createTeamSettings(deps)
  /**
   * Set by the slices above, which know what hangs on a project; runs inside the deleting transaction. What it
   * returns runs after that, for what no transaction can take back, such as removing files.
   */
  const onDelete: ((trx: Kysely<Database>, projectId: string) => Promise<void | (() => Promise<void>)>)[] = []

  /** A project by name, whoever asks; the hot path of everything a script sends. */
  async function findProject(teamId: string, name: string): Promise<StoredProject | undefined> {
    const row = await store.findProjectRow(db, teamId, name)
    return row && { ...row, kind: 'project', label: row.name }
  }

  async function findProjectGuard(teamSlug: string, name: string): Promise<StoredProject | undefined> {
    const team = await store.findTeam(db, teamSlug)
    return team && findProject(team.id, name)
  }

  async function listProjects(actor: Actor, slug: string): Promise<Project[]> {
    const team = await access.allowed(actor, 'project:read', teamGuard(slug))
    const rows = await store.projectRows(db, { teamId: team.id })
    const seen = []
    for (const row of rows) {
      // What is not private is seen by all who got this far; asking for each would be slow.
      const isSeen = row.visibility === 'team' || (await access.permits(actor, 'project:read', guardOf(row)))
      if (isSeen) seen.push(shown(row))
    }
    return seen
  }

  async function getProject(actor: Actor, slug: string, name: string): Promise<Project> {
    const found = await access.allowed(actor, 'project:read', findProjectGuard(slug, name))
    return present(found)
  }

  async function createProject(
    actor: Actor,
    slug: string,
    input: { name: string; description?: string },
  ): Promise<Project> {
    const team = await access.allowed(actor, 'project:create', teamGuard(slug))
    const { project, made } = await db
      .transaction()
      .execute((trx) => ensureProject(trx, actor, team, input.name, input.description))
    if (!made) throw new GridError('conflict', `There is a project ${project.name} in ${team.slug} already`)
    events.publish({ type: 'project.changed', teamId: team.id, projectId: project.id })
    return present(project)
  }

  /**
   * The project of this name, made if need be. The caller has proven that the actor may read in the team; that a project
   * which is there is not hidden from them, and that they may make one, is proven here.
   *
   * @throws GridError invalid, for a name that cannot stand in a url; not_found for one that is hidden.
   */
  async function ensureProject(
    trx: Kysely<Database>,
    actor: Actor,
    team: { id: string; slug: string; teamRules?: TeamRules },
    name: string,
    description = '',
  ): Promise<{ project: StoredProject; made: boolean }> {
    const existing = await store.findProjectRow(trx, team.id, name)
    if (existing) {
      const project: StoredProject = { ...existing, kind: 'project', label: existing.name }
      const guard = { ...project, ...(team.teamRules ? { teamRules: team.teamRules } : {}) }
      if (existing.visibility === 'private' && !(await access.permits(actor, 'project:read', guard)))
        throw new GridError('not_found')
      return { project, made: false }
    }
    await access.allowed(actor, 'project:create', {
      teamId: team.id,
      // Known already: looking them up from within a transaction would take a second connection.
      ...(team.teamRules ? { teamRules: team.teamRules } : {}),
      ownerId: actor.attributedTo?.userId ?? actor.userId,
      kind: 'team',
      label: team.slug,
    })
    const checked = ProjectName.safeParse(name)
    if (!checked.success) throw new GridError('invalid', checked.error.issues[0]!.message)
    const inserted = await trx
      .insertInto('projects')
      .values({
        id: newId(),
        team_id: team.id,
        name: checked.data,
        description,
        visibility: sql<'team' | 'private'>`(select new_project_visibility from teams where id = ${team.id})`,
        created_by: actor.attributedTo?.userId ?? actor.userId,
        created_at: clock.now(),
        updated_at: clock.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst()
    if (inserted) {
      await record(trx, actor, 'project:create', {
        teamId: team.id,
        kind: 'project',
        id: inserted.id,
        details: { name: checked.data },
      })
    }
    const row = await store.findProjectRow(trx, team.id, checked.data)
    if (!row) throw new GridError('conflict')
    return { project: { ...row, kind: 'project', label: row.name }, made: inserted !== undefined }
  }

  /** Whoever made the project or experiments in it. */
  async function tellOwners(trx: Kysely<Database>, actor: Actor, project: StoredProject): Promise<void> {
    const counts = await trx
      .selectFrom('experiments')
      .select(['created_by', 'via_user_id'])
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('project_id', '=', project.id)
      .where('deleted_at', 'is', null)
      .groupBy(['created_by', 'via_user_id'])
      .execute()
    const owners = new Map(counts.map((row) => [row.created_by, row]))
    if (project.ownerId !== null && !owners.has(project.ownerId))
      owners.set(project.ownerId, { created_by: project.ownerId, via_user_id: null, count: '0' })
    for (const { created_by: ownerId, via_user_id: createdById, count } of owners.values()) {
      const title = `${actor.username} deleted project ${project.name}`
      const lost = Number(count) === 0 ? '' : ` Of the experiments in it, yours: ${count}.`
      const text = `${title} of team ${project.teamSlug}, with all that was in it.${lost}`
      await deeds.told(trx, actor, { teamId: project.teamId, ownerId, createdById, title, text, link: null })
    }
  }

  /** Who sees a private project: its maker and the team's admins. */
  async function insidersOf({ teamId, ownerId }: StoredProject): Promise<string[]> {
    const admins = await db
      .selectFrom('memberships')
      .select('user_id')
      .where('team_id', '=', teamId)
      .where('role', '=', 'admin')
      .execute()
    return [...admins.map((row) => row.user_id), ...(ownerId === null ? [] : [ownerId])]
  }

  async function changeProject(
    actor: Actor,
    slug: string,
    name: string,
    description: string,
  ): Promise<Project> {
    const found = await access.allowed(actor, 'project:edit', findProjectGuard(slug, name))
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('projects')
        .set({ description, updated_at: clock.now() })
        .where('id', '=', found.id)
        .execute()
      await record(trx, actor, 'project:edit', { teamId: found.teamId, kind: 'project', id: found.id })
    })
    events.publish({ type: 'project.changed', teamId: found.teamId, projectId: found.id })
    return present(found)
  }

  /**
   * Gives a project another name. Scripts that still use the old one make a new project.
   *
   * @throws GridError conflict for a name that is taken, invalid for one that cannot stand in a url.
   */
  async function renameProject(actor: Actor, slug: string, name: string, newName: string): Promise<Project> {
    const found = await access.allowed(actor, 'project:rename', findProjectGuard(slug, name))
    const checked = ProjectName.safeParse(newName)
    if (!checked.success) throw new GridError('invalid', checked.error.issues[0]!.message)
    await db.transaction().execute(async (trx) => {
      const other = await store.findProjectRow(trx, found.teamId, checked.data)
      if (other && other.id !== found.id)
        throw new GridError('conflict', `There is a project ${other.name} in ${other.teamSlug} already`)
      await trx
        .updateTable('projects')
        .set({ name: checked.data, updated_at: clock.now() })
        .where('id', '=', found.id)
        .execute()
      await record(trx, actor, 'project:rename', {
        teamId: found.teamId,
        kind: 'project',
        id: found.id,
        details: { from: found.name, to: checked.data },
      })
    })
    events.publish({ type: 'project.changed', teamId: found.teamId, projectId: found.id })
    return present(found)
  }

  async function findProjectById(id: string): Promise<StoredProject | undefined> {
    const row = await db
      .selectFrom('projects')
      .select(['team_id', 'name'])
      .where('id', '=', id)
      .executeTakeFirst()
    return row && findProject(row.team_id, row.name)
  }

  async function deleteProject(actor: Actor, slug: string, name: string): Promise<void> {
    const found = await access.allowed(actor, 'project:delete', findProjectGuard(slug, name))
    const afterwards = await db.transaction().execute(async (trx) => {
      await tellOwners(trx, actor, found)
      const later = []
      for (const hook of onDelete) later.push(await hook(trx, found.id))
      await trx.deleteFrom('projects').where('id', '=', found.id).execute()
      await record(trx, actor, 'project:delete', {
        teamId: found.teamId,
        kind: 'project',
        id: found.id,
        details: { name: found.name },
      })
      return later
    })
    deeds.committed()
    events.publish({
      type: 'project.changed',
      teamId: found.teamId,
      projectId: found.id,
      // Nobody can look up any more from whom it was hidden.
      ...(found.visibility === 'private' ? { userIds: await insidersOf(found) } : {}),
    })
    for (const act of afterwards) await act?.()
  }

  async function present(project: StoredProject): Promise<Project> {
    const [row] = await store.projectRows(db, { teamId: project.teamId, ids: [project.id] })
    if (!row) throw new GridError('not_found')
    return shown(row)
  }

  return {
    findProject,
    findProjectGuard,
    ensureProject,
    listProjects,
    getProject,
    createProject,
    changeProject,
    renameProject,
    findProjectById,
    deleteProject,
    onProjectDelete: (hook: (typeof onDelete)[number]) => void onDelete.push(hook),
  }
}

function guardOf({
  teamId,
  ownerId,
  visibility,
  name,
}: Awaited<ReturnType<typeof store.projectRows>>[number]) {
  return { teamId, ownerId, visibility, keptById: ownerId, kind: 'project', label: name }
}

function shown({
  teamId: _,
  ownerId: __,
  number: ___,
  ...project
}: Awaited<ReturnType<typeof store.projectRows>>[number]): Project {
  return project
}
