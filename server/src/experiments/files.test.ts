import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBench, type Bench } from './testing.ts'

let bench: Bench
let team: Awaited<ReturnType<Bench['aTeam']>>
beforeAll(async () => {
  bench = await openBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (expected: string) => expect.objectContaining({ code: expected })
const bytes = (content: string) => Readable.from([Buffer.from(content)])

async function blobKeys(prefix = 'files/'): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of bench.blobs.list(prefix)) keys.push(key)
  return keys
}

test('only who may log gets urls to upload to; only the owner and admins delete', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  for (const actor of [team.mate, team.viewer])
    await expect(bench.experiments.uploadUrls(actor, ref, ['a'])).rejects.toEqual(code('forbidden'))
  await expect(bench.experiments.uploadUrls(team.stranger, ref, ['a'])).rejects.toEqual(code('not_found'))
  await expect(bench.experiments.listFiles(team.stranger, id)).rejects.toEqual(code('not_found'))
  await bench.experiments.storeFile(id, 'a', bytes('a'))
  await expect(bench.experiments.removeFiles(team.mate, id, ['a'])).rejects.toMatchObject({
    code: 'policy_denied',
  })
  await expect(bench.experiments.removeFiles(team.stranger, id, ['a'])).rejects.toEqual(code('not_found'))
  expect(await bench.experiments.listFiles(team.viewer, id)).toHaveLength(1)
})

test('paths that lead out of the experiment are refused, in a url and in an upload', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  for (const path of ['../x', '/x', 'a/../../x', 'a\\b', 'nul\0']) {
    await expect(bench.experiments.uploadUrls(team.member, ref, ['fine', path])).rejects.toEqual(
      code('invalid'),
    )
    await expect(bench.experiments.storeFile(id, path, bytes('x'))).rejects.toEqual(code('invalid'))
  }
  expect(await bench.experiments.listFiles(team.member, id)).toEqual([])
})

test('a deleted experiment takes no file, and leaves none', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  await bench.experiments.storeFile(id, 'a', bytes('a'))
  await bench.experiments.remove(team.member, id)
  await expect(bench.experiments.storeFile(id, 'b', bytes('b'))).rejects.toEqual(code('not_found'))
  expect(await blobKeys(`files/${projectId}/${id}/`)).toEqual([])
})

test('an upload that outlives its experiment leaves nothing behind', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  const slow = new Readable({ read() {} })
  slow.push('first half')
  const stored = bench.experiments.storeFile(id, 'slow', slow)
  const refused = expect(stored).rejects.toEqual(code('not_found'))
  await bench.experiments.remove(team.member, id)
  slow.push('second half')
  slow.push(null)
  await refused
  expect(await blobKeys(`files/${projectId}/${id}/`)).toEqual([])
})

test('urls are absolute, signed, in the order asked, and name the cleaned path', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  const names = ['./test with_special-characters.txt', 'media/100% é.png', 'a//b']
  const urls = await bench.experiments.uploadUrls(team.member, ref, names)
  expect(urls.map(({ path }) => path)).toEqual([
    'test with_special-characters.txt',
    'media/100% é.png',
    'a/b',
  ])
  for (const { url, path } of urls) {
    expect(url.startsWith(`${team.member.origin}/blobs/`)).toBe(true)
    const claim = bench.signed.open(new URL(url).pathname.split('/')[2]!)
    const writer = { userId: team.member.userId, teamId: team.id, of: { kind: 'experiment', id } }
    expect(claim).toEqual({ do: 'put-file', experimentId: id, path, writer })
  }
})

test('a file comes back as it went in, with its digests, and can be empty', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  const file = await bench.experiments.storeFile(id, './models/a b.json', bytes('hello'))
  expect(file).toMatchObject({
    path: 'models/a b.json',
    sizeBytes: 5,
    md5Hex: '5d41402abc4b2a76b9719d911017c592',
  })
  await bench.experiments.storeFile(id, 'empty', Readable.from([]))
  expect(await text(await bench.blobs.get(file.blobKey))).toBe('hello')
  const [empty, model] = await bench.experiments.files(team.viewer, ref)
  expect(empty).toMatchObject({ path: 'empty', sizeBytes: 0, mediaType: 'application/octet-stream' })
  expect(model).toMatchObject({ path: 'models/a b.json', sizeBytes: 5, mediaType: 'application/json' })
  const claim = bench.signed.open(new URL(model!.url).pathname.split('/')[2]!)
  expect(claim).toEqual({
    do: 'get',
    blobKey: file.blobKey,
    mediaType: 'application/json',
    reader: {
      userId: expect.any(String),
      teamId: file.teamId,
      of: { kind: 'experiment', id: file.experimentId },
    },
  })
})

test('a file that is uploaded again replaces the old one and frees its bytes, also many times at once', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  for (const content of ['one', 'two']) await bench.experiments.storeFile(id, 'live.txt', bytes(content))
  await Promise.all(
    [1, 2, 3, 4, 5].map((n) => bench.experiments.storeFile(id, 'live.txt', bytes(`round ${n}`))),
  )
  const listed = await bench.experiments.listFiles(team.member, id)
  expect(listed).toHaveLength(1)
  expect(await blobKeys(`files/${projectId}/${id}/`)).toEqual([listed[0]!.blobKey])
  expect(await text(await bench.blobs.get(listed[0]!.blobKey))).toMatch(/^round \d$/)
})

