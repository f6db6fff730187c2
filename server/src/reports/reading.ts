/** Reports as their readers find them; and views as the wandb client asks for them. */
import { GridError, type Report, type ReportSummary } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { ReportsDeps } from './deps.ts'
import { guardIn, type Permission } from './permission.ts'
import { listViews, type StoredView, type ViewKind } from './store.ts'

export type Reading = ReturnType<typeof createReading>

export function createReading({ db, access, teams }: ReportsDeps, { readable }: Permission) {
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

  return { list, get, listStored, findStored }
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
