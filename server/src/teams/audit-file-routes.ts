import { Readable } from 'node:stream'
import { auditCells, auditColumns, AuditFilter, csvLine, GridError } from '@teamgrid/api'
import type { AuditEntry } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Actor } from '../actor.ts'
import type { Teams } from './service.ts'

const Query = AuditFilter.extend({ format: z.enum(['csv', 'json']).default('csv') })

/**
 * `GET /api/audit/export?format=csv|json[&team=…][&filters]`: the whole log as a file, streamed page by page, so that
 * neither side holds it in memory. With a team, that team's; without, the organisation's.
 */
export function auditFileRoutes(deps: {
  teams: Pick<Teams, 'exportAudit'>
  authenticate: (request: FastifyRequest) => Promise<Actor>
}): FastifyPluginAsync {
  return async (app) => {
    app.get('/api/audit/export', async (request, reply) => {
      const actor = await deps.authenticate(request)
      if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
      const query = Query.safeParse(request.query)
      if (!query.success) {
        const issue = query.error.issues[0]!
        throw new GridError('invalid', `${issue.path.join('.')}: ${issue.message}`)
      }
      const { format, team, ...filter } = query.data
      const pages = await deps.teams.exportAudit(actor, team, filter)
      const day = new Date().toISOString().slice(0, 10)
      return reply
        .header('cache-control', 'no-store')
        .header('x-content-type-options', 'nosniff')
        .header(
          'content-disposition',
          `attachment; filename*=UTF-8''${encodeURIComponent(`audit-${team ?? 'organisation'}-${day}.${format}`)}`,
        )
        .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/json; charset=utf-8')
        .send(Readable.from(format === 'csv' ? asCsv(pages) : asJson(pages)))
    })
  }
}

async function* asCsv(pages: AsyncIterable<AuditEntry[]>): AsyncGenerator<string> {
  yield csvLine(auditColumns)
  for await (const rows of pages) {
    yield rows
      .map((entry) => {
        const cells = auditCells(entry)
        return csvLine(auditColumns.map((column) => cells[column]))
      })
      .join('')
  }
}

async function* asJson(pages: AsyncIterable<AuditEntry[]>): AsyncGenerator<string> {
  let before = '[\n'
  for await (const rows of pages) {
    yield before + rows.map((entry) => JSON.stringify(entry)).join(',\n')
    before = ',\n'
  }
  yield before === '[\n' ? '[]\n' : '\n]\n'
}