test('an upload that breaks off leaves the old file', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  await bench.experiments.storeFile(id, 'a', bytes('whole'))
  const broken = Readable.from(
    (function* () {
      yield Buffer.from('half')
      throw new Error('the network went away')
    })(),
  )
  await expect(bench.experiments.storeFile(id, 'a', broken)).rejects.toThrow()
  const [file] = await bench.experiments.listFiles(team.member, id)
  expect(await text(await bench.blobs.get(file!.blobKey))).toBe('whole')
  expect(await blobKeys(`files/${projectId}/${id}/`)).toEqual([file!.blobKey])
})

test('files are listed in order, by name, by pattern, by folder, and in pages', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  for (const path of ['b.txt', 'a/x%y.png', 'a/x_y.png', 'ab.txt'])
    await bench.experiments.storeFile(id, path, bytes(path))
  const paths = async (search: Parameters<typeof bench.experiments.listFiles>[2]) =>
    (await bench.experiments.listFiles(team.mate, id, search)).map((file) => file.path)
  expect(await paths({})).toEqual(['a/x%y.png', 'a/x_y.png', 'ab.txt', 'b.txt'])
  expect(await paths({ names: ['b.txt', 'none'] })).toEqual(['b.txt'])
  expect(await paths({ names: [] })).toEqual([])
  expect(await paths({ like: '%.txt' })).toEqual(['ab.txt', 'b.txt'])
  expect(await paths({ limit: 2 })).toEqual(['a/x%y.png', 'a/x_y.png'])
  expect(await paths({ limit: 2, after: 'a/x_y.png' })).toEqual(['ab.txt', 'b.txt'])
  expect((await bench.experiments.files(team.mate, ref, 'a/')).map((file) => file.path)).toHaveLength(2)
})

test('deleting files frees their bytes; deleting what is not there is fine', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  await bench.experiments.storeFile(id, 'a', bytes('a'))
  await bench.experiments.storeFile(id, 'b', bytes('a'))
  await bench.experiments.removeFiles(team.member, id, ['./a', 'none'])
  const [left, ...rest] = await bench.experiments.listFiles(team.member, id)
  expect({ path: left!.path, rest }).toEqual({ path: 'b', rest: [] })
  expect(await blobKeys(`files/${projectId}/${id}/`)).toEqual([left!.blobKey])
})

test('uploading to an experiment that has ended does not wake it', async () => {
  const { ref, id } = await bench.anExperiment(team.member)
  await bench.experiments.append(team.member, ref, { complete: { exitCode: 0 } })
  await bench.experiments.storeFile(id, 'late.txt', bytes('late'))
  expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'finished' })
})

test('who may look but not download gets no url', async () => {
  const other = await bench.aTeam()
  const { ref, id } = await bench.anExperiment(other.member)
  await bench.experiments.storeFile(id, 'a.txt', bytes('a'))
  await bench.db
    .updateTable('teams')
    .set({ policy_overrides: JSON.stringify({ view_only_downloads: false }) })
    .where('id', '=', other.id)
    .execute()
  expect(await bench.experiments.files(other.viewer, ref)).toMatchObject([{ path: 'a.txt', url: '' }])
  expect((await bench.experiments.files(other.mate, ref))[0]!.url).toContain('/blobs/')
})

test('a deleted project gives back what its experiments stored', async () => {
  const { ref, id, projectId } = await bench.anExperiment(team.member, { project: 'doomed' })
  await bench.experiments.storeFile(id, 'a', bytes('a'))
  await bench.experiments.append(team.member, ref, { history: { offset: 0, lines: ['{"a": 1}'] } })
  await bench.teams.deleteProject(team.admin, team.slug, 'doomed')
  await bench.experiments.sweepCrashed()
  expect(await blobKeys(`files/${projectId}/`)).toEqual([])
  expect(await bench.metrics.latest({ experimentId: id, stream: 'history', limit: 1 })).toEqual([])
})

test('what arrives while an experiment is deleted is cleared ten minutes later, with its last row', async () => {
  const { id, projectId } = await bench.anExperiment(team.member)
  await bench.experiments.remove(team.member, id)
  await bench.metrics.append({
    facts: [
      { projectId, experimentId: id, facts: [{ key: 'name', number: null, text: 'late' }], removedKeys: [] },
    ],
  })
  const row = () => bench.db.selectFrom('experiments').select('id').where('id', '=', id).executeTakeFirst()
  await bench.experiments.sweepCrashed()
  expect(await row()).toEqual({ id })
  bench.time.now += 601_000
  await bench.experiments.sweepCrashed()
  expect(await row()).toBeUndefined()
  const late = { op: 'eq', key: 'name', value: 'late' } as const
  expect(
    await bench.metrics.find({ projectIds: [projectId], filter: late, sort: [], offset: 0, limit: 1 }),
  ).toMatchObject({ total: 0 })
})
