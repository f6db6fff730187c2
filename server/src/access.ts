import {
  type Action,
  can,
  codeOf,
  findRow,
  GridError,
  type KeyScope,
  type Policy,
  type PolicySwitches,
  type Refused,
  resolvePolicy,
  type Resource,
  type Subject,
  type Verdict,
  type TeamRole,
} from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { record } from './activity.ts'
import type { Actor, Guarded, TeamRules } from './actor.ts'
import type { LinkHolder } from './lib/signed.ts'
import type { Database } from './stores/postgres/schema.ts'

export type Access = ReturnType<typeof createAccess>

/** What the organisation fixed is read again after so long; the process that changes it forgets it at once. */
const locksMs = 1000
/** Somebody from outside who looks at the same thing again is not written down again for so long. */
const sameLookMs = 60 * 60 * 1000
/** Looks remembered, so that memory has an end; past it the oldest are written down again. */
const looksMax = 10_000

/**
 * The one place where permission is enforced: every use case begins with `allowed`, every list with `visibleTeamIds`
 * (teams) or `contentTeamIds` (what is in them).
 */
export function createAccess({ db }: { db: Kysely<Database> }) {
  let locks: { at: number; read: Promise<Locks> } | undefined
  const looks = new Map<string, number>()

  /**
   * Loads and proves in one step.
   *
   * @param found what the act is about; undefined means it does not exist.
   * @returns the thing.
   * @throws GridError not_found when it does not exist or the actor may not know that it does, in the same words;
   *   forbidden or policy_denied, with the sentence to show, when the actor sees it but may not do this.
   */
  async function allowed<Thing extends Guarded>(
    actor: Actor,
    action: Action,
    found: Thing | undefined | Promise<Thing | undefined>,
  ): Promise<Thing> {
    const thing = await found
    if (thing === undefined) throw hidden(actor)
    const verdict = await verdictOn(actor, action, thing)
    if (verdict.allowed) {
      if (verdict.audited && findRow(action)?.effect === 'read') await noteLook(actor, action, thing)
      return thing
    }
    if (codeOf(verdict) === 'not_found') throw hidden(actor)
    throw await explain(actor, action, thing)
  }

  async function permits(actor: Actor, action: Action, thing: Guarded): Promise<boolean> {
    return (await verdictOn(actor, action, thing)).allowed
  }

  async function verdictOn(actor: Actor, action: Action, thing: Guarded): Promise<Verdict> {
    const { policy, isPersonalTeam } = await rulesOf(thing)
    return can(subjectOf(actor, thing), action, resourceOf(thing, isPersonalTeam), policy)
  }

  /** An organisation admin looked into a team they are not in: written down before they see it, once an hour a thing. */
  async function noteLook(actor: Actor, action: Action, thing: Guarded): Promise<void> {
    const key = [actor.userId ?? actor.via, thing.teamId, thing.kind, thing.label].join(' ')
    const now = Date.now()
    if (now - (looks.get(key) ?? -Infinity) < sameLookMs) return
    await db.transaction().execute((trx) =>
      record(trx, actor, 'org:look', {
        teamId: thing.teamId,
        kind: thing.kind,
        id: thing.experimentId ?? thing.teamId,
        details: { name: thing.label, action },
      }),
    )
    looks.delete(key)
    looks.set(key, now)
    if (looks.size > looksMax) looks.delete(looks.keys().next().value!)
  }

  /** The refusal again, with the names of who owns the thing and who can help. */
  async function explain(actor: Actor, action: Action, thing: Guarded): Promise<GridError> {
    const { policy, isPersonalTeam } = await rulesOf(thing)
    const admins = (
      await db
        .selectFrom('memberships')
        .innerJoin('users', 'users.id', 'memberships.user_id')
        .select('username')
        .where('team_id', '=', thing.teamId)
        .where('role', '=', 'admin')
        .orderBy('username')
        .execute()
    ).map((row) => row.username)
    const owner = thing.ownerId
      ? await db.selectFrom('users').select('username').where('id', '=', thing.ownerId).executeTakeFirst()
      : undefined
    const resource: Resource = {
      ...resourceOf(thing, isPersonalTeam),
      adminNames: admins,
      ...(owner ? { ownerName: owner.username } : {}),
    }
    const verdict = can(subjectOf(actor, thing), action, resource, policy)
    if (verdict.allowed) throw new Error('A refusal was granted when asked again')
    return new GridError(codeOf(verdict), verdict.sentence, {
      ...(verdict.policy ? { policy: verdict.policy } : {}),
      ...(owner ? { owner: owner.username } : {}),
      admins,
    })
  }

  async function rulesOf({ teamId, teamRules }: Guarded): Promise<Rules> {
    return teamRules ? rulesIn(teamRules, await policyLocks()) : await policyOf(teamId)
  }

  /** The switches that the organisation fixed for every team. */
  async function policyLocks(): Promise<Locks> {
    const now = Date.now()
    if (locks === undefined || now - locks.at > locksMs) {
      const read = db
        .selectFrom('instance')
        .select('policy_locks')
        .executeTakeFirst()
        .then((row) => (row?.policy_locks ?? {}) as Locks)
      locks = { at: now, read }
      // What could not be read is not remembered.
      read.catch(() => (locks = undefined))
    }
    return locks.read
  }

  async function policyOf(teamId: string): Promise<Rules> {
    const team = await db
      .selectFrom('teams')
      .select(['policy_preset', 'policy_overrides', 'kind'])
      .where('id', '=', teamId)
      .executeTakeFirst()
    if (!team) throw new GridError('not_found')
    return rulesIn(team, await policyLocks())
  }

  /** Proves an act on the organisation itself: users, settings, new teams. */
  async function proveInOrganisation(actor: Actor, action: Action): Promise<void> {
    const refused = await refusalInOrganisation(actor, action)
    if (refused === undefined) return
    if (actor.kind === 'anonymous') throw hidden(actor)
    throw new GridError(
      codeOf(refused),
      refused.sentence,
      refused.policy === undefined ? {} : { policy: refused.policy, admins: await organisationAdmins() },
    )
  }

  async function refusalInOrganisation(actor: Actor, action: Action): Promise<Refused | undefined> {
    const policy = resolvePolicy('default', {}, await policyLocks())
    const verdict = can(subjectOf(actor, { teamId: null }), action, { teamId: null }, policy)
    return verdict.allowed ? undefined : verdict
  }

  async function organisationAdmins(): Promise<string[]> {
    const rows = await db
      .selectFrom('users')
      .select('username')
      .where('organisation_role', '=', 'admin')
      .where('disabled_at', 'is', null)
      .orderBy('username')
      .limit(10)
      .execute()
    return rows.map((row) => row.username)
  }

  /** Teams whose content the actor may list: theirs, and all others while the organisation lets its admins look. */
  async function contentTeamIds(actor: Actor): Promise<string[]> {
    const visible = await visibleTeamIds(actor)
    if (resolvePolicy('default', {}, await policyLocks()).switches.org_admin_sees_content) return visible
    return visible.filter((teamId) => actor.memberships.has(teamId))
  }

  /**
   * For lists: which projects the actor may see in teams whose content they may, as a condition on the table of projects.
   *
   * @param p what the query calls that table.
   */
  async function visibleProjects(actor: Actor, p = 'p'): Promise<RawBuilder<boolean>> {
    const administered = [...actor.memberships].flatMap(([teamId, { role }]) =>
      role === 'admin' ? [teamId] : [],
    )
    const ofOrganisation = (await contentTeamIds(actor)).filter((teamId) => !actor.memberships.has(teamId))
    return sql<boolean>`(${sql.ref(`${p}.visibility`)} = 'team' or ${sql.ref(`${p}.created_by`)} = ${actor.userId}
      or ${sql.ref(`${p}.team_id`)} = any(${[...administered, ...ofOrganisation]}::uuid[]))`
  }

  /** Teams that the actor may list. */
  async function visibleTeamIds(actor: Actor): Promise<string[]> {
    // The key of one job reaches its experiment and no list; a key reaches nothing where its person is view-only.
    if (actor.scope !== 'user') return []
    const isOrganisationAdmin =
      actor.kind === 'operator' || (actor.kind === 'person' && actor.organisationRole === 'admin')
    const own = [...actor.memberships]
      .filter(([, { role }]) => role !== 'viewer' || isOrganisationAdmin || !actor.via.startsWith('key:'))
      .map(([teamId]) => teamId)
    if (!isOrganisationAdmin) return own
    const all = await db.selectFrom('teams').select(['id', 'kind']).execute()
    return all.filter((team) => own.includes(team.id) || team.kind === 'team').map((team) => team.id)
  }

  /**
   * For live messages: which of these, by their ids, the actor may not know about, though they may see the team. What is
   * no longer there is not among them.
   */
  async function hiddenFrom(
    actor: Actor,
    asked: { projectIds: string[]; experimentIds: string[]; datastoreIds: string[] },
  ): Promise<{ projects: Set<string>; experiments: Set<string>; datastores: Set<string> }> {
    const ids = async (query: RawBuilder<{ id: string }>) =>
      new Set((await query.execute(db)).rows.map(({ id }) => id))
    const visible = await visibleProjects(actor)
    const projects = await ids(
      sql`select p.id from projects p where p.id = any(${asked.projectIds}::uuid[]) and not ${visible}`,
    )
    const administered = [...actor.memberships].flatMap(([id, { role }]) => (role === 'admin' ? [id] : []))
    const others = (await contentTeamIds(actor)).filter((teamId) => !actor.memberships.has(teamId))
    return {
      projects,
      // One's own one sees wherever they are.
      experiments:
        projects.size === 0
          ? new Set()
          : await ids(sql`select e.id from experiments e where e.id = any(${asked.experimentIds}::uuid[])
              and e.project_id = any(${[...projects]}::uuid[])
              and e.created_by is distinct from ${actor.userId} and e.via_user_id is distinct from ${actor.userId}`),
      datastores:
        asked.datastoreIds.length === 0
          ? new Set()
          : await ids(sql`select d.id from datastores d where d.id = any(${asked.datastoreIds}::uuid[])
              and d.visibility = 'private' and d.owner_id is distinct from ${actor.userId}
              and d.via_user_id is distinct from ${actor.userId}
              and d.team_id != all(${[...administered, ...others]}::uuid[])`),
    }
  }

  /** Whether somebody a link was made for is still there to use it, and what it leads to still theirs to see. */
  async function mayStillUse(holder: LinkHolder, how: 'read' | 'write'): Promise<boolean> {
    const place = holder.of && (await placeOfLinked(db, holder.of))
    // Deleted since.
    if (holder.of && !place) return false
    const { userId } = holder
    const teamId = place?.team_id ?? holder.teamId
    const found = await db
      .selectFrom('users')
      .leftJoin('memberships', (join) =>
        join.onRef('memberships.user_id', '=', 'users.id').on('memberships.team_id', '=', teamId),
      )
      .leftJoin('teams', (join) => join.on('teams.id', '=', teamId))
      .select(['memberships.role', 'users.organisation_role', 'teams.kind'])
      .where('users.id', '=', userId)
      .where('users.disabled_at', 'is', null)
      .executeTakeFirst()
    if (found === undefined) return false
    // What was read through a registry was shown to somebody of the organisation, and they still are.
    if (how === 'read' && found.kind === 'organisation') return true
    const isHidden = place?.visibility === 'private' && !place.insiders.includes(userId)
    if (found.role !== null && (how === 'read' || found.role !== 'viewer'))
      if (!isHidden || found.role === 'admin') return true
    if (found.organisation_role !== 'admin' || found.kind !== 'team') return false
    return resolvePolicy('default', {}, await policyLocks()).switches.org_admin_sees_content
  }

  return {
    allowed,
    permits,
    verdictOn,
    mayStillUse,
    proveInOrganisation,
    refusalInOrganisation,
    visibleTeamIds,
    contentTeamIds,
    visibleProjects,
    hiddenFrom,
    policyOf,
    policyLocks,
    /** To be called after the organisation changed what it fixed. */
    forgetLocks: () => void (locks = undefined),
  }
}

