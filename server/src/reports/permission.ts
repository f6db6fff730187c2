/** Which reports somebody may read or act on: drafts are there for who may edit them, and for nobody else. */
import { GridError, Id } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor, Guarded } from '../actor.ts'
import type { ReportsDeps } from './deps.ts'
import { type Db, findView, type StoredView } from './store.ts'

export type Permission = ReturnType<typeof createPermission>
export type ReportGuard = ReturnType<typeof guardIn>

type Act = 'report:read' | 'report:edit' | 'report:delete' | 'report:comment' | 'report:follow'

export function createPermission({ db, access, teams }: Pick<ReportsDeps, 'db' | 'access' | 'teams'>) {
  /** What one may read: published, or one's own to edit. */
  async function readable(actor: Actor, id: string) {
    const { view, guard } = await found(actor, id, 'report:read')
    if (!view.isPublished && !(await access.permits(actor, 'report:edit', guard)))
      throw new GridError('not_found')
    return { view, guard }
  }

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

  return { readable, found }
}

type Place = Guarded & { id: string }

export function guardIn(place: Place, view: StoredView): Guarded & { projectId: string } {
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
export async function ownedBy<Thing extends Guarded>(
  actor: Actor,
  found: Promise<Thing | undefined>,
): Promise<(Thing & { projectId: string }) | undefined> {
  const place = (await found) as (Thing & { id?: string }) | undefined
  return place && { ...place, projectId: place.id ?? '', ownerId: actor.attributedTo?.userId ?? actor.userId }
}

/** The line of activity of an act on a report. */
export async function noted(
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

/** @throws GridError forbidden, for who is no person. */
export function personOf(actor: Actor): string {
  if (actor.kind !== 'person' || actor.userId === null)
    throw new GridError('forbidden', 'Only people comment on reports and follow them.')
  return actor.userId
}
