/** Coming in through an identity provider: who may, whom they become here, and what their groups give them. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { GridError, type GroupRole, slugPattern } from '@teamgrid/api'
import { APIError } from 'better-auth/api'
import type { Kysely } from 'kysely'
import { type Acting, record } from '../activity.ts'
import type { Clock } from '../lib/clock.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { adoptPerson } from './adopt.ts'
import { reservedSlugs } from './people.ts'
import { withinSeats } from './seats.ts'
import { findTeam, findUserById, isSlugTaken, type UserRow } from './store.ts'

type Db = Kysely<Database>

type Client = { clientId: string; clientSecret: string }
export type SsoSettings = {
  oidc: (Client & { issuer: string; name: string; scopes: string[]; groupsClaim: string }) | null
  github: Client | null
  google: Client | null
  /** Whoever proves an address of these domains may come in without an invitation. */
  domains: string[]
  /** Passwords are for the break-glass admins alone. */
  only: boolean
  breakGlass: string[]
  roles: GroupRole[]
  /** Teams that whoever comes from these domains is in from the first sign-in on. */
  joinTeams: { team: string; role: 'member' | 'viewer' }[]
}

export const noSso: SsoSettings = {
  oidc: null,
  github: null,
  google: null,
  domains: [],
  only: false,
  breakGlass: [],
  roles: [],
  joinTeams: [],
}

/** What one request to the sign-in endpoints knows about who is coming. */
type Arrival = { address: string | null; provider?: string; profile?: Record<string, unknown> }

const ranks = { viewer: 0, member: 1, admin: 2 } as const

