import { Readable } from 'node:stream'
import { GridError, Id, missingMax, Sha256Hex } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import { z } from 'zod'
import type { Datastores } from './service.ts'

type Upload = { Params: { uploadId: string } }
type OneVersion = { Params: { datastoreId: string; version: string } }
type OneContent = { Params: { uploadId: string; sha256Hex: string } }

/** Digests of small contents are few bytes each. */
const wantedBytesMax = 1024 * 1024
const Checked = z.object({ sha256Hex: Sha256Hex })
const Wanted = z.object({ sha256Hexes: z.array(Sha256Hex).min(1).max(missingMax) })

/** Bytes in and out, streamed and never gathered in memory. The order of the calls: docs/datastores.md. */
export function datastoreByteRoutes(deps: {
  datastores: Pick<
    Datastores,
    | 'storeContent'
    | 'storePack'
    | 'storePart'
    | 'joinParts'
    | 'commit'
    | 'readPack'
    | 'manifestStream'
    | 'check'
  >
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
        const sizeBytes = Number(request.headers['content-length'] ?? NaN)
        await datastores.storePart(actor, uploadId, sha256Hex, { startByte, sizeBytes }, body)
        return reply.send({ ok: true })
      },
    )
    app.put<OneContent>(
      '/datastores/uploads/:uploadId/contents/:sha256Hex/joined',
      async (request, reply) => {
        const { actor, uploadId } = await proven(request)
        await datastores.joinParts(actor, uploadId, request.params.sha256Hex)
        return reply.send({ ok: true })
      },
    )
    async function provenVersion(request: FastifyRequest<OneVersion>) {
      const actor = await deps.authenticate(request)
      if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
      const { datastoreId, version } = request.params
      if (!Id.safeParse(datastoreId).success || !/^[1-9]\d{0,8}$/.test(version))
        throw new GridError('not_found')
      const body = (request.body as Readable | undefined) ?? request.raw
      return { at: [actor, datastoreId, Number(version)] as const, body }
    }

    app.get<OneVersion>('/datastores/:datastoreId/versions/:version/manifest', async (request, reply) => {
      const { at } = await provenVersion(request)
      return reply
        .header('content-type', 'application/gzip')
        .header('cache-control', 'no-store')
        .send(await datastores.manifestStream(...at))
    })
    app.post<OneVersion>('/datastores/:datastoreId/versions/:version/pack', async (request, reply) => {
      const { at, body } = await provenVersion(request)
      const { sha256Hexes } = await jsonOf(body, Wanted, '{"sha256Hexes": ["…"]}')
      const pack = await datastores.readPack(...at, sha256Hexes)
      return reply
        .header('content-type', 'application/octet-stream')
        .header('cache-control', 'no-store')
        .send(Readable.from(pack, { objectMode: false }))
    })
    app.post<OneVersion>('/datastores/:datastoreId/versions/:version/check', async (request, reply) => {
      const { at, body } = await provenVersion(request)
      const { sha256Hex } = await jsonOf(body, Checked, '{"sha256Hex": "…"}')
      return reply.send({ isWhole: await datastores.check(...at, sha256Hex) })
    })
    app.put<Upload>('/datastores/uploads/:uploadId/manifest', async (request, reply) => {
      const { actor, uploadId, body } = await proven(request)
      return reply.send(await datastores.commit(actor, uploadId, body))
    })
  }
}

/** @throws GridError invalid, showing what is expected; too_large */
async function jsonOf<Value>(body: Readable, shape: z.ZodType<Value>, example: string): Promise<Value> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > wantedBytesMax) throw new GridError('too_large')
    chunks.push(chunk)
  }
  const says = `Send ${example} as JSON`
  try {
    const found = shape.safeParse(JSON.parse(Buffer.concat(chunks).toString()))
    if (found.success) return found.data
  } catch (error) {
    throw new GridError('invalid', says, { cause: error })
  }
  throw new GridError('invalid', says)
}
