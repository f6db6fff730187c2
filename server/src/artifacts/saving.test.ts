import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { randomText } from '../lib/ids.ts'
import { manifestBytesMax } from './manifest.ts'
import { type ArtifactBench, manifestOf, md5Base64, openArtifactBench } from './testing.ts'

let bench: ArtifactBench
let team: Awaited<ReturnType<ArtifactBench['aTeam']>>
beforeAll(async () => {
  bench = await openArtifactBench()
})
beforeEach(async () => {
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('who may save', () => {
  test('a stranger may not, and is not told that the team exists', async () => {
    const refusalIn = (slug: string) =>
      bench
        .saving(team.stranger, { slug }, { a: '1' })
        .create()
        .catch((error: unknown) => error)
    const refused = await refusalIn(team.slug)
    expect(refused).toEqual(code('not_found'))
    expect(await refusalIn('no-such-team')).toEqual(refused)
  })

  test('a viewer may not', async () => {
    await expect(bench.saving(team.viewer, team, { a: '1' }).create()).rejects.toEqual(code('forbidden'))
  })

  test('the operator is nobody whom an artifact could belong to', async () => {
    const operator: Actor = { ...team.admin, kind: 'operator', userId: null, memberships: new Map() }
    await expect(bench.saving(operator, team, { a: '1' }).create()).rejects.toEqual(code('forbidden'))
  })

  test('only its owner and admins log from an experiment', async () => {
    const { slug } = await bench.anExperiment(team.member)
    const log = (actor: Actor) => bench.save(actor, team, { a: '1' }, { experiment: slug })
    await expect(log(team.mate)).rejects.toEqual(code('forbidden'))
    await expect(log(team.viewer)).rejects.toEqual(code('forbidden'))
    await expect(log(team.stranger)).rejects.toEqual(code('not_found'))
    await expect(log(team.member)).resolves.toMatchObject({ versionIndex: 0 })
    await expect(log(team.admin)).resolves.toMatchObject({ versionIndex: 0 })
    const missing = bench.saving(team.member, team, {}, { experiment: 'no-such' }).create()
    await expect(missing).rejects.toEqual(code('not_found'))
  })

  test('nobody but its maker and admins touches a version that is being saved', async () => {
    const contents = { a: '1' }
    const mine = bench.saving(team.member, team, contents)
    const artifact = await mine.create()
    for (const [actor, expected] of [
      [team.mate, 'forbidden'],
      [team.service, 'forbidden'],
      [team.viewer, 'forbidden'],
      [team.stranger, 'not_found'],
    ] as const) {
      const file = { artifactId: artifact.id, name: 'a', digest: md5Base64('evil') }
      const manifest = {
        artifactId: artifact.id,
        baseArtifactId: null,
        name: 'm',
        type: 'FULL',
        digest: '',
      } as const
      await expect(bench.artifacts.createFiles(actor, [file])).rejects.toEqual(code(expected))
      await expect(bench.artifacts.createManifest(actor, manifest)).rejects.toEqual(code(expected))
      await expect(bench.artifacts.commitArtifact(actor, artifact.id)).rejects.toEqual(code(expected))
      const { manifest: place } = await mine.holdPlace()
      const update = { manifestId: place.id, digest: md5Base64('x'), baseArtifactId: null }
      await expect(bench.artifacts.updateManifest(actor, update)).rejects.toEqual(code(expected))
    }
    await mine.sendFiles()
    await mine.sendManifest()
    await expect(bench.artifacts.commitArtifact(team.admin, artifact.id)).resolves.toMatchObject({
      state: 'committed',
    })
  })

  test('a service account saves for itself and for the member it works for', async () => {
    const own = await bench.save(team.service, team, { a: '1' })
    expect(own).toMatchObject({ ownerId: team.service.userId, createdById: null })
    const { userId, username, name } = team.member
    const working: Actor = { ...team.service, attributedTo: { userId: userId!, username, name } }
    const forMember = await bench.save(working, team, { a: '2' })
    expect(forMember).toMatchObject({ versionIndex: 1, ownerId: userId, createdById: team.service.userId })
  })

  test('a member who was removed cannot go on', async () => {
    const client = bench.saving(team.member, team, { a: '1' })
    await client.create()
    await client.sendFiles()
    await client.sendManifest()
    const removed: Actor = { ...team.member, memberships: new Map() }
    await expect(bench.artifacts.commitArtifact(removed, client.id())).rejects.toEqual(code('not_found'))
  })

  test('the key of a job saves from its own experiment, and from nowhere else', async () => {
    const own = await bench.anExperiment(team.member)
    const other = await bench.anExperiment(team.member)
    const job: Actor = { ...team.member, scope: `experiment:${own.id}` }
    const log = (slug: string | null) => bench.save(job, team, { a: '1' }, { experiment: slug })
    await expect(log(null)).rejects.toEqual(code('forbidden'))
    await expect(log(other.slug)).rejects.toThrow(expect.objectContaining({ name: 'GridError' }))
    const saved = await log(own.slug)
    expect(saved).toMatchObject({ state: 'committed' })
    expect(await bench.artifacts.findById(job, saved.id)).toMatchObject({ id: saved.id })
    const elsewhere = await bench.save(team.member, team, { a: '2' }, { collection: 'other' })
    expect(await bench.artifacts.findById(job, elsewhere.id)).toBeUndefined()
  })
})

describe('what is refused', () => {
  test('names that cannot be', async () => {
    for (const options of [
      { collection: 'a/b' },
      { collection: 'a:b' },
      { collection: '' },
      { type: 'a/b' },
      { type: 'wandb-x' },
      { aliases: ['v3'] },
      { aliases: ['a:b'] },
      { aliases: Array.from({ length: 101 }, (_, index) => `a${index}`) },
      { tags: ['a/b'] },
      { clientId: 'x'.repeat(600) },
      { project: 'a/b' },
    ])
      await expect(
        bench.saving(team.member, team, {}, options).create(),
        JSON.stringify(options),
      ).rejects.toEqual(code('invalid'))
  })

  test('another type under the same name', async () => {
    await bench.save(team.member, team, { a: '1' })
    const again = bench.saving(team.member, team, { a: '1' }, { type: 'model' }).create()
    await expect(again).rejects.toThrow('Artifact ds already exists with type "dataset"')
  })

  test('a commit before the manifest was sent', async () => {
    const client = bench.saving(team.member, team, { a: '1' })
    await client.create()
    await expect(client.commit()).rejects.toEqual(code('invalid'))
    await client.holdPlace()
    await expect(client.commit()).rejects.toEqual(code('invalid'))
    await client.manifestPlace(md5Base64(client.manifest))
    await expect(client.commit()).rejects.toEqual(code('invalid'))
  })

  test('a commit with a file that was not sent; the version is completed later', async () => {
    const client = bench.saving(team.member, team, { a: '1', 'b/c': '2', d: '3', e: '4', f: '5' })
    const { id } = await client.create()
    await client.sendManifest()
    await expect(client.commit()).rejects.toThrow(
      '5 of the 5 files of ds have not been sent, such as "a", "b/c", "d"',
    )
    const project = (await bench.teams.findProject(team.id, 'digits'))!
    expect(await bench.artifacts.findByName(team.member, project, 'ds')).toBeUndefined()
    await client.sendFiles()
    await expect(client.commit()).resolves.toMatchObject({
      id,
      state: 'committed',
      fileCount: 5,
      versionIndex: 0,
    })
  })

  test.each(['../../etc/passwd', '/etc/passwd', 'a/../../b', '..\\b', 'C:\\b', 'a\0b'])(
    'the file name %j, announced or smuggled into the manifest',
    async (path) => {
      const honest = bench.saving(team.member, team, { fine: 'x' })
      const { id } = await honest.create()
      const file = { artifactId: id, name: path, digest: md5Base64('x') }
      await expect(bench.artifacts.createFiles(team.member, [file])).rejects.toEqual(code('invalid'))
      await honest.sendFiles()
      await honest.sendManifest(manifestOf({ [path]: 'x' }))
      await expect(honest.commit()).rejects.toThrow('is refused')
      await expect(bench.artifacts.findById(team.member, id)).resolves.toMatchObject({ state: 'pending' })
    },
  )

  test('content whose digest somebody else knows: neither told about nor fetched', async () => {
    const theirs = await bench.aTeam()
    const secret = { 'secret.txt': `secret ${randomText(8)}` }
    const birth = await bench.save(theirs.member, theirs, secret)
    const client = bench.saving(team.member, team, secret)
    await client.create()
    // The answer is the same as for content that nobody has.
    expect((await client.createFiles())[0]?.uploadUrl).toEqual(expect.stringContaining('/blobs/'))
    for (const manifest of [manifestOf(secret), manifestOf(secret, () => birth.id)]) {
      await client.sendManifest(manifest)
      await expect(client.commit()).rejects.toThrow('1 of the 1 files of ds have not been sent')
    }
  })

  test('content of another project that the actor may not download', async () => {
    const theirs = await bench.aTeam()
    const contents = { a: randomText(20) }
    const birth = await bench.save(theirs.member, theirs, contents)
    // A viewer there, where viewers may not download; a member here.
    await bench.db
      .updateTable('teams')
      .set({ policy_overrides: JSON.stringify({ view_only_downloads: false }) })
      .where('id', '=', theirs.id)
      .execute()
    const both: Actor = {
      ...team.member,
      // With a key they would not even see it: viewers have none.
      via: 'cookie',
      client: 'web',
      memberships: new Map([
        ...team.member.memberships,
        [theirs.id, { role: 'viewer', slug: theirs.slug, kind: 'team' }],
      ]),
    }
    const client = bench.saving(both, team, contents)
    await client.create()
    await client.sendManifest(manifestOf(contents, () => birth.id))
    await expect(client.commit()).rejects.toEqual(code('invalid'))
  })

  test('bytes that are not what the digest says, of a file or of a manifest', async () => {
    const client = bench.saving(team.member, team, { a: 'right' })
    const { collection } = await client.create()
    const [place] = await client.createFiles()
    await expect(bench.put(place!.uploadUrl!, 'wrong')).rejects.toEqual(code('invalid'))
    const { uploadUrl } = await client.manifestPlace(md5Base64(client.manifest))
    await expect(bench.put(uploadUrl!, `${client.manifest} `)).rejects.toEqual(code('invalid'))
    expect(await bench.storedKeys(collection.projectId)).toEqual([])
    await expect(client.commit()).rejects.toEqual(code('invalid'))
    // The same links still take what is right.
    await bench.put(place!.uploadUrl!, 'right')
    await bench.put(uploadUrl!, client.manifest)
    await expect(client.commit()).resolves.toMatchObject({ state: 'committed' })
  })

  test('an upload that breaks off leaves nothing', async () => {
    const client = bench.saving(team.member, team, { a: 'abcdef' })
    const { collection } = await client.create()
    const [place] = await client.createFiles()
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('abc')
        throw new Error('the line was cut')
      })(),
    )
    await expect(bench.put(place!.uploadUrl!, broken)).rejects.toThrow('the line was cut')
    expect(await bench.storedKeys(collection.projectId)).toEqual([])
    await client.sendManifest()
    await expect(client.commit()).rejects.toEqual(code('invalid'))
  })

  test('a manifest larger than any may be', async () => {
    const client = bench.saving(team.member, team, {})
    await client.create()
    const { uploadUrl } = await client.manifestPlace(md5Base64('whatever'))
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    const huge = Readable.from(Array.from({ length: manifestBytesMax / chunk.length + 1 }, () => chunk))
    await expect(bench.put(uploadUrl!, huge)).rejects.toEqual(code('too_large'))
  })

  test('what is no manifest', async () => {
    for (const text of ['{', '[]', '{"version":1}', '['.repeat(100_000)]) {
      const client = bench.saving(team.member, team, { a: '1' })
      await client.create()
      await client.sendFiles()
      await client.sendManifest(text)
      await expect(client.commit(), text.slice(0, 20)).rejects.toEqual(code('invalid'))
    }
  })

  test('new content for a version that is committed', async () => {
    const client = bench.saving(team.member, team, { a: '1' })
    await client.create()
    await client.sendFiles()
    await client.sendManifest()
    await client.commit()
    await expect(client.manifestPlace(md5Base64('x'))).rejects.toEqual(code('invalid'))
    const file = { artifactId: client.id(), name: 'new', digest: md5Base64('new') }
    await expect(bench.artifacts.createFiles(team.member, [file])).rejects.toEqual(code('invalid'))
    await expect(
      bench.artifacts.storeBlob(client.id(), '22af645d1859cb5ca6da0c484f1f37ea', Readable.from(['new'])),
    ).rejects.toEqual(code('invalid'))
    expect(await bench.contentsOf(team.member, client.id())).toEqual({ a: '1' })
  })

  test('to build on a version of somebody else', async () => {
    const theirs = await bench.aTeam()
    const base = await bench.save(theirs.member, theirs, { a: '1' })
    const client = bench.saving(
      team.member,
      team,
      { b: '2' },
      { manifestType: 'INCREMENTAL', baseArtifactId: base.id },
    )
    await client.create()
    await expect(client.holdPlace()).rejects.toEqual(code('not_found'))
  })

  test('links that were not made for this', async () => {
    await expect(
      bench.artifacts.storeBlob('01890a5d-ac96-774b-bcce-b302099a8057', 'a'.repeat(32), Readable.from([''])),
    ).rejects.toEqual(code('not_found'))
    await expect(
      bench.artifacts.storeManifest('01890a5d-ac96-774b-bcce-b302099a8057', Readable.from([''])),
    ).rejects.toEqual(code('not_found'))
  })
})

