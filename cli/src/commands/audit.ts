import { type Command, Option } from 'commander'
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
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'

type Options = AuditOptions & {
  organisation?: boolean
  limit?: number
  export?: 'csv' | 'json'
  verify?: boolean
  expect?: string
}

export function addAudit(program: Command, io: Io): void {
  const command = program
    .command('audit')
    .argument('[team]', 'a team; without it my default team')
    .option('--organisation', 'the whole organisation, for its admins')
  for (const [flags, description] of auditFilterOptions) command.option(flags, description)
  command
    .option('--limit <count>', 'at most so many lines (50)', positiveInteger)
    .addOption(new Option('--export <format>', 'write all that fits into a file').choices(['csv', 'json']))
    .option('--verify', 'prove that no line was changed, added or taken away')
    .option('--expect <head>', 'with --verify: NUMBER:HASH noted earlier must still be in the chain')
    .summary('who did what')
    .description(
      'Who did what to what, when, from where and by which key, newest first. Admins see their team, members what they did.',
    )
    .action(handle(io, showAudit))
}

async function showAudit(context: Context, name: string | undefined, options: Options): Promise<void> {
  if (name !== undefined && options.organisation)
    throw new GridError('invalid', 'Name a team or say --organisation, not both')
  if (options.expect !== undefined && !options.verify)
    throw new GridError('invalid', '--expect belongs to --verify')
  const filter = auditFilterOf(options, context.io.now())
  const { client, ask } = await context.connection()
  const team = options.organisation ? undefined : (name ?? (await context.me()).defaultTeam)
  if (options.verify) {
    const expect = options.expect === undefined ? {} : { expect: options.expect }
    reportVerdict(context, await client.audit.verify({ ...(team === undefined ? {} : { team }), ...expect }))
    return
  }
  if (options.export) {
    const file = await exportAudit(context.io, ask, options.export, {
      ...filter,
      ...(team === undefined ? {} : { team }),
    })
    context.done(`Exported the audit log to file: ${file}`)
    if (context.json) context.printJson({ file })
    return
  }
  const lines = await auditLines(options.limit ?? 50, (range) =>
    team === undefined
      ? client.audit.organisation({ ...filter, ...range })
      : client.audit.team({ ...filter, ...range, team }),
  )
  context.printRows({ columns: auditColumns, rows: lines, json: auditJson, empty: 'Nothing.' })
}
