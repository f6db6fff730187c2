/** A real OpenID Connect provider on loopback: discovery, keys, PKCE, tokens, all of it. Signing in there takes no form. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What it says about somebody. */
export type Claims = {
  sub: string
  email?: string
  email_verified?: boolean
  name?: string
  preferred_username?: string
  groups?: string[]
}

export type OidcProvider = Awaited<ReturnType<typeof startOidcProvider>>

/** The few things of `oidc-provider` that are used here; it brings no types. */
type Provider = {
  callback: () => (request: IncomingMessage, response: ServerResponse) => void
  interactionFinished: (request: IncomingMessage, response: ServerResponse, result: object) => Promise<void>
}
type Context = {
  oidc: {
    provider: {
      Grant: new (of: object) => { addOIDCScope: (scope: string) => void; save: () => Promise<void> }
    }
    client: { clientId: string }
    session: { accountId: string }
  }
}

export async function startOidcProvider(redirectUri: string) {
  const packageName = 'oidc-provider'
  const { default: Constructor } = (await import(packageName)) as {
    default: new (issuer: string, configuration: object) => Provider
  }
  const people = new Map<string, Claims>()
  let next: Claims | undefined
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = { clientId: 'teamgrid', clientSecret: 'secret-of-the-client' }
  const provider = new Constructor(issuer, {
    clients: [
      { client_id: client.clientId, client_secret: client.clientSecret, redirect_uris: [redirectUri] },
    ],
    pkce: { required: () => true },
    cookies: { keys: ['of the test'] },
    // Claims stand in the token itself, as with most company providers.
    conformIdTokenClaims: false,
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups'],
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => people.get(id) }),
    async loadExistingGrant({ oidc }: Context) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, response)
    void provider.interactionFinished(request, response, { login: { accountId: next!.sub } })
  })

  /** Who sits in front of it from now on. */
  function signsIn(claims: Claims): void {
    people.set(claims.sub, claims)
    next = claims
  }

  /** What a browser does between our two redirects: follows the provider, who signs `claims` in. @returns where it is sent back to. */
  async function visit(url: string, claims: Claims): Promise<string> {
    signsIn(claims)
    const jar = new Map<string, string>()
    for (let at = url; ;) {
      const reply = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      })
      for (const cookie of reply.headers.getSetCookie()) {
        const [name = '', value = ''] = cookie.split(';')[0]!.split(/=(.*)/s)
        jar.set(name, value)
      }
      const location = reply.headers.get('location')
      if (location === null) throw new Error(`The provider answered ${reply.status}: ${await reply.text()}`)
      at = new URL(location, at).href
      if (at.startsWith(redirectUri)) return at
    }
  }

  return {
    issuer,
    client,
    signsIn,
    visit,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
