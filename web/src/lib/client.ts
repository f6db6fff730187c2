import { createClient, GridError } from '@teamgrid/api'
import { createTanstackQueryUtils } from '@orpc/tanstack-query'
import { QueryClient } from '@tanstack/react-query'

/** The REST contract as a typed client; the session cookie comes along by itself. */
export const grid = createClient({ url: location.origin })

/** The same as TanStack Query options: `api.me.get.queryOptions()`. */
export const api = createTanstackQueryUtils(grid)

const passing = new Set(['unavailable', 'overloaded', 'storage_full'])

/** Trouble that may pass is tried again; a refusal is final. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        gcTime: 5 * 60_000,
        retry: (count, problem) => count < 3 && problem instanceof GridError && passing.has(problem.code),
        retryDelay: (count) => Math.min(8000, 500 * 2 ** count),
      },
    },
  })
}

export function isNotFound(problem: unknown): boolean {
  return problem instanceof GridError && problem.code === 'not_found'
}

export function isSignedOut(problem: unknown): boolean {
  return problem instanceof GridError && problem.code === 'unauthenticated'
}
