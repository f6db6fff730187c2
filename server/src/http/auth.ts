import { GridError } from '@teamgrid/api'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import { sameSecret } from '../lib/secrets.ts'
import { anonymous, type Arrival, operator } from '../teams/actors.ts'
import type { Identity } from '../teams/identity.ts'
import type { Teams } from '../teams/service.ts'

export type Authenticate = (request: FastifyRequest) => Promise<Actor>

/**
 * Who is asking: by API key (`Basic api:<key>` as wandb sends it, or `Bearer <key>`), by operator token, or by the
 * cookie of a browser session. No proof is anonymous; a wrong proof is refused.
 */
export function createAuthenticate(deps: {
  teams: Teams
  identity: Identity
  operatorToken: string
  /** The configured public address; null to believe the request. */
  publicUrl: string | null
}): Authenticate {
  return async (request) => {
    const arrival = arrivalOf(request, deps.publicUrl)
    const secret = secretOf(request.headers.authorization)
    if (secret !== undefined) {
      if (sameSecret(secret, deps.operatorToken)) return operator(arrival.origin, arrival.address)
      return deps.teams.actors.ofKey(secret, arrival)
    }
    if (!request.headers.cookie?.includes('teamgrid'))
      return anonymous(arrival.origin, arrival.client, arrival.address)
    refuseForeignPage(request, arrival.origin)
    const userId = await deps.identity.sessionUserId(headersOf(request))
    const actor = userId === undefined ? undefined : await deps.teams.actors.ofUser(userId, arrival)
    return actor ?? anonymous(arrival.origin, arrival.client, arrival.address)
  }
}

/** Node's headers as the web's. */
export function headersOf(request: FastifyRequest): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  return headers
}

/** The address through which the caller reached us: configured, else what the request (or the proxy before us) says. */
export function originOf(request: FastifyRequest, publicUrl: string | null): string {
  if (publicUrl !== null) return publicUrl
  // Fastify reads X-Forwarded-* only behind a trusted proxy.
  const origin = `${request.protocol}://${request.host}`
  // It goes into links, so it must be an address and nothing else.
  if (!URL.canParse(origin) || !/^https?:\/\/[^/@?#\\\s]+$/.test(origin))
    throw new GridError('invalid', 'The Host header of this request is no address')
  return origin
}

function arrivalOf(request: FastifyRequest, publicUrl: string | null): Arrival {
  const header = (name: string) => {
    const value = request.headers[name]
    return (Array.isArray(value) ? value[0] : value)?.trim() || undefined
  }
  const username = header('x-grid-username') ?? header('x-wandb-username')
  const email = header('x-wandb-user-email')
  return {
    origin: originOf(request, publicUrl),
    address: request.ip,
    client: header('x-grid-client') === 'cli' ? 'cli' : request.url.startsWith('/api/') ? 'web' : 'wandb',
    ...(username ? { username } : {}),
    ...(email ? { email } : {}),
  }
}

function secretOf(authorization: string | undefined): string | undefined {
  if (!authorization) return undefined
  const [scheme = '', value = ''] = authorization.split(/\s+/, 2)
  if (/^bearer$/i.test(scheme)) return value
  if (/^basic$/i.test(scheme)) {
    const text = Buffer.from(value, 'base64').toString()
    return text.slice(text.indexOf(':') + 1)
  }
  throw new GridError('unauthenticated', `This server does not know the authorization scheme "${scheme}"`)
}

/** A browser sends its cookie whatever page asks; only our own pages may change things with it. */
function refuseForeignPage(request: FastifyRequest, origin: string): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const site = request.headers['sec-fetch-site']
  const from = request.headers.origin
  const isOurs =
    site === 'same-origin' ||
    (site === undefined && (from === undefined || from === origin || hostOf(from) === request.host))
  if (!isOurs) throw new GridError('forbidden', 'This request came from a page of another site')
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
