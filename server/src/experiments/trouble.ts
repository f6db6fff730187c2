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
/** Somebody has to free space first. */
const fullRetrySeconds = 60

/**
 * Does something with the database, and tells trouble that passes (a restart, a full disk, a conflict) from bugs: a
 * script that logs then waits and sends again instead of giving up.
 *
 * @throws GridError unavailable or storage_full, with `retryAfterSeconds`; invalid for text that no name can hold; every
 *   other error as it is.
 * Source of the codes: PostgreSQL documentation, appendix A.
 */
export async function withDatabase<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw databaseTrouble(error)
  }
}

/** The same for every function of a part. */
export function allWithDatabase<Part extends Record<string, (...given: never[]) => Promise<unknown>>>(
  part: Part,
): Part {
  const guarded = Object.entries(part).map(([name, act]) => [
    name,
    (...given: never[]) => withDatabase(() => act(...given)),
  ])
  return Object.fromEntries(guarded) as Part
}

function databaseTrouble(error: unknown): unknown {
  if (error instanceof GridError) return withWait(error)
  if (!(error instanceof Error)) return error
  const { code, message } = error as Error & { code?: unknown }
  if (code === '53100' || code === 'ENOSPC')
    return new GridError('storage_full', undefined, { cause: error, retryAfterSeconds: fullRetrySeconds })
  // Only NUL can be meant: everything else that JavaScript sends is UTF-8. Nothing stored holds one.
  if (code === '22021')
    return new GridError('invalid', 'Text with a NUL character names nothing here.', { cause: error })
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

/** Other stores do not always say how long to wait. */
function withWait(error: GridError): GridError {
  const waits: Partial<Record<GridError['code'], number>> = {
    unavailable: retryAfterSeconds,
    overloaded: retryAfterSeconds,
    storage_full: fullRetrySeconds,
  }
  const wait = waits[error.code]
  if (wait !== undefined) error.details.retryAfterSeconds ??= wait
  return error
}
