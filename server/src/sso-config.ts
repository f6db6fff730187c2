/** Single sign-on as the environment sets it, which wins over what the organisation's admins set on their page. */
import { GridError, type GroupRole } from '@teamgrid/api'
import type { SsoSettings } from './teams/sso.ts'

export const ssoHelp = `
Single sign-on, which admins may also set on their page; what is set here is fixed there (needs TEAMGRID_URL; the provider wants URL/api/auth/callback/oidc, …/github, …/google):
  OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET    any OpenID Connect provider
  OIDC_NAME (Single sign-on), OIDC_SCOPES (openid profile email), OIDC_GROUPS_CLAIM (groups)
  GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET
  SSO_DOMAINS      example.org,… whose people come in without an invitation
  SSO_JOIN_TEAMS   vision,labs:viewer, which everybody of these domains is in from their first sign-in on
  SSO_ROLES        {"ml-team": "team:vision:member", "it": "organisation:admin"}, by group of the OIDC provider
  SSO_ONLY=true    no passwords, except for the organisation admins in SSO_BREAK_GLASS=username,…
`

/**
 * @returns what is set, and no more: the rest is the organisation's to decide.
 * @throws GridError invalid: one sentence that names the setting and what it should look like.
 */
export function readSso(
  setting: (name: string) => string | undefined,
  hasPublicUrl: boolean,
): Partial<SsoSettings> {
  const client = (prefix: string) => {
    const clientId = setting(`${prefix}_CLIENT_ID`)
    const clientSecret = setting(`${prefix}_CLIENT_SECRET`)
    if (clientId && clientSecret) return { clientId, clientSecret }
    if (clientId || clientSecret)
      throw new GridError('invalid', `${prefix}_CLIENT_ID and ${prefix}_CLIENT_SECRET belong together.`)
    return null
  }
  const list = (name: string) =>
    (setting(name) ?? '')
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean)
  const oidc = client('OIDC')
  const issuer = setting('OIDC_ISSUER')
  if ((oidc === null) !== (issuer === undefined))
    throw new GridError('invalid', 'OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together.')
  if (issuer !== undefined && !(URL.canParse(issuer) && /^https?:$/.test(new URL(issuer).protocol)))
    throw new GridError('invalid', `OIDC_ISSUER is "${issuer}"; it must look like https://login.example.org.`)
  const github = client('GITHUB')
  const google = client('GOOGLE')
  const isSet = (name: string) => setting(name) !== undefined
  const settings: Partial<SsoSettings> = {
    ...(oidc
      ? {
          oidc: {
            ...oidc,
            issuer: issuer!,
            name: setting('OIDC_NAME') ?? 'Single sign-on',
            scopes: (setting('OIDC_SCOPES') ?? 'openid profile email').split(/\s+/),
            groupsClaim: setting('OIDC_GROUPS_CLAIM') ?? 'groups',
          },
        }
      : {}),
    ...(github ? { github } : {}),
    ...(google ? { google } : {}),
    ...(isSet('SSO_DOMAINS') ? { domains: list('SSO_DOMAINS').map((domain) => domain.toLowerCase()) } : {}),
    ...(isSet('SSO_JOIN_TEAMS') ? { joinTeams: list('SSO_JOIN_TEAMS').map(readJoinTeam) } : {}),
    ...(isSet('SSO_ONLY') ? { only: setting('SSO_ONLY') === 'true' } : {}),
    ...(isSet('SSO_BREAK_GLASS') ? { breakGlass: list('SSO_BREAK_GLASS') } : {}),
    ...(isSet('SSO_ROLES') ? { roles: readRoles(setting('SSO_ROLES')) } : {}),
  }
  const hasProvider = oidc !== null || github !== null || google !== null
  if (settings.only && !hasProvider)
    throw new GridError('invalid', 'SSO_ONLY is set, but no identity provider is.')
  if (hasProvider && !hasPublicUrl)
    throw new GridError('invalid', 'Single sign-on needs TEAMGRID_URL: the provider sends people back to it.')
  if (settings.only && !settings.breakGlass?.length)
    throw new GridError(
      'invalid',
      'SSO_ONLY needs SSO_BREAK_GLASS: the username of an organisation admin who gets in when the provider is away.',
    )
  return settings
}

function readJoinTeam(text: string): SsoSettings['joinTeams'][number] {
  const [team = '', role = 'member', ...rest] = text.split(':')
  if (team === '' || rest.length > 0 || (role !== 'member' && role !== 'viewer'))
    throw new GridError('invalid', `SSO_JOIN_TEAMS: "${text}" must look like vision or vision:viewer.`)
  return { team, role }
}

function readRoles(text: string | undefined): GroupRole[] {
  if (text === undefined) return []
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>).map(([group, value]): GroupRole => {
      if (value === 'organisation:admin') return { group, organisation: 'admin' }
      const match = /^team:([^:]+):(admin|member|viewer)$/.exec(String(value))
      if (!match) throw new Error(String(value))
      return { group, team: match[1]!, role: match[2] as 'admin' | 'member' | 'viewer' }
    })
  } catch (cause) {
    throw new GridError(
      'invalid',
      'SSO_ROLES must look like {"ml-team": "team:vision:member", "it": "organisation:admin"}.',
      { cause },
    )
  }
}
