import {
  type Action,
  can,
  codeOf,
  GridError,
  type KeyScope,
  type Policy,
  type Refused,
  resolvePolicy,
  type Resource,
  type Subject,
} from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Actor, Guarded, TeamRules } from './actor.ts'
import type { LinkHolder } from './lib/signed.ts'
import type { Database } from './stores/postgres/schema.ts'

export type Access = ReturnType<typeof createAccess>

/** The one place where permission is enforced: every use case begins with `allowed`, every list with `visibleTeamIds`. */
export function createAccess({ db }: { db: Kysely<Database> }) {
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
    const refused = await refusalOf(actor, action, thing)
    if (refused === undefined) return thing
    if (codeOf(refused) === 'not_found') throw hidden(actor)
    throw await explain(actor, action, thing)
  }

  async function permits(actor: Actor, action: Action, thing: Guarded): Promise<boolean> {
    return (await refusalOf(actor, action, thing)) === undefined
  }

  async function refusalOf(actor: Actor, action: Action, thing: Guarded): Promise<Refused | undefined> {
    const { policy, isPersonalTeam } = await rulesOf(thing)
    const verdict = can(subjectOf(actor, thing.teamId), action, resourceOf(thing, isPersonalTeam), policy)
    return verdict.allowed ? undefined : verdict
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
    const verdict = can(subjectOf(actor, thing.teamId), action, resource, policy)
    if (verdict.allowed) throw new Error('A refusal was granted when asked again')
    return new GridError(codeOf(verdict), verdict.sentence, {
      ...(verdict.policy ? { policy: verdict.policy } : {}),
      ...(owner ? { owner: owner.username } : {}),
      admins,
    })
  }

  async function rulesOf({ teamId, teamRules }: Guarded): Promise<Rules> {
    return teamRules ? rulesIn(teamRules) : await policyOf(teamId)
  }

  async function policyOf(teamId: string): Promise<Rules> {
    const team = await db
      .selectFrom('teams')
      .select(['policy_preset', 'policy_overrides', 'kind'])
      .where('id', '=', teamId)
      .executeTakeFirst()
    if (!team) throw new GridError('not_found')
    return rulesIn(team)
  }

  /** Proves an act on the organisation itself: users, settings, new teams. */
  function allowedInOrganisation(actor: Actor, action: Action): void {
    const verdict = can(subjectOf(actor, null), action, { teamId: null }, resolvePolicy())
    if (verdict.allowed) return
    if (actor.kind === 'anonymous') throw hidden(actor)
    throw new GridError(codeOf(verdict), verdict.sentence)
  }

  /** Teams whose things the actor may list. */
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

  /** Whether somebody a link was made for is still there to use it. */
  async function mayStillUse({ userId, teamId }: LinkHolder, how: 'read' | 'write'): Promise<boolean> {
    const found = await db
      .selectFrom('users')
      .leftJoin('memberships', (join) =>
        join.onRef('memberships.user_id', '=', 'users.id').on('memberships.team_id', '=', teamId),
      )
      .select(['memberships.role', 'users.organisation_role'])
      .where('users.id', '=', userId)
      .where('users.disabled_at', 'is', null)
      .executeTakeFirst()
    if (found === undefined) return false
    if (found.organisation_role === 'admin') return true
    return found.role !== null && (how === 'read' || found.role !== 'viewer')
  }

  return { allowed, permits, mayStillUse, allowedInOrganisation, visibleTeamIds, policyOf }
}

type Rules = { policy: Policy; isPersonalTeam: boolean }

function rulesIn({ policy_preset, policy_overrides, kind }: TeamRules): Rules {
  return {
    policy: resolvePolicy(policy_preset as Policy['preset'], policy_overrides),
    isPersonalTeam: kind === 'personal',
  }
}

/** How the permission table sees an actor from a team (null: from the organisation). */
export function subjectOf(actor: Actor, teamId: string | null): Subject {
  return {
    userId: actor.userId,
    role: teamId === null ? null : (actor.memberships.get(teamId)?.role ?? null),
    orgRole: actor.kind === 'person' ? actor.organisationRole : null,
    isOperator: actor.kind === 'operator',
    via: actor.client,
    ...(actor.via.startsWith('key:') ? { keyScope: actor.scope as KeyScope } : {}),
  }
}

function resourceOf(thing: Guarded, isPersonalTeam: boolean): Resource {
  return {
    teamId: thing.teamId,
    ownerId: thing.ownerId,
    createdById: thing.createdById ?? null,
    isPersonalTeam,
    kind: thing.kind,
    name: thing.label,
    ...(thing.visibility === undefined ? {} : { visibility: thing.visibility }),
    ...(thing.experimentId === undefined ? {} : { experimentId: thing.experimentId }),
  }
}

function hidden(actor: Actor): GridError {
  return actor.kind === 'anonymous' ? new GridError('unauthenticated') : new GridError('not_found')
}
