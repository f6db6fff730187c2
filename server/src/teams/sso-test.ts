import { GridError, type SsoProvider, type SsoVerdict } from '@teamgrid/api'
import type { Outbound } from '../lib/outbound.ts'
import { askForTokens, discover, type Discovered, keysOf } from './oidc.ts'

const googleIssuer = 'https://accounts.google.com'
/** Source: docs.github.com, "Authorizing OAuth apps". */
const githubTokens = 'https://github.com/login/oauth/access_token'

/**
 * Looks at a provider without anybody signing in: finds its endpoints and keys, then hands in a made-up code. A provider
 * that refuses the code and not the client has taken our id and secret.
 */
export async function testProvider(input: {
  outbound: Outbound
  provider: SsoProvider
  issuer: string | undefined
  client: { clientId: string; clientSecret: string } | undefined
  redirectUri: string
}): Promise<SsoVerdict> {
  const { outbound, provider, client, redirectUri } = input
  const checks: SsoVerdict['checks'] = []
  const passed = (says: string) => void checks.push({ ok: true, says })
  try {
    const found = provider === 'github' ? githubEndpoints : await lookAt(input, passed)
    if (client === undefined) throw new GridError('invalid', 'Enter client id and secret to have them tried')
    const { error } = await askForTokens(outbound, found, client, {
      grant_type: 'authorization_code',
      code: 'teamgrid-test',
      redirect_uri: redirectUri,
      code_verifier: 'teamgrid-test-teamgrid-test-teamgrid-test-teamgrid-test',
    })
    if (
      error === 'invalid_client' ||
      error === 'unauthorized_client' ||
      error === 'incorrect_client_credentials'
    )
      throw new GridError('invalid', 'The provider does not take this client id and secret')
    if (error === 'redirect_uri_mismatch')
      throw new GridError('invalid', `The provider does not know the callback url ${redirectUri}`)
    passed(
      error === 'invalid_grant' || error === 'bad_verification_code'
        ? 'Client id and secret are taken'
        : `Client id and secret were not refused (${error ?? 'no error'})`,
    )
    return { ok: true, checks }
  } catch (error) {
    if (!(error instanceof GridError)) throw error
    const { hint } = error.details
    checks.push({ ok: false, says: hint === undefined ? error.message : `${error.message} ${hint}` })
    return { ok: false, checks }
  }
}

const githubEndpoints: Discovered = {
  issuer: 'https://github.com',
  authorization_endpoint: 'https://github.com/login/oauth/authorize',
  token_endpoint: githubTokens,
  jwks_uri: '',
  token_endpoint_auth_methods_supported: ['client_secret_post'],
}

async function lookAt(
  { outbound, provider, issuer }: { outbound: Outbound; provider: SsoProvider; issuer: string | undefined },
  passed: (says: string) => void,
): Promise<Discovered> {
  const at = provider === 'google' ? googleIssuer : issuer
  if (at === undefined) throw new GridError('invalid', 'Enter the issuer first')
  const found = await discover(outbound, at)
  passed(`Found ${new URL(found.authorization_endpoint).host}`)
  const keys = await keysOf(outbound, found)
  passed(keys.length === 1 ? 'It signs with one key' : `It signs with ${keys.length} keys`)
  const methods = found.code_challenge_methods_supported
  if (methods !== undefined && !methods.includes('S256'))
    throw new GridError('invalid', 'The provider does not know PKCE with S256, without which nobody signs in')
  for (const url of [found.token_endpoint, found.userinfo_endpoint])
    if (url !== undefined) outbound.checkUrl(url)
  return found
}
