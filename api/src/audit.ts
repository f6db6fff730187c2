import { z } from 'zod'
import { endpoint, Id, Instant, page, PageInput } from './base.ts'
import { Person } from './teams.ts'

/** A line of the audit log. */
export const AuditEntry = z.object({
  id: Id,
  at: Instant,
  /** Slug; null for acts on the organisation, and for a team that is gone. */
  team: z.string().nullable(),
  /** Null for the operator and for the server itself. */
  actor: Person.nullable(),
  /** The member a service account worked for. */
  for: z.string().nullable(),
  by: z.enum(['browser', 'key', 'operator', 'nobody']),
  key: z.object({ id: Id, name: z.string(), hint: z.string() }).nullable(),
  client: z.enum(['web', 'cli', 'wandb']).nullable(),
  /** The network address it came from. */
  address: z.string().nullable(),
  /** An action of the permission table, such as `experiment:stop`. */
  action: z.string(),
  subjectKind: z.string(),
  subjectId: z.string(),
  /** How people call the subject; may be empty. */
  label: z.string(),
  details: z.record(z.string(), z.unknown()),
  /** Its place in the team's hash chain; null in the first second. */
  seal: z.object({ number: z.number(), hash: z.string() }).nullable(),
})
export type AuditEntry = z.infer<typeof AuditEntry>

/** Everything given must fit. */
export const AuditFilter = z.object({
  /** A username, or `operator`. */
  actor: z.string().max(200).optional(),
  /** `experiment:stop`, or `experiment:` for all of that noun. */
  action: z.string().max(100).optional(),
  /** `experiment`, `user`, `project` … */
  kind: z.string().max(50).optional(),
  /** The id of what was acted upon. */
  subject: z.string().max(200).optional(),
  /** The id of an API key. */
  key: Id.optional(),
  address: z.string().max(100).optional(),
  /** The first instant wanted. */
  from: Instant.optional(),
  /** The first instant not wanted any more. */
  to: Instant.optional(),
  /** In action, person, address, subject and details. */
  search: z.string().max(200).optional(),
  /** Of the organisation's log: only this team. */
  team: z.string().max(200).optional(),
})
export type AuditFilter = {
  [Key in keyof z.infer<typeof AuditFilter>]?: Exclude<z.infer<typeof AuditFilter>[Key], undefined>
}

export const AuditVerdict = z.object({
  ok: z.boolean(),
  lines: z.number(),
  /** The newest seal of each chain; `team` is null for the organisation. Note them elsewhere, to compare later. */
  heads: z.array(
    z.object({ team: z.string().nullable(), chain: z.string(), number: z.number(), hash: z.string() }),
  ),
  /** The first ones. */
  problems: z.array(
    z.object({ team: z.string().nullable(), number: z.number().nullable(), says: z.string() }),
  ),
  problemCount: z.number(),
})
export type AuditVerdict = z.infer<typeof AuditVerdict>

/** The columns of an export, in order. */
export const auditColumns = [
  'at',
  'team',
  'actor',
  'for',
  'by',
  'key',
  'client',
  'address',
  'action',
  'subject_kind',
  'subject_id',
  'subject',
  'details',
  'seal_number',
  'seal_hash',
  'id',
] as const

/** A line as flat cells, for CSV and for programs. */
export function auditCells(entry: AuditEntry): Record<(typeof auditColumns)[number], unknown> {
  return {
    at: entry.at,
    team: entry.team,
    actor: entry.actor?.username ?? (entry.by === 'operator' ? 'operator' : null),
    for: entry.for,
    by: entry.by,
    key: entry.key === null ? null : `${entry.key.name} (…${entry.key.hint})`,
    client: entry.client,
    address: entry.address,
    action: entry.action,
    subject_kind: entry.subjectKind,
    subject_id: entry.subjectId,
    subject: entry.label,
    details: entry.details,
    seal_number: entry.seal?.number ?? null,
    seal_hash: entry.seal?.hash ?? null,
    id: entry.id,
  }
}

export const audit = {
  team: endpoint
    .route({ method: 'GET', path: '/teams/{team}/audit', summary: 'Who did what in a team', tags: ['audit'] })
    .input(AuditFilter.extend(PageInput.shape).extend({ team: z.string() }))
    .output(page(AuditEntry)),
  organisation: endpoint
    .route({ method: 'GET', path: '/audit', summary: 'Who did what in the organisation', tags: ['audit'] })
    .input(AuditFilter.extend(PageInput.shape))
    .output(page(AuditEntry)),
  verify: endpoint
    .route({ method: 'GET', path: '/audit/verify', summary: 'Prove the hash chain', tags: ['audit'] })
    .input(
      z.object({
        /** Of one team; without it, of everything. */
        team: z.string().optional(),
        /** `number:hash` of a head noted earlier, which the chain must still contain. */
        expect: z.string().max(100).optional(),
      }),
    )
    .output(AuditVerdict),
}
