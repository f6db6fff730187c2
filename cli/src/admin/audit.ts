import type { Command } from 'commander'
import { GridError } from '@teamgrid/api'
import {
  auditColumns,
  auditFilterOf,
  auditFilterOptions,
  auditJson,
  auditLines,
  type AuditOptions,
  exportAudit,
  reportVerdict,
} from '../audit-rows.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import { adminCommand } from './command.ts'

export function addAuditCommands(admin: Command, io: Io): void {
  const audit = admin.command('audit').description('Who did what, and the proof that nobody changed it.')
  adminCommand<{ expect?: string }>(audit, io, {
    name: 'verify',
    description: 'Prove the hash chains: that no line was changed, added or taken away. Prints their heads.',
    fields: ['team?'],
    options: [['--expect <head>', 'NUMBER:HASH noted earlier must still be in the chain']],
    run: async (context, { team }, { expect }) => {
      reportVerdict(
        context,
        await context.client.audit.verify({
          ...(team === undefined ? {} : { team }),
          ...(expect === undefined ? {} : { expect }),
        }),
      )
    },
  })
  adminCommand<AuditOptions & { limit?: number }>(audit, io, {
    name: 'list',
    description: 'Lines of the organisation or of one team, newest first.',
    fields: ['team?'],
    options: [...auditFilterOptions, ['--limit <count>', 'at most so many lines (50)', positiveInteger]],
    run: async ({ client, printRows }, { team }, options) => {
      const filter = auditFilterOf(options, io.now())
      const rows = await auditLines(options.limit ?? 50, (range) =>
        team === undefined
          ? client.audit.organisation({ ...filter, ...range })
          : client.audit.team({ ...filter, ...range, team }),
      )
      printRows({ columns: auditColumns, rows, json: auditJson, empty: 'Nothing.' })
    },
  })
  adminCommand<AuditOptions & { format?: string }>(audit, io, {
    name: 'export',
    description: 'Write all that fits into a file of this folder.',
    fields: ['team?'],
    options: [...auditFilterOptions, ['--format <format>', 'csv or json (csv)']],
    run: async ({ ask, json, printJson, done }, { team }, { format = 'csv', ...options }) => {
      if (format !== 'csv' && format !== 'json')
        throw new GridError('invalid', `"${format}" is no format; say csv or json`)
      const file = await exportAudit(io, ask, format, {
        ...auditFilterOf(options, io.now()),
        ...(team === undefined ? {} : { team }),
      })
      done(`Exported the audit log to file: ${file}`)
      if (json) printJson({ file })
    },
  })
}
