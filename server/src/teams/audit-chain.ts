/**
 * The hash chain over the audit log. Writers only add lines, so that they never wait for each other; one step at a time
 * seals what was committed, numbering the lines of each team without gaps and hashing each with the seal before it. A
 * line that was changed, taken away, put in between or added behind the database's back no longer fits its chain.
 *
 * What it cannot show by itself: a chain that was cut at its end together with its lines, or written anew as a whole.
 * Whoever notes a head (`number:hash`) elsewhere can have that verified too.
 */
import { createHash } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

type Db = Kysely<Database>

/** The chain of what belongs to no team. */
export const organisationChain = '00000000-0000-0000-0000-000000000000'
const hashBeforeFirst = '0'.repeat(64)
/** Lines per transaction of sealing, and per page of verifying. */
const batchSize = 1000
const problemsMax = 20
/** Any constant will do: servers on one database seal one at a time. */
const sealLock = 7_313_372

/** A line as its hash covers it. */
export type SealedLine = {
  id: string
  team_id: string | null
  actor_user_id: string | null
  via: string
  client: string | null
  address: string | null
  action: string
  subject_kind: string
  subject_id: string
  details: unknown
  created_at: Date
}

/**
 * @param before the hash of the seal before, 64 zeros for the first.
 * @returns SHA-256 in hex over a JSON array: version, seal before, chain, number, then the line's fields; objects have
 *   their keys in order.
 */
export function hashOfLine(before: string, chain: string, number: number, line: SealedLine): string {
  const fields = [
    1,
    before,
    chain,
    number,
    line.id,
    line.team_id,
    line.actor_user_id,
    line.via,
    line.client,
    line.address,
    line.action,
    line.subject_kind,
    line.subject_id,
    inOrder(line.details),
    line.created_at.toISOString(),
  ]
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex')
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, inOrder(each)]))
}

export type Head = { chain: string; number: number; hash: string }
export type AuditProblem = { chain: string; number: number | null; says: string }
export type Verdict = { lines: number; heads: Head[]; problems: AuditProblem[]; problemCount: number }

