import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { GridError } from '@teamgrid/api'

export type Stored = { sizeBytes: number; md5Hex: string; sha256Hex: string }

/**
 * A stream that lets bytes through and knows their number and digests. It fails instead of ending when they are too
 * many or not the expected ones, so whatever is written behind it never becomes complete.
 *
 * @throws (as a stream error) GridError too_large or invalid.
 */
export function createMeter(
  limits: { sizeMaxBytes?: number; expectedMd5Hex?: string; expectedSha256Hex?: string } = {},
): {
  stream: Transform
  /** Valid once the stream has ended. */
  stored: () => Stored
} {
  const { sizeMaxBytes = Infinity, expectedMd5Hex, expectedSha256Hex } = limits
  const md5 = expectedSha256Hex === undefined ? createHash('md5') : undefined
  const sha256 = createHash('sha256')
  let sizeBytes = 0
  let stored: Stored | undefined
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      if (sizeBytes > sizeMaxBytes) {
        done(new GridError('too_large', `The file is larger than the ${sizeMaxBytes} bytes allowed.`))
        return
      }
      md5?.update(chunk)
      sha256.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      stored = { sizeBytes, md5Hex: md5?.digest('hex') ?? '', sha256Hex: sha256.digest('hex') }
      if (expectedMd5Hex !== undefined && stored.md5Hex !== expectedMd5Hex.toLowerCase())
        done(
          new GridError(
            'invalid',
            `The file arrived damaged: its MD5 is ${stored.md5Hex}, not ${expectedMd5Hex}.`,
          ),
        )
      else if (expectedSha256Hex !== undefined && stored.sha256Hex !== expectedSha256Hex)
        done(
          new GridError(
            'invalid',
            `The file arrived damaged: its SHA-256 is ${stored.sha256Hex}, not ${expectedSha256Hex}.`,
          ),
        )
      else done()
    },
  })
  return {
    stream,
    stored() {
      if (!stored) throw new Error('The stream has not ended yet.')
      return stored
    },
  }
}
