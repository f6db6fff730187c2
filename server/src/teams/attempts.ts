import { type Kysely, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

/** What is older than this is of no use to any limit. */
const keptSeconds = 60 * 60
/** One in so many counts also clears what is old. */
const clearEvery = 500

/**
 * Counts what somebody tries, in windows of time that begin with the first try, for every server on this database: a
 * limit of one process would be as many limits as there are processes.
 */
export function createAttempts({ db }: { db: Kysely<Database> }) {
  let counted = 0

  /** @returns how many there are in this window with this one, and when it began. */
  async function count(key: string, windowSeconds: number): Promise<{ count: number; since: Date }> {
    if ((counted += 1) % clearEvery === 0)
      await sql`delete from attempts where since < now() - make_interval(secs => ${keptSeconds})`.execute(db)
    const { rows } = await sql<{ count: number; since: Date }>`
      insert into attempts as a (key, count, since) values (${key.slice(0, 500)}, 1, now())
      on conflict (key) do update set
        count = case when a.since <= now() - make_interval(secs => ${windowSeconds}) then 1 else a.count + 1 end,
        since = case when a.since <= now() - make_interval(secs => ${windowSeconds}) then now() else a.since end
      returning count, since`.execute(db)
    return rows[0]!
  }

  return {
    count,

    /** The limits of better-auth, in its words. */
    async consume(
      key: string,
      rule: { window: number; max: number },
    ): Promise<{ allowed: boolean; retryAfter: number | null }> {
      const { count: tries, since } = await count(key, rule.window)
      if (tries <= rule.max) return { allowed: true, retryAfter: null }
      const left = since.getTime() + rule.window * 1000 - Date.now()
      return { allowed: false, retryAfter: Math.max(1, Math.ceil(left / 1000)) }
    },
  }
}

export type Attempts = ReturnType<typeof createAttempts>
