import { GridError, type ErrorCode } from '@teamgrid/api'

/** What scripts may rely on after a command ended. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notLoggedIn: 3,
  notFound: 4,
  conflict: 5,
  overBudget: 6,
  /** 128 + SIGINT, as shells report it. */
  interrupted: 130,
} as const

const byCode: Record<ErrorCode, number> = {
  unauthenticated: exitCodes.notLoggedIn,
  not_found: exitCodes.notFound,
  forbidden: exitCodes.failed,
  policy_denied: exitCodes.failed,
  invalid: exitCodes.usage,
  conflict: exitCodes.conflict,
  too_large: exitCodes.failed,
  out_of_credit: exitCodes.overBudget,
  overloaded: exitCodes.failed,
  unavailable: exitCodes.failed,
  storage_full: exitCodes.failed,
}

/** The exit code of a command that ended with `error`. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof GridError) return byCode[error.code]
  if (error instanceof Error && error.name === 'AbortError') return exitCodes.interrupted
  return exitCodes.failed
}
