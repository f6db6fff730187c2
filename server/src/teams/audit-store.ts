import type { AuditEntry, AuditFilter } from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

type Row = {
  id: string
  created_at: Date
  team: string | null
  username: string | null
  name: string | null
  via: string
  client: 'web' | 'cli' | 'wandb' | null
  address: string | null
  key_id: string | null
  key_name: string | null
  key_hint: string | null
  action: string
  subject_kind: string
  subject_id: string
  details: Record<string, unknown>
  seal_number: number | null
  seal_hash: string | null
}

/** Which lines somebody may see at all. */
export type AuditReach =
  /** All of a team, or what one person did in it. */
  | { teamId: string; actorUserId?: string }
  /** The organisation and its shared teams; of personal teams only the reader's own. */
  | { userId: string | null }

/** Lines newest first; `before` is the id of the last one seen. */
export async function listAudit(
  db: Kysely<Database>,
  reach: AuditReach,
  filter: AuditFilter & { limit: number; before?: string },
): Promise<AuditEntry[]> {
  const conditions = [reachOf(reach), ...conditionsOf(filter)]
  if (filter.before !== undefined) conditions.push(sql`a.id < ${filter.before}`)
  const { rows } = await sql<Row>`
    select a.id, a.created_at, t.slug as team, u.username, u.name, a.via, a.client, a.address,
      k.id as key_id, k.name as key_name, k.hint as key_hint,
      a.action, a.subject_kind, a.subject_id, a.details, s.number as seal_number, s.hash as seal_hash
    from activity a
    left join teams t on t.id = a.team_id
    left join users u on u.id = a.actor_user_id
    left join api_keys k on a.via like 'key:%' and k.id::text = substr(a.via, 5)
    left join audit_seals s on s.activity_id = a.id
    where ${sql.join(conditions, sql` and `)}
    order by a.id desc limit ${filter.limit}`.execute(db)
  return rows.map(entryOf)
}

function reachOf(reach: AuditReach): RawBuilder<unknown> {
  if ('teamId' in reach) {
    return reach.actorUserId === undefined
      ? sql`a.team_id = ${reach.teamId}`
      : sql`a.team_id = ${reach.teamId} and a.actor_user_id = ${reach.actorUserId}`
  }
  return sql`(a.team_id is null or not exists (
    select 1 from teams p where p.id = a.team_id and p.kind = 'personal'
      and p.personal_user_id is distinct from ${reach.userId}))`
}

function conditionsOf(filter: AuditFilter): RawBuilder<unknown>[] {
  const conditions: RawBuilder<unknown>[] = []
  if (filter.actor === 'operator') conditions.push(sql`a.via = 'operator'`)
  else if (filter.actor !== undefined)
    conditions.push(sql`(lower(u.username) = lower(${filter.actor}) or a.details->>'for' = ${filter.actor})`)
  if (filter.action !== undefined)
    conditions.push(
      filter.action.endsWith(':')
        ? sql`starts_with(a.action, ${filter.action})`
        : sql`a.action = ${filter.action}`,
    )
  if (filter.team !== undefined) conditions.push(sql`lower(t.slug) = lower(${filter.team})`)
  if (filter.kind !== undefined) conditions.push(sql`a.subject_kind = ${filter.kind}`)
  if (filter.subject !== undefined) conditions.push(sql`a.subject_id = ${filter.subject}`)
  if (filter.key !== undefined) conditions.push(sql`a.via = ${`key:${filter.key}`}`)
  if (filter.address !== undefined) conditions.push(sql`a.address = ${filter.address}`)
  if (filter.from !== undefined) conditions.push(sql`a.created_at >= ${new Date(filter.from)}`)
  if (filter.to !== undefined) conditions.push(sql`a.created_at < ${new Date(filter.to)}`)
  if (filter.search !== undefined && filter.search !== '') {
    const like = `%${filter.search.replace(/[\\%_]/g, '\\$&')}%`
    conditions.push(
      sql`(a.action ilike ${like} or u.username ilike ${like} or a.subject_id ilike ${like}
        or a.address ilike ${like} or a.details::text ilike ${like})`,
    )
  }
  return conditions
}

function entryOf(row: Row): AuditEntry {
  return {
    id: row.id,
    at: row.created_at.toISOString(),
    team: row.team,
    actor: row.username === null ? null : { username: row.username, name: row.name! },
    for: typeof row.details['for'] === 'string' ? row.details['for'] : null,
    by: row.via.startsWith('key:')
      ? 'key'
      : row.via === 'cookie'
        ? 'browser'
        : row.via === 'operator'
          ? 'operator'
          : 'nobody',
    key: row.key_id === null ? null : { id: row.key_id, name: row.key_name!, hint: row.key_hint! },
    client: row.client,
    address: row.address,
    action: row.action,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    label: labelOf(row.details),
    details: row.details,
    seal: row.seal_number === null ? null : { number: row.seal_number, hash: row.seal_hash! },
  }
}

/** How people call what was acted upon. */
function labelOf(details: Record<string, unknown>): string {
  const text = (key: string) => (typeof details[key] === 'string' ? details[key] : undefined)
  const name = text('name') ?? text('username') ?? text('email') ?? text('slug') ?? ''
  const project = text('project')
  return project === undefined || name === '' ? (project ?? name) : `${project}/${name}`
}
