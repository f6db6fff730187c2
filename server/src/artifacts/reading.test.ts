import { fastify } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { httpErrorOf } from '../http/errors.ts'
import { printArtifactId } from './artifact.ts'
import { artifactFileRoutes } from './file-routes.ts'
import { type ArtifactBench, md5Hex, openArtifactBench } from './testing.ts'

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

async function closeDownloadsToViewers(): Promise<void> {
  await bench.db
    .updateTable('teams')
    .set({ policy_overrides: JSON.stringify({ view_only_downloads: false }) })
    .where('id', '=', team.id)
    .execute()
}

const projectOf = async () => (await bench.teams.findProject(team.id, 'digits'))!

describe('who may read', () => {
  test('a stranger finds nothing, by whatever name', async () => {
    const saved = await bench.save(team.member, team, { a: '1' }, { clientId: 'client-of-a-stranger-test' })
    const project = await projectOf()
    const { collection } = saved
    const { artifacts } = bench
    expect(await artifacts.findById(team.stranger, saved.id)).toBeUndefined()
    expect(await artifacts.findByName(team.stranger, project, 'ds')).toBeUndefined()
    expect(await artifacts.findCollection(team.stranger, project, 'ds')).toBeUndefined()
    expect(await artifacts.findCollectionById(team.stranger, collection.id)).toBeUndefined()
    expect(await artifacts.findInCollection(team.stranger, collection, 'v0')).toBeUndefined()
    expect(await artifacts.newestOf(team.stranger, collection)).toBeUndefined()
    expect(await artifacts.listCollections(team.stranger, project)).toEqual([])
    expect(await artifacts.listAliases(team.stranger, collection)).toEqual([])
    expect(await artifacts.listVersions(team.stranger, collection, { limit: 10 })).toEqual({
      memberships: [],
      total: 0,
    })
    await expect(artifacts.listFiles(team.stranger, saved, { limit: 10 })).rejects.toEqual(code('not_found'))
    await expect(artifacts.manifestUrl(team.stranger, saved)).rejects.toEqual(code('not_found'))
    const where = { team: team.slug, project: 'digits', collection: 'ds', md5Hex: md5Hex('1'), fileName: 'a' }
    await expect(artifacts.contentUrl(team.stranger, where)).rejects.toEqual(code('not_found'))
    await expect(artifacts.contentUrl(team.stranger, { ...where, project: undefined })).rejects.toEqual(
      code('not_found'),
    )
    for (const change of [
      () => artifacts.addAliases(team.stranger, saved.id, ['x']),
      () => artifacts.deleteAliases(team.stranger, saved.id, ['latest']),
      () => artifacts.changeArtifact(team.stranger, saved.id, { description: 'x' }),
    ])
      await expect(change()).rejects.toEqual(code('not_found'))
  })

  test('a viewer reads and downloads where the team lets viewers, and changes nothing', async () => {
    const saved = await bench.save(team.member, team, { a: '1' })
    expect(await bench.contentsOf(team.viewer, saved.id)).toEqual({ a: '1' })
    await closeDownloadsToViewers()
    expect(await bench.artifacts.findById(team.viewer, saved.id)).toMatchObject({ id: saved.id })
    await expect(bench.artifacts.listFiles(team.viewer, saved, { limit: 1 })).rejects.toEqual(
      code('policy_denied'),
    )
    await expect(bench.artifacts.manifestUrl(team.viewer, saved)).rejects.toEqual(code('policy_denied'))
    const where = { team: team.slug, md5Hex: md5Hex('1'), fileName: 'a' }
    await expect(bench.artifacts.contentUrl(team.viewer, where)).rejects.toEqual(code('policy_denied'))
    await expect(bench.artifacts.addAliases(team.viewer, saved.id, ['x'])).rejects.toEqual(code('forbidden'))
    await expect(bench.artifacts.changeArtifact(team.viewer, saved.id, {})).rejects.toEqual(code('forbidden'))
  })

  test('a link is for the one it was made for', async () => {
    const saved = await bench.save(team.member, team, { a: '1' })
    const [file] = await bench.artifacts.listFiles(team.mate, saved, { limit: 1 })
    const claim = bench.signed.open(new URL(file!.url).pathname.split('/')[2]!)
    expect(claim).toMatchObject({ do: 'get', reader: { userId: team.mate.userId, teamId: team.id } })
  })

  test('a version that is being saved is found by its id alone', async () => {
    const client = bench.saving(team.member, team, { a: '1' })
    const { id, collection } = await client.create()
    await client.sendFiles()
    await client.sendManifest()
    const project = await projectOf()
    expect(await bench.artifacts.findById(team.mate, id)).toMatchObject({
      state: 'pending',
      versionIndex: null,
    })
    expect(await bench.artifacts.findByName(team.mate, project, 'ds')).toBeUndefined()
    expect(await bench.artifacts.findByName(team.mate, project, 'ds:v0')).toBeUndefined()
    expect(await bench.artifacts.newestOf(team.mate, collection)).toBeUndefined()
    expect((await bench.artifacts.listVersions(team.mate, collection, { limit: 10 })).total).toBe(0)
    const pending = (await bench.artifacts.findById(team.mate, id))!
    expect(await bench.artifacts.listFiles(team.mate, pending, { limit: 10 })).toEqual([])
    expect(await bench.artifacts.manifestUrl(team.mate, pending)).toBeUndefined()
    // What has arrived is not to be had before it is published.
    const where = { team: team.slug, project: 'digits', collection: 'ds', md5Hex: md5Hex('1'), fileName: 'a' }
    await expect(bench.artifacts.contentUrl(team.mate, where)).rejects.toEqual(code('not_found'))
    await expect(bench.artifacts.contentUrl(team.mate, { ...where, project: undefined })).rejects.toEqual(
      code('not_found'),
    )
  })
})

