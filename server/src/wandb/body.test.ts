import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { GridError } from '@teamgrid/api'
import { fastify, type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createBodyReader } from './body.ts'

const mebibyte = 1024 * 1024
const bodies = createBodyReader({ bodyMaxBytes: mebibyte, heldMaxBytes: 3 * mebibyte })
let app: FastifyInstance
let port: number
const waiting: (() => void)[] = []

beforeAll(async () => {
  app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { bodyLimit: Number.MAX_SAFE_INTEGER }, bodies.parser)
  bodies.releaseAfter(app)
  app.setErrorHandler((error, _request, reply) => reply.status((error as GridError).status).send({}))
  app.post('/', async (request) => {
    const body = bodies.read(request)
    if (request.headers['x-wait']) await new Promise<void>((resolve) => waiting.push(resolve))
    return { length: JSON.stringify(body).length }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  port = Number(new URL(app.listeningOrigin).port)
})
afterAll(() => app.close())

/** Over a real connection, where an answer can get lost. */
function send(body: Buffer, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/', headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    })
    request.once('error', reject)
    request.end(body)
  })
}

const text = (bytes: number) => Buffer.from(JSON.stringify('x'.repeat(bytes)))

test('JSON is read, plain and packed, whatever type it claims to be', async () => {
  expect(await send(Buffer.from('{"a": NaN}'))).toBe(200)
  expect(await send(Buffer.from('{}'), { 'content-type': 'text/plain' })).toBe(200)
  expect(await send(gzipSync('{}'), { 'content-encoding': 'gzip' })).toBe(200)
})

test('the sender of a body that is too large or broken gets its answer, not a broken connection', async () => {
  expect(await send(text(20 * mebibyte))).toBe(413)
  expect(await send(gzipSync(text(20 * mebibyte)), { 'content-encoding': 'gzip' })).toBe(413)
  expect(await send(Buffer.from('no gzip'), { 'content-encoding': 'gzip' })).toBe(422)
  expect(await send(text(1000), { 'content-encoding': 'br' })).toBe(422)
  expect(await send(Buffer.from('{'))).toBe(422)
  expect(await send(Buffer.alloc(0))).toBe(422)
})

test('when too much is held at once, writers are asked to come back, and later it goes on', async () => {
  const slow = Array.from({ length: 3 }, () => send(text(mebibyte - 100), { 'x-wait': 'yes' }))
  await vi.waitFor(() => expect(waiting).toHaveLength(3))
  expect(await send(text(1000))).toBe(429)
  for (const release of waiting) release()
  expect(await Promise.all(slow)).toEqual([200, 200, 200])
  await vi.waitFor(() => expect(bodies.heldBytes()).toBe(0))
  expect(await send(text(1000))).toBe(200)
})

test('a sender that goes away in the middle holds nothing any more', async () => {
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/',
    headers: { 'content-length': mebibyte },
  })
  request.on('error', () => {})
  request.write(Buffer.alloc(1000, ' '))
  await vi.waitFor(() => expect(bodies.heldBytes()).toBeGreaterThan(0))
  request.destroy()
  await vi.waitFor(() => expect(bodies.heldBytes()).toBe(0))
})
