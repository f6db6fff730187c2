/** Sends what waits for hooks, tries again with growing pauses, and tells what became of everything. */
import { createHmac } from 'node:crypto'
import { type AlertDelivery, GridError, Id } from '@teamgrid/api'
import { sql, type Updateable } from 'kysely'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Clock } from '../lib/clock.ts'
import type { Outbound } from '../lib/outbound.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { channelContext } from './firing.ts'
import type { Rules } from './rules.ts'
import type { Db } from './store.ts'

const atOnceMax = 5
/** Longer than a try can take; then somebody else may try. */
const leaseSeconds = 60
/** Pauses after a failed try; after the last it is given up. */
const pausesSeconds = [10, 60, 300, 1800, 7200, 21_600]
const keptDays = 90

export function createDelivering(deps: {
  db: Db
  access: Access
  sealed: Sealed
  outbound: Outbound
  rules: Pick<Rules, 'teamGuard'>
  clock: Clock
}) {
  const { db, access, sealed, outbound, rules, clock } = deps

  /** Sends everything that is due. @returns how many arrived. */
  async function step(): Promise<number> {
    let sent = 0
    for (let due = await claim(); due.length > 0; due = await claim())
      sent += (await Promise.all(due.map(trySending))).filter(Boolean).length
    return sent
  }

  type Claimed = { id: string; channel_id: string; body: string | null; tries: number }

  async function claim(): Promise<Claimed[]> {
    const now = clock.now()
    const due = db
      .selectFrom('alert_deliveries')
      .select('id')
      .where('state', '=', 'waiting')
      .where('mail_ids', '=', sql<string[]>`'{}'`)
      .where('next_try_at', '<=', now)
      .orderBy('next_try_at')
      .limit(atOnceMax)
      .forUpdate()
      .skipLocked()
    return await db
      .updateTable('alert_deliveries')
      .set({ tries: sql`tries + 1`, next_try_at: new Date(now.getTime() + leaseSeconds * 1000) })
      .where('id', 'in', due)
      .returning(['id', 'channel_id', 'body', 'tries'])
      .execute()
  }

  async function trySending({ id, channel_id, body, tries }: Claimed): Promise<boolean> {
    const channel = await db
      .selectFrom('alert_channels')
      .selectAll()
      .where('id', '=', channel_id)
      .executeTakeFirst()
    if (!channel || body === null) return false
    let status: number | null = null
    try {
      const secret = channel.secret && sealed.open(channel.secret, channelContext(channel.id, 'secret'))
      const answer = await outbound.post(sealed.open(channel.target, channelContext(channel.id)), {
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Teamgrid',
          ...(secret ? signature(secret, id, clock.now(), body) : {}),
        },
      })
      status = answer.status
      if (status >= 200 && status < 300) {
        await note(id, { state: 'sent', http_status: status, error: null, body: null, done_at: clock.now() })
        return true
      }
      const redirect = status >= 300 && status < 400
      throw new GridError(
        isFinal(status) ? 'invalid' : 'unavailable',
        `Answered ${status}${redirect ? '; redirects are not followed' : ''}: ${answer.text.slice(0, 300)}`,
      )
    } catch (error) {
      const pause = pausesSeconds[tries - 1]
      const isOver = pause === undefined || (error instanceof GridError && error.code === 'invalid')
      const now = clock.now()
      await note(id, {
        http_status: status,
        error: (error instanceof Error ? error.message : String(error)).slice(0, 1000),
        next_try_at: new Date(now.getTime() + (pause ?? 0) * 1000),
        ...(isOver ? { state: 'failed' as const, body: null, done_at: now } : {}),
      })
      return false
    }
  }

  async function note(id: string, values: Updateable<Database['alert_deliveries']>): Promise<void> {
    await db.updateTable('alert_deliveries').set(values).where('id', '=', id).execute()
  }

  async function forgetOld(): Promise<void> {
    const before = new Date(clock.now().getTime() - keptDays * 24 * 60 * 60 * 1000)
    await db.deleteFrom('alert_deliveries').where('created_at', '<', before).execute()
  }

  /** What was sent where, newest first. Of mail it tells what the outbox knows. */
  async function list(
    actor: Actor,
    slug: string,
    input: { limit: number; cursor?: string | undefined },
  ): Promise<{ items: AlertDelivery[]; nextCursor: string | null }> {
    const team = await access.allowed(actor, 'alert:manage', rules.teamGuard(slug))
    if (input.cursor !== undefined && !Id.safeParse(input.cursor).success)
      throw new GridError('invalid', 'This cursor is not one that was handed out')
    let query = db
      .selectFrom('alert_deliveries as d')
      .innerJoin('alert_channels as c', 'c.id', 'd.channel_id')
      .leftJoin('alert_rules as r', 'r.id', 'd.rule_id')
      .selectAll('d')
      .select(['c.name as channel', 'c.kind', 'r.name as rule'])
      .where('d.team_id', '=', team.id)
      .orderBy('d.id', 'desc')
      .limit(input.limit + 1)
    if (input.cursor) query = query.where('d.id', '<', input.cursor)
    const rows = await query.execute()
    const mails = await mailsOf(rows.flatMap((row) => row.mail_ids))
    const items = rows.slice(0, input.limit).map((row): AlertDelivery => {
      const own = row.mail_ids.flatMap((id) => mails.get(id) ?? [])
      const mail = own.length > 0 ? stateOfMails(own) : undefined
      return {
        id: row.id,
        channel: row.channel,
        kind: row.kind,
        rule: row.rule,
        title: row.title,
        state: mail?.state ?? row.state,
        tries: mail?.tries ?? row.tries,
        httpStatus: row.http_status,
        error: mail?.error ?? row.error,
        createdAt: row.created_at.toISOString(),
        doneAt: (mail?.doneAt ?? row.done_at)?.toISOString() ?? null,
      }
    })
    return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null }
  }

  async function mailsOf(ids: string[]) {
    const rows =
      ids.length === 0 ? [] : await db.selectFrom('mails').selectAll().where('id', 'in', ids).execute()
    return new Map(rows.map((row) => [row.id, row]))
  }

  return { step, forgetOld, list }
}

/** A refusal that trying again does not change. 408 and 429 ask for patience. */
function isFinal(status: number): boolean {
  return status >= 300 && status < 500 && status !== 408 && status !== 425 && status !== 429
}

/** One channel's mails as one delivery: it has arrived when all have. */
function stateOfMails(
  mails: { sent_at: Date | null; failed_at: Date | null; tries: number; error: string | null }[],
): Pick<AlertDelivery, 'state' | 'tries' | 'error'> & { doneAt: Date | null } {
  const failed = mails.find(({ failed_at }) => failed_at !== null)
  const waiting = mails.find(({ sent_at, failed_at }) => sent_at === null && failed_at === null)
  const tries = Math.max(...mails.map((mail) => mail.tries))
  if (waiting) return { state: 'waiting', tries, error: waiting.error, doneAt: null }
  if (failed) return { state: 'failed', tries, error: failed.error, doneAt: failed.failed_at }
  return { state: 'sent', tries, error: null, doneAt: mails[0]!.sent_at }
}

/**
 * Proves that a webhook comes from this server, and when: HMAC-SHA-256 over id, time and body.
 * Source: the Standard Webhooks specification, so that its libraries verify ours.
 *
 * @param secret `whsec_` and the key in base64.
 */
export function signature(secret: string, id: string, now: Date, body: string): Record<string, string> {
  const timestamp = Math.floor(now.getTime() / 1000)
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${mac}` }
}
