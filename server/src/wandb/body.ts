/**
 * Bodies of the client: JSON of up to 64 MiB, plain or compressed. They are taken in as bytes and read only once the
 * sender is known; how many are held at the same time is bounded, because metric batches come all at once.
 */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createInflate } from 'node:zlib'
import { GridError } from '@teamgrid/api'
import type { FastifyRequest } from 'fastify'
import { parseTolerantJson } from '../lib/tolerant-json.ts'

/** The client sends up to 10 MiB at once and a single longer line alone; `wandb verify` sends 10 MB of variables. */
export const bodyMaxBytes = 64 * 1024 * 1024
/** All bodies held at once; beyond it writers are asked to come back, and lose nothing. */
const heldMaxBytes = 512 * 1024 * 1024

export type BodyReader = ReturnType<typeof createBodyReader>

export function createBodyReader(limits = { bodyMaxBytes, heldMaxBytes }) {
  let heldBytes = 0
  const heldBy = new WeakMap<FastifyRequest, number>()

  function hold(request: FastifyRequest, bytes: number): void {
    heldBytes += bytes
    const held = (heldBy.get(request) ?? 0) + bytes
    heldBy.set(request, held)
    if (held > limits.bodyMaxBytes) {
      throw new GridError('too_large', `A request may have ${limits.bodyMaxBytes / 1024 / 1024} MiB at most`)
    }
    if (heldBytes > limits.heldMaxBytes) {
      throw new GridError('overloaded', 'Very much is sent to this server right now', {
        retryAfterSeconds: 3,
      })
    }
  }

  return {
    /** For Fastify: takes the body in, unpacked. */
    async parser(request: FastifyRequest, payload: Readable): Promise<Buffer> {
      const chunks: Buffer[] = []
      const gather = async (stream: AsyncIterable<Buffer>) => {
        for await (const chunk of stream) {
          hold(request, chunk.length)
          chunks.push(chunk)
        }
      }
      const unpack = unpacker(request.headers['content-encoding'])
      try {
        if (unpack) await pipeline(payload, unpack, gather)
        else await pipeline(payload, gather)
      } catch (error) {
        if (error instanceof GridError) throw error
        throw new GridError('invalid', 'The body could not be unpacked or did not arrive whole', {
          cause: error,
        })
      }
      return Buffer.concat(chunks)
    },
    /** The JSON of a body that was taken in. @throws GridError invalid */
    read(request: FastifyRequest): unknown {
      const { body } = request
      try {
        return parseTolerantJson(Buffer.isBuffer(body) ? body.toString() : '')
      } catch (cause) {
        throw new GridError('invalid', 'The body is not JSON', { cause })
      }
    },
    /** Called once the answer is out. */
    release(request: FastifyRequest): void {
      heldBytes -= heldBy.get(request) ?? 0
      heldBy.delete(request)
    },
    heldBytes: () => heldBytes,
  }
}

function unpacker(encoding: string | undefined) {
  switch (encoding?.toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    default:
      throw new GridError('invalid', `Bodies packed with ${encoding} are not understood; use gzip`)
  }
}
