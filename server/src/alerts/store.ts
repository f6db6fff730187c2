/** This slice's SQL on rules and channels. Rows become shapes here and nowhere else. */
import { AlertCondition, type AlertChannel, type AlertRule, type Filter } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

export type Db = Kysely<Database>

export type StoredRule = Omit<AlertRule, 'createdAt' | 'updatedAt' | 'lastFiredAt' | 'reach' | 'audience'> & {
  teamId: string
  projectId: string | null
  /** Whose personal rule it is; null: the team's. */
  ownerId: string | null
  audience: AlertRule['audience'] | 'me'
  createdAt: Date
  updatedAt: Date
  lastFiredAt: Date | null
}

export type StoredChannel = {
  id: string
  teamId: string
  name: string
  kind: AlertChannel['kind']
  hint: string
  target: string
  secret: string | null
  createdAt: Date
}

function rulesQuery(db: Db) {
  return db
    .selectFrom('alert_rules as r')
    .leftJoin('projects as p', 'p.id', 'r.project_id')
    .leftJoin('users as u', 'u.id', 'r.created_by')
    .selectAll('r')
    .select([
      'p.name as project_name',
      'u.username',
      sql<Date | null>`greatest(
        (select max(fired_at) from alert_firings f where f.rule_id = r.id),
        (select max(created_at) from alert_deliveries d where d.team_id = r.team_id and d.rule_id = r.id))`.as(
        'last_fired_at',
      ),
    ])
}

export async function findRule(db: Db, id: string): Promise<StoredRule | undefined> {
  const row = await rulesQuery(db).where('r.id', '=', id).executeTakeFirst()
  return row && ruleOf(row)
}

/** Of a team, oldest first; everybody's personal ones too. */
export async function listRules(db: Db, teamId: string): Promise<StoredRule[]> {
  const rows = await rulesQuery(db).where('r.team_id', '=', teamId).orderBy('r.id').execute()
  return rows.map(ruleOf)
}

/** Every enabled rule of one kind, over all teams. */
export async function listRulesOfKind(db: Db, kind: AlertCondition['kind']): Promise<StoredRule[]> {
  const rows = await rulesQuery(db)
    .where('r.enabled', '=', true)
    .where(sql`r.condition ->> 'kind'`, '=', kind)
    .execute()
  return rows.map(ruleOf)
}

type RuleRow = Awaited<ReturnType<ReturnType<typeof rulesQuery>['execute']>>[number]

function ruleOf(row: RuleRow): StoredRule {
  return {
    id: row.id,
    teamId: row.team_id,
    projectId: row.project_id,
    project: row.project_name,
    ownerId: row.owner_id,
    name: row.name,
    description: row.description,
    enabled: row.enabled,
    condition: AlertCondition.parse(row.condition),
    filters: row.filters as Filter[],
    audience: row.audience,
    channelIds: row.channel_ids,
    level: row.level,
    waitSeconds: row.wait_seconds,
    title: row.title,
    message: row.message,
    payload: row.payload,
    createdBy: row.username,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastFiredAt: row.last_fired_at,
  }
}

/** As everybody may see it who may see the team. */
export function presentRule({ teamId: _, projectId: __, ownerId, audience, ...rule }: StoredRule): AlertRule {
  return {
    ...rule,
    reach: ownerId === null ? 'team' : 'mine',
    audience: audience === 'me' ? 'nobody' : audience,
    createdAt: rule.createdAt.toISOString(),
    updatedAt: rule.updatedAt.toISOString(),
    lastFiredAt: rule.lastFiredAt?.toISOString() ?? null,
  }
}

export async function listChannels(db: Db, teamId: string): Promise<StoredChannel[]> {
  const rows = await db
    .selectFrom('alert_channels')
    .selectAll()
    .where('team_id', '=', teamId)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    teamId: row.team_id,
    name: row.name,
    kind: row.kind,
    hint: row.hint,
    target: row.target,
    secret: row.secret,
    createdAt: row.created_at,
  }))
}

export async function findChannel(db: Db, teamId: string, id: string): Promise<StoredChannel | undefined> {
  return (await listChannels(db, teamId)).find((channel) => channel.id === id)
}

/** A person of the team who can be told, with how they want to be. */
export type Recipient = {
  userId: string
  role: string
  email: string | null
  preferences: Record<string, { app: boolean; email: boolean }>
}

/** @param userIds undefined: everybody in the team. Who has left or was disabled is not among them. */
export async function listRecipients(
  db: Db,
  teamId: string,
  userIds?: readonly string[],
): Promise<Recipient[]> {
  if (userIds?.length === 0) return []
  let query = db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .leftJoin('notification_preferences as n', 'n.user_id', 'u.id')
    .select(['u.id', 'u.email', 'm.role', 'n.preferences'])
    .where('m.team_id', '=', teamId)
    .where('u.kind', '=', 'person')
    .where('u.disabled_at', 'is', null)
  if (userIds) query = query.where('u.id', 'in', userIds)
  const rows = await query.execute()
  return rows.map((row) => ({
    userId: row.id,
    role: row.role,
    email: row.email,
    preferences: row.preferences ?? {},
  }))
}

/** The names of where a project, a team or a rule is. */
export async function findPlace(
  db: Db,
  kind: 'project' | 'team' | 'rule',
  id: string,
): Promise<{ team: string; project: string | null } | undefined> {
  const from = {
    project: sql`select t.slug, p.name from projects p join teams t on t.id = p.team_id where p.id = ${id}`,
    team: sql`select slug, null as name from teams where id = ${id}`,
    rule: sql`select t.slug, p.name from alert_rules r join teams t on t.id = r.team_id
      left join projects p on p.id = r.project_id where r.id = ${id}`,
  }[kind]
  const { rows } = await sql<{ slug: string; name: string | null }>`${from}`.execute(db)
  return rows[0] && { team: rows[0].slug, project: rows[0].name }
}