export function createSso({ db, clock, settings }: { db: Db; clock: Clock; settings: SsoSettings }) {
  const arrivals = new AsyncLocalStorage<Arrival>()

  const ways = [
    ...(settings.oidc ? [{ id: 'oidc', name: settings.oidc.name }] : []),
    ...(settings.github ? [{ id: 'github', name: 'GitHub' }] : []),
    ...(settings.google ? [{ id: 'google', name: 'Google' }] : []),
  ]

  /** Keeps what the provider said about the person until their session begins, later in the same request. */
  function note(provider: string, profile: object): Record<string, never> {
    const arrival = arrivals.getStore()
    if (arrival) Object.assign(arrival, { provider, profile })
    return {}
  }

  /**
   * The gate for whoever the provider vouches for. An address it has not verified links to nobody and makes nobody: it
   * may be somebody else's.
   *
   * @returns the reason of the refusal; undefined lets them on.
   */
  async function gate(data: {
    user: { email?: string | null; emailVerified?: boolean | null }
    source: { method: string; action: string }
  }): Promise<{ error: string; errorDescription: string } | undefined> {
    const { method, action } = data.source
    if (method !== 'oauth' || action === 'sign-in') return undefined
    const email = data.user.email?.toLowerCase() ?? ''
    if (email === '' || data.user.emailVerified !== true)
      return {
        error: 'email_not_verified',
        errorDescription:
          'The identity provider has not verified your e-mail address. Verify it there first.',
      }
    if (action === 'link-account') return undefined
    if (isOfDomains(email)) return undefined
    const { sign_up_open } = await db.selectFrom('instance').select('sign_up_open').executeTakeFirstOrThrow()
    if (sign_up_open) return undefined
    return {
      error: 'not_invited',
      errorDescription:
        'There is no account for your e-mail address here. Ask a team admin for an invitation.',
    }
  }

  function isOfDomains(email: string): boolean {
    return settings.domains.includes(email.slice(email.lastIndexOf('@') + 1).toLowerCase())
  }

  /**
   * The last step before a browser session begins, whichever way somebody came. Makes who is new a person with a team,
   * gives what groups give, and writes the sign-in down; when any of it fails, there is no session.
   *
   * @param path of the endpoint that makes the session.
   */
  async function enter(userId: string, path: string): Promise<void> {
    const arrival = arrivals.getStore() ?? { address: null }
    await db.transaction().execute(async (trx) => {
      const acting: Acting = {
        userId,
        via: 'cookie',
        client: 'web',
        address: arrival.address,
        attributedTo: null,
      }
      const user =
        (await findUserById(trx, userId)) ??
        (await withinSeats(trx, () => welcome(trx, acting, userId, arrival)).catch(refuseWithout))
      if (user.disabled_at) throw new APIError('FORBIDDEN', { message: 'This account is disabled' })
      if (arrival.provider === undefined) {
        refusePassword(user)
        // With a second factor the password alone is no sign-in yet.
        if (path === '/sign-in/email' && (await hasSecondFactor(trx, userId))) return
      } else await applyGroups(trx, acting, user, arrival)
      await record(trx, acting, 'user:sign-in', {
        teamId: null,
        kind: 'user',
        id: userId,
        details: { username: user.username, by: arrival.provider ?? 'password' },
      })
    })
  }

  function refusePassword(user: UserRow): void {
    if (!settings.only || ways.length === 0) return
    const isBreakGlass = settings.breakGlass.some(
      (name) => name.toLowerCase() === user.username.toLowerCase(),
    )
    if (isBreakGlass && user.organisation_role === 'admin') return
    throw new APIError('FORBIDDEN', {
      code: 'SSO_ONLY',
      message: `Passwords are off here; sign in with ${ways.map(({ name }) => name).join(' or ')}`,
    })
  }

  async function welcome(
    trx: Db,
    acting: Acting,
    userId: string,
    { profile = {} }: Arrival,
  ): Promise<UserRow> {
    const { name, email } = await trx
      .selectFrom('auth_user')
      .select(['name', 'email'])
      .where('id', '=', userId)
      .executeTakeFirstOrThrow()
    const username = await freeUsername(trx, [
      profile['preferred_username'],
      profile['login'],
      email.split('@')[0],
    ])
    await adoptPerson(
      trx,
      {
        id: userId,
        username,
        name: name.trim() || username,
        email,
        kind: 'person',
        disabled_at: null,
        created_at: clock.now().toISOString(),
      },
      { withTeam: true, withSignIn: false },
    )
    await record(trx, acting, 'user:create', {
      teamId: null,
      kind: 'user',
      id: userId,
      details: { username },
    })
    const made = (await findUserById(trx, userId))!
    if (isOfDomains(email)) await joinTeams(trx, acting, made)
    return made
  }

  /** Once, with the first sign-in: who leaves or is removed stays away. */
  async function joinTeams(trx: Db, acting: Acting, user: UserRow): Promise<void> {
    for (const { team: slug, role } of settings.joinTeams) {
      const team = await findTeam(trx, slug)
      if (!team || team.kind !== 'team') continue
      await trx
        .insertInto('memberships')
        .values({ team_id: team.id, user_id: user.id, role, created_at: clock.now() })
        .execute()
      await record(trx, acting, 'member:join', {
        teamId: team.id,
        kind: 'user',
        id: user.id,
        details: { username: user.username, role, because: 'domain' },
      })
    }
  }

  /** Groups give and take what they gave; roles that people gave are never lowered. */
  async function applyGroups(
    trx: Db,
    acting: Acting,
    user: UserRow,
    { profile = {} }: Arrival,
  ): Promise<void> {
    if (settings.roles.length === 0) return
    const claim = profile[settings.oidc?.groupsClaim ?? 'groups']
    const groups = new Set(
      Array.isArray(claim) ? claim.map(String) : typeof claim === 'string' ? [claim] : [],
    )
    const mine = settings.roles.filter(({ group }) => groups.has(group))
    await applyOrganisationRole(
      trx,
      acting,
      user,
      mine.some((role) => 'organisation' in role),
    )
    const slugs = new Set(settings.roles.flatMap((role) => ('team' in role ? [role.team] : [])))
    for (const slug of slugs) {
      const wanted = mine
        .flatMap((role) => ('team' in role && role.team === slug ? [role.role] : []))
        .toSorted((a, b) => ranks[b] - ranks[a])[0]
      await applyTeamRole(trx, acting, user, slug, wanted)
    }
  }

  async function applyOrganisationRole(
    trx: Db,
    acting: Acting,
    user: UserRow,
    isAdmin: boolean,
  ): Promise<void> {
    if (!settings.roles.some((role) => 'organisation' in role)) return
    const { role_from_group } = await trx
      .selectFrom('users')
      .select('role_from_group')
      .where('id', '=', user.id)
      .executeTakeFirstOrThrow()
    if (isAdmin === (user.organisation_role === 'admin') || (!isAdmin && !role_from_group)) return
    const organisation_role = isAdmin ? ('admin' as const) : ('member' as const)
    await trx
      .updateTable('users')
      .set({ organisation_role, role_from_group: isAdmin })
      .where('id', '=', user.id)
      .execute()
    await record(trx, acting, 'user:change', {
      teamId: null,
      kind: 'user',
      id: user.id,
      details: { username: user.username, organisationRole: organisation_role, because: 'groups' },
    })
  }

  async function applyTeamRole(
    trx: Db,
    acting: Acting,
    user: UserRow,
    slug: string,
    wanted: 'admin' | 'member' | 'viewer' | undefined,
  ): Promise<void> {
    const team = await findTeam(trx, slug)
    if (!team || team.kind !== 'team') return
    const has = await trx
      .selectFrom('memberships')
      .select(['role', 'from_group'])
      .where('team_id', '=', team.id)
      .where('user_id', '=', user.id)
      .executeTakeFirst()
    if (wanted === undefined ? !has?.from_group : has && (has.role === wanted || !has.from_group)) return
    const at = { team_id: team.id, user_id: user.id }
    if (wanted === undefined)
      await trx
        .deleteFrom('memberships')
        .where('team_id', '=', team.id)
        .where('user_id', '=', user.id)
        .execute()
    else
      await trx
        .insertInto('memberships')
        .values({ ...at, role: wanted, from_group: true, created_at: clock.now() })
        .onConflict((conflict) => conflict.columns(['team_id', 'user_id']).doUpdateSet({ role: wanted }))
        .execute()
    await record(trx, acting, wanted === undefined ? 'member:remove' : has ? 'member:edit' : 'member:join', {
      teamId: team.id,
      kind: 'user',
      id: user.id,
      details: { username: user.username, ...(wanted ? { role: wanted } : {}), because: 'groups' },
    })
  }

  /** An identity provider opens somebody's account from now on. */
  async function linked(account: { userId: string; providerId: string }): Promise<void> {
    // Who is new becomes a person with their first session, and that is written down then.
    if (account.providerId === 'credential' || !(await findUserById(db, account.userId))) return
    await record(
      db,
      {
        userId: account.userId,
        via: 'cookie',
        client: 'web',
        address: arrivals.getStore()?.address ?? null,
        attributedTo: null,
      },
      'user:sign-in-change',
      {
        teamId: null,
        kind: 'user',
        id: account.userId,
        details: { what: 'identity provider', to: 'linked', by: account.providerId },
      },
    )
  }

  return { ways, arrivals, note, gate, enter, linked }
}

/** better-auth hands on its own errors alone. */
function refuseWithout(error: unknown): never {
  if (error instanceof GridError) throw new APIError('FORBIDDEN', { code: 'NO_SEAT', message: error.message })
  throw error
}

async function hasSecondFactor(trx: Db, userId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('auth_user')
    .select('two_factor_enabled')
    .where('id', '=', userId)
    .executeTakeFirst()
  return row?.two_factor_enabled === true
}

/** The first of the wishes that can be a username here, with a number behind it where it is taken. */
async function freeUsername(trx: Db, wishes: unknown[]): Promise<string> {
  const wish = wishes
    .filter((each) => typeof each === 'string')
    .map((each) =>
      each
        .toLowerCase()
        .replaceAll(/[^a-z0-9._-]+/g, '-')
        .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
        .slice(0, 50),
    )
    .find((each) => slugPattern.test(each))
  const base = wish ?? 'person'
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}${number}`
    if (!reservedSlugs.has(name) && !(await isSlugTaken(trx, name))) return name
  }
}
