import { ORPCError } from '@orpc/server'
import { GridError } from '@teamgrid/api'
import type { FastifyError } from 'fastify'
import { newId } from '../lib/ids.ts'

export type ErrorBody = {
  status: number
  headers: Record<string, string>
  body: { error: { code: string; message: string } & Record<string, unknown> }
}

/**
 * Any failure as plain HTTP. Expected trouble keeps its words; a bug is logged whole and shown as nothing but an id.
 */
export function httpErrorOf(error: unknown, log: (text: string, error: unknown) => void): ErrorBody {
  const known = knownErrorOf(error)
  if (known) {
    const { cause: _, retryAfterSeconds, ...details } = known.details
    return {
      status: known.status,
      headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
      body: { error: { code: known.code, message: known.message, ...details } },
    }
  }
  const id = newId()
  log(`Unexpected error ${id}`, error)
  return {
    status: 500,
    headers: {},
    body: {
      error: { code: 'bug', message: `Something broke on the server; its log tells more under ${id}` },
    },
  }
}

/** The expected trouble in an error: ours, a body Fastify refused, or a database that does not answer. */
export function knownErrorOf(error: unknown): GridError | undefined {
  if (error instanceof GridError) return error
  const { statusCode, code, message } = (error ?? {}) as Partial<FastifyError>
  if (statusCode === 413) return new GridError('too_large')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new GridError('invalid', message)
  if (isDatabaseAway(code, message)) {
    return new GridError('unavailable', 'The database does not answer; try again', {
      retryAfterSeconds: 2,
      cause: error,
    })
  }
  if (code === '2201B')
    return new GridError('invalid', 'This regular expression is too complex to search by.', { cause: error })
  if (code === '53100' || code === 'ENOSPC')
    return new GridError('storage_full', undefined, { retryAfterSeconds: 30, cause: error })
  return undefined
}

/** Source of the codes: PostgreSQL documentation, appendix A (classes 08, 53 and 57P). */
function isDatabaseAway(code: unknown, message: unknown): boolean {
  if (
    typeof code === 'string' &&
    (/^(08...|57P0[1-3]|53300)$/.test(code) || /^E(CONN(REFUSED|RESET)|PIPE|NOENT)$/.test(code))
  )
    return true
  return (
    typeof message === 'string' &&
    /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  )
}

/** Any failure as the typed error that the contract's client rebuilds. */
export function restErrorOf(
  error: unknown,
  log: (text: string, error: unknown) => void,
): ORPCError<string, unknown> {
  if (error instanceof ORPCError && !(error.cause instanceof GridError)) {
    if (error.code !== 'INTERNAL_SERVER_ERROR') return badRequestOf(error)
  }
  const { status, body } = httpErrorOf(error, log)
  const { code, message, ...data } = body.error
  return new ORPCError(code, { status, message, data, defined: code !== 'bug' })
}

/** Input that did not fit the contract, with the first places where. */
function badRequestOf(error: ORPCError<string, unknown>): ORPCError<string, unknown> {
  const issues = (error.data as { issues?: { path?: PropertyKey[]; message: string }[] } | undefined)?.issues
  if (error.code === 'BAD_REQUEST' && issues?.length) {
    const message = issues
      .slice(0, 3)
      .map((issue) =>
        issue.path?.length ? `${issue.path.map(String).join('.')}: ${issue.message}` : issue.message,
      )
      .join('; ')
    return new ORPCError('invalid', { status: 422, message, defined: true, data: {} })
  }
  const code = error.status === 404 ? 'not_found' : error.status === 413 ? 'too_large' : 'invalid'
  return new ORPCError(code, { status: error.status, message: error.message, defined: true, data: {} })
}
