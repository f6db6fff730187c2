/**
 * Reports: text and live panels that people write about a project, as the wandb client stores them too. A report that was
 * published is seen by who may see its project; changes are drafts until they are published. Workspaces that the
 * client saves are views as well.
 */
import {
  type Curve,
  type ExperimentRow,
  GridError,
  Id,
  readReport,
  type Report,
  type ReportComment,
  type ReportLink,
  reportSpecBytesMax,
  type ReportSummary,
  type RunSet,
  runSetExperimentsMax,
  type SharedReport,
  writeReport,
} from '@teamgrid/api'
import type { Access } from '../access.ts'
import { type Deeds, record } from '../activity.ts'
import type { Actor, Guarded } from '../actor.ts'
import type { Notice } from '../alerts/service.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { Clock } from '../lib/clock.ts'
import { newId, randomText } from '../lib/ids.ts'
import type { Sealed } from '../lib/sealed.ts'
import { hashOf, newToken } from '../lib/secrets.ts'
import type { Teams } from '../teams/service.ts'
import { type Db, findByToken, findView, listViews, type StoredView, type ViewKind } from './store.ts'

export type { StoredView, ViewKind } from './store.ts'
export type Reports = ReturnType<typeof createReports>

export type ReportsDeps = {
  db: Db
  access: Access
  teams: Pick<Teams, 'findProjectGuard'>
  experiments: Pick<Experiments, 'shown'>
  notifications: {
    tell: (trx: Db, notice: Notice, userIds?: readonly string[]) => Promise<string[]>
    committed: () => void
  }
  sealed: Sealed
  events: Events
  deeds: Deeds
  /** Where links in mails lead; empty when the server does not know its address. */
  linkOrigin: string
  clock: Clock
}

const commentsMax = 5000
const linksMax = 20

