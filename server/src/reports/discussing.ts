/** What people say about a report, and whether they want to hear of it. View-only members may do both. */
import { GridError, type ReportComment } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { ReportsDeps } from './deps.ts'
import type { Followers } from './followers.ts'
import { noted, type Permission, personOf } from './permission.ts'

const commentsMax = 5000

export function createDiscussing(
  { db, access, notifications, clock }: ReportsDeps,
  { readable, found }: Permission,
  { followersOf, noticeOf }: Followers,
  tellChanged: (place: { teamId: string; projectId: string }) => void,
) {
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

  return { follow, comments, comment, deleteComment }
}
