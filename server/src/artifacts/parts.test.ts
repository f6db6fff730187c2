/** Large files in parts: what is cut off, damaged or left out never becomes content. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../../../tests/support/parts.ts'
import { venv } from '../../../tests/support/python.ts'
import { type Seaweed, startSeaweed } from '../../../tests/support/seaweed.ts'
import { openS3BlobStore } from '../stores/blob/s3.ts'
import { type ArtifactBench, md5Base64, md5Hex, onStore, openArtifactBench } from './testing.ts'

let bench: ArtifactBench
let team: Awaited<ReturnType<ArtifactBench['aTeam']>>
beforeAll(async () => {
  bench = await openArtifactBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (name: string) => expect.objectContaining({ code: name })
const pieces = ['first part, ', 'second part,', 'last']
const whole = pieces.join('')
let projects = 0

/** A version on its way whose one file is announced in parts. */
async function announced(content = whole) {
  const project = `parts-${(projects += 1)}`
  const client = bench.saving(team.member, team, { big: content }, { project })
  const artifact = await client.create()
  const parts = pieces.map((piece, at) => ({ partNumber: at + 1, md5Hex: md5Hex(piece) }))
  const file = { artifactId: artifact.id, name: 'big', digest: md5Base64(content), parts }
  const [place] = await bench.artifacts.createFiles(team.member, [file])
  const complete = (given = parts) =>
    bench.artifacts.completeParts(team.member, {
      artifactId: artifact.id,
      storagePath: place!.storagePath,
      parts: given,
    })
  const send = (at: number, body: string | Readable = pieces[at]!, sizeBytes?: number) =>
    bench.put(place!.partUrls![at]!.url, body, sizeBytes)
  const { projectId } = artifact.collection
  return { client, artifact, parts, place: place!, complete, send, projectId }
}

test('parts in any order, one of them twice, become the file; asking again is fine', async () => {
  const { client, complete, send, projectId } = await announced()
  for (const at of [2, 0, 1, 0]) await send(at)
  await Promise.all([send(1), send(1), send(2)])
  await expect(Promise.all([complete(), complete()])).resolves.toEqual([md5Hex(whole), md5Hex(whole)])
  await expect(complete()).resolves.toBe(md5Hex(whole))
  expect((await bench.storedKeys(projectId)).filter((key) => key.includes('/parts/'))).toEqual([])
  await client.sendManifest()
  const { id } = await client.commit()
  expect(await bench.contentsOf(team.member, id)).toEqual({ big: whole })
})

test('a part that is cut off or damaged is refused and sent again; one that is missing is named', async () => {
  const { client, complete, send, projectId } = await announced()
  await send(0)
  await expect(send(1, 'another part')).rejects.toThrow('arrived damaged')
  await expect(send(1, 'of another size')).rejects.toThrow('Part 2 has 15 bytes; all have 12')
  await expect(send(1, Readable.from(['?']))).rejects.toThrow('says how long it is')
  const cut = Readable.from(
    (async function* () {
      yield Buffer.from('second')
      throw new Error('The sender went away')
    })(),
  )
  await expect(send(1, cut, pieces[1]!.length)).rejects.toThrow('went away')
  // What is there stays, whatever is sent under its link later.
  await send(0, 'FIRST PART, ')
  await send(2)
  await expect(complete()).rejects.toThrow('Part 2 has not been sent')
  expect((await bench.storedKeys(projectId)).some((key) => key.includes('/content/'))).toBe(false)
  await client.sendManifest()
  await expect(client.commit()).rejects.toEqual(code('invalid'))
  await send(1)
  await complete()
  expect((await client.commit()).state).toBe('committed')
})

