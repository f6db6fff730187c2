import compress from '@fastify/compress'
import { OpenAPIGenerator } from '@orpc/openapi'
import { OpenAPIHandler } from '@orpc/openapi/fastify'
import type { Router } from '@orpc/server'
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4'
import { contract, GridError, openEndpoints } from '@teamgrid/api'
import type { FastifyPluginAsync } from 'fastify'
import type { Actor } from '../actor.ts'
import type { Authenticate } from './auth.ts'
import { restErrorOf } from './errors.ts'

/** Queries of a whole workspace are long; nothing else is. */
const bodyMaxBytes = 4 * 1024 * 1024

/** The contract over HTTP, under `/api`. */
export function restEdge(deps: {
  router: Router<typeof contract, { actor: Actor }>
  authenticate: Authenticate
  version: string
  log: (text: string, error: unknown) => void
}): FastifyPluginAsync {
  const handler = new OpenAPIHandler(deps.router, {
    clientInterceptors: [
      async (call) => {
        try {
          const isOpen = openEndpoints.includes(call.path.join('.'))
          if (call.context.actor.kind === 'anonymous' && !isOpen) throw new GridError('unauthenticated')
          return await call.next()
        } catch (error) {
          throw restErrorOf(error, deps.log)
        }
      },
    ],
  })
  let description: Promise<unknown> | undefined

  return async (app) => {
    // Curves are long rows of digits, a third as long when packed. Better packing would cost more time than it saves.
    await app.register(compress, { encodings: ['gzip'], threshold: 2048, zlibOptions: { level: 4 } })
    app.get('/api/openapi.json', async (_request, reply) => {
      description ??= new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] }).generate(
        contract,
        {
          info: { title: 'Teamgrid', version: deps.version },
          servers: [{ url: '/api' }],
          components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
          security: [{ key: [] }],
        },
      )
      return reply.send(await description)
    })
    app.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url: '/api/*',
      bodyLimit: bodyMaxBytes,
      handler: async (request, reply) => {
        reply.header('cache-control', 'no-store')
        const actor = await deps.authenticate(request)
        const { matched } = await handler.handle(request, reply, { prefix: '/api', context: { actor } })
        if (!matched)
          throw new GridError('not_found', `There is no ${request.method} ${request.url.split('?')[0]}`)
      },
    })
  }
}