type Locks = Partial<PolicySwitches>
type Rules = { policy: Policy; isPersonalTeam: boolean }

function rulesIn({ policy_preset, policy_overrides, kind }: TeamRules, locks: Locks): Rules {
  return {
    policy: resolvePolicy(policy_preset as Policy['preset'], policy_overrides, locks),
    isPersonalTeam: kind === 'personal',
  }
}

/** How the permission table sees an actor from a thing's team (null: from the organisation). */
export function subjectOf(
  actor: Actor,
  { teamId, registryRole }: { teamId: string | null; registryRole?: TeamRole | null },
): Subject {
  const role = teamId === null ? roleInOrganisation(actor) : (actor.memberships.get(teamId)?.role ?? null)
  return {
    userId: actor.userId,
    role: registryRole === undefined ? role : registryRole,
    orgRole: actor.kind === 'person' ? actor.organisationRole : null,
    isOperator: actor.kind === 'operator',
    via: actor.client,
    ...(actor.via.startsWith('key:') ? { keyScope: actor.scope as KeyScope } : {}),
  }
}

/** To the organisation, the admin of any team that is not just their own is a team admin; other roles say nothing. */
function roleInOrganisation(actor: Actor): Subject['role'] {
  const isTeamAdmin = [...actor.memberships.values()].some(
    ({ role, kind }) => kind === 'team' && role === 'admin',
  )
  return actor.kind === 'person' && isTeamAdmin ? 'admin' : null
}