export function createReports(deps: ReportsDeps) {
  const { db, access, teams, notifications, sealed, clock } = deps

  /** Published ones, and drafts of those one may edit. */
  async function list(actor: Actor, team: string, project: string): Promise<ReportSummary[]> {
    const place = await access.allowed(actor, 'report:read', teams.findProjectGuard(team, project))
    const views = await listViews(db, place.id, 'report')
    const seen = await Promise.all(
      views.map(async (view) => {
        const mayEdit = await access.permits(actor, 'report:edit', guardIn(place, view))
        return view.isPublished || mayEdit ? [summaryOf(view, mayEdit)] : []
      }),
    )
    return seen.flat()
  }

  async function create(
    actor: Actor,
    team: string,
    project: string,
    input: {
      title: string
      description: string
      spec?: string | undefined
      publish: boolean
      name?: string
      kind?: ViewKind
    },
  ): Promise<Report> {
    // Asked as the project first: who owns what they make does not own the place.
    const there = await access.allowed(actor, 'report:read', teams.findProjectGuard(team, project))
    const place = await access.allowed(actor, 'report:create', ownedBy(actor, Promise.resolve(there)))
    if (actor.userId === null) throw new GridError('forbidden', 'Reports belong to people.')
    const spec = checkSpec(input.spec ?? writeReport([{ kind: 'text', markdown: '' }]))
    const id = newId(clock.now().getTime())
    const kind = input.kind ?? 'report'
    await db.transaction().execute(async (trx) => {
      const made = await trx
        .insertInto('views')
        .values({
          id,
          team_id: place.teamId,
          project_id: place.id,
          kind,
          name: input.name ?? randomText(12),
          title: input.title,
          description: input.description,
          spec,
          is_published: kind !== 'report' || input.publish,
          created_by: actor.attributedTo?.userId ?? actor.userId!,
          via_user_id: actor.attributedTo ? actor.userId : null,
          updated_by: actor.userId,
          created_at: clock.now(),
          updated_at: clock.now(),
          published_at: input.publish ? clock.now() : null,
        })
        .onConflict((conflict) => conflict.columns(['project_id', 'kind', 'name']).doNothing())
        .returning('id')
        .executeTakeFirst()
      if (!made) throw new GridError('conflict', `There is a view ${input.name} in ${project} already`)
      await trx.insertInto('report_follows').values({ view_id: id, user_id: actor.userId! }).execute()
      await noted(trx, actor, 'report:create', { ...place, id, title: input.title })
    })
    tellChanged(place)
    return await get(actor, id)
  }

  async function get(actor: Actor, id: string): Promise<Report> {
    const { view, guard } = await readable(actor, id)
    const mayEdit = await access.permits(actor, 'report:edit', guard)
    const followed =
      actor.userId === null
        ? undefined
        : await db
            .selectFrom('report_follows')
            .select('view_id')
            .where('view_id', '=', view.id)
            .where('user_id', '=', actor.userId)
            .executeTakeFirst()
    return {
      ...summaryOf(view, mayEdit),
      spec: view.spec,
      draft: mayEdit ? view.draft : null,
      version: view.version,
      updatedBy: view.updatedBy,
      share: view.share,
      isFollowed: followed !== undefined,
      mayEdit,
    }
  }

  /**
   * Saves a draft, or publishes.
   * @throws GridError conflict when somebody saved since `version`; nothing of theirs is lost, and nothing of the caller's.
   */
  async function save(
    actor: Actor,
    id: string,
    input: { version: number | null; title: string; description: string; spec: string; publish: boolean },
  ): Promise<Report> {
    const { view, guard } = await found(actor, id, 'report:edit')
    const spec = checkSpec(input.spec)
    const now = clock.now()
    const followers = await followersOf(view.id, actor)
    await db.transaction().execute(async (trx) => {
      const content = { title: input.title, description: input.description, spec }
      const saved = await trx
        .updateTable('views')
        .set((eb) => ({
          version: eb('version', '+', 1),
          updated_by: actor.userId,
          updated_at: now,
          ...(input.publish || !view.isPublished
            ? { ...content, draft: null }
            : { draft: JSON.stringify(content) }),
          ...(input.publish ? { is_published: true, published_at: now } : {}),
        }))
        .where('id', '=', view.id)
        .$if(input.version !== null, (query) => query.where('version', '=', input.version!))
        .returning('id')
        .executeTakeFirst()
      if (!saved) throw await conflictOf(trx, view.id)
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: input.title })
      if (input.publish)
        await notifications.tell(
          trx,
          noticeOf(view, `${actor.name || actor.username} published ${input.title}`, input.description),
          followers,
        )
    })
    notifications.committed()
    tellChanged(guard)
    return await get(actor, id)
  }

  async function discard(actor: Actor, id: string): Promise<Report> {
    const { view, guard } = await found(actor, id, 'report:edit')
    await db
      .updateTable('views')
      .set((eb) => ({ draft: null, version: eb('version', '+', 1), updated_at: clock.now() }))
      .where('id', '=', view.id)
      .execute()
    tellChanged(guard)
    return await get(actor, id)
  }

  /** Opening it for others is for who wrote it and for admins, not for those it was opened to. */
  async function share(actor: Actor, id: string, how: 'none' | 'edit'): Promise<Report> {
    const { view, guard } = await found(actor, id, 'report:delete')
    await db.transaction().execute(async (trx) => {
      await trx.updateTable('views').set({ share: how }).where('id', '=', view.id).execute()
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: view.title })
    })
    tellChanged(guard)
    return await get(actor, id)
  }

  async function remove(actor: Actor, id: string): Promise<void> {
    const { view, guard } = await found(actor, id, 'report:delete')
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('views').where('id', '=', view.id).execute()
      await noted(trx, actor, 'report:delete', { ...guard, id: view.id, title: view.title })
      const title = `${actor.username} deleted report ${view.title}`
      const { teamId, ownerId, createdById } = guard
      const deed = { teamId, ownerId, createdById: createdById ?? null, title, text: `${title}.`, link: null }
      await deps.deeds.told(trx, actor, deed)
    })
    deps.deeds.committed()
    tellChanged(guard)
  }

  // --- comments and followers ---

  async function follow(actor: Actor, id: string, follows: boolean): Promise<void> {
    const { view } = await found(actor, id, 'report:follow')
    const row = { view_id: view.id, user_id: personOf(actor) }
    if (follows)
      await db
        .insertInto('report_follows')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    else
      await db
        .deleteFrom('report_follows')
        .where('view_id', '=', row.view_id)
        .where('user_id', '=', row.user_id)
        .execute()
  }

  async function comments(actor: Actor, id: string): Promise<ReportComment[]> {
    const { view } = await readable(actor, id)
    return await commentsOf(actor, view.id)
  }

  async function comment(actor: Actor, id: string, text: string): Promise<ReportComment> {
    const { view, guard } = await found(actor, id, 'report:comment')
    const author = personOf(actor)
    if (view.comments >= commentsMax)
      throw new GridError('conflict', `A report has ${commentsMax} comments at most.`)
    const commentId = newId(clock.now().getTime())
    const followers = await followersOf(view.id, actor)
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('report_comments')
        .values({ id: commentId, view_id: view.id, author_id: author, text, created_at: clock.now() })
        .execute()
      // Who says something wants to hear the answer.
      await trx
        .insertInto('report_follows')
        .values({ view_id: view.id, user_id: author })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      await noted(trx, actor, 'report:comment', { ...guard, id: view.id, title: view.title })
      await notifications.tell(
        trx,
        noticeOf(view, `${actor.name || actor.username} commented on ${view.title}`, text.slice(0, 1000)),
        followers,
      )
    })
    notifications.committed()
    tellChanged(guard)
    return (await commentsOf(actor, view.id)).find((each) => each.id === commentId)!
  }

  async function deleteComment(actor: Actor, id: string, commentId: string): Promise<void> {
    const { view, guard } = await readable(actor, id)
    const row = await db
      .selectFrom('report_comments')
      .select('author_id')
      .where('id', '=', commentId)
      .where('view_id', '=', view.id)
      .executeTakeFirst()
    if (!row) throw new GridError('not_found')
    // Others' comments are removed by who may remove the report.
    if (row.author_id !== actor.userId) await access.allowed(actor, 'report:delete', guard)
    else await access.allowed(actor, 'report:comment', guard)
    await db.deleteFrom('report_comments').where('id', '=', commentId).execute()
    tellChanged(guard)
  }

  async function commentsOf(actor: Actor, viewId: string): Promise<ReportComment[]> {
    const rows = await db
      .selectFrom('report_comments as k')
      .innerJoin('users as u', 'u.id', 'k.author_id')
      .selectAll('k')
      .select(['u.username', 'u.name'])
      .where('k.view_id', '=', viewId)
      .orderBy('k.id')
      .execute()
    return rows.map((row) => ({
      id: row.id,
      author: { username: row.username, name: row.name },
      text: row.text,
      createdAt: row.created_at.toISOString(),
      isMine: row.author_id === actor.userId,
    }))
  }

  /** Who follows and may still read it, but for who acts. */
  async function followersOf(viewId: string, actor: Actor): Promise<string[]> {
    const view = await findView(db, viewId)
    if (!view) return []
    const place = await teams.findProjectGuard(view.team, view.project)
    const rows = await db
      .selectFrom('report_follows as f')
      .innerJoin('users as u', 'u.id', 'f.user_id')
      .leftJoin('memberships as m', (join) =>
        join.onRef('m.user_id', '=', 'u.id').on('m.team_id', '=', view.teamId),
      )
      .select(['f.user_id', 'm.role'])
      .where('f.view_id', '=', viewId)
      .execute()
    return rows
      .filter(({ user_id }) => user_id !== actor.userId)
      .filter(
        ({ user_id, role }) =>
          place?.visibility !== 'private' ||
          role === 'admin' ||
          [place.ownerId, place.keptById].includes(user_id),
      )
      .map(({ user_id }) => user_id)
  }

  // --- links ---

  async function links(actor: Actor, id: string): Promise<ReportLink[]> {
    const { view } = await found(actor, id, 'report:edit')
    return await linksOf(view, actor.origin)
  }

  async function createLink(actor: Actor, id: string): Promise<ReportLink> {
    const { view, guard } = await found(actor, id, 'report:edit')
    if (!view.isPublished)
      throw new GridError('conflict', 'Publish the report first: a link shows what is published.')
    if ((await linksOf(view, actor.origin)).length >= linksMax)
      throw new GridError('conflict', `A report has ${linksMax} links at most; end one first.`)
    const linkId = newId(clock.now().getTime())
    const token = newToken()
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('report_links')
        .values({
          id: linkId,
          view_id: view.id,
          token_hash: hashOf(token),
          token: sealed.seal(token, linkContext(linkId)),
          created_by: actor.userId,
          created_at: clock.now(),
        })
        .execute()
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: `${view.title}: link` })
    })
    return (await linksOf(view, actor.origin)).find((link) => link.id === linkId)!
  }

  async function revokeLink(actor: Actor, id: string, linkId: string): Promise<void> {
    const { view, guard } = await found(actor, id, 'report:edit')
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('report_links')
        .set({ revoked_at: clock.now() })
        .where('id', '=', linkId)
        .where('view_id', '=', view.id)
        .execute()
      await noted(trx, actor, 'report:edit', { ...guard, id: view.id, title: `${view.title}: link ended` })
    })
  }

  async function linksOf(view: StoredView, origin: string): Promise<ReportLink[]> {
    const rows = await db
      .selectFrom('report_links')
      .selectAll()
      .where('view_id', '=', view.id)
      .where('revoked_at', 'is', null)
      .orderBy('id')
      .execute()
    return rows.map((row) => {
      const token = sealed.open(row.token, linkContext(row.id))
      return { id: row.id, url: `${origin}/shared/${token}`, createdAt: row.created_at.toISOString() }
    })
  }

  /** What is published, for whoever has the link; the report's own project only, whatever its panels name. */
  async function shared(actor: Actor, token: string): Promise<SharedReport> {
    const { view } = await byLink(actor, token)
    return {
      title: view.title,
      description: view.description,
      spec: view.spec,
      author: view.createdBy.name || view.createdBy.username,
      updatedAt: view.updatedAt.toISOString(),
      team: view.team,
      project: view.project,
    }
  }

  async function sharedPanels(
    actor: Actor,
    token: string,
    index: number,
  ): Promise<{ rows: ExperimentRow[]; curves: Curve[] }> {
    const { view } = await byLink(actor, token)
    const block = readReport(view.spec)[index]
    if (block?.kind !== 'panels') throw new GridError('not_found')
    const keys = [...new Set(block.panels.flatMap(({ metrics }) => metrics))].slice(0, 100)
    const rows: ExperimentRow[] = []
    for (const set of block.runSets.filter((each) => each.enabled && isOwn(each, view))) {
      const found = await deps.experiments.shown.query(view.projectId, {
        ...queryOf(set),
        columns: keys.map((key) => `summary.${key}`),
      })
      rows.push(...found.filter(({ id }) => rows.every((row) => row.id !== id)))
    }
    const lines = block.panels.filter(({ kind }) => kind === 'line')
    const curves: Curve[] = []
    for (const x of new Set(lines.map((panel) => panel.x)))
      curves.push(
        ...(await deps.experiments.shown.curves(view.projectId, {
          experimentIds: rows.map(({ id }) => id),
          keys: [...new Set(lines.filter((panel) => panel.x === x).flatMap(({ metrics }) => metrics))],
          x,
          pointsMax: 600,
        })),
      )
    return { rows, curves }
  }

  async function byLink(actor: Actor, token: string) {
    const view = await findByToken(db, hashOf(token))
    if (!view?.isPublished) throw new GridError('not_found', 'This link is not valid, or was ended')
    const place = await teams.findProjectGuard(view.team, view.project)
    await access.allowed(actor, 'link:open', place && { ...guardIn(place, view), openedByLink: true })
    return { view }
  }

  // --- for the client's words ---

  /** Views of a kind in a project, as far as the actor sees them. */
  async function listStored(
    actor: Actor,
    place: { team: string; project: string },
    kind: ViewKind,
    filter: { name?: string; published?: boolean } = {},
  ): Promise<StoredView[]> {
    const project = await access.allowed(
      actor,
      'report:read',
      teams.findProjectGuard(place.team, place.project),
    )
    const views = await listViews(db, project.id, kind, filter.name)
    const seen = await Promise.all(
      views.map(async (view) =>
        view.isPublished || (await access.permits(actor, 'report:edit', guardIn(project, view)))
          ? [view]
          : [],
      ),
    )
    return seen
      .flat()
      .filter((view) => filter.published === undefined || view.isPublished === filter.published)
  }

  /** A view, if the actor may see it. */
  async function findStored(actor: Actor, id: string): Promise<StoredView | undefined> {
    try {
      return (await readable(actor, id)).view
    } catch (error) {
      if (error instanceof GridError && error.code === 'not_found') return undefined
      throw error
    }
  }

  // --- helpers ---

  /** What one may read: published, or one's own to edit. */
  async function readable(actor: Actor, id: string) {
    const { view, guard } = await found(actor, id, 'report:read')
    if (!view.isPublished && !(await access.permits(actor, 'report:edit', guard)))
      throw new GridError('not_found')
    return { view, guard }
  }

  type Act = 'report:read' | 'report:edit' | 'report:delete' | 'report:comment' | 'report:follow'

  async function found(actor: Actor, id: string, action: Act) {
    const view = Id.safeParse(id).success ? await findView(db, id) : undefined
    const place = view && (await teams.findProjectGuard(view.team, view.project))
    const guard = place && guardIn(place, view)
    // A draft of somebody else does not exist, whatever one wants to do with it.
    const isHidden =
      guard !== undefined && !view!.isPublished && !(await access.permits(actor, 'report:edit', guard))
    await access.allowed(actor, action, isHidden ? undefined : guard)
    return { view: view!, guard: guard! }
  }

  function tellChanged({ teamId, projectId }: { teamId: string; projectId: string }): void {
    deps.events.publish({ type: 'project.changed', teamId, projectId })
  }

  async function conflictOf(trx: Db, id: string): Promise<GridError> {
    const now = await findView(trx, id)
    if (!now) return new GridError('not_found', 'This report was deleted meanwhile')
    const who = now.updatedBy?.name || now.updatedBy?.username || 'Somebody'
    return new GridError('conflict', `${who} saved this report while you were editing it`, {
      hint: 'Your text is still in the editor. Compare with theirs, then save yours over it or keep theirs.',
    })
  }

  function noticeOf(view: StoredView, title: string, text: string): Notice {
    const path = `/${[view.team, view.project, 'reports', view.id].map(encodeURIComponent).join('/')}`
    return {
      teamId: view.teamId,
      kind: 'report',
      level: 'info',
      title,
      text,
      link: path,
      mail: {
        subject: `[${view.team}] ${title}`,
        paragraphs: [title, text].filter(Boolean),
        facts: [
          ['Report', view.title],
          ['Project', `${view.team}/${view.project}`],
        ],
        ...(deps.linkOrigin ? { button: { label: 'Open', url: `${deps.linkOrigin}${path}` } } : {}),
        footer: ['You follow this report. Stop following it on its page.'],
      },
    }
  }

  return {
    list,
    create,
    get,
    save,
    discard,
    share,
    remove,
    follow,
    comments,
    comment,
    deleteComment,
    links,
    createLink,
    revokeLink,
    shared,
    sharedPanels,
    listStored,
    findStored,
  }
}

