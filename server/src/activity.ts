import type { Insertable, Kysely } from 'kysely'
import type { Actor } from './actor.ts'
import { newId } from './lib/ids.ts'
import type { Database } from './stores/postgres/schema.ts'

/** Who acts, as far as the audit log tells. */
export type Acting = Pick<Actor, 'userId' | 'via' | 'client' | 'address' | 'attributedTo'>

export type ActedUpon = { teamId: string | null; kind: string; id: string; details?: object }

/** Rows of one statement: PostgreSQL takes 65,535 values at most. */
const rowsMax = 2000

/**
 * Writes who did what, from where and by which key, in the same transaction as the act, so that neither exists without
 * the other. The database refuses to change or delete what is written.
 */
export async function record(
  trx: Kysely<Database>,
  actor: Acting,
  action: string,
  subject: ActedUpon,
): Promise<void> {
  await recordAll(trx, actor, action, [subject])
}

/** As `record`, for an act on many things at once: a line for each. */
export async function recordAll(
  trx: Kysely<Database>,
  actor: Acting,
  action: string,
  subjects: readonly ActedUpon[],
): Promise<void> {
  for (let start = 0; start < subjects.length; start += rowsMax) {
    const rows = subjects.slice(start, start + rowsMax).map((subject) => rowOf(actor, action, subject))
    await trx.insertInto('activity').values(rows).execute()
  }
}

function rowOf(actor: Acting, action: string, subject: ActedUpon): Insertable<Database['activity']> {
  return {
    id: newId(),
    team_id: subject.teamId,
    actor_user_id: actor.userId,
    via: actor.via,
    client: actor.client,
    address: actor.address,
    action,
    subject_kind: subject.kind,
    subject_id: subject.id,
    details: JSON.stringify({
      ...subject.details,
      ...(actor.attributedTo ? { for: actor.attributedTo.username } : {}),
    }),
  }
}

/** What somebody did to what is somebody else's, as its owner is told. */
export type Deed = {
  teamId: string
  /** Null when nobody owns it. */
  ownerId: string | null
  /** The service account that made it for its owner. */
  createdById?: string | null
  title: string
  text: string
  /** A path of the web app; null for what is no more. */
  link: string | null
  /** Told by nobody but these and the team's admins, because where it stands is private. */
  hiddenFromAllBut?: readonly (string | null | undefined)[]
}

export type DeedListener = {
  /** Inside the transaction of the act. */
  onDeed(trx: Kysely<Database>, deed: Deed & { ownerId: string }): Promise<void>
  /** After it. */
  onCommit(): void
}

export type Deeds = ReturnType<typeof createDeeds>

/** Brings deeds to whoever tells people; nobody does until the slice that can is there. */
export function createDeeds() {
  const listeners: DeedListener[] = []
  return {
    listen: (listener: DeedListener) => void listeners.push(listener),
    /** The owner hears of what others do to their work; of their own doing, and of what works for them, they do not. */
    async told(trx: Kysely<Database>, actor: Acting, deed: Deed): Promise<void> {
      const { ownerId, createdById } = deed
      const doers = [actor.userId, actor.attributedTo?.userId]
      if (ownerId === null || [ownerId, createdById].some((id) => id && doers.includes(id))) return
      for (const listener of listeners) await listener.onDeed(trx, { ...deed, ownerId })
    },
    committed(): void {
      for (const listener of listeners) listener.onCommit()
    },
  }
}

/** A path of the web app from names. */
export function pathOf(...names: string[]): string {
  return `/${names.map(encodeURIComponent).join('/')}`
}
