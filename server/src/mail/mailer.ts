/**
 * Mail leaves through an outbox: it is written in the transaction of the act that causes it, sent after the commit, and
 * tried again with growing pauses, also after a restart. A mail goes out at least once; should it come twice, because
 * the server ended between sending and noting it, both copies have the same Message-ID and mail programs show one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GridError } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import nodemailer from 'nodemailer'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { type Message, type RenderedMessage, renderMessage } from './message.ts'

export type MailSettings = {
  /** `smtp://user:password@host:587` or `smtps://…:465`; options of nodemailer's after `?`. */
  url: string
  /** `grid@example.org` or `Teamgrid <grid@example.org>`. */
  from: string
}

export type Mailer = {
  /** False when no server is set: then nothing is sent, and whoever would have sent a link shows it to be copied. */
  isOn: boolean
  /**
   * Puts a mail into the outbox, in the caller's transaction; `wake` after its commit.
   *
   * @param to one address.
   * @param options.id its id in the table `mails`, for callers that want to know later what became of it.
   * @returns false when no server is set, and nothing was written.
   * @throws GridError invalid for what is no address.
   */
  enqueue(trx: Kysely<Database>, to: string, message: Message, options?: { id?: string }): Promise<boolean>
  /** Sends soon what is due. Forgetting it delays a mail by some seconds, no more. */
  wake(): void
  /** Sends everything that is due. @returns how many went out. */
  step(): Promise<number>
  close(): Promise<void>
}

/** One sends this many at once, over as many connections. */
const connectionsMax = 3
/** Longer than a try can take with the timeouts below; then somebody else may try. */
const leaseSeconds = 300
const timeoutMs = 30_000
const closeMsMax = 3_000
/** From 30 s to 4 h, doubling: some 20 hours in all. */
const triesMax = 13
const firstPauseSeconds = 30
const pauseSecondsMax = 4 * 60 * 60
/** What became of mail is kept this long, for whoever asks why none came. */
const keptDays = 30

/** One address, without anything that could end a header or name a second one. */
export const addressPattern = /^[^\s<>()[\],;:\\"@\p{Cc}]{1,64}@[a-z0-9\p{L}.-]{1,255}$/iu

export function createMailer(deps: {
  db: Kysely<Database>
  sealed: Sealed
  settings: MailSettings | null
  clock: Clock
  log: (text: string, error: unknown) => void
}): Mailer {
  const { db, sealed, settings, clock } = deps
  const transport =
    settings &&
    nodemailer.createTransport({
      url: settings.url,
      pool: true,
      maxConnections: connectionsMax,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Nothing in a mail may name a file or an address for the server to read.
      disableFileAccess: true,
      disableUrlAccess: true,
    })

  async function enqueue(
    trx: Kysely<Database>,
    to: string,
    message: Message,
    options: { id?: string } = {},
  ): Promise<boolean> {
    if (!addressPattern.test(to)) throw new GridError('invalid', `"${to}" is not an e-mail address`)
    if (!transport) return false
    const id = options.id ?? newId(clock.now().getTime())
    const now = clock.now()
    const content = sealed.seal(JSON.stringify(renderMessage(message)), `mail:${id}`)
    await trx
      .insertInto('mails')
      .values({ id, recipient: to, content, created_at: now, next_try_at: now })
      .execute()
    return true
  }

  let stepping: Promise<number> | undefined
  let isWanted = false
  let isClosed = false
  /** One round at a time; who asks during a round gets another after it. */
  async function step(): Promise<number> {
    if (!transport || isClosed) return 0
    isWanted = true
    stepping ??= (async () => {
      let sent = 0
      while (isWanted) {
        isWanted = false
        for (let mails = await claim(); mails.length > 0; mails = isClosed ? [] : await claim())
          sent += (await Promise.all(mails.map(trySending))).filter(Boolean).length
      }
      return sent
    })().finally(() => (stepping = undefined))
    return stepping
  }

  type Claimed = { id: string; recipient: string; content: string | null; tries: number }

  async function claim(): Promise<Claimed[]> {
    const now = clock.now()
    const due = db
      .selectFrom('mails')
      .select('id')
      .where('sent_at', 'is', null)
      .where('failed_at', 'is', null)
      .where('next_try_at', '<=', now)
      .orderBy('next_try_at')
      .limit(connectionsMax)
      .forUpdate()
      .skipLocked()
    return await db
      .updateTable('mails')
      .set({
        tries: sql`tries + 1`,
        next_try_at: new Date(now.getTime() + leaseSeconds * 1000),
      })
      .where('id', 'in', due)
      .returning(['id', 'recipient', 'content', 'tries'])
      .execute()
  }

  async function trySending({ id, recipient, content, tries }: Claimed): Promise<boolean> {
    try {
      const message = JSON.parse(sealed.open(content ?? '', `mail:${id}`)) as RenderedMessage
      await transport!.sendMail({
        ...message,
        from: settings!.from,
        to: { name: '', address: recipient },
        messageId: `<${id}@teamgrid>`,
        // Answering machines keep quiet. Source: RFC 3834, section 5.
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
    } catch (error) {
      await noteFailure(id, tries, error)
      return false
    }
    await db
      .updateTable('mails')
      .set({ sent_at: clock.now(), content: null, error: null })
      .where('id', '=', id)
      .execute()
    return true
  }

  async function noteFailure(id: string, tries: number, error: unknown): Promise<void> {
    const isFinal = tries >= triesMax || isRefusedForGood(error)
    const pause = Math.min(firstPauseSeconds * 2 ** (tries - 1), pauseSecondsMax)
    const now = clock.now()
    await db
      .updateTable('mails')
      .set({
        error: (error instanceof Error ? error.message : String(error)).slice(0, 1000),
        next_try_at: new Date(now.getTime() + pause * 1000),
        ...(isFinal ? { failed_at: now, content: null } : {}),
      })
      .where('id', '=', id)
      .execute()
    deps.log(isFinal ? `A mail is given up after ${tries} tries` : 'A mail did not leave', error)
  }

  async function forgetOld(): Promise<void> {
    const before = new Date(clock.now().getTime() - keptDays * 24 * 60 * 60 * 1000)
    await db
      .deleteFrom('mails')
      .where('created_at', '<', before)
      .where((is) => is.or([is('sent_at', 'is not', null), is('failed_at', 'is not', null)]))
      .execute()
  }

  return {
    isOn: transport !== null,
    enqueue,
    step: async () => {
      const sent = await step()
      if (transport) await forgetOld()
      return sent
    },
    wake() {
      step().catch((error: unknown) => deps.log('Sending mail failed', error))
    },
    async close() {
      isClosed = true
      // A server that does not answer must not keep ours from ending; its mail is tried again after the lease.
      await Promise.race([stepping?.catch(() => {}), sleep(closeMsMax, undefined, { ref: false })])
      transport?.close()
    },
  }
}

/**
 * Whether the server will never take this mail: a 5xx answer to the recipient or the message itself. A wrong password
 * (535) or a server that wants TLS is for the operator to repair, so mail waits.
 */
function isRefusedForGood(error: unknown): boolean {
  const { code, responseCode } = error as { code?: string; responseCode?: number }
  if (code !== 'EENVELOPE' && code !== 'EMESSAGE') return false
  return responseCode !== undefined && responseCode >= 550 && responseCode < 560
}
