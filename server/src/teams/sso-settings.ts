/**
 * Single sign-on as it is set: by the environment, whose word is final, and for the rest by the organisation's admins.
 * Client secrets rest sealed, go into the sign-in and nowhere else.
 */
import { GridError, type Sso, type SsoChange, type SsoProvider, type SsoVerdict } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import { record } from '../activity.ts'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Clock } from '../lib/clock.ts'
import type { Outbound } from '../lib/outbound.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { noSso, type SsoSettings } from './sso.ts'
import { findTeam, findUser } from './store.ts'
import { testProvider } from './sso-test.ts'

/** Another server on this database sees a change after at most this long. */
const keptMs = 1000

type Stored = Omit<SsoSettings, 'oidc' | 'github' | 'google'> & {
  oidc: Omit<NonNullable<SsoSettings['oidc']>, 'clientSecret'> | null
  github: { clientId: string } | null
  google: { clientId: string } | null
}
type Row = { settings: Partial<Stored>; secrets: Partial<Record<SsoProvider, string>>; version: number }

const providers = ['oidc', 'github', 'google'] as const

export type SsoSettingsDeps = {
  db: Kysely<Database>
  access: Access
  sealed: Sealed
  clock: Clock
  /** For providers that people entered; private addresses are asked only where the operator allows them. */
  outbound: Outbound
  /** For the provider of the environment, which the operator chose. */
  trustedOutbound: Outbound
  /** What the environment sets. */
  environment: Partial<SsoSettings>
  /** The address that providers send people back to; null when nobody set one. */
  publicUrl: string | null
}

export type SsoSettingsStore = ReturnType<typeof createSsoSettings>

