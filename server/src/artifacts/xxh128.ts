/**
 * XXH128, by which newer clients may name content: a checksum of 128 bits, faster than MD5 and, like it, no proof
 * against somebody who wants two files to look the same. Source: https://github.com/Cyan4973/xxHash, XXH3.
 */
import { Transform, type Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'
import { createXXHash128 } from 'hash-wasm'

/** Lower-case hex of the canonical (big-endian) form. */
export async function xxh128Hex(text: string): Promise<string> {
  const hash = await createXXHash128()
  return hash.init().update(text).digest('hex')
}

/** The same bytes; the stream fails instead of ending when their XXH128 is another. */
export async function expectXxh128(body: Readable, expectedHex: string): Promise<Readable> {
  const hash = await createXXHash128()
  hash.init()
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      const hex = hash.digest('hex')
      const fault = `The file arrived damaged: its XXH128 is ${hex}, not ${expectedHex}.`
      done(hex === expectedHex ? null : new GridError('invalid', fault))
    },
  })
  body.once('error', (error) => meter.destroy(error))
  // A client that goes away closes its body without an error and without an end.
  body.once('close', () => {
    if (!body.readableEnded) meter.destroy(new Error('The upload was cut off'))
  })
  return body.pipe(meter)
}
