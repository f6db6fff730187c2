import { createClient, errorOfAnswer, type GridClient, GridError } from '@teamgrid/api'
import type { Io } from './io.ts'
import { readSettings, type Settings } from './settings.ts'

export type Connection = {
  url: string
  client: GridClient
  /** Sends bytes to a path of the server, for as long as that takes. @returns its answer, read as JSON. */
  put: (path: string, body: BodyInit) => Promise<unknown>
  /** Asks for bytes; the answer's body is to be read or cancelled. */
  post: (path: string, body: object) => Promise<Response>
  ask: Ask
}

/**
 * Asks for what is no endpoint of the contract: files and archives that are streamed.
 *
 * @param path from the root of the server, such as `/api/audit/export?format=csv`.
 * @throws GridError the server's own, when it refuses.
 */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>

export const defaultUrl = 'http://localhost:8080'
/** One answer may take this long; the slowest are lists of tens of thousands of files. */
const requestSecondsMax = 120

/**
 * The server a command talks to, with the caller's key.
 *
 * Addresses: `GRID_URL`, else the one of `grid login`, else `WANDB_BASE_URL`. Keys: `GRID_API_KEY`, else the stored one
 * if it was stored for this address, else `WANDB_API_KEY` if the address came from wandb's variable too: a key is never
 * sent to a server it was not made for.
 *
 * @throws GridError unauthenticated, when there is no key for that server.
 */
export async function connect(io: Io): Promise<Connection> {
  const settings = await readSettings(io)
  const { url, key } = findKey(io, settings)
  if (!key) {
    throw new GridError('unauthenticated', `You are not logged in to ${url}`, {
      hint: `Run: grid login --url ${url}`,
    })
  }
  const ask = askOf(io, url, key)
  const send = (method: 'PUT' | 'POST', path: string, type: string, body: BodyInit) =>
    ask(path, { method, headers: { 'content-type': type }, body })
  return {
    url,
    client: clientOf(io, url, key),
    put: async (path, body) => (await send('PUT', path, 'application/octet-stream', body)).json(),
    post: (path, body) => send('POST', path, 'application/json', JSON.stringify(body)),
    ask,
  }
}

/** The address without a key, for commands that work before login. */
export async function serverUrl(io: Io): Promise<string> {
  return findKey(io, await readSettings(io)).url
}

function findKey(io: Io, settings: Settings): { url: string; key: string | undefined } {
  const own = io.env['GRID_URL'] || settings.url
  const url = normalizeUrl(own || io.env['WANDB_BASE_URL'] || defaultUrl)
  const stored = settings.url !== undefined && normalizeUrl(settings.url) === url ? settings.key : undefined
  const theirs =
    io.env['WANDB_BASE_URL'] && normalizeUrl(io.env['WANDB_BASE_URL']) === url
      ? io.env['WANDB_API_KEY']
      : undefined
  return { url, key: io.env['GRID_API_KEY'] || stored || theirs }
}

/**
 * A client that says which server did not answer, and that Ctrl-C interrupts.
 *
 * @param token an API key, or the operator's token.
 */
export function clientOf(io: Io, url: string, token: string | null): GridClient {
  return createClient({
    url,
    headers: () => headersOf(io, token),
    fetch: async (request) => {
      const signal = AbortSignal.any([
        request.signal,
        io.interrupted,
        AbortSignal.timeout(requestSecondsMax * 1000),
      ])
      let response: Response
      try {
        response = await io.fetch(request, { signal })
      } catch (error) {
        throw noAnswer(error, url, io.interrupted)
      }
      const type = response.headers.get('content-type') ?? ''
      if (response.ok && type.startsWith('text/html')) {
        throw new GridError('unavailable', `${url} is not a Teamgrid server`, {
          hint: 'Check the address: grid login --url ADDRESS',
        })
      }
      return response
    },
  })
}

/** Streams may take as long as they take; only the person ends them. */
export function askOf(io: Io, url: string, token: string): Ask {
  return async (path, init = {}) => {
    let response: Response
    try {
      response = await io.fetch(`${url}${path}`, {
        ...init,
        headers: { ...headersOf(io, token), ...(init.headers as Record<string, string> | undefined) },
        signal: io.interrupted,
      })
    } catch (error) {
      throw noAnswer(error, url, io.interrupted)
    }
    if (!response.ok) throw errorOfAnswer(response.status, await response.json().catch(() => undefined))
    return response
  }
}

function headersOf(io: Io, token: string | null): Record<string, string> {
  const headers: Record<string, string> = { 'x-grid-client': 'cli' }
  if (token) headers['authorization'] = `Bearer ${token}`
  // A service account works for the member named here; ours wins over wandb's.
  const member = io.env['GRID_USERNAME'] || io.env['WANDB_USERNAME']
  if (member) {
    if (!/^[\x21-\x7e]+$/.test(member)) {
      throw new GridError('invalid', 'GRID_USERNAME is not a username')
    }
    if (!/^[\x21-\x7e]+$/.test(member)) throw new GridError('invalid', 'GRID_USERNAME is not a username')
    headers['x-grid-username'] = member
  }
  return headers
}

/** What a failed request means to the person: interrupted, too slow, or nobody there. */
export function noAnswer(error: unknown, url: string, interrupted: AbortSignal): unknown {
  if (interrupted.aborted) return interrupted.reason
  if (error instanceof GridError) return error
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  const why = (error as Error).name === 'TimeoutError' ? 'timed out' : (cause?.code ?? cause?.message)
  return new GridError('unavailable', `${url} does not answer${why ? ` (${why})` : ''}`, {
    hint: 'Is the server running, and is the address right?',
    cause: error,
  })
}

/**
 * An address as we store and compare it: with scheme, without trailing slashes.
 *
 * @throws GridError invalid, if it is not an http(s) address.
 */
export function normalizeUrl(text: string): string {
  const trimmed = text.trim()
  const local = /^(?:localhost|127\.|\[::1\])/.test(trimmed)
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)
    ? trimmed
    : `${local ? 'http' : 'https'}://${trimmed}`
  let url: URL
  try {
    url = new URL(whole)
  } catch {
    throw new GridError('invalid', `"${text}" is not an address`, { hint: 'Write https://grid.example.com' })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new GridError('invalid', `"${text}" is not a web address`, {
      hint: 'Write https://grid.example.com',
    })
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
