/**
 * GitHub and Google as their documents describe them, on loopback: what signing in through them asks for, with codes that
 * work once, PKCE, and tokens. Neither can be reached from a test; `fetch` is led here instead, by name of host.
 *
 * Sources: docs.github.com "Authorizing OAuth apps" and the REST endpoints of users and their e-mails;
 * developers.google.com "OpenID Connect".
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type StandInPerson = {
  id: string
  login: string
  name: string
  emails: { email: string; primary: boolean; verified: boolean }[]
}

export const standInClient = { clientId: 'teamgrid-app', clientSecret: 'secret-of-the-app' }

const hosts = [
  'github.com',
  'api.github.com',
  'oauth2.googleapis.com',
  'www.googleapis.com',
  'accounts.google.com',
]

export async function startOauthStandIn() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const codes = new Map<
    string,
    { person: StandInPerson; challenge: string; redirectUri: string; nonce: string }
  >()
  const tokens = new Map<string, StandInPerson>()
  const asked: string[] = []

  const server = createServer((request, response) => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const [, host = '', ...rest] = request.url!.split('?')[0]!.split('/')
    const at = `${request.method} ${host}/${rest.join('/')}`
    asked.push(at)
    switch (at) {
      case 'POST github.com/login/oauth/access_token':
      case 'POST oauth2.googleapis.com/token':
        return exchanged(host, new URLSearchParams(await textOf(request)))
      case 'GET api.github.com/user': {
        const person = bearerOf(request)
        // The public address of a profile may be missing, as it is by default.
        return person
          ? {
              status: 200,
              body: { id: Number(person.id), login: person.login, name: person.name, email: null },
            }
          : { status: 401, body: { message: 'Bad credentials' } }
      }
      case 'GET api.github.com/user/emails': {
        const person = bearerOf(request)
        return person ? { status: 200, body: person.emails } : { status: 401, body: {} }
      }
      case 'GET www.googleapis.com/oauth2/v3/certs':
        return {
          status: 200,
          body: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] },
        }
      default:
        return { status: 404, body: { message: `The stand-in does not know ${at}` } }
    }
  }

  function exchanged(host: string, form: URLSearchParams): { status: number; body: unknown } {
    const isGithub = host === 'github.com'
    const refuse = (github: string, google: string) =>
      isGithub ? { status: 200, body: { error: github } } : { status: 400, body: { error: google } }
    if (
      form.get('client_id') !== standInClient.clientId ||
      form.get('client_secret') !== standInClient.clientSecret
    )
      return refuse('incorrect_client_credentials', 'invalid_client')
    const code = form.get('code') ?? ''
    const given = codes.get(code)
    codes.delete(code)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (
      !given ||
      given.redirectUri !== form.get('redirect_uri') ||
      (given.challenge && given.challenge !== challenge)
    )
      return refuse('bad_verification_code', 'invalid_grant')
    const access_token = randomBytes(20).toString('hex')
    tokens.set(access_token, given.person)
    return {
      status: 200,
      body: {
        access_token,
        token_type: 'bearer',
        ...(isGithub ? { scope: 'read:user,user:email' } : { expires_in: 3599, id_token: idTokenOf(given) }),
      },
    }
  }

  function idTokenOf({ person, nonce }: { person: StandInPerson; nonce: string }): string {
    const now = Math.floor(Date.now() / 1000)
    const [mail] = person.emails
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${part({ alg: 'RS256', kid: 'k1', typ: 'JWT' })}.${part({
      iss: 'https://accounts.google.com',
      aud: standInClient.clientId,
      sub: person.id,
      email: mail!.email,
      email_verified: mail!.verified,
      name: person.name,
      iat: now,
      exp: now + 3600,
      ...(nonce ? { nonce } : {}),
    })}`
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
  }

  const bearerOf = (request: IncomingMessage) =>
    tokens.get(request.headers.authorization?.replace(/^bearer /i, '') ?? '')

  const realFetch = globalThis.fetch
  globalThis.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (!hosts.includes(url.host)) return realFetch(input, init)
    return realFetch(`${base}/${url.host}${url.pathname}${url.search}`, init)
  }

  return {
    /** What was asked, as `METHOD host/path`. */
    asked,
    /** What the provider's own page does: `person` agrees. @returns where the browser is sent back to. */
    agree(authorizeUrl: string, person: StandInPerson): string {
      const url = new URL(authorizeUrl)
      const wanted = [
        'https://github.com/login/oauth/authorize',
        'https://accounts.google.com/o/oauth2/v2/auth',
      ]
      if (!wanted.includes(url.origin + url.pathname)) throw new Error(`${url.href} is no page of theirs`)
      if (url.searchParams.get('client_id') !== standInClient.clientId) throw new Error('Another client')
      const code = randomBytes(10).toString('hex')
      const redirectUri = url.searchParams.get('redirect_uri')!
      codes.set(code, {
        person,
        redirectUri,
        challenge: url.searchParams.get('code_challenge') ?? '',
        nonce: url.searchParams.get('nonce') ?? '',
      })
      return `${redirectUri}?${new URLSearchParams({ code, state: url.searchParams.get('state')! }).toString()}`
    },
    async close() {
      globalThis.fetch = realFetch
      await new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      })
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
