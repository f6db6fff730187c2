/** Asking the server, for ever: it may be away for days, and nothing that was said is said twice. */
import { setTimeout as wait } from 'node:timers/promises'

/** The server has answered, and asking again would not change it. */
export class Refused extends Error {
  readonly status: number
  readonly body: unknown
  constructor(status: number, body: unknown) {
    super(sentenceIn(body) ?? `The server answered ${status}`)
    this.status = status
    this.body = body
  }
}

export type Server = {
  /** @throws Refused for an answer that is final. */
  ask: (method: string, path: string, body?: Body) => Promise<unknown>
  /** The answer's body, for what is large. */
  fetch: (path: string) => Promise<Response>
}
type Body = { json: unknown } | { bytes: () => BodyInit; sizeBytes?: number }

const firstWaitMs = 500
const longestWaitMs = 30_000
/** Worth another try: nothing is wrong with what was asked. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * @param where read before each try, as a server may come back at another address.
 */
export function createServer(where: () => Promise<{ url: string; token?: string }>): Server {
  async function attempt(method: string, path: string, body: Body | undefined): Promise<Response> {
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
      const { url, token } = await where()
      try {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: {
            ...(token ? { authorization: `Bearer ${token}` } : {}),
            ...(body === undefined
              ? {}
              : { 'content-type': 'json' in body ? 'application/json' : 'application/octet-stream' }),
          },
          ...(body === undefined ? {} : { body: 'json' in body ? JSON.stringify(body.json) : body.bytes() }),
          // A stream as a body can be sent one way only.
          ...(body !== undefined && 'bytes' in body ? { duplex: 'half' } : {}),
        } as RequestInit)
        if (response.ok) return response
        const answer: unknown = await response.json().catch(() => null)
        if (!passing.has(response.status)) throw new Refused(response.status, answer)
      } catch (error) {
        if (error instanceof Refused) throw error
      }
      // Half of it at random, so that a thousand nodes do not come back in one moment.
      await wait(waitMs * (0.5 + Math.random() / 2))
    }
  }
  return {
    ask: async (method, path, body) => await (await attempt(method, path, body)).json(),
    fetch: (path) => attempt('GET', path, undefined),
  }
}

function sentenceIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { message, error } = body as { message?: unknown; error?: unknown }
  if (typeof message === 'string') return message
  return typeof error === 'object' ? sentenceIn(error) : undefined
}
