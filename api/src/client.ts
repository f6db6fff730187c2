import { createORPCClient, ORPCError } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import { OpenAPILink } from '@orpc/openapi-client/fetch'
import { type Contract, contract } from './contract.ts'
import { type ErrorDetails, GridError, isErrorCode } from './errors.ts'

export type GridClient = ContractRouterClient<Contract>

/**
 * The contract as a typed client over any `fetch`.
 *
 * @param url the server's address, without `/api`.
 * @returns a client that rejects with `GridError`, the same one that the server threw.
 */
export function createClient(options: {
  url: string
  headers?: () => Record<string, string>
  fetch?: (request: Request) => Promise<Response>
}): GridClient {
  const link = new OpenAPILink(contract, {
    url: `${options.url.replace(/\/+$/, '')}/api`,
    headers: () => options.headers?.() ?? {},
    ...(options.fetch ? { fetch: (request: Request) => options.fetch!(request) } : {}),
    interceptors: [
      async (call) => {
        try {
          return await call.next()
        } catch (error) {
          throw gridErrorOf(error)
        }
      },
    ],
  })
  return createORPCClient(link)
}

/** What an answer outside the contract, such as to bytes that were sent, says went wrong. */
export function errorOfAnswer(status: number, body: unknown): GridError {
  return plainErrorOf({ body }) ?? new GridError(codeOfStatus(status), `The server answered ${status}`)
}

function gridErrorOf(error: unknown): unknown {
  if (error instanceof GridError) return error
  if (error instanceof ORPCError) {
    const plain = plainErrorOf(error.data)
    if (plain) return plain
    const code = isErrorCode(error.code) ? error.code : codeOfStatus(error.status)
    return new GridError(code, error.message, { ...(error.data as ErrorDetails | undefined), cause: error })
  }
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) return error
  if (error instanceof TypeError) {
    return new GridError('unavailable', 'The server does not answer', {
      cause: error,
      hint: 'Is it running, and is the address right?',
    })
  }
  return error
}

/** What is refused before an endpoint is reached, such as a wrong key, comes as `{ error: { code, message, … } }`. */
function plainErrorOf(data: unknown): GridError | undefined {
  const body = (data as { body?: { error?: Record<string, unknown> } } | undefined)?.body?.error
  if (!body || !isErrorCode(body['code']) || typeof body['message'] !== 'string') return undefined
  const { code, message, ...details } = body
  return new GridError(code as GridError['code'], message as string, details)
}

function codeOfStatus(status: number): GridError['code'] {
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'not_found'
  if (status === 409) return 'conflict'
  if (status === 413) return 'too_large'
  if (status === 429) return 'overloaded'
  if (status >= 400 && status < 500) return 'invalid'
  return 'unavailable'
}
