/** What people are told: in the app, and by mail if they want it so. */
import {
  defaultPreferences,
  GridError,
  Id,
  type Notification,
  type NotificationKind,
  notificationKinds,
  type NotificationPreferences,
} from '@teamgrid/api'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Message } from '../mail/message.ts'
import { type Db, listRecipients, type Recipient } from './store.ts'

/** What somebody is told. Title and text may come from strangers: they are shown as plain text. */
export type Notice = {
  teamId: string
  kind: NotificationKind
  level: Notification['level']
  title: string
  text: string
  /** A path of the web app. */
  link: string | null
  mail: Message
  /** What it tells is hidden from all but these people and the team's admins. */
  hiddenFromAllBut?: readonly (string | null | undefined)[]
}

export type Notifications = ReturnType<typeof createNotifications>

/** A search over a thousand failing experiments is not a thousand mails; in the app they are all there. */
const mailsPerHourMax = 30
/** Older ones of a person go when new ones come. */
const keptMax = 1000

export function createNotifications(deps: {
  db: Db
  access: Access
  mailer: Mailer
  events: Events
  clock: Clock
}) {
  const { db, access, mailer, events, clock } = deps
  const mailed = new Map<string, { since: number; count: number }>()
  /** Told inside transactions that are still open, by team. */
  let pending = new Map<string, Set<string>>()

  /**
   * Tells people of a team, in the caller's transaction; call `committed` after it.
   *
   * @param userIds undefined: everybody in the team. Who is no longer in it is not told.
   * @returns whom it reached in any way.
   */
  async function tell(trx: Db, notice: Notice, userIds?: readonly string[]): Promise<string[]> {
    const { hiddenFromAllBut: insiders } = notice
    const recipients = (await listRecipients(trx, notice.teamId, userIds)).filter(
      ({ userId, role }) => insiders === undefined || role === 'admin' || insiders.includes(userId),
    )
    const wanting = recipients.map((person) => ({ ...person, ways: waysOf(person)[notice.kind] }))
    const inApp = wanting.filter(({ ways }) => ways.app)
    const now = clock.now()
    if (inApp.length > 0) {
      const { teamId, kind, level, title, text, link } = notice
      await trx
        .insertInto('notifications')
        .values(
          inApp.map(({ userId }) => ({
            id: newId(now.getTime()),
            user_id: userId,
            team_id: teamId,
            kind,
            level,
            title,
            text,
            link,
            created_at: now,
          })),
        )
        .execute()
      const told = pending.get(teamId) ?? new Set()
      for (const { userId } of inApp) told.add(userId)
      pending.set(teamId, told)
    }
    const byMail = wanting.filter(({ ways, email }) => ways.email && email !== null)
    const sent: string[] = []
    for (const { userId, email } of byMail) {
      const number = countMail(userId)
      if (number > mailsPerHourMax) continue
      const message =
        number < mailsPerHourMax
          ? notice.mail
          : {
              ...notice.mail,
              footer: ['More of this hour is in the app only.', ...(notice.mail.footer ?? [])],
            }
      if (await mailer.enqueue(trx, email!, message)) sent.push(userId)
    }
    return [...new Set([...inApp.map(({ userId }) => userId), ...sent])]
  }

  function countMail(userId: string): number {
    const now = clock.now().getTime()
    const old = mailed.get(userId)
    const counter = old && now - old.since < 3_600_000 ? old : { since: now, count: 0 }
    counter.count++
    mailed.set(userId, counter)
    return counter.count
  }

  /** After the transaction in which people were told. */
  function committed(): void {
    const told = pending
    pending = new Map()
    for (const [teamId, userIds] of told)
      events.publish({ type: 'notifications.changed', teamId, userIds: [...userIds] })
    mailer.wake()
  }

  /** Newest first; of teams one has left nothing is shown. */
  async function list(
    actor: Actor,
    input: { unread?: boolean | undefined; limit: number; cursor?: string | undefined },
  ): Promise<{ items: Notification[]; nextCursor: string | null; unread: number }> {
    const userId = personOf(actor)
    if (input.cursor !== undefined && !Id.safeParse(input.cursor).success)
      throw new GridError('invalid', 'This cursor is not one that was handed out')
    const teamIds = await access.visibleTeamIds(actor)
    if (teamIds.length === 0) return { items: [], nextCursor: null, unread: 0 }
    let query = db
      .selectFrom('notifications as n')
      .innerJoin('teams as t', 't.id', 'n.team_id')
      .selectAll('n')
      .select('t.slug')
      .where('n.user_id', '=', userId)
      .where('n.team_id', 'in', teamIds)
      .orderBy('n.id', 'desc')
      .limit(input.limit + 1)
    if (input.unread) query = query.where('n.read_at', 'is', null)
    if (input.cursor) query = query.where('n.id', '<', input.cursor)
    const rows = await query.execute()
    const items = rows.slice(0, input.limit).map((row) => ({
      id: row.id,
      kind: row.kind as NotificationKind,
      level: row.level,
      team: row.slug,
      title: row.title,
      text: row.text,
      link: row.link,
      createdAt: row.created_at.toISOString(),
      readAt: row.read_at?.toISOString() ?? null,
    }))
    return {
      items,
      nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null,
      unread: await countUnread(userId, teamIds),
    }
  }

  async function countUnread(userId: string, teamIds: string[]): Promise<number> {
    const { count } = await db
      .selectFrom('notifications')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('user_id', '=', userId)
      .where('team_id', 'in', teamIds)
      .where('read_at', 'is', null)
      .executeTakeFirstOrThrow()
    return Number(count)
  }

  /** Marks those named, or all, as read. Ids of others change nothing. */
  async function read(actor: Actor, ids?: readonly string[]): Promise<{ unread: number }> {
    const userId = personOf(actor)
    const teamIds = await access.visibleTeamIds(actor)
    let query = db
      .updateTable('notifications')
      .set({ read_at: clock.now() })
      .where('user_id', '=', userId)
      .where('read_at', 'is', null)
    if (ids) query = query.where('id', 'in', ids.length > 0 ? ids : [''])
    if (ids?.length !== 0) await query.execute()
    await forgetOld(userId)
    for (const teamId of teamIds.slice(0, 1))
      events.publish({ type: 'notifications.changed', teamId, userIds: [userId] })
    return { unread: teamIds.length === 0 ? 0 : await countUnread(userId, teamIds) }
  }

  async function forgetOld(userId: string): Promise<void> {
    const oldest = await db
      .selectFrom('notifications')
      .select('id')
      .where('user_id', '=', userId)
      .orderBy('id', 'desc')
      .offset(keptMax)
      .limit(1)
      .executeTakeFirst()
    if (!oldest) return
    await db.deleteFrom('notifications').where('user_id', '=', userId).where('id', '<=', oldest.id).execute()
  }

  async function preferences(actor: Actor) {
    const userId = personOf(actor)
    const row = await db
      .selectFrom('notification_preferences')
      .select('preferences')
      .where('user_id', '=', userId)
      .executeTakeFirst()
    return { preferences: waysOf(row ?? { preferences: {} }), mailIsOn: mailer.isOn }
  }

  async function prefer(actor: Actor, chosen: Partial<NotificationPreferences>) {
    const userId = personOf(actor)
    const { preferences: before } = await preferences(actor)
    const text = JSON.stringify({ ...before, ...chosen })
    await db
      .insertInto('notification_preferences')
      .values({ user_id: userId, preferences: text })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ preferences: text }))
      .execute()
    return await preferences(actor)
  }

  return { tell, committed, list, read, preferences, prefer }
}

function waysOf({ preferences }: Pick<Recipient, 'preferences'>): NotificationPreferences {
  return Object.fromEntries(
    notificationKinds.map((kind) => [kind, preferences[kind] ?? defaultPreferences[kind]]),
  ) as NotificationPreferences
}

/** @throws GridError forbidden for who is no person, or comes with a key that is narrowed to one job. */
function personOf(actor: Actor): string {
  if (actor.kind !== 'person' || actor.userId === null || actor.scope !== 'user')
    throw new GridError('forbidden', 'Notifications are for people; service accounts have none.')
  return actor.userId
}
