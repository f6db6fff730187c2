import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { part } from '../../../../tests/support/parts.ts'
import { venv } from '../../../../tests/support/python.ts'
import { startSeaweed, type Seaweed } from '../../../../tests/support/seaweed.ts'
import { blobStoreContract } from './blob-store.contract.ts'
import { openS3BlobStore } from './s3.ts'

const mebibyte = 1024 * 1024
const installed = await part('seaweedfs', () => venv('seaweedfs'))

describe.skipIf(!installed)('on SeaweedFS', () => {
  let seaweed: Seaweed
  beforeAll(async () => {
    seaweed = await startSeaweed()
  }, 120_000)
  afterAll(() => seaweed.stop())

  test('a wrong setting is named when the store is opened, and no secret', async () => {
    const { config } = seaweed
    const failure = (changed: Partial<typeof config>) =>
      openS3BlobStore({ ...config, ...changed }, { attemptsMax: 1, silenceSecondsMax: 2 }).then(
        () => 'opened',
        (error: Error) => error.message,
      )
    expect(await failure({ bucket: 'no-such-bucket' })).toBe(
      `There is no bucket "no-such-bucket" (S3_BUCKET) at ${config.endpoint}.`,
    )
    const refused = await failure({ secretAccessKey: 'wrong-secret' })
    expect(refused).toContain('does not accept S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY')
    expect(refused).not.toContain('wrong-secret')
    expect(await failure({ endpoint: 'http://127.0.0.1:1' })).toContain(
      'http://127.0.0.1:1 (S3_ENDPOINT) does not answer',
    )
  })

  blobStoreContract('S3', () => openS3BlobStore(seaweed.config))

  test('a broken large upload gives up its parts', async () => {
    const store = await openS3BlobStore(seaweed.config)
    async function* breaking() {
      for (let sent = 0; sent < 20; sent++) yield randomBytes(mebibyte)
      throw new Error('the cable was pulled')
    }
    await expect(store.put('broken/parts', Readable.from(breaking()))).rejects.toThrow('the cable was pulled')
    const { endpoint, region, accessKeyId, secretAccessKey, bucket } = seaweed.config
    const client = new S3Client({
      endpoint: endpoint!,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    })
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    expect(Uploads ?? []).toEqual([])
    await store.close()
  })

  test('an object too large for one copy request is copied in parts', async () => {
    const store = await openS3BlobStore(seaweed.config, { copyPartBytes: 5 * mebibyte })
    const content = randomBytes(12 * mebibyte)
    await store.put('parts/from', Readable.from([content]))
    await store.copy('parts/from', 'parts/to')
    expect((await buffer(await store.get('parts/to'))).equals(content)).toBe(true)
    await store.close()
  })

  test('a store that stops answering is unavailable, and used again when it is back', async () => {
    const store = await openS3BlobStore(seaweed.config, { silenceSecondsMax: 1, attemptsMax: 1 })
    seaweed.pause()
    try {
      await expect(store.stat('anything')).rejects.toMatchObject({ code: 'unavailable' })
      await expect(store.put('paused', Readable.from([Buffer.from('x')]))).rejects.toMatchObject({
        code: 'unavailable',
      })
      await expect(store.get('anything')).rejects.toMatchObject({ code: 'unavailable' })
    } finally {
      seaweed.resume()
    }
    await store.put('resumed', Readable.from([Buffer.from('x')]))
    expect(await store.stat('resumed')).toMatchObject({ sizeBytes: 1 })
    await store.close()
  })
})
