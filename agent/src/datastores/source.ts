/** Where the bytes of a version come from: our server, over HTTP. */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { type ErrorCode, GridError, isErrorCode } from '@teamgrid/api'

export type DatastoreSource = {
  /** The gzipped manifest. */
  manifest: () => Promise<Readable>
  /** These contents as a pack (`contentsOfPack`), in any order. */
  pack: (sha256Hexes: string[]) => Promise<Readable>
  /** Has the server look at a content again whose bytes arrived wrong. @returns whether it is whole there. */
  check: (sha256Hex: string) => Promise<boolean>
}

/**
 * @param at.url of the server; `at.path` of the version, `/datastores/<id>/versions/<n>`.
 * @param at.headers prove who asks.
 */
export function httpSource(
  at: { url: string; path: string; headers: Record<string, string> },
  fetch: typeof globalThis.fetch = globalThis.fetch,
  signal?: AbortSignal,
): DatastoreSource {
  async function ask(method: string, end: string, body?: object): Promise<Response> {
    const answer = await fetch(`${at.url}${at.path}${end}`, {
      method,
      headers: { ...at.headers, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    }).catch((cause: unknown) => {
      signal?.throwIfAborted()
      throw new GridError('unavailable', `${at.url} does not answer`, { cause })
    })
    if (!answer.ok) throw await errorOf(answer)
    return answer
  }
  const streamOf = (answer: Response) => Readable.fromWeb(answer.body as ReadableStream<Uint8Array>)
  return {
    manifest: async () => streamOf(await ask('GET', '/manifest')),
    pack: async (sha256Hexes) => streamOf(await ask('POST', '/pack', { sha256Hexes })),
    async check(sha256Hex) {
      const answer = await ask('POST', '/check', { sha256Hex })
      return ((await answer.json()) as { isWhole: boolean }).isWhole
    },
  }
}

async function errorOf(answer: Response): Promise<GridError> {
  const said = (await answer.json().catch(() => undefined)) as
    | { error?: { code?: string; message?: string } }
    | undefined
  const code = said?.error?.code
  return isErrorCode(code)
    ? new GridError(code satisfies ErrorCode, said?.error?.message)
    : new GridError('unavailable', `The server answered ${answer.status}`)
}
