/**
 * An OpenID Connect provider as better-auth wants one, asked through `lib/outbound.ts`: an issuer that people typed into a
 * page must not lead the server to places that they may not reach. Discovery is asked for at the first sign-in and kept
 * for a while, so a provider that is away keeps nobody from starting the server.
 *
 * Sources: OpenID Connect Core 1.0 and Discovery 1.0; RFC 6749 2.3.1 (how a client proves itself), RFC 7636 (PKCE).
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import { createAuthorizationURL, verifyProviderIdToken, type OAuthProvider } from 'better-auth/oauth2'
import type { Clock } from '../lib/clock.ts'
import type { Outbound } from '../lib/outbound.ts'

export type OidcSettings = {
  clientId: string
  clientSecret: string
  issuer: string
  name: string
  scopes: string[]
  groupsClaim: string
}

export type Discovered = {
  issuer: string
  authorization_endpoint: string
  token_endpoint: string
  jwks_uri: string
  userinfo_endpoint?: string
  id_token_signing_alg_values_supported?: string[]
  token_endpoint_auth_methods_supported?: string[]
  code_challenge_methods_supported?: string[]
  scopes_supported?: string[]
}
type Key = JsonWebKey & { kid?: string; use?: string }
type Tokens = { id_token?: string; access_token?: string; error?: string; error_description?: string }
type Claims = Record<string, unknown>

const keptMs = 10 * 60 * 1000
/** A token signed by a key we do not know makes us look again, not more often than this. */
const lookAgainMs = 30 * 1000
/** Signatures that only the provider can make; those with the client's secret are left out. */
const asymmetric = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$/

/** @throws GridError invalid or unavailable, with a sentence about what is wrong with the issuer. */
export async function discover(outbound: Outbound, issuer: string): Promise<Discovered> {
  const base = issuer.replace(/\/+$/, '')
  const found = await json<Partial<Discovered>>(outbound, `${base}/.well-known/openid-configuration`)
  for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const)
    if (typeof found[name] !== 'string' || !URL.canParse(found[name]))
      throw new GridError('invalid', `The discovery document of ${base} names no ${name}`)
  // Or somebody else's provider could answer in its place (Discovery 1.0, 4.3).
  if (found.issuer!.replace(/\/+$/, '') !== base)
    throw new GridError('invalid', `The provider calls itself ${found.issuer}; write that as the issuer`)
  return found as Discovered
}

export async function keysOf(outbound: Outbound, { jwks_uri }: Discovered): Promise<Key[]> {
  const { keys } = await json<{ keys?: Key[] }>(outbound, jwks_uri)
  if (!Array.isArray(keys) || keys.length === 0) throw new GridError('invalid', `${jwks_uri} holds no keys`)
  return keys
}

/** Asks the token endpoint as the client that we are. @returns its answer, which may be an `error`. */
export async function askForTokens(
  outbound: Outbound,
  { token_endpoint, token_endpoint_auth_methods_supported: methods }: Discovered,
  { clientId, clientSecret }: { clientId: string; clientSecret: string },
  form: Record<string, string>,
): Promise<Tokens> {
  const send = async (isBasic: boolean) => {
    const { text } = await outbound.post(token_endpoint, {
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        ...(isBasic ? { authorization: basic(clientId, clientSecret) } : {}),
      },
      body: new URLSearchParams({
        ...form,
        ...(isBasic ? {} : { client_id: clientId, client_secret: clientSecret }),
      }).toString(),
    })
    return tokensOf(text)
  }
  const isBasic = methods === undefined || methods.includes('client_secret_basic')
  const answer = await send(isBasic)
  // Many providers name both ways and let each client have one of them.
  const hasOther = isBasic && methods?.includes('client_secret_post')
  return answer.error === 'invalid_client' && hasOther ? await send(false) : answer
}

/**
 * @param note hears what the provider said of somebody.
 * @returns what better-auth calls a provider, under the id `oidc`.
 */