test('parts that make another whole than announced are no content, whatever each of them is', async () => {
  const { client, complete, send, projectId } = await announced('something else altogether')
  for (const at of [0, 1, 2]) await send(at)
  await expect(complete()).rejects.toEqual(code('invalid'))
  expect(await bench.storedKeys(projectId)).toEqual([])
  await client.sendManifest()
  await expect(client.commit()).rejects.toEqual(code('invalid'))
  // All of it is forgotten, so nothing is left to complete.
  await expect(complete()).rejects.toThrow('Part 1 has not been sent')
})

test('a mate, a viewer and a stranger complete nothing; a made-up path is refused', async () => {
  const { artifact, parts, place, send } = await announced()
  for (const at of [0, 1, 2]) await send(at)
  const input = { artifactId: artifact.id, storagePath: place.storagePath, parts }
  for (const [actor, outcome] of [
    [team.mate, 'forbidden'],
    [team.viewer, 'forbidden'],
    [team.stranger, 'not_found'],
  ] as const)
    await expect(bench.artifacts.completeParts(actor, input)).rejects.toEqual(code(outcome))
  await expect(
    bench.artifacts.completeParts(team.member, { ...input, storagePath: '../../etc/passwd' }),
  ).rejects.toEqual(code('invalid'))
})

test('parts of an upload that never ended go with its version', async () => {
  const { send, projectId, artifact } = await announced()
  await send(2)
  await send(0)
  expect(await bench.storedKeys(projectId)).toHaveLength(1) // the last part, which waits for its place
  const unfinished = await bench.db
    .selectFrom('artifact_uploads')
    .select(['blob_key', 'parts_token'])
    .where('artifact_id', '=', artifact.id)
    .executeTakeFirstOrThrow()
  bench.time.now += 26 * 3_600_000
  await bench.artifacts.sweep()
  expect(await bench.storedKeys(projectId)).toEqual([])
  const { blob_key, parts_token } = unfinished
  await expect(bench.blobs.putPart(blob_key, parts_token, 1, Readable.from(['x']), 1)).rejects.toEqual(
    code('not_found'),
  )
})

/** Parts that a store takes in several pieces, the last one before the others. */
async function sendLargeParts(at: ArtifactBench): Promise<void> {
  const mebibyte = 1024 * 1024
  const bytes = randomBytes(17 * mebibyte)
  const cuts = [0, 16 * mebibyte, bytes.length]
  const parts = [1, 2].map((partNumber) => bytes.subarray(cuts[partNumber - 1], cuts[partNumber]))
  const members = await at.aTeam()
  const client = at.saving(members.member, members, {}, {})
  const artifact = await client.create()
  const announced = parts.map((piece, index) => ({ partNumber: index + 1, md5Hex: md5Hex(piece) }))
  const [place] = await at.artifacts.createFiles(members.member, [
    { artifactId: artifact.id, name: 'big', digest: md5Base64(bytes), parts: announced },
  ])
  const send = (index: number) => at.put(place!.partUrls![index]!.url, parts[index]!)
  await send(1)
  await send(0)
  const { storagePath } = place!
  await at.artifacts.completeParts(members.member, {
    artifactId: artifact.id,
    storagePath,
    parts: announced,
  })
  const keys = await at.storedKeys(artifact.collection.projectId)
  expect(keys).toHaveLength(1)
  expect((await buffer(await at.blobs.get(keys[0]!))).equals(bytes)).toBe(true)
}

test('large parts are written where they belong, whichever comes first', () => sendLargeParts(bench), 60_000)

const seaweedfs = await part('seaweedfs', () => venv('seaweedfs'))

describe.skipIf(!seaweedfs)('on SeaweedFS', () => {
  let seaweed: Seaweed
  let onS3: ArtifactBench
  beforeAll(async () => {
    seaweed = await startSeaweed()
    onS3 = onStore(bench, await openS3BlobStore(seaweed.config))
  }, 120_000)
  afterAll(async () => {
    await onS3?.blobs.close()
    await seaweed?.stop()
  })

  test('large parts become one object', () => sendLargeParts(onS3), 60_000)
})
