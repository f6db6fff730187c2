/**
 * Blobs in an S3 bucket: Amazon's, or any server that speaks its protocol. An object becomes visible when its upload is
 * completed, so a broken one leaves nothing; its parts are given up at once.
 */
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { GridError } from '@teamgrid/api'
import type { S3Config } from '../../config.ts'
import type { BlobStore } from './blob-store.ts'
import { checkKey, checkPrefix, checkRange, wrongSize } from './keys.ts'
import { createMeter } from './meter.ts'

const mebibyte = 1024 * 1024
/** At 10,000 parts, S3's limit, this allows files of 80 GB, larger ones need larger parts; at most three are in memory. */
const partBytes = 8 * mebibyte
const partsMax = 10_000
const partsAtOnce = 2
/** S3 copies at most 5 GB in one request; larger objects are copied in parts of this size. */
const copyPartBytes = 1024 * mebibyte
const removalsAtOnce = 1000

export type S3Options = {
  /** A store that says nothing for this long is taken to be away. */
  silenceSecondsMax?: number
  attemptsMax?: number
  /** From which size on objects are copied in parts; tests lower it. */
  copyPartBytes?: number
}

/**
 * Opens a bucket and proves that it can be used.
 *
 * @throws GridError unavailable: one sentence naming the setting that is wrong, never a secret.
 */
export async function openS3BlobStore(config: S3Config, options: S3Options = {}): Promise<BlobStore> {
  const { bucket: Bucket } = config
  const silenceMs = (options.silenceSecondsMax ?? 30) * 1000
  const largeCopyBytes = options.copyPartBytes ?? copyPartBytes
  const client = new S3Client({
    ...(config.endpoint ? { endpoint: config.endpoint } : {}),
    region: config.region,
    forcePathStyle: config.forcePathStyle,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
    maxAttempts: options.attemptsMax ?? 4,
    // Checksums in trailers, the SDK's default, are not understood by every server; our own digests are checked anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(5000, silenceMs),
      socketTimeout: silenceMs,
      requestTimeout: silenceMs,
      throwOnRequestTimeout: true,
    },
  })

  try {
    await client.send(new HeadBucketCommand({ Bucket }))
  } catch (error) {
    client.destroy()
    throw openFailure(error, config)
  }

  async function stat(Key: string) {
    try {
      const head = await client.send(new HeadObjectCommand({ Bucket, Key }))
      return { sizeBytes: head.ContentLength ?? 0, updatedAt: head.LastModified ?? new Date(0) }
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw translate(error)
    }
  }

  return {
    async put(Key, body, limits) {
      checkKey(Key)
      const meter = createMeter(limits)
      const Body = new PassThrough()
      const upload = new Upload({
        client,
        params: { Bucket, Key, Body },
        partSize: Math.max(partBytes, Math.ceil((limits?.sizeBytes ?? 0) / partsMax)),
        queueSize: partsAtOnce,
        leavePartsOnError: false,
      })
      // The body's own trouble (a client that went away, a wrong digest) is told as it is, not as the store's.
      let bodyFailure: { error: unknown } | undefined
      const feeding = pipeline(body, meter.stream, Body).catch((error: unknown) => {
        bodyFailure ??= { error }
      })
      try {
        await upload.done()
        await feeding
      } catch (error) {
        const failure = bodyFailure?.error ?? translate(error)
        body.destroy()
        Body.destroy()
        await feeding
        throw failure
      }
      return meter.stored()
    },

    async beginParts(Key) {
      checkKey(Key)
      const { UploadId } = await client
        .send(new CreateMultipartUploadCommand({ Bucket, Key }))
        .catch((error: unknown) => {
          throw translate(error)
        })
      return UploadId!
    },

    async putPart(Key, UploadId, PartNumber, body, sizeBytes) {
      // Gathered first: a part whose sender goes away in the middle must not reach the store in pieces, and this one
      // can be sent again.
      const Body = await gather(body, sizeBytes)
      try {
        const { ETag } = await client.send(
          new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ContentLength: sizeBytes }),
        )
        return ETag!
      } catch (error) {
        throw translate(error)
      }
    },

    async finishParts(Key, UploadId, parts) {
      const Parts = parts.map((ETag, index) => ({ PartNumber: index + 1, ETag }))
      try {
        await client.send(
          new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
        )
      } catch (error) {
        throw translate(error)
      }
    },

    async abandonParts(Key, UploadId) {
      try {
        await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
      } catch (error) {
        if (statusOf(error) !== 404) throw translate(error)
      }
    },

    async get(Key, range) {
      checkKey(Key)
      if (range) {
        const found = await stat(Key)
        if (!found) throw new GridError('not_found')
        checkRange(range, found.sizeBytes)
      }
      try {
        const Range = range ? { Range: `bytes=${range.start}-${range.end}` } : {}
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, ...Range }))
        return Body as Readable
      } catch (error) {
        throw translate(error)
      }
    },

    async stat(key) {
      checkKey(key)
      return await stat(key)
    },

    async copy(from, to) {
      checkKey(from)
      checkKey(to)
      const found = await stat(from)
      if (!found) throw new GridError('not_found')
      const CopySource = `${Bucket}/${from}`
      try {
        if (found.sizeBytes <= largeCopyBytes)
          await client.send(new CopyObjectCommand({ Bucket, Key: to, CopySource }))
        else await copyInParts(client, { Bucket, Key: to, CopySource }, found.sizeBytes, largeCopyBytes)
      } catch (error) {
        throw translate(error)
      }
    },

    async remove(keys) {
      keys.forEach(checkKey)
      try {
        for (let from = 0; from < keys.length; from += removalsAtOnce) {
          const Objects = keys.slice(from, from + removalsAtOnce).map((Key) => ({ Key }))
          const { Errors } = await client.send(
            new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
          )
          const failed = Errors?.find(({ Code }) => Code !== 'NoSuchKey')
          if (failed)
            throw new Error(`The file store did not remove ${failed.Key}: ${failed.Message ?? failed.Code}`)
        }
      } catch (error) {
        throw translate(error)
      }
    },

    async *list(Prefix) {
      checkPrefix(Prefix)
      let ContinuationToken: string | undefined
      do {
        const page = await client
          .send(
            new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken ? { ContinuationToken } : {}) }),
          )
          .catch((error: unknown) => {
            throw translate(error)
          })
        for (const { Key, Size } of page.Contents ?? []) yield { key: Key!, sizeBytes: Size ?? 0 }
        ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (ContinuationToken)
    },

    close() {
      client.destroy()
      return Promise.resolve()
    },
  }
}

