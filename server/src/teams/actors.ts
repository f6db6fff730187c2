import { GridError } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import type { Actor, Membership } from '../actor.ts'
import type { Clock } from '../lib/clock.ts'
import { hashOf } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { findUser, findUserByEmail, type UserRow } from './store.ts'

/** What a request tells of itself besides its proof. */
export type Arrival = {
  origin: string
  client: Actor['client']
  /** The network address the request came from. */
  address?: string
  /** Whom a service account works for; empty means nobody. */
  username?: string
  email?: string
}

/** How stale "last use" of a key may be: writing it on every message would double the writes of a busy script. */
const lastUseSeconds = 60

export function anonymous(
  origin: string,
  client: Actor['client'] = 'web',
  address: string | null = null,
): Actor {
  return {
    kind: 'anonymous',
    userId: null,
    username: '',
    name: '',
    organisationRole: 'member',
    memberships: new Map(),
    defaultTeamId: null,
    via: 'none',
    address,
    client,
    scope: 'user',
    attributedTo: null,
    origin,
  }
}

/** Who holds the operator token of the data directory: acts as an organisation admin that owns nothing. */
export function operator(origin: string, address: string | null = null): Actor {
  return {
    ...anonymous(origin, 'cli', address),
    kind: 'operator',
    username: 'operator',
    name: 'Operator',
    organisationRole: 'admin',
    via: 'operator',
  }
}

type MembershipRow = Membership & { team_id: string }

/** Of the user of the row, in the same statement: every request asks for them. */
const membershipList = sql<MembershipRow[]>`(
  select coalesce(json_agg(json_build_object('team_id', m.team_id, 'role', m.role, 'slug', t.slug, 'kind', t.kind)), '[]')
  from memberships m join teams t on t.id = m.team_id where m.user_id = users.id)`.as('memberships')

function byTeam(rows: MembershipRow[]): Map<string, Membership> {
  return new Map(rows.map(({ team_id, role, slug, kind }) => [team_id, { role, slug, kind }]))
}

export function createActors({ db, clock }: { db: Kysely<Database>; clock: Clock }) {
  /** @throws GridError unauthenticated, saying why, when the key opens nothing. */
  async function ofKey(secret: string, arrival: Arrival): Promise<Actor> {
    const key = await db
      .selectFrom('api_keys')
      .innerJoin('users', 'users.id', 'api_keys.user_id')
      .selectAll('users')
      .select(['api_keys.id as key_id', 'api_keys.scope', 'api_keys.last_used_at', membershipList])
      .where('secret_hash', '=', hashOf(secret))
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (!key || key.disabled_at) {
      throw new GridError('unauthenticated', 'This API key is not valid here: it is wrong, or was revoked', {
        hint: `Get a new one at ${arrival.origin}/authorize`,
      })
    }
    const memberships = byTeam(key.memberships)
    if (!mayHaveKey(key, memberships)) {
      throw new GridError(
        'unauthenticated',
        'View-only members have no API key; open this server in a browser instead',
        {
          hint: arrival.origin,
        },
      )
    }
    const now = clock.now()
    if (!key.last_used_at || now.getTime() - key.last_used_at.getTime() > lastUseSeconds * 1000) {
      await db.updateTable('api_keys').set({ last_used_at: now }).where('id', '=', key.key_id).execute()
    }
    const actor = actorOf(key, memberships, arrival, `key:${key.key_id}`, key.scope)
    if (key.kind !== 'service') return actor
    const attributedTo = await attribution(memberships, arrival)
    const named = arrival.username ?? arrival.email
    return { ...actor, attributedTo, ...(named && attributedTo === null ? { unknownMember: named } : {}) }
  }

  async function ofUser(userId: string, arrival: Arrival): Promise<Actor | undefined> {
    const user = await db
      .selectFrom('users')
      .selectAll()
      .select(membershipList)
      .where('id', '=', userId)
      .executeTakeFirst()
    if (!user || user.disabled_at) return undefined
    return actorOf(user, byTeam(user.memberships), arrival, 'cookie', 'user')
  }

  /**
   * The named member of the service account's team. A name that nobody in the team has, or had, is nobody: the work stays
   * the account's own, and whether such a person exists elsewhere is not told.
   *
   * @throws GridError forbidden for somebody who was a member, or may not work: nothing must go on in their name.
   */
  async function attribution(memberships: Map<string, Membership>, { username, email }: Arrival) {
    if (!username && !email) return null
    const user = username ? await findUser(db, username) : await findUserByEmail(db, email!)
    if (!user || memberships.size === 0) return null
    const teamIds = [...memberships.keys()]
    const shared = await db
      .selectFrom('memberships')
      .select('role')
      .where('user_id', '=', user.id)
      .where('team_id', 'in', teamIds)
      .where('role', '<>', 'service')
      .executeTakeFirst()
    const mayWork = shared?.role === 'admin' || shared?.role === 'member'
    if (mayWork && !user.disabled_at) return { userId: user.id, username: user.username, name: user.name }
    const isKnown = shared !== undefined || (await wasMember(teamIds, user.id))
    if (!isKnown) return null
    const slugs = [...memberships.values()].map((membership) => membership.slug).join(', ')
    throw new GridError(
      'forbidden',
      `${username ?? email} is not a member of ${slugs} any more, or is view-only there, so nothing can be logged for them`,
      {
        hint: 'Unset WANDB_USERNAME and GRID_USERNAME, or name a member.',
      },
    )
  }

  async function wasMember(teamIds: string[], userId: string): Promise<boolean> {
    const found = await db
      .selectFrom('former_members')
      .select('user_id')
      .where('user_id', '=', userId)
      .where('team_id', 'in', teamIds)
      .executeTakeFirst()
    return found !== undefined
  }

  return { ofKey, ofUser }
}

/** Where somebody belongs, by team id. */
export async function membershipsOf(db: Kysely<Database>, userId: string): Promise<Map<string, Membership>> {
  const rows = await db
    .selectFrom('memberships')
    .innerJoin('teams', 'teams.id', 'memberships.team_id')
    .select(['team_id', 'role', 'slug', 'kind'])
    .where('user_id', '=', userId)
    .where('kind', '!=', 'organisation')
    .$narrowType<{ kind: Membership['kind'] }>()
    .execute()
  return byTeam(rows)
}

/**
 * View-only members have no key. A person who is view-only in one team and works in another needs one there; it can
 * still change nothing where they are view-only.
 */
export function mayHaveKey(
  user: Pick<UserRow, 'organisation_role'>,
  memberships: ReadonlyMap<string, Membership>,
): boolean {
  const shared = [...memberships.values()].filter((membership) => membership.kind === 'team')
  return (
    user.organisation_role === 'admin' ||
    shared.length === 0 ||
    shared.some((membership) => membership.role !== 'viewer')
  )
}

function actorOf(
  user: UserRow,
  memberships: Map<string, Membership>,
  { origin, client, address }: Arrival,
  via: string,
  scope: string,
): Actor {
  const isMine = user.default_team_id !== null && memberships.has(user.default_team_id)
  const fallback =
    [...memberships].find(([, membership]) => membership.kind === 'personal') ?? [...memberships][0]
  return {
    kind: user.kind,
    userId: user.id,
    username: user.username,
    name: user.name,
    organisationRole: user.organisation_role,
    memberships,
    defaultTeamId: isMine ? user.default_team_id : (fallback?.[0] ?? null),
    via,
    address: address ?? null,
    client,
    scope,
    attributedTo: null,
    origin,
  }
}
