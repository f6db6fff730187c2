import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Actor } from '../actor.ts'
import { readArtifactId } from './artifact.ts'
import type { Artifacts } from './service.ts'

/**
 * Addresses that the wandb client makes up itself when it has no link to a file, or only an old one; they need its key:
 * `/artifactsV2/{region}/{entity}/{project}/{collection}/[{artifact id}/]{birth artifact id}/{md5 hex}/{file name}`
 * and, from older manifests, `/artifacts/{entity}/{md5 hex}`. Answered with the way to a signed url.
 * Source: wandb sdk/artifacts/storage_policies/wandb_storage_policy.py (_file_url), read 2026-08.
 */
export function artifactFileRoutes(deps: {
  artifacts: Pick<Artifacts, 'contentUrl'>
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  /** Before anything is said about the path. */
  async function proven(request: FastifyRequest): Promise<Actor> {
    const actor = await deps.authenticate(request)
    if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
    return actor
  }
  return async (app) => {
    app.get('/artifactsV2/*', async (request, reply) => {
      const actor = await proven(request)
      const url = await deps.artifacts.contentUrl(actor, readPath(request.url))
      return reply.header('cache-control', 'no-store').redirect(url, 302)
    })
    app.get<{ Params: { entity: string; md5Hex: string } }>(
      '/artifacts/:entity/:md5Hex',
      async (request, reply) => {
        const { entity, md5Hex } = request.params
        const url = await deps.artifacts.contentUrl(await proven(request), {
          team: entity,
          md5Hex,
          fileName: md5Hex,
        })
        return reply.header('cache-control', 'no-store').redirect(url, 302)
      },
    )
  }
}

/**
 * The birth id may be empty; it says where content comes from, and we find that by digest. Fastify has refused what
 * cannot be decoded.
 */
function readPath(url: string) {
  const parts = url.split('?')[0]!.split('/').slice(2)
  const [, team, project, collection] = parts.map(decodeURIComponent)
  const [md5Hex, fileName] = parts.slice(-2).map(decodeURIComponent)
  const ids = parts.slice(4, -2)
  if (!team || !project || !collection || !md5Hex || ids.length < 1 || ids.length > 2)
    throw new GridError('not_found')
  if (ids.length === 1) return { team, project, collection, md5Hex, fileName: fileName! }
  const artifactId = readArtifactId(decodeURIComponent(ids[0]!))
  if (artifactId === undefined) throw new GridError('not_found')
  return { team, project, collection, artifactId, md5Hex, fileName: fileName! }
}
