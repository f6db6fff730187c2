/** Who sees what in a team: privacy settings of its projects, and the reason in a sentence. */
import { GridError, type TeamPrivacy, why as whySentence, type Why } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor, Guarded } from '../actor.ts'
import type { TeamsDeps } from './service.ts'
import { type GuardedTeam, createTeamSettings } from './settings.ts'
import * as store from './store.ts'

export function createVisibility(deps: TeamsDeps) {
  const { db, access, events } = deps
  const { teamGuard } = createTeamSettings(deps)

  async function privacy(actor: Actor, slug: string): Promise<TeamPrivacy> {
    const team = await access.allowed(actor, 'privacy:read', teamGuard(slug))
    const row = await db
      .selectFrom('teams')
      .select(['new_project_visibility', 'code_saving'])
      .where('id', '=', team.id)
      .executeTakeFirstOrThrow()
    const mayChangeAll = await access.permits(actor, 'privacy:edit', team)
    const projects: TeamPrivacy['projects'] = []
    for (const project of await store.projectRows(db, { teamId: team.id })) {
      const { ownerId, visibility, name, createdBy } = project
      const guard = { ...team, ownerId, visibility, keptById: ownerId, kind: 'project', label: name }
      if (visibility === 'private' && !(await access.permits(actor, 'project:read', guard))) continue
      projects.push({ name, visibility, createdBy, mayChange: mayChangeAll })
    }
    projects.sort((a, b) => a.name.localeCompare(b.name))
    return { newProjects: row.new_project_visibility, codeSaving: row.code_saving, projects }
  }

  /** Whether clients may save code there; the caller has proven `team:read`. */
  async function savesCode(teamId: string): Promise<boolean> {
    const row = await db.selectFrom('teams').select('code_saving').where('id', '=', teamId).executeTakeFirst()
    return row?.code_saving ?? true
  }

  async function setPrivacy(
    actor: Actor,
    slug: string,
    change: {
      newProjects?: 'team' | 'private'
      codeSaving?: boolean
      project?: { name: string; visibility: 'team' | 'private' }
    },
  ): Promise<TeamPrivacy> {
    const team = await access.allowed(actor, 'privacy:edit', teamGuard(slug))
    const { project, newProjects, codeSaving } = change
    const found = project && (await store.findProjectRow(db, team.id, project.name))
    if (project && !found) throw new GridError('not_found', `There is no project ${project.name} in ${slug}`)
    await db.transaction().execute(async (trx) => {
      if (newProjects !== undefined || codeSaving !== undefined) {
        await trx
          .updateTable('teams')
          .set({
            ...(newProjects === undefined ? {} : { new_project_visibility: newProjects }),
            ...(codeSaving === undefined ? {} : { code_saving: codeSaving }),
          })
          .where('id', '=', team.id)
          .execute()
      }
      if (project && found) {
        await trx
          .updateTable('projects')
          .set({ visibility: project.visibility })
          .where('id', '=', found.id)
          .execute()
      }
      await record(trx, actor, 'privacy:edit', {
        teamId: team.id,
        kind: found ? 'project' : 'team',
        id: found?.id ?? team.id,
        details: change,
      })
    })
    events.publish({ type: 'team.changed', teamId: team.id })
    if (found) events.publish({ type: 'project.changed', teamId: team.id, projectId: found.id })
    return privacy(actor, slug)
  }

  /**
   * Why somebody can, or cannot, see the team, one of its projects or one of its experiments. The caller must see it
   * themselves. Somebody nobody knows and somebody outside the team get the same answer, so nobody is looked up here.
   */
  async function why(
    actor: Actor,
    input: { team: string; person: string; project?: string; experiment?: string },
  ): Promise<Why> {
    const team = await access.allowed(actor, 'team:read', teamGuard(input.team))
    const about = await aboutOf(actor, team, input)
    const user = await store.findUser(db, input.person)
    const membership = user
      ? await db
          .selectFrom('memberships')
          .select('role')
          .where('team_id', '=', team.id)
          .where('user_id', '=', user.id)
          .executeTakeFirst()
      : undefined
    const isKnownHere = user !== undefined && (membership !== undefined || user.organisation_role === 'admin')
    const { policy, isPersonalTeam } = await access.policyOf(team.id)
    const { sees, sentence } = whySentence({
      subject: {
        userId: isKnownHere ? user.id : null,
        role: membership?.role ?? null,
        orgRole: isKnownHere && user.kind === 'person' ? user.organisation_role : null,
      },
      person: isKnownHere ? user.username : input.person,
      isDisabled: isKnownHere && user.disabled_at !== null,
      team: team.slug,
      policy,
      ...about,
      resource: { ...about.resource, isPersonalTeam },
    })
    return { person: isKnownHere ? user.username : input.person, thing: about.thing, sees, sentence }
  }

  async function aboutOf(actor: Actor, team: GuardedTeam, input: { project?: string; experiment?: string }) {
    const resource = { teamId: team.id }
    if (input.project === undefined) {
      if (input.experiment !== undefined) throw new GridError('invalid', 'Name the project of the experiment')
      return { action: 'team:read' as const, thing: `team ${team.slug}`, resource }
    }
    const row = await store.findProjectRow(db, team.id, input.project)
    const project = await access.allowed(
      actor,
      'project:read',
      row && ({ ...row, kind: 'project', label: row.name } satisfies Guarded),
    )
    const keeper = project.ownerId ? await store.findUserById(db, project.ownerId) : undefined
    const kept = {
      ...resource,
      visibility: project.visibility,
      keptById: project.ownerId,
    }
    const keptBy = keeper === undefined ? {} : { keptBy: keeper.username }
    if (input.experiment === undefined) {
      return {
        action: 'project:read' as const,
        thing: `project ${project.name}`,
        resource: { ...kept, ownerId: project.ownerId },
        ...(keeper === undefined ? {} : { madeBy: keeper.username }),
        ...keptBy,
      }
    }
    const found = await db
      .selectFrom('experiments')
      .innerJoin('users as maker', 'maker.id', 'experiments.created_by')
      .leftJoin('users as via', 'via.id', 'experiments.via_user_id')
      .select([
        'experiments.id',
        'experiments.name',
        'created_by',
        'via_user_id',
        'maker.username',
        'via.username as via_username',
      ])
      .where('project_id', '=', project.id)
      .where('deleted_at', 'is', null)
      .where(
        sql<boolean>`(slug = ${input.experiment} or lower(experiments.name) = lower(${input.experiment}))`,
      )
      .orderBy(sql`slug = ${input.experiment}`, 'desc')
      .executeTakeFirst()
    const guard = found && {
      ...kept,
      ownerId: found.created_by,
      createdById: found.via_user_id,
      experimentId: found.id,
      kind: 'experiment',
      label: found.name,
    }
    await access.allowed(actor, 'experiment:read', guard)
    return {
      action: 'experiment:read' as const,
      thing: `experiment ${found!.name}`,
      resource: { ...kept, ownerId: found!.created_by, createdById: found!.via_user_id },
      madeBy: found!.username,
      ...(found!.via_username === null ? {} : { madeVia: found!.via_username }),
      ...keptBy,
    }
  }

  return { privacy, setPrivacy, savesCode, why }
}
