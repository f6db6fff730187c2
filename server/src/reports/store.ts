/** This slice's SQL. Rows become `StoredView` here and nowhere else. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

export type Db = Kysely<Database>
export type ViewKind = 'report' | 'workspace' | 'experiment'
export type Draft = { title: string; description: string; spec: string }

export type StoredView = {
  id: string
  teamId: string
  projectId: string
  team: string
  project: string
  kind: ViewKind
  name: string
  title: string
  description: string
  spec: string
  draft: Draft | null
  isPublished: boolean
  share: 'none' | 'edit'
  version: number
  createdBy: { id: string; username: string; name: string; email: string | null }
  viaUserId: string | null
  updatedBy: { username: string; name: string } | null
  comments: number
  createdAt: Date
  updatedAt: Date
}

function views(db: Db) {
  return db
    .selectFrom('views as v')
    .innerJoin('projects as p', 'p.id', 'v.project_id')
    .innerJoin('teams as t', 't.id', 'v.team_id')
    .innerJoin('users as c', 'c.id', 'v.created_by')
    .leftJoin('users as u', 'u.id', 'v.updated_by')
    .selectAll('v')
    .select([
      'p.name as project',
      't.slug as team',
      'c.username',
      'c.name as creator_name',
      'c.email',
      'u.username as updater',
      'u.name as updater_name',
      sql<number>`(select count(*) from report_comments k where k.view_id = v.id)`.as('comments'),
    ])
}

export async function findView(db: Db, id: string): Promise<StoredView | undefined> {
  const row = await views(db).where('v.id', '=', id).executeTakeFirst()
  return row && viewOf(row)
}

/** Last changed first. */
export async function listViews(
  db: Db,
  projectId: string,
  kind: ViewKind,
  name?: string,
): Promise<StoredView[]> {
  let query = views(db)
    .where('v.project_id', '=', projectId)
    .where('v.kind', '=', kind)
    .orderBy('v.updated_at', 'desc')
    .orderBy('v.id', 'desc')
    .limit(1000)
  if (name !== undefined) query = query.where('v.name', '=', name)
  return (await query.execute()).map(viewOf)
}

export async function findByToken(db: Db, tokenHash: string): Promise<StoredView | undefined> {
  const row = await views(db)
    .where('v.id', 'in', (eb) =>
      eb
        .selectFrom('report_links')
        .select('view_id')
        .where('token_hash', '=', tokenHash)
        .where('revoked_at', 'is', null),
    )
    .executeTakeFirst()
  return row && viewOf(row)
}

type Row = Awaited<ReturnType<ReturnType<typeof views>['execute']>>[number]

function viewOf(row: Row): StoredView {
  return {
    id: row.id,
    teamId: row.team_id,
    projectId: row.project_id,
    team: row.team,
    project: row.project,
    kind: row.kind,
    name: row.name,
    title: row.title,
    description: row.description,
    spec: row.spec,
    draft: row.draft,
    isPublished: row.is_published,
    share: row.share,
    version: row.version,
    createdBy: { id: row.created_by, username: row.username, name: row.creator_name, email: row.email },
    viaUserId: row.via_user_id,
    updatedBy: row.updater === null ? null : { username: row.updater, name: row.updater_name ?? '' },
    comments: Number(row.comments),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
