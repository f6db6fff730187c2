import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { auditCells, type AuditEntry, type AuditFilter, type AuditVerdict, GridError } from '@teamgrid/api'
import type { Ask } from './connection.ts'
import type { Context } from './context.ts'
import type { Io } from './io.ts'
import type { Column } from './table.ts'
import { day, minute, since } from './time.ts'

export type AuditOptions = {
  user?: string
  action?: string
  kind?: string
  address?: string
  search?: string
  since?: string
  until?: string
}

/** The filters of both command lines. */
export const auditFilterOptions: [flags: string, description: string][] = [
  ['--user <username>', "only this person's acts; operator for the operator's"],
  ['--action <action>', 'only this action, such as experiment:stop, or experiment: for all of the noun'],
  ['--kind <kind>', 'only acts on this kind of thing: experiment, user, project …'],
  ['--address <address>', 'only from this network address'],
  ['--search <text>', 'only lines with this text in them'],
  ['--since <time>', 'only from then on: 2h, 7d, or an instant'],
  ['--until <time>', 'only before then'],
]

export function auditFilterOf(options: AuditOptions, now: Date): AuditFilter {
  const { user, since: from, until: to, action, kind, address, search } = options
  return {
    ...(user === undefined ? {} : { actor: user }),
    ...(action === undefined ? {} : { action }),
    ...(kind === undefined ? {} : { kind }),
    ...(address === undefined ? {} : { address }),
    ...(search === undefined ? {} : { search }),
    ...(from === undefined ? {} : { from: since(from, now).toISOString() }),
    ...(to === undefined ? {} : { to: since(to, now).toISOString() }),
  }
}

export const auditColumns: Column<AuditEntry>[] = [
  { title: 'When', cell: (line) => minute(line.at) },
  { title: 'Who', cell: (line) => `${line.actor?.username ?? line.by}${line.for ? ` for ${line.for}` : ''}` },
  { title: 'Did', cell: (line) => line.action },
  { title: 'What', cell: (line) => `${line.subjectKind} ${line.label || line.subjectId}`.trim() },
  { title: 'From', cell: (line) => line.address ?? '-' },
  { title: 'By', cell: (line) => (line.key ? `key …${line.key.hint}` : line.by) },
]

/** Up to `limit` lines, newest first. */
export async function auditLines(
  limit: number,
  page: (range: {
    limit: number
    cursor?: string
  }) => Promise<{ items: AuditEntry[]; nextCursor: string | null }>,
): Promise<AuditEntry[]> {
  const lines: AuditEntry[] = []
  let cursor: string | undefined
  while (lines.length < limit) {
    const { items, nextCursor } = await page({
      limit: Math.min(500, limit - lines.length),
      ...(cursor === undefined ? {} : { cursor }),
    })
    lines.push(...items)
    if (nextCursor === null) break
    cursor = nextCursor
  }
  return lines
}

export const auditJson = (line: AuditEntry): Record<string, unknown> => auditCells(line)

/** Writes the whole log, as far as the filter wants it, into a file of the current folder. @returns its name. */
export async function exportAudit(
  io: Io,
  ask: Ask,
  format: 'csv' | 'json',
  filter: AuditFilter & { team?: string },
): Promise<string> {
  const query = new URLSearchParams({ format, ...(filter as Record<string, string>) })
  const response = await ask(`/api/audit/export?${query.toString()}`)
  const two = (value: number) => String(value).padStart(2, '0')
  const now = io.now()
  const name = `grid-audit-${filter.team ?? 'organisation'}-${day(now)}_${two(now.getHours())}-${two(now.getMinutes())}.${format}`
  const path = join(io.cwd, name)
  try {
    await pipeline(Readable.fromWeb(response.body as ReadableStream), createWriteStream(path))
  } catch (error) {
    // Half a log must not pass for the whole.
    await rm(path, { force: true })
    if (io.interrupted.aborted) throw io.interrupted.reason
    throw new GridError('unavailable', `The export to ${name} broke off: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return name
}

/** Says what was proven. @throws GridError conflict, naming the first problems, when the log was tampered with. */
export function reportVerdict(context: Context, verdict: AuditVerdict): void {
  if (context.json) context.printJson(verdict)
  for (const head of verdict.heads) {
    context.say(`${head.team ?? 'organisation'}  ${head.number} lines  ${head.number}:${head.hash}`)
  }
  if (verdict.ok) {
    context.done(`The audit log is whole: ${verdict.lines} lines in ${verdict.heads.length} chains.`)
    return
  }
  const first = verdict.problems.map(({ team, says }) => `  ${team ?? 'organisation'}: ${says}`)
  throw new GridError(
    'conflict',
    `The audit log was tampered with; ${verdict.problemCount} problems:\n${first.join('\n')}`,
    { hint: 'Compare with an export or a backup from before.' },
  )
}
