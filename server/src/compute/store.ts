/** This slice's SQL. Rows become `Attempt` here. */
import type { Kysely, Selectable, Updateable } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'
import type { Attempt, Report } from './attempt.ts'
import type { AttemptSpec } from './backend.ts'

export type Db = Kysely<Database>
type Row = Selectable<Database['compute_attempts']>

export function attemptOf(row: Row): Attempt {
  return {
    id: row.id,
    kind: row.kind,
    ownerId: row.owner_id,
    teamId: row.team_id,
    userId: row.user_id,
    clusterId: row.cluster_id,
    number: row.number,
    state: row.state,
    message: row.message,
    spec: row.spec as unknown as AttemptSpec,
    ref: row.ref,
    node: row.node,
    keyId: row.key_id,
    createdAt: row.created_at,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    runningAt: row.running_at,
    endedAt: row.ended_at,
    heartbeatAt: row.heartbeat_at,
    stopRequestedAt: row.stop_requested_at,
    stopReason: row.stop_reason,
    stopSentAt: row.stop_sent_at,
    killSentAt: row.kill_sent_at,
    absentCount: row.absent_count,
    exitCode: row.exit_code,
    reported: row.reported as Report | null,
    reportedAt: row.reported_at,
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export async function findAttempt(db: Db, id: string): Promise<Attempt | undefined> {
  if (!uuid.test(id)) return undefined
  const row = await db.selectFrom('compute_attempts').selectAll().where('id', '=', id).executeTakeFirst()
  return row && attemptOf(row)
}

export async function lockAttempt(trx: Db, id: string): Promise<Attempt | undefined> {
  const row = await trx
    .selectFrom('compute_attempts')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  return row && attemptOf(row)
}

export async function liveAttempts(db: Db, clusterId?: string): Promise<Attempt[]> {
  const rows = await db
    .selectFrom('compute_attempts')
    .selectAll()
    .where('ended_at', 'is', null)
    .$if(clusterId !== undefined, (query) => query.where('cluster_id', '=', clusterId!))
    .orderBy('id')
    .execute()
  return rows.map(attemptOf)
}

/** Attempts of these owners, the last one first. */
export async function attemptsOf(db: Db, ownerIds: readonly string[]): Promise<Attempt[]> {
  if (ownerIds.length === 0) return []
  const rows = await db
    .selectFrom('compute_attempts')
    .selectAll()
    .where('owner_id', 'in', [...ownerIds])
    .orderBy('owner_id')
    .orderBy('number', 'desc')
    .execute()
  return rows.map(attemptOf)
}

export async function insertAttempt(
  trx: Db,
  attempt: Pick<Attempt, 'id' | 'kind' | 'ownerId' | 'teamId' | 'userId' | 'clusterId' | 'number' | 'spec'>,
  now: Date,
): Promise<void> {
  await trx
    .insertInto('compute_attempts')
    .values({
      id: attempt.id,
      kind: attempt.kind,
      owner_id: attempt.ownerId,
      team_id: attempt.teamId,
      user_id: attempt.userId,
      cluster_id: attempt.clusterId,
      number: attempt.number,
      state: 'created',
      spec: JSON.stringify(attempt.spec),
      created_at: now,
    })
    .execute()
}

export async function updateAttempt(
  trx: Db,
  id: string,
  set: Updateable<Database['compute_attempts']>,
): Promise<void> {
  if (Object.keys(set).length > 0)
    await trx.updateTable('compute_attempts').set(set).where('id', '=', id).execute()
}

export type Stream = { sizeBytes: number; nextLine: number; rest: Buffer; isComplete: boolean }

/** Made at its first use. */
export async function findStream(
  db: Db,
  attemptId: string,
  name: string,
  firstLine: () => Promise<number>,
): Promise<Stream> {
  const find = () =>
    db
      .selectFrom('attempt_streams')
      .selectAll()
      .where('attempt_id', '=', attemptId)
      .where('name', '=', name)
      .executeTakeFirst()
  let row = await find()
  if (!row) {
    await db
      .insertInto('attempt_streams')
      .values({ attempt_id: attemptId, name, next_line: await firstLine() })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    row = await find()
  }
  return {
    sizeBytes: row!.size_bytes,
    nextLine: row!.next_line,
    rest: row!.rest,
    isComplete: row!.is_complete,
  }
}

/** @param sizeBefore what it was read with. @returns false when somebody else has added to it since. */
export async function saveStream(
  db: Db,
  attemptId: string,
  name: string,
  sizeBefore: number,
  stream: Stream,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('attempt_streams')
    .set({
      size_bytes: stream.sizeBytes,
      next_line: stream.nextLine,
      rest: stream.rest,
      is_complete: stream.isComplete,
    })
    .where('attempt_id', '=', attemptId)
    .where('name', '=', name)
    .where('size_bytes', '=', sizeBefore)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
