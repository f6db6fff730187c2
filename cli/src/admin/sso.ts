import { GridError, GroupRole, type Sso, type SsoChange, SsoProvider } from '@teamgrid/api'
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { adminCommand, passwordOf } from './command.ts'

/** Single sign-on from the machine of the server: also the way back in when nobody can sign in any more. */
export function addSsoCommands(admin: Command, io: Io): void {
  const sso = admin.command('sso').description('Single sign-on.')
  adminCommand(sso, io, {
    name: 'show',
    description: 'Providers, domains, roles by group. Secrets are never shown.',
    fields: [],
    run: async ({ client, json, printJson, say }) => {
      const settings = await client.organisation.sso()
      if (json) printJson(settings)
      else for (const line of linesOf(settings)) say(line)
    },
  })
  adminCommand<{
    issuer?: string
    clientId?: string
    clientSecretStdin?: boolean
    label?: string
    scopes?: string
    groupsClaim?: string
    remove?: boolean
  }>(sso, io, {
    name: 'provider',
    description: 'Set a provider up, change it, or take it away.',
    fields: ['provider'],
    options: [
      ['--issuer <url>', 'of oidc: where its discovery document is'],
      ['--client-id <id>', 'of this server at the provider'],
      ['--client-secret-stdin', 'read the client secret from standard input'],
      ['--label <label>', 'of oidc: what stands on the button'],
      ['--scopes <scopes>', 'of oidc, separated by spaces'],
      ['--groups-claim <claim>', 'of oidc: which claim lists groups'],
      ['--remove', 'nobody comes in through it any more'],
    ],
    run: async (context, { provider: given }, options) => {
      const provider = providerOf(given!)
      const before = await context.client.organisation.sso()
      const secret = await passwordOf(io, { passwordStdin: options.clientSecretStdin ?? false })
      const clientId = options.clientId ?? before[provider]?.clientId
      if (options.remove) await context.client.organisation.changeSso({ [provider]: null })
      else {
        if (clientId === undefined) throw new GridError('invalid', 'Give --client-id')
        const client = { clientId, ...(secret === undefined ? {} : { clientSecret: secret }) }
        const change: SsoChange =
          provider === 'oidc' ? { oidc: { ...oidcOf(before, options), ...client } } : { [provider]: client }
        await context.client.organisation.changeSso(change)
      }
      context.done(options.remove ? `Removed ${provider}` : `Saved ${provider}`)
      if (context.json) context.printJson(await context.client.organisation.sso())
      else if (!options.remove) context.say(`Its callback url is ${before.callbackUrls[provider]}`)
    },
  })
  adminCommand(sso, io, {
    name: 'test',
    description: 'Ask a provider whether it would do.',
    fields: ['provider'],
    run: async ({ client, json, printJson, say }, { provider }) => {
      const verdict = await client.organisation.testSso({ provider: providerOf(provider!) })
      if (json) printJson(verdict)
      else for (const { ok, says } of verdict.checks) say(`${ok ? '✔' : '✘'} ${says}`)
      if (!verdict.ok) throw new GridError('unavailable', `${provider} would not do`)
    },
  })
  adminCommand<{ domains?: string; joinTeams?: string; roles?: string; only?: string; breakGlass?: string }>(
    sso,
    io,
    {
      name: 'set',
      description: 'Who may come in, and what they get.',
      fields: [],
      options: [
        ['--domains <domains>', 'example.org,… whose people need no invitation; or none'],
        ['--join-teams <teams>', 'vision,labs:viewer which they are in from their first sign-in on; or none'],
        ['--roles <json>', '{"ml-team": "team:vision:member", "it": "organisation:admin"}'],
        ['--only <on|off>', 'no passwords but for the break-glass admins'],
        ['--break-glass <usernames>', 'ada,… or none'],
      ],
      run: async ({ client, json, printJson, done }, _, options) => {
        const change: SsoChange = {
          ...(options.domains === undefined ? {} : { domains: listOf(options.domains) }),
          ...(options.breakGlass === undefined ? {} : { breakGlass: listOf(options.breakGlass) }),
          ...(options.joinTeams === undefined ? {} : { joinTeams: listOf(options.joinTeams).map(joinOf) }),
          ...(options.roles === undefined ? {} : { roles: rolesOf(options.roles) }),
          ...(options.only === undefined ? {} : { only: onOff(options.only) }),
        }
        if (Object.keys(change).length === 0) throw new GridError('invalid', 'Nothing to set; see --help')
        const after = await client.organisation.changeSso(change)
        done('Saved')
        if (json) printJson(after)
      },
    },
  )
}

