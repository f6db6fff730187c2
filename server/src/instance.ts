import type { Kysely } from 'kysely'
import { hashOf, newToken } from './lib/secrets.ts'
import type { Database } from './stores/postgres/schema.ts'

/** The one row about this installation, made at first start. @returns its signing secret. */
export async function ensureInstance(db: Kysely<Database>): Promise<string> {
  await db
    .insertInto('instance')
    .values({ secret: newToken(), setup_token_hash: hashOf(newToken()) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  const { secret } = await db.selectFrom('instance').select('secret').executeTakeFirstOrThrow()
  return secret
}
