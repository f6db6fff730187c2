import type { Readable } from 'node:stream'
import { GridError, Id } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import type { Datastores } from './service.ts'

type Upload = { Params: { uploadId: string } }
type OneContent = { Params: { uploadId: string; sha256Hex: string } }

/** Bytes of uploads, streamed to the store and never gathered in memory; see docs/datastores.md for the order of calls. */
export function datastoreUploadRoutes(deps: {
  datastores: Pick<Datastores, 'storeContent' | 'storePack' | 'storePart' | 'commit'>
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  const { datastores } = deps
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

    /** Who sends, before anything is read of what they send. */
    async function proven(
      request: FastifyRequest<Upload>,
    ): Promise<{ actor: Actor; uploadId: string; body: Readable }> {
      const actor = await deps.authenticate(request)
      if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
      const { uploadId } = request.params
      if (!Id.safeParse(uploadId).success) throw new GridError('not_found')
      return { actor, uploadId, body: (request.body as Readable | undefined) ?? request.raw }
    }

    app.put<Upload>('/datastores/uploads/:uploadId/pack', async (request, reply) => {
      const { actor, uploadId, body } = await proven(request)
      await datastores.storePack(actor, uploadId, body)
      return reply.send({ ok: true })
    })
    app.put<OneContent>('/datastores/uploads/:uploadId/contents/:sha256Hex', async (request, reply) => {
      const { actor, uploadId, body } = await proven(request)
      await datastores.storeContent(actor, uploadId, request.params.sha256Hex, body)
      return reply.send({ ok: true })
    })
    app.put<{ Params: OneContent['Params'] & { start: string } }>(
      '/datastores/uploads/:uploadId/contents/:sha256Hex/parts/:start',
      async (request, reply) => {
        const { actor, uploadId, body } = await proven(request)
        const { sha256Hex, start } = request.params
        const startByte = /^\d{1,15}$/.test(start) ? Number(start) : NaN
        await datastores.storePart(actor, uploadId, sha256Hex, startByte, body)
        return reply.send({ ok: true })
      },
    )
    app.put<Upload>('/datastores/uploads/:uploadId/manifest', async (request, reply) => {
      const { actor, uploadId, body } = await proven(request)
      return reply.send(await datastores.commit(actor, uploadId, body))
    })
  }
}
