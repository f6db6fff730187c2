/**
 * Our error codes → what the wandb client does with a status. It ends on 400, 401, 403, 404, 410, 413, 422 and 501,
 * and repeats on everything else for minutes (GraphQL) or a week (file stream); 409 repeats on `upsertBucket` only.
 * Older clients repeat 422 as well, so a final answer here is always one of 400, 401, 403, 404, 413.
 * Source: wandb core/internal/clients/retry_policy.go, wandb/util.py (no_retry_auth).
 */
import type { ErrorCode, GridError } from '@teamgrid/api'
import { knownErrorOf } from '../http/errors.ts'
import { newId } from '../lib/ids.ts'

export type Log = (text: string, error: unknown) => void

export type WandbAnswer = { status: number; headers: Record<string, string>; message: string }

/** How each code ends at the client: with a final status, or with one on which it tries again. */
const statuses: Record<ErrorCode, number> = {
  unauthenticated: 401,
  not_found: 404,
  forbidden: 403,
  policy_denied: 403,
  invalid: 400,
  // Ours are final conflicts, such as a name that is taken; 409 would make `upsertBucket` ask for minutes.
  conflict: 400,
  too_large: 413,
  out_of_credit: 403,
  overloaded: 429,
  unavailable: 503,
  storage_full: 507,
}

const retrySeconds = 5

/** The status, headers and sentence for expected trouble; undefined for a bug, which each route answers in its way. */
export function answerOf(error: unknown): WandbAnswer | undefined {
  const known = knownErrorOf(error)
  if (!known) return undefined
  const status = statuses[known.code]
  const headers: Record<string, string> = {}
  if (isTransient(status)) headers['retry-after'] = String(known.details.retryAfterSeconds ?? retrySeconds)
  return { status, headers, message: sentenceOf(known) }
}

/** Statuses of trouble that passes, so the client shall try again and lose nothing. */
export function isTransient(status: number): boolean {
  return status === 429 || status >= 500
}

/** The client shows one text, so the hint joins the message. */
function sentenceOf(error: GridError): string {
  const { hint } = error.details
  if (!hint) return error.message
  return `${error.message.replace(/[.\s]+$/, '')}. ${hint}`
}

/** A bug is logged whole under an id, and shown as nothing but the id. */
export function bugSentence(error: unknown, log: Log): string {
  const id = newId()
  log(`Unexpected error ${id}`, error)
  return `Something broke on the server; its log tells more under ${id}`
}

/** Both forms of body that every client understands. */
export function errorBody(message: string): { error: string; errors: { message: string }[] } {
  return { error: message, errors: [{ message }] }
}
