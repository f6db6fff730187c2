/** Every code a use case may end with, its HTTP status, and what it says when nothing better is known. */
export const errorCodes = {
  unauthenticated: { status: 401, says: 'Sign in, or send a valid API key' },
  not_found: { status: 404, says: 'No such thing, or it is not yours to see' },
  forbidden: { status: 403, says: 'Your role does not allow this' },
  policy_denied: { status: 403, says: 'The team policy does not allow this' },
  invalid: { status: 422, says: 'The request does not make sense' },
  conflict: { status: 409, says: 'Someone changed it first' },
  too_large: { status: 413, says: 'That is more than this server accepts at once' },
  out_of_credit: { status: 402, says: 'The team has no credits left' },
  overloaded: { status: 429, says: 'Too much at once; try again shortly' },
  unavailable: { status: 503, says: 'A service we need does not answer; try again' },
  storage_full: { status: 507, says: 'The disk of this server is full; nothing was lost, try again later' },
} as const

export type ErrorCode = keyof typeof errorCodes

export type ErrorDetails = {
  /** What the person can do next, one sentence. */
  hint?: string
  /** The policy switch that refused, e.g. `members_delete_runs`. */
  policy?: string
  /** Username of the owner of the thing that was refused. */
  owner?: string
  /** Usernames of the team's admins, who can help. */
  admins?: string[]
  retryAfterSeconds?: number
  cause?: unknown
}

/** Expected trouble with a sentence a user can act on. Each edge turns it into its own dialect. */
export class GridError extends Error {
  override name = 'GridError'
  code: ErrorCode
  details: ErrorDetails
  constructor(code: ErrorCode, message?: string, details: ErrorDetails = {}) {
    super(
      message ?? errorCodes[code].says,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.code = code
    this.details = details
  }
  get status(): number {
    return errorCodes[this.code].status
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code)
}
