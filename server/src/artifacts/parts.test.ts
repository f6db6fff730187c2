/** Large files in parts: what is cut off, damaged or left out never becomes content. */
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArtifactBench, md5Base64, md5Hex, openArtifactBench } from './testing.ts'

let bench: ArtifactBench
let team: Awaited<ReturnType<ArtifactBench['aTeam']>>
beforeAll(async () => {
  bench = await openArtifactBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (name: string) => expect.objectContaining({ code: name })
const pieces = ['first part, ', 'second part, ', 'last']
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
  const send = (at: number, body: string | Readable = pieces[at]!) =>
    bench.put(place!.partUrls![at]!.url, body)
  const { projectId } = artifact.collection
  return { client, artifact, parts, place: place!, complete, send, projectId }
}

test('parts in any order, one of them twice, become the file; asking again is fine', async () => {
  const { client, complete, send, projectId } = await announced()
  for (const at of [2, 0, 1, 0]) await send(at)
  await expect(complete()).resolves.toBe(md5Hex(whole))
  await expect(complete()).resolves.toBe(md5Hex(whole))
  expect((await bench.storedKeys(projectId)).filter((key) => key.includes('/parts/'))).toEqual([])
  await client.sendManifest()
  const { id } = await client.commit()
  expect(await bench.contentsOf(team.member, id)).toEqual({ big: whole })
})

test('a part that is cut off or damaged is refused and sent again; one that is missing is named', async () => {
  const { client, complete, send, projectId } = await announced()
  await send(0)
  await expect(send(1, 'another part')).rejects.toEqual(code('invalid'))
  const cut = Readable.from(
    (async function* () {
      yield Buffer.from('second')
      throw new Error('The sender went away')
    })(),
  )
  await expect(send(1, cut)).rejects.toThrow('went away')
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
  expect((await bench.storedKeys(projectId)).some((key) => key.includes('/content/'))).toBe(false)
  await client.sendManifest()
  await expect(client.commit()).rejects.toEqual(code('invalid'))
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
  const { send, projectId } = await announced()
  await send(0)
  expect(await bench.storedKeys(projectId)).toHaveLength(1)
  bench.time.now += 26 * 3_600_000
  await bench.artifacts.sweep()
  expect(await bench.storedKeys(projectId)).toEqual([])
})