type Place = Guarded & { id: string }

function guardIn(place: Place, view: StoredView): Guarded & { projectId: string } {
  return {
    teamId: place.teamId,
    projectId: view.projectId,
    ...(place.teamRules ? { teamRules: place.teamRules } : {}),
    ...(place.visibility === undefined ? {} : { visibility: place.visibility }),
    ...(place.keptById === undefined ? {} : { keptById: place.keptById }),
    ownerId: view.createdBy.id,
    createdById: view.viaUserId,
    share: view.share,
    kind: 'report',
    label: view.title,
  }
}

/** Whoever makes a report owns it; a service account may make one for a member. */
async function ownedBy<Thing extends Guarded>(
  actor: Actor,
  found: Promise<Thing | undefined>,
): Promise<(Thing & { projectId: string }) | undefined> {
  const place = (await found) as (Thing & { id?: string }) | undefined
  return place && { ...place, projectId: place.id ?? '', ownerId: actor.attributedTo?.userId ?? actor.userId }
}

async function noted(
  trx: Db,
  actor: Actor,
  action: 'report:create' | 'report:edit' | 'report:delete' | 'report:comment',
  view: { teamId: string; id: string; title: string },
): Promise<void> {
  await record(trx, actor, action, {
    teamId: view.teamId,
    kind: 'report',
    id: view.id,
    details: { title: view.title },
  })
}

