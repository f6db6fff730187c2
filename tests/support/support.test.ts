import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { chromiumPath, launch } from './chromium.ts'
import { part } from './parts.ts'
import { venv } from './python.ts'
import { startSeaweed } from './seaweed.ts'

const chromium = await part('chromium', chromiumPath)
const python = await part('wandb-latest', () => venv('wandb-latest'))
const seaweed = await part('seaweedfs', () => venv('seaweedfs'))

describe.skipIf(!chromium)('the browser', () => {
  test('runs a page’s script', async () => {
    const browser = await launch()
    const page = await browser.newPage()
    await page.setContent('<p id=a></p><script>a.textContent = 6 * 7</script>')
    expect(await page.textContent('#a')).toBe('42')
    await browser.close()
  })
})

describe.skipIf(!python)('the Python environment', () => {
  test('has the client and what the examples train with', () => {
    const said = execFileSync(
      python!,
      ['-c', 'import wandb, sklearn.datasets, PIL; print(wandb.__version__)'],
      { encoding: 'utf8' },
    )
    expect(said.trim()).toBe('0.31.0')
  })
})

describe.skipIf(!seaweed)('the S3 server', () => {
  test('serves an empty bucket, to its own keys only', async () => {
    const server = await startSeaweed()
    const { endpoint, accessKeyId, secretAccessKey, bucket } = server.config
    const client = (secret: string) =>
      new S3Client({
        endpoint: endpoint!,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey: secret },
      })
    const { Buckets } = await client(secretAccessKey).send(new ListBucketsCommand())
    expect(Buckets?.map(({ Name }) => Name)).toEqual([bucket])
    await expect(client('wrong').send(new ListBucketsCommand())).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    })
    await server.stop()
  })
})

test('a part that cannot be had skips its tests, and fails them in CI', async () => {
  const before = process.env.CI
  try {
    delete process.env.CI
    expect(await part('a unicorn', () => Promise.reject(new Error('there are none')))).toBeUndefined()
    process.env.CI = 'true'
    await expect(part('a unicorn', () => Promise.reject(new Error('there are none')))).rejects.toThrow(
      'CI needs a unicorn',
    )
  } finally {
    if (before === undefined) delete process.env.CI
    else process.env.CI = before
  }
})
