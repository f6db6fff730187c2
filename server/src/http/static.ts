import { existsSync } from 'node:fs'
import fastifyStatic from '@fastify/static'
import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync } from 'fastify'

/** What the app's own pages may load: our scripts, and pictures and frames from signed links on this server. */
const pagePolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "frame-src 'self'",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'self'",
].join('; ')

/** The built web app; any path that is not a file is a place inside it. */
export function staticEdge(folder: string): FastifyPluginAsync {
  return async (app) => {
    if (!existsSync(folder)) {
      app.setNotFoundHandler(async () => {
        throw new GridError('not_found', 'The web app is not built', {
          hint: 'Run npm start, which builds it.',
        })
      })
      return
    }
    await app.register(fastifyStatic, {
      root: folder,
      wildcard: false,
      index: false,
      // The build writes .br and .gz beside its files.
      preCompressed: true,
      setHeaders: (reply, path) => {
        // Vite puts a hash of the content into the names of assets.
        const isHashed = path.includes('/assets/')
        reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
        reply.header('x-content-type-options', 'nosniff')
      },
    })
    app.setNotFoundHandler(async (request, reply) => {
      const isPage =
        (request.method === 'GET' || request.method === 'HEAD') &&
        /text\/html|\*\/\*/.test(request.headers.accept ?? '*/*')
      const isOurs = /^\/(api|blobs|graphql|files|sdk|oidc|assets|artifacts|artifactsV2)(\/|$|\?)/.test(
        request.url,
      )
      if (!isPage || isOurs)
        throw new GridError('not_found', `There is no ${request.method} ${request.url.split('?')[0]}`)
      return reply
        .header('content-security-policy', pagePolicy)
        .header('referrer-policy', 'same-origin')
        .header('cache-control', 'no-cache')
        .sendFile('index.html')
    })
  }
}
