import { GridError } from '@teamgrid/api'

/** Classes 08 connection, 40 rolled back by a conflict, 53 resources, 57 operator (shutting down, starting up). */
const passing = /^(?:08|40|53|57|58)/
const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
])
const retryAfterSeconds = 5

/**
 * Does something with the database, and tells trouble that passes (a restart, a full disk, a conflict) from bugs: a
 * script that logs then waits and sends again instead of giving up.
 *
 * @throws GridError unavailable or storage_full, with `retryAfterSeconds`; every other error as it is.
 * Source of the codes: PostgreSQL documentation, appendix A.
 */
export async function withDatabase<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw databaseTrouble(error)
  }
}

function databaseTrouble(error: unknown): unknown {
  if (error instanceof GridError || !(error instanceof Error)) return error
  const { code, message } = error as Error & { code?: unknown }
  if (code === '53100' || code === 'ENOSPC')
    return new GridError('storage_full', undefined, { cause: error, retryAfterSeconds: 60 })
  const passes =
    (typeof code === 'string' && (passing.test(code) || connectionCodes.has(code))) ||
    /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error/i.test(
      message,
    )
  return passes
    ? new GridError('unavailable', 'The database does not answer right now.', {
        cause: error,
        retryAfterSeconds,
      })
    : error
}
