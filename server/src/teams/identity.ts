import { betterAuth, type BetterAuthPlugin } from 'better-auth'
import type { OAuthProvider } from 'better-auth/oauth2'
import { twoFactor } from 'better-auth/plugins'
import type { Kysely } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { newToken } from '../lib/secrets.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { type Attempts, createAttempts } from './attempts.ts'
import { createOidcProvider } from './oidc.ts'
import { createSignInTrail } from './sign-in-trail.ts'
import { createSso, noSso, type SsoSettings } from './sso.ts'
import type { SsoSettingsStore } from './sso-settings.ts'

export type Identity = ReturnType<typeof createIdentity>

/**
 * Set by our HTTP edge from the connection (or a trusted proxy's word), and by nobody else: the limit on guesses of
 * passwords hangs on it.
 */
export const clientAddressHeader = 'x-teamgrid-client-address'

/** How long a link that sets a new password works. */
const resetHours = 24

/**
 * Passwords, browser sessions and resets: better-auth, over our tables. Accounts are made by our own use cases
 * (`createPerson`), because a person also gets a username and a team, all in one transaction.
 */
export function createIdentity(deps: {
  db: Kysely<Database>
  secret: string
  publicUrl: string
  clock: Clock
  ssoSettings: Pick<SsoSettingsStore, 'current' | 'outboundOf'>
}) {
  const { db, clock, ssoSettings } = deps
  const attempts = createAttempts({ db })
  const trail = createSignInTrail({ db, attempts })
  /** Everything but coming in through providers is the same under all settings. */
  const plain = doorUnder(noSso)
  let door = { version: -1, ...plain }

  /** The doors as they are set now. */
  async function current() {
    const { settings, version } = await ssoSettings.current()
    if (door.version !== version) door = { version, ...doorUnder(settings) }
    return door
  }

  function doorUnder(settings: SsoSettings) {
    const sso = createSso({ db, clock, settings })
    const outbound = ssoSettings.outboundOf()
    const oidc = settings.oidc
      ? createOidcProvider({
          settings: settings.oidc,
          outbound,
          clock,
          note: (profile) => sso.note('oidc', profile),
        })
      : undefined
    return {
      auth: createAuth({ ...deps, settings, sso, oidc, attempts }),
      sso,
      signIn: { password: !settings.only, providers: sso.ways },
    }
  }

  async function sessionUserId(headers: Headers): Promise<string | undefined> {
    const session = await plain.auth.api.getSession({ headers })
    return session?.user.id
  }

  return {
    /** Answers everything under `/api/auth/`. */
    async handle(request: Request): Promise<Response> {
      const address = request.headers.get(clientAddressHeader)
      const { auth, sso } = await current()
      return await trail.watch(request, address, {
        answer: (each) => sso.arrivals.run({ address }, () => auth.handler(each)),
        whoIs: sessionUserId,
        async whoseToken(token) {
          const { internalAdapter } = await auth.$context
          return (await internalAdapter.findVerificationValue(`reset-password:${token}`))?.value
        },
      })
    },

    /** How one gets in: by password, and through which identity providers. */
    async signIn(): Promise<{ password: boolean; providers: { id: string; name: string }[] }> {
      return (await current()).signIn
    },

    /** The person of a browser session, if there is one. */
    sessionUserId,

    async hashPassword(password: string): Promise<string> {
      return (await plain.auth.$context).password.hash(password)
    },

    /** Makes a token that `POST /api/auth/reset-password` takes once. */
    async makeResetToken(userId: string): Promise<{ token: string; expiresAt: Date }> {
      const token = newToken()
      const expiresAt = new Date(clock.now().getTime() + resetHours * 60 * 60 * 1000)
      const context = await plain.auth.$context
      await context.internalAdapter.createVerificationValue({
        identifier: `reset-password:${token}`,
        value: userId,
        expiresAt,
      })
      return { token, expiresAt }
    },

    /** Ends every browser session of a person. */
    async endSessions(trx: Kysely<Database>, userId: string): Promise<void> {
      await trx.deleteFrom('auth_session').where('user_id', '=', userId).execute()
    },
  }
}

