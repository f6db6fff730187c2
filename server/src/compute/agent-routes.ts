/** What nodes say. The protocol is language-neutral and idempotent: docs/agent-protocol.md. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { GridError, Id, missingMax, Sha256Hex } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Actor } from '../actor.ts'
import type { Compute } from './service.ts'

const chunkMax = 1024 * 1024 + 4096
const jsonMax = 1024 * 1024

const Bootstrap = z.object({
  bootToken: z.string().min(1).max(200),
  /** Made on the node: 40 letters and digits, as clients expect of an API key. */
  token: z.string().regex(/^[0-9a-z]{40}$/),
  node: z.string().max(500),
})
const Beat = z.object({ phase: z.string().max(20), node: z.string().max(500) })
const Exit = z.object({
  code: z.number().int().min(0).max(255),
  stopRequested: z.boolean(),
  at: z.iso.datetime(),
  failure: z.string().max(10_000).optional(),
})

const Wanted = z.object({ sha256Hexes: z.array(Sha256Hex).min(1).max(missingMax) })
const Checked = z.object({ sha256Hex: Sha256Hex })

type OfAttempt = { Params: { attemptId: string } }

export function agentRoutes({
  compute,
  authenticate,
}: {
  compute: { agent: Compute['agent'] }
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  const { agent } = compute
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    const base = '/agent/v1'

    /** Who sends, before anything is read of what they send. */
    async function proven(request: FastifyRequest): Promise<Actor> {
      const actor = await authenticate(request)
      if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
      return actor
    }

    app.post(`${base}/bootstrap`, async (request, reply) => {
      const input = await json(request, Bootstrap).catch(() => {
        throw new GridError('unauthenticated', 'Send the boot token of an attempt')
      })
      const origin = `${request.protocol}://${request.host}`
      return reply.header('cache-control', 'no-store').send(await agent.bootstrap({ ...input, origin }))
    })
    app.post<OfAttempt>(`${base}/attempts/:attemptId/beat`, async (request, reply) => {
      const actor = await proven(request)
      return reply.send(await agent.beat(actor, request.params.attemptId, await json(request, Beat)))
    })
    app.put<{ Params: { attemptId: string; name: string }; Querystring: Record<string, string> }>(
      `${base}/attempts/:attemptId/streams/:name`,
      async (request, reply) => {
        const actor = await proven(request)
        const { attemptId, name } = request.params
        const at = { name, offset: Number(request.query['offset']), isEnd: request.query['final'] === '1' }
        const answer = await agent.stream(actor, attemptId, at, await bytesOf(request, chunkMax))
        return 'conflict' in answer ? reply.status(409).send({ next: answer.conflict }) : reply.send(answer)
      },
    )
    app.get<OfAttempt>(`${base}/attempts/:attemptId/code`, async (request, reply) => {
      const actor = await proven(request)
      return reply
        .header('content-type', 'application/gzip')
        .send(await agent.code(actor, request.params.attemptId))
    })
    type OfVersion = { Params: { attemptId: string; datastoreId: string; version: string } }
    const mounted = async (request: FastifyRequest<OfVersion>) => {
      const actor = await proven(request)
      const { attemptId, datastoreId, version } = request.params
      if (!Id.safeParse(datastoreId).success || !/^[1-9]\d{0,8}$/.test(version))
        throw new GridError('not_found')
      return await agent.datastore(actor, attemptId, { datastoreId, number: Number(version) })
    }
    const versions = `${base}/attempts/:attemptId/datastores/:datastoreId/versions/:version`
    app.get<OfVersion>(`${versions}/manifest`, async (request, reply) => {
      const datastore = await mounted(request)
      return reply.header('content-type', 'application/gzip').send(await datastore.manifest())
    })
    app.post<OfVersion>(`${versions}/pack`, async (request, reply) => {
      const datastore = await mounted(request)
      const { sha256Hexes } = await json(request, Wanted)
      const pack = await datastore.pack(sha256Hexes)
      return reply
        .header('content-type', 'application/octet-stream')
        .send(Readable.from(pack, { objectMode: false }))
    })
    app.post<OfVersion>(`${versions}/check`, async (request, reply) => {
      const datastore = await mounted(request)
      const { sha256Hex } = await json(request, Checked)
      return reply.send({ isWhole: await datastore.check(sha256Hex) })
    })
    app.put<{ Params: { attemptId: string; '*': string } }>(
      `${base}/attempts/:attemptId/files/*`,
      async (request, reply) => {
        const actor = await proven(request)
        const { attemptId, '*': path } = request.params
        await agent.file(actor, attemptId, path, bodyOf(request))
        return reply.send({ ok: true })
      },
    )
    app.post<OfAttempt>(`${base}/attempts/:attemptId/exit`, async (request, reply) => {
      const actor = await proven(request)
      await agent.exit(actor, request.params.attemptId, await json(request, Exit))
      return reply.send({ ok: true })
    })
  }
}

function bodyOf(request: FastifyRequest): Readable {
  return (request.body as Readable | undefined) ?? request.raw
}

async function bytesOf(request: FastifyRequest, most: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > most) throw new GridError('too_large')
  let bytes = 0
  const body = bodyOf(request)
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > most) body.destroy(new GridError('too_large'))
  })
  return await buffer(body)
}

async function json<Shape extends z.ZodType>(request: FastifyRequest, shape: Shape): Promise<z.infer<Shape>> {
  const text = (await bytesOf(request, jsonMax)).toString()
  try {
    const found = shape.safeParse(JSON.parse(text))
    if (found.success) return found.data
  } catch {
    // Said below.
  }
  throw new GridError('invalid', 'This is not what the agent says; see docs/agent-protocol.md')
}