describe('finding', () => {
  test('a version by its number, an alias, or as the newest', async () => {
    const first = await bench.save(team.member, team, { a: '1' }, { aliases: ['best'] })
    const second = await bench.save(team.member, team, { a: '2' })
    const project = await projectOf()
    for (const [name, id] of [
      ['ds:v0', first.id],
      ['ds:best', first.id],
      ['ds:v1', second.id],
      ['ds:latest', second.id],
      ['ds', second.id],
      ['ds:v2', undefined],
      ['ds:other', undefined],
      ['other', undefined],
      ['', undefined],
      ['ds:', undefined],
    ] as const)
      expect((await bench.artifacts.findByName(team.viewer, project, name))?.id, name).toBe(id)
    const listed = await bench.artifacts.listVersions(team.viewer, first.collection, { limit: 10 })
    expect(listed).toMatchObject({
      total: 2,
      memberships: [{ artifact: { id: second.id } }, { artifact: { id: first.id } }],
    })
    const page = await bench.artifacts.listVersions(team.viewer, first.collection, {
      limit: 1,
      offset: 1,
      order: { field: 'version_index', ascending: true },
    })
    expect(page).toMatchObject({ total: 2, memberships: [{ artifact: { id: second.id } }] })
    expect(await bench.artifacts.listAliases(team.viewer, first.collection)).toEqual(['best', 'latest'])
  })

  test('files by pages in the order of their bytes, or by name', async () => {
    const names = ['B', 'a', 'a/b', 'a0', 'Z/x', 'é', 'ﬀ', '😀']
    const saved = await bench.save(team.member, team, Object.fromEntries(names.map((name) => [name, name])))
    const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const seen: string[] = []
    for (let after: string | undefined; ; after = seen.at(-1)) {
      const page = await bench.artifacts.listFiles(team.mate, saved, { limit: 3, after })
      seen.push(...page.map(({ path }) => path))
      if (page.length < 3) break
    }
    expect(seen).toEqual(inOrder)
    const named = await bench.artifacts.listFiles(team.mate, saved, { limit: 9, paths: ['é', 'no', 'a'] })
    expect(named.map(({ path }) => path)).toEqual(['a', 'é'])
  })
})

