/** How the organisation lets people in through identity providers. What the server's environment sets cannot be changed here. */
import { z } from 'zod'
import { endpoint, Slug } from './base.ts'

export const SsoProvider = z.enum(['oidc', 'github', 'google'])
export type SsoProvider = z.infer<typeof SsoProvider>

const words = (most: number) => z.string().trim().min(1).max(most)
const Role = z.enum(['admin', 'member', 'viewer'])

/** What a group of the OpenID provider gives: a role in a team, or the organisation. */
export const GroupRole = z.union([
  z.object({ group: words(300), organisation: z.literal('admin') }),
  z.object({ group: words(300), team: Slug, role: Role }),
])
export type GroupRole = z.infer<typeof GroupRole>

/** A team that everybody of the organisation's domains is in from their first sign-in on. */
export const JoinTeam = z.object({ team: Slug, role: z.enum(['member', 'viewer']) })

const Domain = z
  .string()
  .trim()
  .toLowerCase()
  .max(253)
  .regex(/^(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'A domain looks like example.org')

const oidc = {
  /** On the button: "Continue with …". */
  name: words(60),
  issuer: z.url({ protocol: /^https?$/, error: 'An issuer looks like https://login.example.org' }).max(1000),
  clientId: words(500),
  scopes: z.array(words(100)).min(1).max(20),
  /** The claim that lists somebody's groups. */
  groupsClaim: words(200),
}

export const Sso = z.object({
  oidc: z.object({ ...oidc, issuer: z.string(), hasSecret: z.boolean() }).nullable(),
  github: z.object({ clientId: z.string(), hasSecret: z.boolean() }).nullable(),
  google: z.object({ clientId: z.string(), hasSecret: z.boolean() }).nullable(),
  /** Whoever proves an address of these may come in without an invitation. */
  domains: z.array(z.string()),
  joinTeams: z.array(JoinTeam),
  roles: z.array(GroupRole),
  /** No passwords, but for the break-glass admins. */
  only: z.boolean(),
  breakGlass: z.array(z.string()),
  /** Fields that the environment sets. */
  fixed: z.array(z.string()),
  /** Where each provider sends people back to. */
  callbackUrls: z.record(SsoProvider, z.string()),
  /** Why nothing can be set up yet; null when it can. */
  missing: z.string().nullable(),
})
export type Sso = z.infer<typeof Sso>

/** A secret goes in and never comes out; left away, the one that is there stays. */
const secret = z.string().min(1).max(2000).optional()
const Client = z.object({ clientId: words(500), clientSecret: secret })

/** What is left away stays as it is; null takes a provider away. */
export const SsoChange = z.object({
  oidc: z
    .object({ ...oidc, clientSecret: secret })
    .nullable()
    .optional(),
  github: Client.nullable().optional(),
  google: Client.nullable().optional(),
  domains: z.array(Domain).max(100).optional(),
  joinTeams: z.array(JoinTeam).max(50).optional(),
  roles: z.array(GroupRole).max(200).optional(),
  only: z.boolean().optional(),
  breakGlass: z.array(z.string().trim().min(1).max(64)).max(20).optional(),
})
export type SsoChange = z.infer<typeof SsoChange>

export const SsoVerdict = z.object({
  ok: z.boolean(),
  /** In the order in which they were looked at; after the first that fails the rest is left out. */
  checks: z.array(z.object({ ok: z.boolean(), says: z.string() })),
})
export type SsoVerdict = z.infer<typeof SsoVerdict>

const tags = ['organisation']
export const sso = {
  sso: endpoint
    .route({ method: 'GET', path: '/organisation/sso', summary: 'Single sign-on', tags })
    .output(Sso),
  changeSso: endpoint
    .route({ method: 'PATCH', path: '/organisation/sso', summary: 'Change single sign-on', tags })
    .input(SsoChange)
    .output(Sso),
  testSso: endpoint
    .route({
      method: 'POST',
      path: '/organisation/sso/test',
      summary: 'Ask an identity provider whether it would do, as given or as set',
      tags,
    })
    .input(
      z.object({
        provider: SsoProvider,
        /** Of OpenID only. */
        issuer: oidc.issuer.optional(),
        clientId: words(500).optional(),
        clientSecret: secret,
      }),
    )
    .output(SsoVerdict),
}
