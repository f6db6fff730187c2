import { text } from 'node:stream/consumers'
import { fastify } from 'fastify'
import { describe, expect, test } from 'vitest'
import { blobsEdge, rangeOf } from './blobs.ts'

describe('a Range header', () => {
  test.each(['', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b', 'bytes=-1-2'])(
    '%j is answered with the whole file',
    (header) => {
      expect(rangeOf(header, 10)).toBeNull()
    },
  )

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%j lies outside of 10 bytes', (header) => {
    expect(rangeOf(header, 10)).toBe('unsatisfiable')
  })

  test('names both ends, one, or how many from the end, and never more than there is', () => {
    expect(rangeOf('bytes=2-4', 10)).toEqual({ start: 2, end: 4 })
    expect(rangeOf('bytes=2-', 10)).toEqual({ start: 2, end: 9 })
    expect(rangeOf('bytes=8-99', 10)).toEqual({ start: 8, end: 9 })
    expect(rangeOf('bytes=-3', 10)).toEqual({ start: 7, end: 9 })
    expect(rangeOf('bytes=-99', 10)).toEqual({ start: 0, end: 9 })
    expect(rangeOf('bytes=-5', 0)).toBe('unsatisfiable')
  })
})

describe('a file that is sent', () => {
  test.each(['', 'nonsense', 'text/plain', 'application/json'])('may say %j of its type', async (type) => {
    const app = fastify()
    let got = ''
    await app.register(
      blobsEdge({
        signed: { open: () => ({ do: 'put-manifest', manifestId: 'm' }), sign: () => '' },
        blobs: undefined as never,
        isStillMember: () => Promise.resolve(true),
        async store(_claim, body, sizeBytes) {
          got = `${await text(body)} of ${sizeBytes} bytes`
        },
      }),
    )
    const url = '/blobs/token/big.bin'
    const answer = await app.inject({ method: 'PUT', url, headers: { 'content-type': type }, body: 'bytes' })
    expect([answer.statusCode, got]).toEqual([200, 'bytes of 5 bytes'])
    await app.close()
  })
})