describe('saving', () => {
  test('a version has its files, size, count, aliases, tags, metadata and maker', async () => {
    const { slug, id } = await bench.anExperiment(team.member)
    const saved = await bench.save(
      team.member,
      team,
      {
        'a.txt': 'alpha',
        'deep/ü %.txt': 'beta',
        empty: '',
        far: { ref: 's3://bucket/far', digest: 'etag', size: 100 },
      },
      {
        experiment: slug,
        aliases: ['latest', 'best'],
        tags: ['prod'],
        metadata: { n: 1, nan: NaN, 'a\0b': 'x' },
      },
    )
    expect(saved).toMatchObject({
      state: 'committed',
      versionIndex: 0,
      sizeBytes: 109,
      fileCount: 4,
      aliases: ['best', 'latest'],
      tags: ['prod'],
      metadata: { n: 1, nan: 'NaN', ab: 'x' },
      producerId: id,
      collection: {
        name: 'ds',
        type: 'dataset',
        kind: 'sequence',
        teamSlug: team.slug,
        projectName: 'digits',
      },
    })
    expect(saved.contentDigest).toBe(saved.digest)
    expect(await bench.contentsOf(team.mate, saved.id)).toEqual({
      'a.txt': 'alpha',
      'deep/ü %.txt': 'beta',
      empty: '',
      far: 's3://bucket/far',
    })
    const manifest = JSON.parse(
      await bench.get((await bench.artifacts.manifestUrl(team.mate, saved))!),
    ) as object
    expect(manifest).toMatchObject({
      version: 1,
      contents: { 'a.txt': { size: 5 }, far: { ref: 's3://bucket/far' } },
    })
    expect(JSON.stringify(manifest)).not.toContain('/home/me')
  })

  test('the newest version is `latest`, and aliases move with the version that asks for them', async () => {
    const first = await bench.save(team.member, team, { a: '1' }, { aliases: ['best'] })
    const second = await bench.save(team.mate, team, { a: '2' }, { aliases: ['best', 'new'] })
    expect(second).toMatchObject({ versionIndex: 1, aliases: ['best', 'latest', 'new'] })
    expect(await bench.artifacts.findById(team.member, first.id)).toMatchObject({ aliases: [] })
  })

  test('equal content is stored once in a project, and is born where it was first', async () => {
    const first = await bench.save(team.member, team, { a: 'same', b: 'same', c: 'one' })
    const client = bench.saving(team.mate, team, { x: 'same', y: 'two' }, { collection: 'other' })
    const other = await client.create()
    const places = await client.createFiles()
    expect(places).toMatchObject([
      { name: 'x', uploadUrl: null, birthArtifactId: first.id },
      {
        name: 'y',
        uploadUrl: expect.stringContaining('http://teamgrid.test/blobs/'),
        birthArtifactId: other.id,
      },
    ])
    await client.sendFiles()
    await client.sendManifest()
    await client.commit()
    const keys = await bench.storedKeys(first.collection.projectId)
    expect(keys.filter((key) => key.includes('/content/'))).toHaveLength(3)
    // One manifest a version: what clients sent is gone.
    expect(keys.filter((key) => key.includes('/manifests/'))).toHaveLength(2)
    expect(await bench.contentsOf(team.member, other.id)).toEqual({ x: 'same', y: 'two' })
  })

  test('files are answered in the order and number asked, the same one twice too', async () => {
    await bench.save(team.member, team, { known: 'known' })
    const client = bench.saving(team.member, team, {}, { collection: 'many' })
    const { id } = await client.create()
    const contents = Array.from({ length: 3000 }, (_, index) =>
      index % 3 === 0 ? 'known' : `content ${index % 1000}`,
    )
    const files = contents.map((content, index) => ({
      artifactId: id,
      name: `f${index}`,
      digest: md5Base64(content),
    }))
    const places = await bench.artifacts.createFiles(team.member, files)
    expect(places.map(({ name }) => name)).toEqual(files.map(({ name }) => name))
    // Each new content is sent once.
    expect(places.map(({ uploadUrl }) => uploadUrl !== null)).toEqual(
      contents.map((content, index) => content !== 'known' && contents.indexOf(content) === index),
    )
    await expect(
      bench.artifacts.createFiles(
        team.member,
        Array.from({ length: 20_001 }, () => files[0]!),
      ),
    ).rejects.toEqual(code('too_large'))
  })

  test('the same content as the newest version makes none, but gives it the aliases and tags', async () => {
    const first = await bench.save(team.member, team, { a: '1' }, { tags: ['x'] })
    const again = await bench.save(team.mate, team, { a: '1' }, { aliases: ['latest', 'again'], tags: ['y'] })
    expect(again).toMatchObject({ id: first.id, aliases: ['again', 'latest'], tags: ['x', 'y'] })
    const second = await bench.save(team.member, team, { a: '2' })
    // Back to the content of an old version is a new version.
    const back = await bench.save(team.member, team, { a: '1' })
    expect([second.versionIndex, back.versionIndex]).toEqual([1, 2])
    const forced = await bench.save(team.member, team, { a: '1' }, { deduplicate: false })
    expect(forced.versionIndex).toBe(3)
  })

  test('an existing version logged again, without a name of its own, is found however old', async () => {
    const first = await bench.save(team.member, team, { a: '1' })
    const second = await bench.save(team.member, team, { a: '2' })
    const again = await bench.save(
      team.member,
      team,
      { a: '1' },
      { clientId: null, aliases: ['latest', 'old'] },
    )
    expect(again).toMatchObject({ id: first.id, aliases: ['old'] })
    expect(await bench.artifacts.findById(team.member, second.id)).toMatchObject({ aliases: ['latest'] })
  })

  test("the client's own names lead to the version and its collection at once, for those who may see them", async () => {
    const client = bench.saving(team.member, team, { a: '1' }, { collectionClientId: `s-${randomText(20)}` })
    const { id } = await client.create()
    expect(await bench.artifacts.findByClientId(team.mate, client.clientId!)).toMatchObject({
      artifact: { id },
    })
    expect(await bench.artifacts.findByClientId(team.stranger, client.clientId!)).toBeUndefined()
    // Somebody else may use the same name; it means their own.
    const theirs = await bench.aTeam()
    const other = await bench
      .saving(theirs.member, theirs, { a: '1' }, { clientId: client.clientId })
      .create()
    expect(other.id).not.toBe(id)
    expect(await bench.artifacts.findByClientId(team.mate, client.clientId!)).toMatchObject({
      artifact: { id },
    })
    expect(await bench.artifacts.findByClientId(theirs.mate, client.clientId!)).toMatchObject({
      artifact: { id: other.id },
    })
  })

  test('a second manifest takes the place of the first', async () => {
    const client = bench.saving(team.member, team, { a: '1' })
    await client.create()
    await client.sendFiles()
    const first = await client.manifestPlace(md5Base64('{"version":1,"contents":{}}'))
    await bench.put(first.uploadUrl!, '{"version":1,"contents":{}}')
    const second = await client.manifestPlace(md5Base64(client.manifest))
    expect(second.manifest.id).toBe(first.manifest.id)
    // The first one's bytes no longer count, and its link takes them no more.
    await expect(client.commit()).rejects.toEqual(code('invalid'))
    await expect(bench.put(first.uploadUrl!, '{"version":1,"contents":{}}')).rejects.toEqual(code('invalid'))
    await bench.put(second.uploadUrl!, client.manifest)
    expect(await client.commit()).toMatchObject({ fileCount: 1 })
  })

  test('an incremental version is its base with the new files over it', async () => {
    const base = await bench.save(team.member, team, { a: '1', b: '1' })
    const added = await bench.save(
      team.mate,
      team,
      { b: '2', c: '2' },
      { manifestType: 'INCREMENTAL', baseArtifactId: base.id },
    )
    expect(added).toMatchObject({ versionIndex: 1, fileCount: 3, sizeBytes: 3 })
    expect(await bench.contentsOf(team.member, added.id)).toEqual({ a: '1', b: '2', c: '2' })
    // The client's digest is of what it sent, ours of the whole: the same whole again is the same version.
    expect(added.contentDigest).not.toBe(added.digest)
    const whole = await bench.save(team.member, team, { a: '1', b: '2', c: '2' })
    expect(whole.id).toBe(added.id)
    const part = await bench.save(team.member, team, { b: '2', c: '2' })
    expect(part.versionIndex).toBe(2)
  })

  test('an incremental version without a base is just what it brings', async () => {
    const added = await bench.save(team.member, team, { a: '1' }, { manifestType: 'INCREMENTAL' })
    expect(await bench.contentsOf(team.member, added.id)).toEqual({ a: '1' })
  })

  test('writers that name the same one make one version together', async () => {
    const group = { distributedId: `group-${randomText(6)}`, manifestType: 'PATCH' } as const
    const one = bench.saving(
      team.member,
      team,
      { a: '1', shared: 'same' },
      { ...group, aliases: ['from-one'] },
    )
    const two = bench.saving(team.mate, team, { b: '2', shared: 'same' }, { ...group, aliases: ['from-two'] })
    const lost = bench.saving(team.service, team, { c: '3' }, group)
    const ids = new Set((await Promise.all([one.create(), two.create(), lost.create()])).map(({ id }) => id))
    expect(ids.size).toBe(1)
    for (const writer of [one, two]) {
      const { manifest } = await writer.holdPlace()
      await writer.sendFiles()
      const { uploadUrl } = await bench.artifacts.updateManifest(writer === one ? team.member : team.mate, {
        manifestId: manifest.id,
        digest: md5Base64(writer.manifest),
        baseArtifactId: null,
      })
      await bench.put(uploadUrl!, writer.manifest)
    }
    // A writer that never got to the end.
    await lost.holdPlace()
    const done = await two.commit()
    expect(done).toMatchObject({ fileCount: 3, aliases: ['from-one', 'from-two', 'latest'] })
    expect(await bench.contentsOf(team.member, done.id)).toEqual({ a: '1', b: '2', shared: 'same' })
    await expect(bench.saving(team.viewer, team, {}, group).create()).rejects.toEqual(code('forbidden'))
    const next = await bench.saving(team.member, team, { a: '1' }, group).create()
    expect(next.id).not.toBe(done.id)
  })

  test('a draft brings along content of another project that its maker may download', async () => {
    const contents = { a: randomText(20) }
    const birth = await bench.save(team.member, team, contents, { project: 'source' })
    const client = bench.saving(team.mate, team, contents, { project: 'target' })
    await client.create()
    await client.sendManifest(manifestOf(contents, () => birth.id))
    const saved = await client.commit()
    expect(await bench.contentsOf(team.member, saved.id)).toEqual(contents)
    const keys = await bench.storedKeys(saved.collection.projectId)
    expect(keys.filter((key) => key.includes('/content/'))).toHaveLength(1)
  })

  test('many that save at once get every number once', async () => {
    const saves = Array.from({ length: 12 }, (_, index) =>
      bench.save(index % 2 ? team.member : team.mate, team, { a: `${index}`, same: 'same' }),
    )
    const saved = await Promise.all(saves)
    expect(saved.map(({ versionIndex }) => versionIndex!).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, index) => index),
    )
    const project = (await bench.teams.findProject(team.id, 'digits'))!
    const latest = await bench.artifacts.findByName(team.viewer, project, 'ds:latest')
    expect(latest?.versionIndex).toBe(11)
  })

  test('ten thousand files are saved in a few seconds', async () => {
    const contents = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`f/${index}`, `${index % 7}`]),
    )
    const started = performance.now()
    const saved = await bench.save(team.member, team, contents)
    expect(saved.fileCount).toBe(10_000)
    expect(performance.now() - started).toBeLessThan(15_000)
  })
})

test('deleting a project frees what its artifacts stored', async () => {
  const artifact = await bench.save(team.member, team, { 'a.txt': 'one', 'b.txt': 'two' })
  const { projectId } = artifact.collection
  expect(await bench.storedKeys(projectId)).not.toEqual([])
  await bench.teams.deleteProject(team.admin, team.slug, 'digits')
  expect(await bench.storedKeys(projectId)).toEqual([])
  expect(await bench.artifacts.findById(team.member, artifact.id)).toBeUndefined()
})
