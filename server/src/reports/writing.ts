/** Making, changing and removing reports. Changes are drafts until they are published; a conflict loses nothing. */
import { GridError, type Report, reportSpecBytesMax, writeReport } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId, randomText } from '../lib/ids.ts'
import type { ReportsDeps } from './deps.ts'
import type { Followers } from './followers.ts'
import { noted, ownedBy, type Permission } from './permission.ts'
import type { Reading } from './reading.ts'
import { type Db, findView, type ViewKind } from './store.ts'

export function createWriting(
  { db, access, teams, notifications, deeds, clock }: ReportsDeps,
  { found }: Permission,
  { get }: Pick<Reading, 'get'>,
  { followersOf, noticeOf }: Followers,
  tellChanged: (place: { teamId: string; projectId: string }) => void,
) {
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
      await deeds.told(trx, actor, deed)
    })
    deeds.committed()
    tellChanged(guard)
  }

  async function conflictOf(trx: Db, id: string): Promise<GridError> {
    const now = await findView(trx, id)
    if (!now) return new GridError('not_found', 'This report was deleted meanwhile')
    const who = now.updatedBy?.name || now.updatedBy?.username || 'Somebody'
    return new GridError('conflict', `${who} saved this report while you were editing it`, {
      hint: 'Your text is still in the editor. Compare with theirs, then save yours over it or keep theirs.',
    })
  }

  return { create, save, discard, share, remove }
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
