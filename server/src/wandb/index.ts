/**
 * The wandb edge: what the unmodified Python client talks to, as one Fastify plugin with its own body parser, limits
 * and error handler. It translates into the same use cases that REST serves, so permission cannot be bypassed here.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { GridError } from '@teamgrid/api'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Alerts } from '../alerts/service.ts'
import type { Artifacts } from '../artifacts/service.ts'
import { cleanPath } from '../experiments/experiment.ts'
import type { Experiments } from '../experiments/service.ts'
import { isJsonObject } from '../lib/tolerant-json.ts'
import type { Sweeps } from '../sweeps/service.ts'
import type { Reports } from '../reports/service.ts'
import type { Teams } from '../teams/service.ts'
import { createBodyReader } from './body.ts'
import { answerOf, bugSentence, errorBody, type Log } from './errors.ts'
import { createFileStream } from './file-stream.ts'
import { createExecutor, createSchema, type GraphQLRequest, type Resolvers } from './graphql.ts'
import { administrationResolvers, createFreshKeys } from './resolvers/administration.ts'
import { artifactResolvers } from './resolvers/artifacts.ts'
import { automationResolvers } from './resolvers/automations.ts'
import { fileResolvers } from './resolvers/files.ts'
import { historyResolvers } from './resolvers/history.ts'
import { createPlaces, placeResolvers } from './resolvers/places.ts'
import { registryResolvers } from './resolvers/registries.ts'
import { runChangeResolvers } from './resolvers/run-changes.ts'
import { runResolvers } from './resolvers/runs.ts'
import { scalars } from './resolvers/scalars.ts'
import { serverInfo } from './resolvers/server-info.ts'
import { viewResolvers } from './resolvers/views.ts'
import { sweepResolvers } from './resolvers/sweeps.ts'

export type WandbDeps = {
  access: Access
  teams: Teams
  experiments: Experiments
  sweeps: Sweeps
  artifacts: Artifacts
  alerts: Alerts
  reports: Reports
  /** Proves who asks: anonymous when nothing was sent. @throws GridError unauthenticated for a wrong key */
  authenticate: (request: FastifyRequest) => Promise<Actor>
  log?: Log
}

type FileParams = { entity: string; project: string; run: string; '*': string }

/** Every route of the client but signed blob urls, which `http/blobs.ts` serves, and the pages it links to. */
export function wandbEdge(deps: WandbDeps): FastifyPluginAsync {
  const { access, experiments, authenticate, log = (text, error) => console.error(text, error) } = deps
  const execute = createExecutor(wandbSchema(deps), log)
  const fileStream = createFileStream(experiments)
  const bodies = createBodyReader()

  const actors = new WeakMap<FastifyRequest, Actor>()

  /** Before the body is taken in, so that strangers cannot fill our memory. */
  const proven = {
    onRequest: async (request: FastifyRequest) => {
      const actor = await authenticate(request)
      if (actor.kind === 'anonymous') {
        throw new GridError('unauthenticated', 'No API key was sent', {
          hint: `Run wandb login --host ${actor.origin}, or set WANDB_API_KEY.`,
        })
      }
      actors.set(request, actor)
    },
  }
  const actorOf = (request: FastifyRequest): Actor => actors.get(request)!

  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { bodyLimit: Number.MAX_SAFE_INTEGER }, bodies.parser)
    bodies.releaseAfter(app)
    app.setErrorHandler((error, request, reply) => sendError(error, request, reply, log))

    app.post('/graphql', proven, async (request, reply) => {
      const context = { actor: actorOf(request), shared: isShared(request) }
      const { status, headers, body } = await execute(requestOf(bodies.read(request)), context)
      return reply.status(status).headers(headers).send(body)
    })

    app.post<{ Params: FileParams }>(
      '/files/:entity/:project/:run/file_stream',
      proven,
      async (request, reply) => {
        const writer = isShared(request)
          ? headerOf(request, 'x-wandb-async-client-id') || 'shared'
          : undefined
        const answer = await fileStream(actorOf(request), refOf(request.params), bodies.read(request), writer)
        return reply.send(answer)
      },
    )

    // Where a file of a run is when somebody knows only its name: signed urls are handed out for those that are there.
    app.get<{ Params: FileParams }>('/files/:entity/:project/:run/*', proven, async (request, reply) => {
      const actor = actorOf(request)
      const found = experiments.find(actor, refOf(request.params))
      const { id } = await access.allowed(actor, 'file:download', found)
      const [file] = await experiments.listFiles(actor, id, { names: [cleanPath(request.params['*'])] })
      if (!file) throw new GridError('not_found', 'There is no such file')
      return reply.redirect(experiments.fileUrl(actor, file))
    })

    declined(app)
  }
}

/** What the client tries and must find absent: a 200 would make it send telemetry every minute, or wait for a token. */
function declined(app: FastifyInstance): void {
  const absent = async (_request: FastifyRequest, reply: FastifyReply) =>
    reply.status(404).send(errorBody('This server does not offer that'))
  app.all('/sdk/otel/*', absent)
  app.all('/oidc/token', absent)
}

/** The whole schema with its resolvers, from every `.graphql` file beside this one. */
export function wandbSchema(deps: WandbDeps) {
  const { sources, resolvers } = wandbParts(deps)
  return createSchema(sources, resolvers)
}

export function wandbParts(deps: WandbDeps): { sources: string[]; resolvers: Resolvers[] } {
  const places = createPlaces(deps)
  const freshKeys = createFreshKeys()
  const folder = new URL('.', import.meta.url)
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.graphql'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
  const resolvers = [
    scalars,
    serverInfo(),
    viewResolvers({ ...deps, places }),
    automationResolvers({ ...deps, places }),
    placeResolvers({ ...deps, places, freshKeys }),
    administrationResolvers({ ...deps, places, freshKeys }),
    runResolvers(deps),
    runChangeResolvers(deps),
    historyResolvers(deps),
    fileResolvers(deps),
    artifactResolvers(deps),
    sweepResolvers(deps),
  ]
  return { sources, resolvers: [...resolvers, registryResolvers(deps, resolvers)] }
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const known = answerOf(error)
  if (known) return reply.status(known.status).headers(known.headers).send(errorBody(known.message))
  const body = errorBody(bugSentence(error, log))
  // A script keeps its lines and sends them again, so a bug mended within the week loses nothing. A question is
  // ended at once: on a 5xx the client would stand still for many minutes before it says a word.
  if (request.url.includes('/file_stream')) return reply.status(500).header('retry-after', '15').send(body)
  return reply.status(400).send(body)
}

function requestOf(body: unknown): GraphQLRequest {
  if (!isJsonObject(body) || typeof body.query !== 'string') {
    throw new GridError('invalid', 'Send JSON with a "query"')
  }
  return {
    query: body.query,
    variables: isJsonObject(body.variables) ? body.variables : {},
    operationName: typeof body.operationName === 'string' ? body.operationName : null,
  }
}

function refOf({ entity, project, run }: FileParams) {
  return { team: entity, project, slug: run }
}

function isShared(request: FastifyRequest): boolean {
  return headerOf(request, 'x-wandb-use-async-filestream')?.toLowerCase() === 'true'
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