export function createAuditChain({ db }: { db: Db }) {
  let running: Promise<number> | undefined
  let next: Promise<number> | undefined

  /**
   * Seals everything committed so far. Who asks while sealing goes on shares the step after it: each step holds a
   * connection, and waits for those of other servers.
   * @returns how many lines were sealed.
   */
  function seal(): Promise<number> {
    if (running === undefined) return (running = sealAll().finally(() => (running = undefined)))
    return (next ??= running
      .catch(() => 0)
      .then(() => {
        next = undefined
        return seal()
      }))
  }

  async function sealAll(): Promise<number> {
    let sealed = 0
    for (;;) {
      const batch = await db.transaction().execute(sealBatch)
      sealed += batch
      if (batch < batchSize) return sealed
    }
  }

  async function sealBatch(trx: Db): Promise<number> {
    await sql`select pg_advisory_xact_lock(${sealLock})`.execute(trx)
    const { rows } = await sql<SealedLine>`
      with taken as (
        delete from audit_queue where activity_id in (
          select activity_id from audit_queue order by activity_id limit ${batchSize})
        returning activity_id)
      select a.* from taken join activity a on a.id = taken.activity_id order by a.id`.execute(trx)
    if (rows.length === 0) return 0
    const heads = new Map(
      (await headsOf(trx, [...new Set(rows.map(chainOf))])).map((head) => [head.chain, head]),
    )
    const seals = rows.map((line) => {
      const chain = chainOf(line)
      const before = heads.get(chain) ?? { chain, number: 0, hash: hashBeforeFirst }
      const number = before.number + 1
      const hash = hashOfLine(before.hash, chain, number, line)
      heads.set(chain, { chain, number, hash })
      return { chain, number, activity_id: line.id, hash }
    })
    await trx.insertInto('audit_seals').values(seals).execute()
    return rows.length
  }

  /**
   * Reads the log from its beginning and proves every line.
   *
   * @param only one chain: a team's id, or `organisationChain`; all without.
   * @param expected a head noted earlier; the chain must still contain it.
   */
  async function verify(only?: string, expected?: { number: number; hash: string }): Promise<Verdict> {
    await seal()
    const verdict: Verdict = { lines: 0, heads: [], problems: [], problemCount: 0 }
    const complain = (chain: string, number: number | null, says: string) => {
      verdict.problemCount += 1
      if (verdict.problems.length < problemsMax) verdict.problems.push({ chain, number, says })
    }
    for (const head of await headsOf(db, only === undefined ? undefined : [only])) {
      await verifyChain(head.chain, complain, verdict, expected)
      verdict.heads.push(head)
    }
    if (expected && verdict.heads.every((head) => head.number < expected.number))
      complain(only ?? organisationChain, expected.number, 'The chain ends before the seal that was noted')
    for (const line of await unsealed(only))
      complain(line.chain, null, `The line ${line.id} was added without a seal`)
    return verdict
  }

  async function verifyChain(
    chain: string,
    complain: (chain: string, number: number | null, says: string) => void,
    verdict: Verdict,
    expected?: { number: number; hash: string },
  ): Promise<void> {
    let before = { number: 0, hash: hashBeforeFirst }
    for (;;) {
      const { rows } = await sql<Partial<SealedLine> & { number: number; hash: string; sealed_id: string }>`
        select s.number, s.hash, s.activity_id as sealed_id, a.*
        from audit_seals s left join activity a on a.id = s.activity_id
        where s.chain = ${chain} and s.number > ${before.number} order by s.number limit ${batchSize}`.execute(
        db,
      )
      for (const { number, hash, sealed_id, ...line } of rows) {
        verdict.lines += 1
        if (number !== before.number + 1)
          complain(chain, number, `Seals ${before.number + 1} to ${number - 1} are missing`)
        if (line.id === null || line.id === undefined)
          complain(chain, number, `The line ${sealed_id} of seal ${number} is missing`)
        else if (chainOf(line as SealedLine) !== chain)
          complain(chain, number, `The line ${sealed_id} of seal ${number} was moved to another team`)
        else if (
          number === before.number + 1 &&
          hashOfLine(before.hash, chain, number, line as SealedLine) !== hash
        )
          complain(chain, number, `The line ${sealed_id} of seal ${number}, or its seal, was changed`)
        if (expected?.number === number && expected.hash !== hash)
          complain(chain, number, `Seal ${number} is not the one that was noted`)
        before = { number, hash }
      }
      if (rows.length < batchSize) return
    }
  }

  async function unsealed(only: string | undefined): Promise<{ id: string; chain: string }[]> {
    const inChain = only === undefined ? sql`true` : sql`coalesce(a.team_id, ${organisationChain}) = ${only}`
    const { rows } = await sql<{ id: string; chain: string }>`
      select a.id, coalesce(a.team_id, ${organisationChain}) as chain from activity a
      where ${inChain}
        and not exists (select 1 from audit_seals s where s.activity_id = a.id)
        and not exists (select 1 from audit_queue q where q.activity_id = a.id)
      limit ${problemsMax}`.execute(db)
    return rows
  }

  return { seal, verify }
}

/** @throws GridError invalid, for what is no `number:hash`. */
export function headOf(text: string): { number: number; hash: string } {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim())
  if (!match)
    throw new GridError('invalid', `"${text}" is no head of a chain`, { hint: 'Write NUMBER:HASH.' })
  return { number: Number(match[1]), hash: match[2]! }
}

const chainOf = (line: { team_id: string | null }) => line.team_id ?? organisationChain

async function headsOf(db: Db, chains?: string[]): Promise<Head[]> {
  const among = chains === undefined ? sql`true` : sql`chain = any(${chains}::uuid[])`
  const { rows } = await sql<Head>`
    select distinct on (chain) chain, number, hash from audit_seals
    where ${among} order by chain, number desc`.execute(db)
  return rows
}