export function createSsoSettings(deps: SsoSettingsDeps) {
  const { db, access, sealed, clock, environment, publicUrl } = deps
  let kept: { at: number; value: Promise<{ settings: SsoSettings; version: number }> } | undefined

  /** What holds now, and a number that another state of it does not have. */
  function current(): Promise<{ settings: SsoSettings; version: number }> {
    const now = clock.now().getTime()
    if (kept === undefined || now - kept.at > keptMs) {
      const fresh = { at: now, value: load() }
      fresh.value.catch(() => {
        if (kept === fresh) kept = undefined
      })
      kept = fresh
    }
    return kept.value
  }

  async function load(): Promise<{ settings: SsoSettings; version: number }> {
    const row = await rowOf(db)
    return { settings: { ...noSso, ...opened(row), ...environment }, version: row.version }
  }

  /** Stored providers with their secrets. One whose secret does not open is as good as none. */
  function opened({ settings, secrets }: Row): Partial<SsoSettings> {
    // Without an address of our own nobody would come back.
    if (publicUrl === null) return {}
    const secretOf = (provider: SsoProvider): string | undefined => {
      try {
        return secrets[provider] === undefined
          ? undefined
          : sealed.open(secrets[provider], contextOf(provider))
      } catch {
        return undefined
      }
    }
    const withSecret = <Client>(provider: SsoProvider, client: Client | null | undefined) => {
      const clientSecret = client ? secretOf(provider) : undefined
      return client && clientSecret !== undefined ? { ...client, clientSecret } : null
    }
    const has = {
      oidc: withSecret('oidc', settings.oidc),
      github: withSecret('github', settings.github),
      google: withSecret('google', settings.google),
    }
    const { oidc: _o, github: _h, google: _g, ...rest } = settings
    const isUsable = providers.some((each) => has[each] !== null || environment[each])
    // Passwords stay on where nothing could stand in for them.
    return { ...rest, ...has, ...(isUsable ? {} : { only: false }) }
  }

  async function show(actor: Actor): Promise<Sso> {
    await access.proveInOrganisation(actor, 'org:settings')
    return present(await rowOf(db))
  }

  function present({ settings, secrets }: Row): Sso {
    const all: SsoSettings = { ...noSso, ...(settings as SsoSettings), ...environment }
    const client = (provider: 'github' | 'google') =>
      all[provider] && {
        clientId: all[provider].clientId,
        hasSecret: provider in environment || secrets[provider] !== undefined,
      }
    const base = publicUrl ?? 'https://…'
    return {
      oidc: all.oidc && {
        name: all.oidc.name,
        issuer: all.oidc.issuer,
        clientId: all.oidc.clientId,
        scopes: all.oidc.scopes,
        groupsClaim: all.oidc.groupsClaim,
        hasSecret: 'oidc' in environment || secrets.oidc !== undefined,
      },
      github: client('github'),
      google: client('google'),
      domains: all.domains,
      joinTeams: all.joinTeams,
      roles: all.roles,
      only: all.only,
      breakGlass: all.breakGlass,
      fixed: Object.keys(environment),
      callbackUrls: {
        oidc: `${base}/api/auth/callback/oidc`,
        github: `${base}/api/auth/callback/github`,
        google: `${base}/api/auth/callback/google`,
      },
      missing:
        publicUrl === null
          ? 'Providers send people back to an address of this server; whoever runs it sets TEAMGRID_URL first.'
          : null,
    }
  }

  /** @throws GridError invalid for what would let nobody in, or what the environment sets. */
  async function change(actor: Actor, input: SsoChange): Promise<Sso> {
    await access.proveInOrganisation(actor, 'org:settings')
    const given = Object.keys(input).filter((key) => input[key as keyof SsoChange] !== undefined)
    const fixed = given.filter((key) => key in environment)
    if (fixed.length > 0)
      throw new GridError('invalid', `${fixed.join(' and ')}: set by the server's environment`, {
        hint: 'Whoever runs the server changes it there.',
      })
    const adds = providers.some((provider) => input[provider])
    if (adds && publicUrl === null)
      throw new GridError(
        'invalid',
        'Single sign-on needs TEAMGRID_URL: the provider sends people back to it.',
      )
    if (input.oidc) deps.outbound.checkUrl(input.oidc.issuer)
    const row = await db.transaction().execute(async (trx) => {
      const before = await rowOf(trx, true)
      const after = applied(before, input)
      await refuseUnusable(trx, after, input)
      // Somebody's number at one provider may be somebody else's at another.
      if (before.settings.oidc && before.settings.oidc.issuer !== after.settings.oidc?.issuer)
        await trx.deleteFrom('auth_account').where('provider_id', '=', 'oidc').execute()
      await trx
        .updateTable('sso_settings')
        .set({
          settings: JSON.stringify(after.settings),
          secrets: JSON.stringify(after.secrets),
          version: after.version,
          updated_at: clock.now(),
        })
        .execute()
      await record(trx, actor, 'org:settings', {
        teamId: null,
        kind: 'organisation',
        id: 'organisation',
        details: { what: 'single sign-on', ...withoutSecrets(input) },
      })
      return after
    })
    kept = undefined
    return present(row)
  }

  function applied({ settings, secrets, version }: Row, input: SsoChange): Row {
    const after: Row = { settings: { ...settings }, secrets: { ...secrets }, version: version + 1 }
    for (const provider of providers) {
      const given = input[provider]
      if (given === undefined) continue
      delete after.secrets[provider]
      if (given === null) {
        after.settings[provider] = null
        continue
      }
      const { clientSecret, ...rest } = given
      const before = settings[provider]
      // A secret must not go to another place than the one it was entered for.
      const isSame =
        before?.clientId === rest.clientId && (!('issuer' in rest) || settings.oidc?.issuer === rest.issuer)
      if (clientSecret !== undefined) after.secrets[provider] = sealed.seal(clientSecret, contextOf(provider))
      else if (isSame && secrets[provider] !== undefined) after.secrets[provider] = secrets[provider]
      else
        throw new GridError('invalid', 'Enter the client secret; it belongs to one issuer and one client id')
      after.settings = { ...after.settings, [provider]: rest }
    }
    for (const key of ['domains', 'joinTeams', 'roles', 'only', 'breakGlass'] as const)
      if (input[key] !== undefined) after.settings = { ...after.settings, [key]: input[key] }
    return after
  }

  async function refuseUnusable(trx: Kysely<Database>, { settings }: Row, input: SsoChange): Promise<void> {
    const all = { ...noSso, ...settings, ...environment }
    const named = [
      ...(input.joinTeams ?? []).map(({ team }) => team),
      ...(input.roles ?? []).flatMap((role) => ('team' in role ? [role.team] : [])),
    ]
    for (const slug of new Set(named))
      if ((await findTeam(trx, slug))?.kind !== 'team')
        throw new GridError('not_found', `There is no team ${slug}`)
    if (!all.only) return
    if (providers.every((provider) => !all[provider]))
      throw new GridError('invalid', 'Without an identity provider nobody could sign in: keep passwords on')
    const admins = await Promise.all(
      all.breakGlass.map(async (username) => {
        const user = await findUser(trx, username)
        if (user?.organisation_role !== 'admin' || user.disabled_at) return undefined
        return await trx
          .selectFrom('auth_account')
          .select('id')
          .where('user_id', '=', user.id)
          .where('provider_id', '=', 'credential')
          .executeTakeFirst()
      }),
    )
    if (admins.every((admin) => admin === undefined))
      throw new GridError(
        'invalid',
        'Passwords can be turned off only with a break-glass admin: an organisation admin who has a password',
        { hint: 'They get in when the provider is away.' },
      )
  }

  /** Asks a provider as it is set, or as somebody is about to set it. */
  async function test(
    actor: Actor,
    input: { provider: SsoProvider; issuer?: string; clientId?: string; clientSecret?: string },
  ): Promise<SsoVerdict> {
    await access.proveInOrganisation(actor, 'org:settings')
    const { provider } = input
    const isFixed = provider in environment
    const set: { clientId: string; clientSecret: string; issuer?: string } | null | undefined = (
      isFixed ? environment : opened(await rowOf(db))
    )[provider]
    const given: Partial<typeof input> = isFixed ? {} : input
    const issuer = given.issuer ?? set?.issuer
    const clientId = given.clientId ?? set?.clientId
    // A stored secret goes to its own issuer, as its own client, or nowhere.
    const isSet = set?.clientId === clientId && set?.issuer === issuer
    const clientSecret = given.clientSecret ?? (isSet ? set?.clientSecret : undefined)
    return await testProvider({
      outbound: isFixed ? deps.trustedOutbound : deps.outbound,
      provider,
      issuer,
      client: clientId !== undefined && clientSecret !== undefined ? { clientId, clientSecret } : undefined,
      redirectUri: `${publicUrl ?? 'http://localhost'}/api/auth/callback/${provider}`,
    })
  }

  /** How the provider that is set is asked. */
  const outboundOf = () => ('oidc' in environment ? deps.trustedOutbound : deps.outbound)

  return { current, show, change, test, outboundOf }
}

const contextOf = (provider: SsoProvider) => `sso:${provider}`

async function rowOf(db: Kysely<Database>, isLocked = false): Promise<Row> {
  const query = db.selectFrom('sso_settings').select(['settings', 'secrets', 'version'])
  return (await (isLocked ? query.forUpdate() : query).executeTakeFirstOrThrow()) as Row
}

function withoutSecrets(input: SsoChange): object {
  const bare = (client: { clientSecret?: string | undefined } | null) => {
    if (client === null) return null
    const { clientSecret, ...rest } = client
    return { ...rest, ...(clientSecret === undefined ? {} : { clientSecret: 'another one' }) }
  }
  return Object.fromEntries(
    Object.entries(input).flatMap(([key, value]) =>
      value === undefined
        ? []
        : [
            [
              key,
              providers.some((each) => each === key)
                ? bare(value as { clientSecret?: string } | null)
                : value,
            ],
          ],
    ),
  )
}