function oidcOf(
  before: Sso,
  options: { issuer?: string; label?: string; scopes?: string; groupsClaim?: string },
): Omit<NonNullable<SsoChange['oidc']>, 'clientId' | 'clientSecret'> {
  const issuer = options.issuer ?? before.oidc?.issuer
  if (issuer === undefined) throw new GridError('invalid', 'Give --issuer')
  return {
    issuer,
    name: options.label ?? before.oidc?.name ?? 'Single sign-on',
    scopes: options.scopes?.split(/[\s,]+/).filter(Boolean) ??
      before.oidc?.scopes ?? ['openid', 'profile', 'email'],
    groupsClaim: options.groupsClaim ?? before.oidc?.groupsClaim ?? 'groups',
  }
}

function providerOf(given: string): SsoProvider {
  const found = SsoProvider.safeParse(given.toLowerCase())
  if (found.success) return found.data
  throw new GridError('invalid', `"${given}" is no provider; there are oidc, github and google`)
}

const listOf = (given: string): string[] =>
  given === 'none'
    ? []
    : given
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean)

function joinOf(given: string): NonNullable<SsoChange['joinTeams']>[number] {
  const [team = '', role = 'member'] = given.split(':')
  if (role === 'member' || role === 'viewer') return { team, role }
  throw new GridError('invalid', `"${given}" must look like vision or vision:viewer`)
}

function rolesOf(given: string): GroupRole[] {
  try {
    return Object.entries(JSON.parse(given) as Record<string, unknown>).map(([group, value]) => {
      const [where, team, role] = String(value).split(':')
      return GroupRole.parse(
        where === 'organisation' ? { group, organisation: team } : { group, team, role: role ?? 'member' },
      )
    })
  } catch (cause) {
    throw new GridError(
      'invalid',
      'Roles look like {"ml-team": "team:vision:member", "it": "organisation:admin"}',
      { cause },
    )
  }
}

function onOff(given: string): boolean {
  if (given === 'on' || given === 'off') return given === 'on'
  throw new GridError('invalid', '--only is on or off')
}

function linesOf(sso: Sso): string[] {
  const fixed = (key: string) => (sso.fixed.includes(key) ? '   (set by the environment)' : '')
  const list = (items: string[]) => (items.length > 0 ? items.join(', ') : 'none')
  return [
    ...(sso.missing === null ? [] : [sso.missing]),
    `OpenID       : ${sso.oidc ? `${sso.oidc.name}, ${sso.oidc.issuer}, client ${sso.oidc.clientId}` : 'none'}${fixed('oidc')}`,
    `GitHub       : ${sso.github ? `client ${sso.github.clientId}` : 'none'}${fixed('github')}`,
    `Google       : ${sso.google ? `client ${sso.google.clientId}` : 'none'}${fixed('google')}`,
    `Domains      : ${list(sso.domains)}${fixed('domains')}`,
    `Join teams   : ${list(sso.joinTeams.map(({ team, role }) => `${team} as ${role}`))}${fixed('joinTeams')}`,
    `Groups       : ${list(sso.roles.map((each) => `${each.group} → ${'team' in each ? `${each.role} of ${each.team}` : 'organisation admin'}`))}${fixed('roles')}`,
    `Passwords    : ${sso.only ? 'off, but for the break-glass admins' : 'on'}${fixed('only')}`,
    `Break-glass  : ${list(sso.breakGlass)}${fixed('breakGlass')}`,
  ]
}
