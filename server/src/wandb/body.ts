/**
 * Bodies of the client: JSON of up to 64 MiB, plain or compressed. They are taken in as bytes and read only once the
 * sender is known; how many are held at the same time is bounded, because metric batches come all at once.
 */
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { GridError } from '@teamgrid/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parseTolerantJson } from '../lib/tolerant-json.ts'

/** The client sends up to 10 MiB at once and a single longer line alone; `wandb verify` sends 10 MB of variables. */
export const bodyMaxBytes = 64 * 1024 * 1024
/** All bodies held at once; beyond it writers are asked to come back, and lose nothing. */
const heldMaxBytes = 512 * 1024 * 1024

export type BodyReader = ReturnType<typeof createBodyReader>

export function createBodyReader(limits = { bodyMaxBytes, heldMaxBytes }) {
  let heldBytes = 0
  const heldBy = new WeakMap<FastifyRequest, number>()
  const over = new WeakSet<FastifyRequest>()

  function hold(request: FastifyRequest, bytes: number): void {
    // Nobody would give back what is taken after the end.
    if (over.has(request)) throw new GridError('invalid', 'The sender went away')
    heldBytes += bytes
    heldBy.set(request, (heldBy.get(request) ?? 0) + bytes)
    if (heldBytes <= limits.heldMaxBytes) return
    throw new GridError('overloaded', 'Very much is sent to this server right now', { retryAfterSeconds: 3 })
  }

  return {
    /** For Fastify: takes the body in, unpacked. */
    parser: async (request: FastifyRequest, payload: Readable): Promise<Buffer> => {
      const unpack = unpacker(request.headers['content-encoding'])
      const packed = await gather(payload, limits.bodyMaxBytes, (bytes) => hold(request, bytes))
      if (!unpack) return packed
      let body: Buffer
      try {
        body = await unpack(packed, { maxOutputLength: limits.bodyMaxBytes })
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
          throw tooLarge(limits.bodyMaxBytes)
        throw new GridError('invalid', 'The body could not be unpacked', { cause })
      }
      hold(request, body.length)
      return body
    },
    /** The JSON of a body that was taken in. @throws GridError invalid */
    read: (request: FastifyRequest): unknown => {
      const { body } = request
      try {
        return parseTolerantJson(Buffer.isBuffer(body) ? body.toString() : '')
      } catch (cause) {
        throw new GridError('invalid', 'The body is not JSON', { cause })
      }
    },
    /** Gives back what each request held, once it is answered or its sender has gone away. */
    releaseAfter: (app: FastifyInstance): void => {
      const release = (request: FastifyRequest): void => {
        over.add(request)
        heldBytes -= heldBy.get(request) ?? 0
        heldBy.delete(request)
      }
      // Fastify tells of answers alone; a connection that breaks closes without one.
      app.addHook('onRequest', async (request, reply) => {
        reply.raw.once('close', () => release(request))
      })
      app.addHook('onResponse', async (request) => release(request))
    },
    heldBytes: () => heldBytes,
  }
}

/**
 * All bytes of a request. When there are too many, or `hold` refuses, the rest is read and dropped rather than cut off:
 * on a broken connection the client would never see the answer, and would send the same again.
 */
function gather(payload: Readable, bytesMax: number, hold: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let isRefused = false
    payload.on('data', (chunk: Buffer) => {
      if (isRefused) return
      try {
        bytes += chunk.length
        if (bytes > bytesMax) throw tooLarge(bytesMax)
        hold(chunk.length)
        chunks.push(chunk)
      } catch (error) {
        isRefused = true
        chunks.length = 0
        reject(error)
      }
    })
    payload.once('end', () => resolve(Buffer.concat(chunks)))
    payload.once('error', (cause) =>
      reject(new GridError('invalid', 'The body did not arrive whole', { cause })),
    )
  })
}

function tooLarge(bytesMax: number): GridError {
  return new GridError('too_large', `A request may have ${bytesMax / 1024 / 1024} MiB at most`)
}

const gunzipAll = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)
const inflateAll = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate)

function unpacker(encoding: string | undefined) {
  switch (encoding?.toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return gunzipAll
    case 'deflate':
      return inflateAll
    default:
      throw new GridError('invalid', `Bodies packed with ${encoding} are not understood; use gzip`)
  }
}