export function createOidcProvider(deps: {
  settings: OidcSettings
  outbound: Outbound
  clock: Clock
  note: (profile: object) => object
}): OAuthProvider {
  const { settings, outbound, clock } = deps
  const now = () => clock.now().getTime()
  let found: { value: Promise<Discovered>; at: number } | undefined
  let keys: { value: Promise<Key[]>; at: number } | undefined

  function discovered(): Promise<Discovered> {
    if (found === undefined || now() - found.at > keptMs) {
      const fresh = { value: discover(outbound, settings.issuer), at: now() }
      found = fresh
      fresh.value.catch(() => {
        if (found === fresh) found = undefined
      })
    }
    return found.value
  }

  async function keyFor({ kid, alg }: { kid?: string; alg?: string }): Promise<KeyObject> {
    const { id_token_signing_alg_values_supported: algorithms } = await discovered()
    if (!alg || !asymmetric.test(alg) || (algorithms && !algorithms.includes(alg)))
      throw new Error(`Signed with ${alg}`)
    for (;;) {
      keys ??= { value: keysOf(outbound, await discovered()), at: now() }
      const { value, at } = keys
      const all = await value.catch((error: unknown) => {
        keys = undefined
        throw error
      })
      const fit = all.filter((key) => key.use !== 'enc' && key.kty === familyOf(alg))
      const key = kid === undefined && fit.length === 1 ? fit[0] : fit.find((each) => each.kid === kid)
      if (key && now() - at <= keptMs) return createPublicKey({ key, format: 'jwk' })
      if (now() - at < lookAgainMs) throw new Error('Signed with a key that the provider does not have')
      keys = undefined
    }
  }

  async function claimsOf(tokens: { accessToken?: string | undefined; idToken: string }): Promise<Claims> {
    const claims = JSON.parse(Buffer.from(tokens.idToken.split('.')[1]!, 'base64url').toString()) as Claims
    const { userinfo_endpoint } = await discovered()
    if (claims['email'] || !userinfo_endpoint || !tokens.accessToken) return claims
    const more = await json<Claims>(outbound, userinfo_endpoint, {
      authorization: `Bearer ${tokens.accessToken}`,
    })
    // It may be about somebody else (Core 1.0, 5.3.2).
    return more['sub'] === claims['sub'] ? { ...more, ...claims } : claims
  }

  const provider: OAuthProvider = {
    id: 'oidc',
    name: settings.name,
    requiresIdTokenNonce: true,
    idToken: { jwks: keyFor, issuer: settings.issuer, audience: settings.clientId },
    accountSubject: ({ profile }) => String((profile as Claims)['sub']),
    async createAuthorizationURL(data) {
      const { authorization_endpoint } = await discovered()
      return createAuthorizationURL({
        id: 'oidc',
        options: { clientId: settings.clientId, clientSecret: settings.clientSecret },
        authorizationEndpoint: authorization_endpoint,
        redirectURI: data.redirectURI,
        state: data.state,
        codeVerifier: data.codeVerifier,
        scopes: [...new Set(['openid', ...settings.scopes])],
        ...(data.idTokenNonce ? { nonce: data.idTokenNonce } : {}),
        ...(data.loginHint ? { loginHint: data.loginHint } : {}),
      })
    },
    async validateAuthorizationCode({ code, codeVerifier, redirectURI }) {
      const tokens = await askForTokens(outbound, await discovered(), settings, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectURI,
        ...(codeVerifier ? { code_verifier: codeVerifier } : {}),
      })
      if (!tokens.id_token) return null
      // Neither is kept longer than this sign-in: nothing is ever asked in somebody's name later.
      return {
        idToken: tokens.id_token,
        ...(tokens.access_token ? { accessToken: tokens.access_token } : {}),
      }
    },
    async getUserInfo({ idToken, accessToken, expectedIdTokenNonce }) {
      if (!idToken) return null
      const issuer = (await discovered()).issuer
      const proof = { ...provider, idToken: { ...provider.idToken!, issuer } } as OAuthProvider
      if (!(await verifyProviderIdToken(proof, idToken, expectedIdTokenNonce))) return null
      const claims = await claimsOf({ idToken, accessToken })
      const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : undefined)
      const email = text('email')
      deps.note(claims)
      return {
        user: {
          email: email ?? null,
          emailVerified: claims['email_verified'] === true || claims['email_verified'] === 'true',
          name: text('name') ?? text('preferred_username') ?? '',
        },
        data: claims,
      }
    },
  }
  return provider
}

function tokensOf(text: string): Tokens {
  try {
    return JSON.parse(text) as Tokens
  } catch (cause) {
    throw new GridError('unavailable', 'The token endpoint did not answer with JSON', { cause })
  }
}

async function json<Shape>(
  outbound: Outbound,
  url: string,
  headers: Record<string, string> = {},
): Promise<Shape> {
  const { status, text } = await outbound.get(url, { accept: 'application/json', ...headers })
  if (status !== 200) throw new GridError('unavailable', `${url} answers ${status}`)
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Shape
    throw new Error('It is no object')
  } catch (cause) {
    throw new GridError('invalid', `${url} does not answer with JSON`, { cause })
  }
}

/** Both parts are encoded as in a form before they are joined. */
function basic(clientId: string, clientSecret: string): string {
  const encoded = (text: string) => new URLSearchParams({ a: text }).toString().slice(2)
  return `Basic ${Buffer.from(`${encoded(clientId)}:${encoded(clientSecret)}`).toString('base64')}`
}

function familyOf(alg: string): string {
  if (alg === 'EdDSA') return 'OKP'
  return alg.startsWith('ES') ? 'EC' : 'RSA'
}
