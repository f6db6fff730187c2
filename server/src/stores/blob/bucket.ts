/** Buckets of others that are read from, as sources of datastores. */
import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import { GetObjectCommand, ListObjectsV2Command, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { GridError } from '@teamgrid/api'
import type { Bucket, BucketAt } from './blob-store.ts'

const silenceMs = 60_000

/** @param agents make the connections, and refuse those to addresses that must not be asked. */
export function openBucket(at: BucketAt, agents: { httpAgent: HttpAgent; httpsAgent: HttpsAgent }): Bucket {
  const { bucket: Bucket } = at
  const client = new S3Client({
    ...(at.endpoint ? { endpoint: at.endpoint, forcePathStyle: true } : {}),
    region: at.region,
    ...(at.credential ? { credentials: at.credential } : unsigned),
    maxAttempts: 4,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      ...agents,
      connectionTimeout: 10_000,
      socketTimeout: silenceMs,
      requestTimeout: silenceMs,
    },
  })
  const told = (error: unknown, key?: string): GridError => {
    const { name, $metadata, message } = error as Error & { $metadata?: { httpStatusCode?: number } }
    const status = $metadata?.httpStatusCode
    const what = key === undefined ? `s3://${Bucket}` : `s3://${Bucket}/${key}`
    if (error instanceof GridError) return error
    const guarded = (error as { cause?: unknown }).cause
    if (guarded instanceof GridError) return guarded
    if (status === 412) return new GridError('conflict', `${what} was changed since it was listed`)
    if (status === 404) return new GridError('not_found', `${what} is not there (${name})`)
    if (status === 403 || status === 401)
      return new GridError('invalid', `${what} may not be read with this credential (${name})`, {
        hint: 'Give an access key that may list and read it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
      })
    if (status === 301)
      return new GridError('invalid', `${what} is in another region`, { hint: 'Say which: --region REGION' })
    return new GridError('unavailable', `${what}: ${message.slice(0, 300)}`, { cause: error })
  }
  return {
    async *list(prefix) {
      let ContinuationToken: string | undefined
      do {
        const page = await client
          .send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }))
          .catch((error: unknown) => {
            throw told(error)
          })
        for (const { Key, Size, ETag } of page.Contents ?? [])
          if (Key !== undefined) yield { key: Key, sizeBytes: Size ?? 0, etag: ETag ?? '' }
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
    },
    async get(Key, etag, range) {
      const answer = await client
        .send(
          new GetObjectCommand({
            Bucket,
            Key,
            ...(etag === '' ? {} : { IfMatch: etag }),
            ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
          }),
        )
        .catch((error: unknown) => {
          throw told(error, Key)
        })
      return answer.Body as Readable
    },
    close: () => client.destroy(),
  }
}

/**
 * Requests go out as they are, for buckets that are open to everybody. Without these the SDK would look for credentials
 * of the machine, which are nobody's but the operator's.
 */
const unsigned: Pick<S3ClientConfig, 'signer' | 'credentials'> = {
  credentials: { accessKeyId: 'nobody', secretAccessKey: 'nobody' },
  signer: { sign: (request) => Promise.resolve(request) },
}