function createAuth(deps: {
  db: Kysely<Database>
  secret: string
  publicUrl: string
  settings: SsoSettings
  sso: ReturnType<typeof createSso>
  oidc: OAuthProvider | undefined
  attempts: Attempts
}) {
  const { db, settings, sso, oidc, attempts } = deps
  const stamps = { createdAt: 'created_at', updatedAt: 'updated_at' }
  return betterAuth({
    appName: 'Teamgrid',
    baseURL: deps.publicUrl,
    basePath: '/api/auth',
    secret: deps.secret,
    database: { db: db as never, type: 'postgres' },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: 8,
      maxPasswordLength: 128,
      revokeSessionsOnPasswordReset: true,
    },
    user: {
      modelName: 'auth_user',
      fields: { emailVerified: 'email_verified', ...stamps },
      validateUserInfo: sso.gate,
      // Name and e-mail are changed through our own endpoints, which keep both tables alike.
      changeEmail: { enabled: false },
      deleteUser: { enabled: false },
    },
    session: {
      modelName: 'auth_session',
      fields: {
        userId: 'user_id',
        expiresAt: 'expires_at',
        ipAddress: 'ip_address',
        userAgent: 'user_agent',
        ...stamps,
      },
      expiresIn: 30 * 24 * 60 * 60,
    },
    account: {
      modelName: 'auth_account',
      fields: {
        userId: 'user_id',
        accountId: 'account_id',
        providerId: 'provider_id',
        accessToken: 'access_token',
        refreshToken: 'refresh_token',
        idToken: 'id_token',
        accessTokenExpiresAt: 'access_token_expires_at',
        refreshTokenExpiresAt: 'refresh_token_expires_at',
        ...stamps,
      },
      accountLinking: {
        // Somebody may have made an account under another's address and wait for them to come; where no password
        // opens anything, that is no danger.
        requireLocalEmailVerified: !settings.only,
      },
      // Nobody is asked anything in a person's name later; what lies there must not be of use to who reads the table.
      encryptOAuthTokens: true,
    },
    socialProviders: {
      ...(settings.github
        ? {
            github: {
              ...settings.github,
              mapProfileToUser: (profile: object) => sso.note('github', profile),
            },
          }
        : {}),
      ...(settings.google
        ? {
            google: {
              ...settings.google,
              mapProfileToUser: (profile: object) => sso.note('google', profile),
            },
          }
        : {}),
    },
    databaseHooks: {
      account: { create: { after: async (account) => sso.linked(account) } },
      session: {
        create: {
          before: async (session, context) => sso.enter(session.userId, context?.path ?? ''),
        },
      },
    },
    plugins: [
      twoFactor({
        issuer: 'Teamgrid',
        schema: {
          user: { fields: { twoFactorEnabled: 'two_factor_enabled' } },
          twoFactor: {
            modelName: 'auth_two_factor',
            fields: {
              userId: 'user_id',
              backupCodes: 'backup_codes',
              failedVerificationCount: 'failed_verification_count',
              lockedUntil: 'locked_until',
            },
          },
        },
      }),
      ...(oidc
        ? [
            {
              id: 'oidc',
              init: ({ socialProviders }) => ({ context: { socialProviders: [oidc, ...socialProviders] } }),
            } satisfies BetterAuthPlugin,
          ]
        : []),
    ],
    verification: {
      modelName: 'auth_verification',
      fields: { expiresAt: 'expires_at', ...stamps },
    },
    rateLimit: {
      // Per address, counted together by all servers on this database.
      customStorage: attempts,
      enabled: true,
      window: 10,
      max: 100,
      customRules: { '/sign-in/email': { window: 60, max: 20 } },
    },
    advanced: {
      // Also in tests, where the library would leave them out.
      disableOriginCheck: false,
      disableCSRFCheck: false,
      ipAddress: { ipAddressHeaders: [clientAddressHeader] },
      cookiePrefix: 'teamgrid',
      useSecureCookies: deps.publicUrl.startsWith('https://'),
      database: { generateId: () => newId() },
    },
    // A browser may reach us under several names (localhost, the machine's, the public one): what must hold is that
    // the page and the request share one origin.
    trustedOrigins: (request) => {
      const host = request?.headers.get('host')
      return host ? [`http://${host}`, `https://${host}`] : []
    },
  })
}