/** @throws GridError invalid, when it is not `sizeBytes` long. */
async function gather(body: Readable, sizeBytes: number): Promise<Buffer> {
  const all = Buffer.allocUnsafe(sizeBytes)
  let at = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (at + chunk.length > sizeBytes) throw wrongSize(sizeBytes)
    at += chunk.copy(all, at)
  }
  if (at !== sizeBytes) throw wrongSize(sizeBytes)
  return all
}

type CopyTarget = { Bucket: string; Key: string; CopySource: string }

async function copyInParts(
  client: S3Client,
  target: CopyTarget,
  sizeBytes: number,
  bytesPerPart: number,
): Promise<void> {
  const { Bucket, Key, CopySource } = target
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  try {
    const Parts = []
    for (let start = 0, PartNumber = 1; start < sizeBytes; start += bytesPerPart, PartNumber++) {
      const end = Math.min(start + bytesPerPart, sizeBytes) - 1
      const CopySourceRange = `bytes=${start}-${end}`
      const copied = await client.send(
        new UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber, CopySource, CopySourceRange }),
      )
      Parts.push({ PartNumber, ETag: copied.CopyPartResult?.ETag })
    }
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    )
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => {})
    throw error
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}

function translate(cause: unknown): unknown {
  if (cause instanceof GridError) return cause
  const status = statusOf(cause)
  if (status === 404 && (cause as Error).name !== 'NoSuchBucket')
    return new GridError('not_found', undefined, { cause })
  if (status === 507 || /storage.?full|insufficient.?storage|quota/i.test((cause as Error).name))
    return new GridError('storage_full', 'The file store is full; nothing was lost, try again later.', {
      cause,
      retryAfterSeconds: 60,
    })
  return new GridError('unavailable', 'The file store does not answer; try again.', {
    cause,
    retryAfterSeconds: 5,
  })
}

function openFailure(cause: unknown, { endpoint, bucket, region }: S3Config): GridError {
  const place = endpoint ?? `Amazon S3 in ${region}`
  const status = statusOf(cause)
  // A HEAD answer has no body, so the status is all there is.
  if (status === 404)
    return new GridError('unavailable', `There is no bucket "${bucket}" (S3_BUCKET) at ${place}.`, {
      hint: 'Make the bucket, or name one that exists.',
      cause,
    })
  if (status === 401 || status === 403)
    return new GridError(
      'unavailable',
      `${place} does not accept S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY for the bucket "${bucket}".`,
      { cause },
    )
  if (status === 301 || status === 400)
    return new GridError(
      'unavailable',
      `The bucket "${bucket}" is not in the region ${region} (S3_REGION).`,
      { cause },
    )
  return new GridError(
    'unavailable',
    `${place} (S3_ENDPOINT) does not answer: ${(cause as Error).message || (cause as Error).name}.`,
    {
      cause,
    },
  )
}