function summaryOf(view: StoredView, mayEdit: boolean): ReportSummary {
  return {
    id: view.id,
    team: view.team,
    project: view.project,
    title: view.title,
    description: view.description,
    createdBy: { username: view.createdBy.username, name: view.createdBy.name },
    createdById: view.createdBy.id,
    isPublished: view.isPublished,
    hasDraft: mayEdit && (view.draft !== null || !view.isPublished),
    comments: view.comments,
    createdAt: view.createdAt.toISOString(),
    updatedAt: view.updatedAt.toISOString(),
  }
}

/** Stored as it came, as long as it is JSON of a bearable size. */
function checkSpec(spec: string): string {
  if (spec.length > reportSpecBytesMax)
    throw new GridError('too_large', `A report has ${reportSpecBytesMax} characters at most.`)
  try {
    JSON.parse(spec)
  } catch (cause) {
    throw new GridError('invalid', 'The spec of a report is JSON', { cause })
  }
  return spec
}

function personOf(actor: Actor): string {
  if (actor.kind !== 'person' || actor.userId === null)
    throw new GridError('forbidden', 'Only people comment on reports and follow them.')
  return actor.userId
}

function isOwn(set: RunSet, view: StoredView): boolean {
  const same = (given: string | null, own: string) =>
    given === null || given.toLowerCase() === own.toLowerCase()
  return same(set.team, view.team) && same(set.project, view.project)
}

function queryOf({ search, filters, sort }: RunSet) {
  return { search, filters, sort, limit: runSetExperimentsMax }
}

function linkContext(id: string): string {
  return `report-link:${id}`
}
