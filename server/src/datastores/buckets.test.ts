/** Folders of a real S3 store as sources. */
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { DatastoreImport } from '@teamgrid/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { type Seaweed, startSeaweed } from '../../../tests/support/seaweed.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let weed: Seaweed
let credential: { accessKeyId: string; secretAccessKey: string }

beforeAll(async () => {
  ;[weed, app] = await Promise.all([startSeaweed(), startApp({ privateSources: ['127.0.0.1'] })])
  team = await app.aTeam()
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = weed.config
  credential = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint: endpoint!, region, forcePathStyle: true, credentials: credential })
  const objects = {
    'set/a.txt': 'hello',
    'set/deep/b.txt': 'world',
    'set/large.bin': 'l'.repeat(2_000_000),
    'set/folder/': '',
    'setback.txt': 'not below set',
  }
  for (const [Key, Body] of Object.entries(objects))
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
  client.destroy()
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await weed.stop()
})

async function fetched(prefix: string, more: object): Promise<DatastoreImport> {
  const { id: importId } = await team.member.datastores.startImport({
    team: team.slug,
    name: 'fetched',
    source: `s3://${weed.config.bucket}/${prefix}`,
    endpoint: weed.config.endpoint!,
    region: weed.config.region,
    ...more,
  })
  for (;;) {
    const told = new Promise<void>((resolve) => {
      const stop = app.events.subscribe((event) => {
        if (event.type === 'datastore.changed') resolve(stop())
      })
    })
    const now = await team.member.datastores.import({ importId })
    if (now.state === 'done' || now.state === 'failed') return now
    await told
  }
}

test('a folder of a bucket is copied, and its key is forgotten', async () => {
  const done = await fetched('set', credential)
  expect(done).toMatchObject({ state: 'done', files: 3, error: null })
  const at = { datastoreId: done.datastoreId!, version: done.version! }
  const { items } = await team.mate.datastores.files({ ...at, folder: '' })
  expect(items.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
    ['a.txt', 5],
    ['deep', 5],
    ['large.bin', 2_000_000],
  ])
  const { url } = await team.mate.datastores.file({ ...at, path: 'deep/b.txt' })
  expect(await (await app.inject(new Request(url))).text()).toBe('world')
  const row = await app.db
    .selectFrom('datastore_imports')
    .selectAll()
    .where('id', '=', done.id)
    .executeTakeFirstOrThrow()
  expect(row.sealed_source).toBeNull()
})

test.each([
  [
    'a wrong key',
    'set',
    { accessKeyId: 'teamgrid', secretAccessKey: 'wrong' },
    /may not be read with this credential/,
  ],
  ['no key where one is needed', 'set', {}, /may not be read with this credential/],
  ['a prefix with nothing below', 'nothing', undefined, /There is nothing at/],
])('%s is told, and no version comes of it', async (_, prefix, keys, says) => {
  const failed = await fetched(prefix, keys ?? credential)
  expect(failed).toMatchObject({ state: 'failed', version: null })
  expect(failed.error).toMatch(says)
})

test('an endpoint at a private address is refused', async () => {
  await expect(fetched('set', { ...credential, endpoint: 'http://10.0.0.7:9000' })).rejects.toThrow(
    /private address/,
  )
})
