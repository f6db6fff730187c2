import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync } from 'fastify'
import { marked } from 'marked'

const folder = new URL('../../../docs/', import.meta.url)
const pictures: Record<string, string> = { '.png': 'image/png', '.svg': 'image/svg+xml' }

/** `/docs`: the guides of this very version, so that what people read is what the server does. */
export const docsEdge: FastifyPluginAsync = async (app) => {
  app.get('/docs', async (_request, reply) => reply.redirect('/docs/README.md'))
  app.get<{ Params: { '*': string } }>('/docs/*', async (request, reply) => {
    const name = request.params['*']
    // Names of our own files: words, dashes and one kind of ending; no dots to climb with.
    if (!/^([a-z0-9-]+\/)?[A-Za-z0-9-]+\.(md|png|svg)$/.test(name)) throw new GridError('not_found')
    const bytes = await readFile(fileURLToPath(new URL(name, folder))).catch(() => undefined)
    if (!bytes) throw new GridError('not_found', `There is no guide ${name}`, { hint: 'See /docs.' })
    reply
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'")
      .header('x-content-type-options', 'nosniff')
    const picture = pictures[extname(name)]
    if (picture) return reply.type(picture).send(bytes)
    const html = await marked.parse(bytes.toString(), { gfm: true })
    return reply.type('text/html; charset=utf-8').send(page(name, html))
  })
}

function page(name: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name.replace('.md', '')} · Teamgrid</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif }
  body { max-width: 46rem; margin: 0 auto; padding: 1rem }
  nav { margin-bottom: 1.5rem } a { color: light-dark(#1d4ed8, #8ab4ff) }
  pre { overflow-x: auto; padding: .75rem 1rem; border-radius: 6px; background: light-dark(#f3f4f6, #1c2230) }
  code { font: .875em ui-monospace, monospace } img { max-width: 100% }
  table { border-collapse: collapse; display: block; overflow-x: auto }
  th, td { border: 1px solid light-dark(#d5d8df, #343b4a); padding: .3rem .6rem; text-align: left; vertical-align: top }
</style>
<nav><a href="/">Teamgrid</a> · <a href="/docs">Docs</a></nav>
${content}
</html>
`
}
