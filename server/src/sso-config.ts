/** The settings of single sign-on, from the environment. */
import { GridError } from '@teamgrid/api'
import type { GroupRole, SsoSettings } from './teams/sso.ts'

export const ssoHelp = `
Single sign-on (needs TEAMGRID_URL; the provider wants URL/api/auth/callback/oidc, …/github, …/google):
  OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET    any OpenID Connect provider
  OIDC_NAME (Single sign-on), OIDC_SCOPES (openid profile email), OIDC_GROUPS_CLAIM (groups)
  GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET
  SSO_DOMAINS      example.org,… whose people come in without an invitation
  SSO_ROLES        {"ml-team": "team:vision:member", "it": "organisation:admin"}, by group of the OIDC provider
  SSO_ONLY=true    no passwords, except for the organisation admins in SSO_BREAK_GLASS=username,…
`

/** @throws GridError invalid: one sentence that names the setting and what it should look like. */
export function readSso(
  setting: (name: string) => string | undefined,
  hasPublicUrl: boolean,
): SsoSettings | null {
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
  const settings: SsoSettings = {
    oidc: oidc && {
      ...oidc,
      issuer: issuer!,
      name: setting('OIDC_NAME') ?? 'Single sign-on',
      scopes: (setting('OIDC_SCOPES') ?? 'openid profile email').split(/\s+/),
      groupsClaim: setting('OIDC_GROUPS_CLAIM') ?? 'groups',
    },
    github: client('GITHUB'),
    google: client('GOOGLE'),
    domains: list('SSO_DOMAINS').map((domain) => domain.toLowerCase()),
    only: setting('SSO_ONLY') === 'true',
    breakGlass: list('SSO_BREAK_GLASS'),
    roles: readRoles(setting('SSO_ROLES')),
  }
  const hasProvider = settings.oidc !== null || settings.github !== null || settings.google !== null
  if (!hasProvider) {
    if (settings.only) throw new GridError('invalid', 'SSO_ONLY is set, but no identity provider is.')
    return null
  }
  if (!hasPublicUrl)
    throw new GridError('invalid', 'Single sign-on needs TEAMGRID_URL: the provider sends people back to it.')
  if (settings.only && settings.breakGlass.length === 0)
    throw new GridError(
      'invalid',
      'SSO_ONLY needs SSO_BREAK_GLASS: the username of an organisation admin who gets in when the provider is away.',
    )
  return settings
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