function resourceOf(thing: Guarded, isPersonalTeam: boolean): Resource {
  const { share, visibility, keptById, isMoved, openedByLink, policyKey, clusterOf } = thing
  const { experimentId, registryRole, makes } = thing
  return {
    teamId: thing.teamId,
    ownerId: thing.ownerId,
    createdById: thing.createdById ?? null,
    isPersonalTeam,
    kind: thing.kind,
    name: thing.label,
    ...(experimentId === undefined ? {} : { experimentId }),
    ...(share === undefined ? {} : { share }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(keptById === undefined ? {} : { keptById }),
    ...(isMoved === undefined ? {} : { isMoved }),
    ...(openedByLink === undefined ? {} : { openedByLink }),
    ...(makes === undefined ? {} : { makes }),
    ...(policyKey === undefined ? {} : { policyKey }),
    ...(clusterOf === undefined ? {} : { clusterOf }),
    ...(registryRole === undefined ? {} : { isRegistry: true }),
  }
}

function hidden(actor: Actor): GridError {
  return actor.kind === 'anonymous' ? new GridError('unauthenticated') : new GridError('not_found')
}

type LinkedPlace = { team_id: string; visibility: string; insiders: (string | null)[] }

/** Where a thing is that a link leads to, and who sees it there even if it is private. */
async function placeOfLinked(
  db: Kysely<Database>,
  { kind, id }: NonNullable<LinkHolder['of']>,
): Promise<LinkedPlace | undefined> {
  const query = {
    experiment: sql<LinkedPlace>`select p.team_id, p.visibility, array[p.created_by, e.created_by, e.via_user_id] as insiders
      from experiments e join projects p on p.id = e.project_id where e.id = ${id} and e.deleted_at is null`,
    artifact: sql<LinkedPlace>`select p.team_id, p.visibility, array[p.created_by, a.created_by, a.via_user_id] as insiders
      from artifacts a join artifact_collections c on c.id = a.collection_id join projects p on p.id = c.project_id
      where a.id = ${id} and a.state != 'deleted'`,
    datastore: sql<LinkedPlace>`select d.team_id, d.visibility, array[d.owner_id, d.via_user_id] as insiders
      from datastores d where d.id = ${id}`,
  }[kind]
  return (await query.execute(db)).rows[0]
}
