import type { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { BlobClaim, LinkHolder, SignedUrls } from '../lib/signed.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'

type PutClaim = Exclude<BlobClaim, { do: 'get' }>

/**
 * `/blobs/<token>/<name>`: file bytes behind signed urls. The token is the whole permission; what is stored under it
 * was written by strangers to this server, so every answer is kept from acting in our origin.
 */
export function blobsEdge(deps: {
  signed: SignedUrls
  blobs: BlobStore
  /** Stores what a put claim allows; `sizeBytes` is how long the sender says it is. Of a part of a file it tells the tag by which it is named later. */
  store: (claim: PutClaim, body: Readable, sizeBytes: number | undefined) => Promise<{ tag: string } | void>
  /** Whether the person a link was made for may still use it. */
  isStillMember: (holder: LinkHolder, how: 'read' | 'write') => Promise<boolean>
}): FastifyPluginAsync {
  return async (app) => {
    // Bodies are streamed to the store, never gathered in memory; no size limit but the disk's.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

    app.addHook('onRequest', async (request, reply) => {
      // Bytes are bytes: clients send parts of large files with an empty type, which would be refused as none.
      if (request.method === 'PUT') request.raw.headers['content-type'] = 'application/octet-stream'
      // Links carry their own permission and no cookie is read, so any page may fetch them.
      reply.header('access-control-allow-origin', '*')
      reply.header('access-control-allow-methods', 'GET, HEAD, PUT, OPTIONS')
      reply.header('access-control-allow-headers', 'range, content-type')
      reply.header('access-control-expose-headers', 'accept-ranges, content-length, content-range, etag')
    })
    app.options('/blobs/*', async (_request, reply) => reply.status(204).send())

    app.route<{ Params: { token: string } }>({
      method: ['GET', 'HEAD'],
      url: '/blobs/:token/*',
      handler: async (request, reply) => {
        const claim = deps.signed.open(request.params.token)
        if (claim.do !== 'get')
          throw new GridError('forbidden', 'This link is for sending a file, not for reading one')
        if (claim.reader && !(await deps.isStillMember(claim.reader, 'read')))
          throw new GridError('not_found')
        return answer(deps.blobs, claim, request, reply)
      },
    })
    app.put<{ Params: { token: string } }>('/blobs/:token/*', async (request, reply) => {
      const claim = deps.signed.open(request.params.token)
      if (claim.do === 'get')
        throw new GridError('forbidden', 'This link is for reading a file, not for sending one')
      if (claim.writer && !(await deps.isStillMember(claim.writer, 'write'))) throw new GridError('not_found')
      const length = Number(request.headers['content-length'])
      const body = (request.body as Readable | undefined) ?? request.raw
      const stored = await deps.store(claim, body, Number.isSafeInteger(length) ? length : undefined)
      if (stored) reply.header('etag', `"${stored.tag}"`)
      return reply.status(200).send({ ok: true })
    })
  }
}

async function answer(
  blobs: BlobStore,
  claim: Extract<BlobClaim, { do: 'get' }>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stat = await blobs.stat(claim.blobKey)
  if (!stat) throw new GridError('not_found', 'This file was deleted')
  const name = decodeURIComponent(request.url.split('?')[0]!.split('/').at(-1)!)
  const { startByte, sizeBytes } = claim.slice ?? { startByte: 0, sizeBytes: stat.sizeBytes }
  const range = rangeOf(request.headers.range, sizeBytes)
  reply
    .header('accept-ranges', 'bytes')
    .header('content-type', claim.mediaType)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', policyOf(claim.mediaType))
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'private, max-age=3600')
    .header('last-modified', stat.updatedAt.toUTCString())
    .header(
      'content-disposition',
      `${claim.download ? 'attachment' : 'inline'}; filename*=UTF-8''${encodeURIComponent(name)}`,
    )
  if (range === 'unsatisfiable') {
    return reply.status(416).header('content-range', `bytes */${sizeBytes}`).send()
  }
  const length = range ? range.end - range.start + 1 : sizeBytes
  reply.header('content-length', length)
  if (range) reply.status(206).header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`)
  if (request.method === 'HEAD' || length === 0) return reply.send()
  if (range === null && claim.slice === undefined) return reply.send(await blobs.get(claim.blobKey))
  const start = startByte + (range?.start ?? 0)
  return reply.send(await blobs.get(claim.blobKey, { start, end: start + length - 1 }))
}

/**
 * Pages that scripts log may run their own scripts, but in an origin of their own that can reach nothing of ours
 * and make no requests but for scripts and pictures (plotly pages bring theirs from elsewhere); the rest may run nothing.
 */
function policyOf(mediaType: string): string {
  return mediaType.startsWith('text/html')
    ? "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob: https:; style-src 'unsafe-inline' https:; img-src data: blob: https:; font-src data: https:; media-src data: blob:"
    : "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'"
}

/** One `bytes=` range; several, or nonsense, are answered with the whole. Source: RFC 9110, section 14. */
export function rangeOf(
  header: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  if (match[1] === '') {
    const last = Math.min(Number(match[2]), sizeBytes)
    return last === 0 ? 'unsatisfiable' : { start: sizeBytes - last, end: sizeBytes - 1 }
  }
  const start = Number(match[1])
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1)
  if (match[2] !== '' && Number(match[2]) < start) return null
  return start >= sizeBytes ? 'unsatisfiable' : { start, end }
}
