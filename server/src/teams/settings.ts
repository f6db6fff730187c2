import {
  GridError,
  Id,
  isPolicyKey,
  isPolicyPreset,
  isPolicyValue,
  isSetByOrganisation,
  type PolicySwitches,
  resolvePolicy,
  type Team,
} from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Actor, Guarded } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { me } from './keys.ts'
import { insertMembership } from './memberships.ts'
import { claimSlug } from './people.ts'
import { withinSeats } from './seats.ts'
import type { TeamsDeps } from './service.ts'
import * as store from './store.ts'

export type GuardedTeam = Guarded & { id: string; slug: string; name: string; teamKind: 'team' | 'personal' }

export function createTeamSettings({ db, access, events, clock }: TeamsDeps) {
  /** The team of a slug, whoever asks; undefined when there is none. */
  async function findTeam(slug: string) {
    const row = await store.findTeam(db, slug)
    return row && { id: row.id, slug: row.slug, name: row.name, kind: row.kind }
  }

  async function teamGuard(slug: string): Promise<GuardedTeam | undefined> {
    const row = await store.findTeam(db, slug)
    return (
      row && {
        teamId: row.id,
        teamRules: row,
        ownerId: null,
        kind: 'team',
        label: row.slug,
        id: row.id,
        slug: row.slug,
        name: row.name,
        teamKind: row.kind,
      }
    )
  }

  async function listTeams(actor: Actor): Promise<Team[]> {
    if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
    return presentTeams(db, await access.visibleTeamIds(actor), actor.userId, await access.policyLocks())
  }

  async function getTeam(actor: Actor, slug: string): Promise<Team> {
    const team = await access.allowed(actor, 'team:read', teamGuard(slug))
    return present(team.id, actor)
  }

  async function createTeam(
    actor: Actor,
    input: { slug: string; name?: string; admin?: string },
  ): Promise<Team> {
    await access.proveInOrganisation(actor, 'team:create')
    const admin = input.admin === undefined ? undefined : await store.findUser(db, input.admin)
    if (input.admin !== undefined && admin?.kind !== 'person') {
      throw new GridError('not_found', `There is no person ${input.admin}`)
    }
    const adminId = admin?.id ?? me(actor)
    const { slug, name } = input
    const id = await db.transaction().execute((trx) => insertTeam(trx, actor, { slug, name, adminId }))
    events.publish({ type: 'team.changed', teamId: id })
    return present(id, actor)
  }

  async function insertTeam(
    trx: Kysely<Database>,
    actor: Actor,
    { slug, name, adminId }: { slug: string; name?: string | undefined; adminId: string },
  ): Promise<string> {
    await claimSlug(trx, slug)
    const id = newId()
    const now = clock.now()
    await trx
      .insertInto('teams')
      .values({ id, slug, name: name?.trim() || slug, created_by: actor.userId, created_at: now })
      .execute()
    await withinSeats(trx, () => insertMembership(trx, id, adminId, 'admin', now))
    await record(trx, actor, 'team:create', { teamId: id, kind: 'team', id, details: { slug } })
    return id
  }

  async function changeTeam(actor: Actor, slug: string, name: string): Promise<Team> {
    const team = await access.allowed(actor, 'team:settings', teamGuard(slug))
    await db.transaction().execute(async (trx) => {
      await trx.updateTable('teams').set({ name }).where('id', '=', team.id).execute()
      await record(trx, actor, 'team:settings', {
        teamId: team.id,
        kind: 'team',
        id: team.id,
        details: { name },
      })
    })
    events.publish({ type: 'team.changed', teamId: team.id })
    return present(team.id, actor)
  }

  async function setPolicy(
    actor: Actor,
    slug: string,
    input: { preset?: string; overrides?: Record<string, boolean | string> },
  ): Promise<Team> {
    const team = await access.allowed(actor, 'policy:edit', teamGuard(slug))
    if (input.preset !== undefined && !isPolicyPreset(input.preset)) {
      throw new GridError('invalid', `There is no policy preset "${input.preset}"`)
    }
    const before = (await store.findTeam(db, slug))?.policy_overrides ?? {}
    for (const [key, value] of Object.entries(input.overrides ?? {})) {
      if (!isPolicyKey(key)) throw new GridError('invalid', `There is no policy switch "${key}"`)
      if (!isPolicyValue(key, value))
        throw new GridError('invalid', `"${String(value)}" does not fit the switch ${key}`)
      if (before[key] === value) continue
      if (isSetByOrganisation(key))
        throw new GridError('policy_denied', `${key} is set by the organisation, not by a team`, {
          policy: key,
        })
      await access.allowed(actor, 'policy:edit', { ...team, policyKey: key })
    }
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('teams')
        .set({
          ...(input.preset === undefined ? {} : { policy_preset: input.preset }),
          ...(input.overrides === undefined ? {} : { policy_overrides: JSON.stringify(input.overrides) }),
        })
        .where('id', '=', team.id)
        .returning('id')
        .execute()
      await record(trx, actor, 'policy:edit', { teamId: team.id, kind: 'team', id: team.id, details: input })
    })
    events.publish({ type: 'team.changed', teamId: team.id })
    return present(team.id, actor)
  }

  async function activity(actor: Actor, slug: string, input: { limit: number; cursor?: string }) {
    if (input.cursor !== undefined && !Id.safeParse(input.cursor).success)
      throw new GridError('invalid', 'This cursor is not one that was handed out')
    const team = await teamGuard(slug)
    const mayReadAll = team !== undefined && (await access.permits(actor, 'audit:read', team))
    if (!mayReadAll) {
      // Members see what they did themselves.
      await access.allowed(actor, 'team:read', team)
      await access.allowed(actor, 'audit:read', { ...team!, ownerId: actor.userId })
    }
    const rows = await store.listActivity(db, {
      teamId: team!.id,
      limit: input.limit + 1,
      ...(mayReadAll || actor.userId === null ? {} : { actorUserId: actor.userId }),
      ...(input.cursor ? { before: input.cursor } : {}),
    })
    const items = rows.slice(0, input.limit)
    return { items, nextCursor: rows.length > input.limit ? items.at(-1)!.id : null }
  }

  async function present(teamId: string, actor: Actor): Promise<Team> {
    const [team] = await presentTeams(db, [teamId], actor.userId, await access.policyLocks())
    return team!
  }

  return { findTeam, teamGuard, listTeams, getTeam, createTeam, insertTeam, changeTeam, setPolicy, activity }
}

/** Teams as everybody who may see them sees them, with every policy switch decided. */
export async function presentTeams(
  db: Kysely<Database>,
  teamIds: string[],
  userId: string | null,
  locks: Partial<PolicySwitches>,
): Promise<Team[]> {
  const rows = await store.teamRows(db, teamIds, userId)
  return rows.map(({ policy_preset, policy_overrides, ...team }) => {
    const preset = isPolicyPreset(policy_preset) ? policy_preset : 'default'
    const { switches, locked } = resolvePolicy(preset, policy_overrides, locks)
    return {
      ...team,
      policy: {
        preset,
        overrides: policy_overrides,
        switches: { ...switches },
        locked: [...locked],
      },
    }
  })
}
