import type { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import type { Compute } from '../compute/service.ts'
import { os } from '../http/route.ts'
import type { Runs } from './service.ts'

export function runRoutes(runs: Runs) {
  const on = os.runs
  return {
    submit: on.submit.handler(({ context, input }) => runs.submit(context.actor, input)),
    list: on.list.handler(({ context, input }) => runs.list(context.actor, input)),
    get: on.get.handler(({ context, input }) => runs.get(context.actor, input.team, input.run)),
    find: on.find.handler(({ context, input }) => runs.find(context.actor, input.reference, input.team)),
    buildLog: on.buildLog.handler(({ context, input }) =>
      runs.buildLog(context.actor, input.team, input.run, input.number),
    ),
    stop: on.stop.handler(({ context, input }) => runs.stop(context.actor, input.team, input.run)),
    archive: on.archive.handler(({ context, input }) =>
      runs.archive(context.actor, input.team, input.run, input.archived),
    ),
    delete: on.delete.handler(async ({ context, input }) => {
      await runs.remove(context.actor, input.team, input.run)
      return { ok: true as const }
    }),
    code: on.code.handler(async ({ context, input }) => ({
      isHere: await runs.hasCode(context.actor, input.team, input.sha256),
    })),
  }
}

export function clusterRoutes(compute: Pick<Compute, 'clusters'>) {
  return {
    list: os.clusters.list.handler(({ context, input }) => compute.clusters.list(context.actor, input.team)),
  }
}

/** Archives of code come in as bytes. */
export function codeRoutes(deps: {
  runs: Pick<Runs, 'storeCode'>
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.put<{ Params: { team: string; sha256: string } }>(
      '/runs/code/:team/:sha256',
      async (request, reply) => {
        const actor = await deps.authenticate(request)
        if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
        const { team, sha256 } = request.params
        if (!/^[0-9a-f]{64}$/.test(sha256))
          throw new GridError('invalid', 'A digest is 64 hexadecimal digits')
        const body = (request.body as Readable | undefined) ?? request.raw
        await deps.runs.storeCode(actor, team, sha256, body)
        return reply.send({ ok: true })
      },
    )
  }
}
