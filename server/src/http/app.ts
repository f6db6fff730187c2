import type { contract } from '@teamgrid/api'
import type { Router } from '@orpc/server'
import { fastify, type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Events } from '../events.ts'
import { clientAddressHeader, type Identity } from '../teams/identity.ts'
import { type Authenticate, headersOf, originOf } from './auth.ts'
import { httpErrorOf } from './errors.ts'
import { docsEdge } from './docs.ts'
import { liveEdge } from './live.ts'
import { restEdge } from './rest.ts'
import { staticEdge } from './static.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** `METHOD,METHOD /path` of every route. */
    routeList: string[]
  }
}

export type AppDeps = {
  router: Router<typeof contract, { actor: Actor }>
  authenticate: Authenticate
  access: Access
  identity: Identity
  events: Events
  version: string
  publicUrl: string | null
  /** As Fastify takes them: networks, or `loopback`. */
  trustedProxies: string[]
  webFolder: string
  /** Resolves when every engine answers. */
  ready: () => Promise<void>
  /** Further edges: the wandb protocol, blobs, artifact downloads. */
  edges: FastifyPluginAsync[]
  log: (text: string, error: unknown) => void
}

/** Everything that answers HTTP, each edge in its own Fastify context. */
export async function createApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = fastify({
    trustProxy: deps.trustedProxies.length > 0 ? deps.trustedProxies : false,
    // Python clients keep connections for long; a shorter time-out races with their next request.
    keepAliveTimeout: 75_000,
    requestTimeout: 0,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 16_384 },
  })
  // What answers here, for the test that no route is without a rule.
  const routeList: string[] = []
  app.decorate('routeList', routeList)
  app.addHook('onRoute', ({ method, url }) => {
    const methods = [method].flat().filter((each) => each !== 'HEAD')
    if (methods.length > 0) routeList.push(`${methods.length > 7 ? 'ALL' : methods.join(',')} ${url}`)
  })
  app.setErrorHandler((error, _request, reply) => {
    const { status, headers, body } = httpErrorOf(error, deps.log)
    return reply.status(status).headers(headers).send(body)
  })
  app.get('/ready', async (_request, reply) => {
    await deps.ready()
    return reply.send({ ready: true })
  })
  await app.register(authEdge(deps))
  await app.register(liveEdge(deps))
  await app.register(restEdge(deps))
  await app.register(docsEdge)
  for (const edge of deps.edges) await app.register(edge)
  await staticEdge(deps.webFolder)(app, {})
  return app
}

/** better-auth speaks web requests; this is the bridge. */
function authEdge({ identity, publicUrl }: AppDeps): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 64 * 1024 }, (_request, body, done) =>
      done(null, body),
    )
    app.route({
      method: ['GET', 'POST'],
      url: '/api/auth/*',
      handler: async (request, reply) => {
        const body = request.body as Buffer | undefined
        const headers = headersOf(request)
        headers.set(clientAddressHeader, request.ip)
        const response = await identity.handle(
          new Request(new URL(request.url, originOf(request, publicUrl)), {
            method: request.method,
            headers,
            ...(body && request.method === 'POST' ? { body: new Uint8Array(body) } : {}),
          }),
        )
        reply.status(response.status)
        for (const [name, value] of response.headers) if (name !== 'set-cookie') reply.header(name, value)
        for (const cookie of response.headers.getSetCookie()) reply.header('set-cookie', cookie)
        return reply.send(Buffer.from(await response.arrayBuffer()))
      },
    })
  }
}
