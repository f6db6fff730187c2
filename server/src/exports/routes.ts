import { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import type { Exports } from './service.ts'

/** `GET /api/teams/{team}/export` streams an archive, `POST /api/import` takes one; neither has a largest size. */
export function exportRoutes(deps: {
  exports: Exports
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  async function proven(request: FastifyRequest): Promise<Actor> {
    const actor = await deps.authenticate(request)
    if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
    return actor
  }
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.get<{ Params: { team: string } }>('/api/teams/:team/export', async (request, reply) => {
      const { slug, chunks } = await deps.exports.exportTeam(await proven(request), request.params.team)
      const day = new Date().toISOString().slice(0, 10)
      return reply
        .header('cache-control', 'no-store')
        .header('x-content-type-options', 'nosniff')
        .header(
          'content-disposition',
          `attachment; filename*=UTF-8''${encodeURIComponent(`${slug}-${day}.tar`)}`,
        )
        .type('application/x-tar')
        .send(Readable.from(chunks, { objectMode: false }))
    })
    app.post('/api/import', async (request, reply) => {
      const actor = await proven(request)
      const body = (request.body as Readable | undefined) ?? request.raw
      return reply.send(await deps.exports.importTeam(actor, body as AsyncIterable<Uint8Array>))
    })
  }
}