describe('changing', () => {
  test('aliases are given, moved within the collection, and taken', async () => {
    const first = await bench.save(team.member, team, { a: '1' })
    const second = await bench.save(team.member, team, { a: '2' })
    await expect(bench.artifacts.addAliases(team.member, first.id, ['v7'])).rejects.toEqual(code('invalid'))
    await bench.artifacts.addAliases(team.member, first.id, ['best', 'old'])
    expect(await bench.artifacts.addAliases(team.member, second.id, ['best'])).toMatchObject({
      aliases: ['best', 'latest'],
    })
    await bench.artifacts.deleteAliases(team.member, first.id, ['old', 'best', 'never'])
    expect(await bench.artifacts.findById(team.member, first.id)).toMatchObject({ aliases: [] })
    expect(await bench.artifacts.findById(team.member, second.id)).toMatchObject({
      aliases: ['best', 'latest'],
    })
  })

  test('description, metadata, tags and time to live change alone; what is not named stays', async () => {
    const { id } = await bench.save(team.member, team, { a: '1' }, { metadata: { a: 1 }, tags: ['x', 'y'] })
    const change = (values: Parameters<typeof bench.artifacts.changeArtifact>[2]) =>
      bench.artifacts.changeArtifact(team.member, id, values)
    await expect(change({ tagsToAdd: ['a/b'] })).rejects.toEqual(code('invalid'))
    await expect(change({ description: 'x'.repeat(200_000) })).rejects.toEqual(code('too_large'))
    expect(await change({ description: 'words' })).toMatchObject({
      description: 'words',
      metadata: { a: 1 },
      tags: ['x', 'y'],
      aliases: ['latest'],
    })
    expect(await change({ tagsToAdd: ['z', 'x'], tagsToDelete: ['y'] })).toMatchObject({ tags: ['x', 'z'] })
    expect(await change({ metadata: { b: Infinity } })).toMatchObject({ metadata: { b: 'Infinity' } })
    expect(await change({ ttlSeconds: 60 })).toMatchObject({ ttlSeconds: 60, description: 'words' })
    expect(await change({ aliases: ['only'] })).toMatchObject({ aliases: ['only'] })
  })

  test('two people who add tags and aliases at once both keep theirs', async () => {
    const { id } = await bench.save(team.member, team, { a: '1' })
    await Promise.all([
      ...['a', 'b', 'c', 'd'].map((tag) =>
        bench.artifacts.changeArtifact(team.member, id, { tagsToAdd: [tag] }),
      ),
      ...['x', 'y'].map((alias) => bench.artifacts.addAliases(team.admin, id, [alias])),
    ])
    const found = await bench.artifacts.findById(team.member, id)
    expect(found?.tags.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(found?.aliases).toEqual(['latest', 'x', 'y'])
  })

  test('a team mate edits where the team lets members', async () => {
    const { id } = await bench.save(team.member, team, { a: '1' })
    await expect(bench.artifacts.addAliases(team.mate, id, ['x'])).resolves.toMatchObject({
      aliases: ['latest', 'x'],
    })
    await bench.db
      .updateTable('teams')
      .set({ policy_overrides: JSON.stringify({ members_edit_notes: false }) })
      .where('id', '=', team.id)
      .execute()
    await expect(bench.artifacts.addAliases(team.mate, id, ['y'])).rejects.toEqual(code('policy_denied'))
  })
})

describe('who made and who used it', () => {
  test('an experiment uses a version of its team, noted once', async () => {
    const producer = await bench.anExperiment(team.member)
    const user = await bench.anExperiment(team.mate)
    const saved = await bench.save(team.member, team, { a: '1' }, { experiment: producer.slug })
    const use = (actor: Actor, id = saved.id) =>
      bench.artifacts.useArtifact(actor, { experiment: user.ref, artifactId: id, usedAs: null })
    await expect(use(team.member)).rejects.toEqual(code('forbidden'))
    await expect(use(team.stranger)).rejects.toEqual(code('not_found'))
    const theirs = await bench.aTeam()
    const secret = await bench.save(theirs.member, theirs, { a: '1' })
    await expect(use(team.mate, secret.id)).rejects.toEqual(code('not_found'))
    const pending = await bench.saving(team.mate, team, { b: '1' }).create()
    await expect(use(team.mate, pending.id)).rejects.toEqual(code('invalid'))
    await use(team.mate)
    await use(team.mate)
    expect((await bench.artifacts.usersOf(team.viewer, saved)).map(({ id }) => id)).toEqual([user.id])
    expect(await bench.artifacts.usersOf(team.stranger, saved)).toEqual([])
    expect(await bench.artifacts.producerOf(team.viewer, saved)).toMatchObject({ id: producer.id })
    expect(await bench.artifacts.producerOf(team.stranger, saved)).toBeUndefined()
    const used = await bench.artifacts.listUsed(team.viewer, user, { limit: 10 })
    expect(used).toMatchObject({ total: 1, artifacts: [{ id: saved.id }] })
    const made = await bench.artifacts.listMade(team.viewer, producer, { limit: 10 })
    expect(made).toMatchObject({ total: 1, artifacts: [{ id: saved.id }] })
    expect((await bench.artifacts.listUsed(team.stranger, user, { limit: 10 })).total).toBe(0)
  })
})

describe('addresses that the client makes up', () => {
  async function appFor(actor: Actor) {
    const app = fastify()
    app.setErrorHandler((error, _request, reply) => {
      const { status, body } = httpErrorOf(error, () => {})
      return reply.status(status).send(body)
    })
    await app.register(artifactFileRoutes({ artifacts: bench.artifacts, authenticate: async () => actor }))
    return app
  }

  test('lead to the content, old form and new', async () => {
    const content = 'alpha'
    const saved = await bench.save(team.member, team, { 'deep/ü %.txt': content }, { collection: 'my data' })
    const app = await appFor(team.viewer)
    const id = printArtifactId(saved.id)
    const place = `/artifactsV2/default/${team.slug}/digits/my%20data`
    const name = encodeURIComponent('ü %.txt')
    for (const url of [
      `${place}/${id}/${id}/${md5Hex(content)}/${name}`,
      `${place}/${id}//${md5Hex(content)}/${name}`,
      `${place}/${id}/${md5Hex(content)}/${name}`,
      `/artifacts/${team.slug}/${md5Hex(content)}`,
    ]) {
      const { statusCode, headers } = await app.inject(url)
      expect(statusCode, url).toBe(302)
      expect(await bench.get(headers.location!)).toBe(content)
    }
    const other = printArtifactId((await bench.save(team.member, team, { a: '1' })).id)
    for (const url of [
      `${place}/${other}/${id}/${md5Hex(content)}/x`,
      `${place}/QXJ0aWZhY3Q6MQ==/${id}/${md5Hex(content)}/x`,
      `${place}/${id}/${id}/${md5Hex('never')}/x`,
      `${place}/${id}/${id}/..%2F..%2Fetc/x`,
      `${place}/${md5Hex(content)}`,
      `/artifactsV2/default/${team.slug}/digits/no/${id}/${id}/${md5Hex(content)}/x`,
      `/artifactsV2/default/${team.slug}/no/my%20data/${id}/${id}/${md5Hex(content)}/x`,
      `/artifacts/${team.slug}/..`,
      `/artifacts/no-such-team/${md5Hex(content)}`,
    ])
      expect((await app.inject(url)).statusCode, url).toBe(404)
  })

  test('lead strangers nowhere', async () => {
    const saved = await bench.save(team.member, team, { a: '1' })
    const app = await appFor(team.stranger)
    const id = printArtifactId(saved.id)
    for (const url of [
      `/artifactsV2/default/${team.slug}/digits/ds/${id}/${id}/${md5Hex('1')}/a`,
      `/artifacts/${team.slug}/${md5Hex('1')}`,
    ])
      expect((await app.inject(url)).statusCode).toBe(404)
  })
})
