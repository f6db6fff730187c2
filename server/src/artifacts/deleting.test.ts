/** Deletion, what it frees, and the clearing of what nobody finished. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ArtifactBench, md5Hex, openArtifactBench } from './testing.ts'

let bench: ArtifactBench
let team: Awaited<ReturnType<ArtifactBench['aTeam']>>
beforeAll(async () => {
  bench = await openArtifactBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (name: string) => expect.objectContaining({ code: name })
const contentKeys = async (projectId: string) =>
  (await bench.storedKeys(projectId)).filter((key) => key.includes('/content/'))
let projects = 0
const aProject = () => `deleting-${(projects += 1)}`

describe('deleting a version', () => {
  test('a viewer, a mate and a stranger cannot; its maker can', async () => {
    const project = aProject()
    const { id } = await bench.save(team.member, team, { a: '1' }, { project })
    const del = (actor: typeof team.member) =>
      bench.artifacts.deleteArtifact(actor, id, { withAliases: true })
    await expect(del(team.viewer)).rejects.toEqual(code('forbidden'))
    await expect(del(team.stranger)).rejects.toEqual(code('not_found'))
    await expect(del(team.mate)).rejects.toEqual(code('policy_denied'))
    expect(await bench.contentsOf(team.member, id)).toEqual({ a: '1' })
    await del(team.member)
    expect(await bench.artifacts.findById(team.member, id)).toBeUndefined()
    await expect(del(team.member)).rejects.toEqual(code('not_found'))
  })

  test('one with aliases stays until that is said; latest goes to the one before; its number is gone for good', async () => {
    const project = aProject()
    const first = await bench.save(team.member, team, { a: '1' }, { project })
    const second = await bench.save(team.member, team, { a: '2' }, { project, aliases: ['latest', 'best'] })
    await expect(
      bench.artifacts.deleteArtifact(team.member, second.id, { withAliases: false }),
    ).rejects.toEqual(code('conflict'))
    await bench.artifacts.deleteArtifact(team.member, second.id, { withAliases: true })
    expect((await bench.artifacts.findById(team.member, first.id))?.aliases).toEqual(['latest'])
    const third = await bench.save(team.member, team, { a: '3' }, { project })
    expect(third.versionIndex).toBe(2)
    // The same content as the deleted one is a new version.
    const again = await bench.save(team.member, team, { a: '2' }, { project })
    expect(again).toMatchObject({ versionIndex: 3 })
    expect(await bench.contentsOf(team.member, again.id)).toEqual({ a: '2' })
  })

  test('frees what no other version has, at once, and tells beforehand how much', async () => {
    const project = aProject()
    const first = await bench.save(team.member, team, { own: 'only here', shared: 'both' }, { project })
    const second = await bench.save(team.member, team, { shared: 'both', more: 'x' }, { project })
    const other = await bench.save(team.member, team, { far: 'only here too' }, { project, collection: 'c' })
    const { projectId } = first.collection
    expect(await contentKeys(projectId)).toHaveLength(4)
    const preview = await bench.artifacts.previewDelete(
      team.member,
      { artifacts: [first] },
      { withAliases: false },
    )
    expect(preview).toMatchObject({ sizeBytes: 13, freedBytes: 9, freedFiles: 1, refusal: null })
    const all = await bench.artifacts.previewDelete(
      team.member,
      { collection: first.collection },
      { withAliases: true },
    )
    expect(all).toMatchObject({ freedBytes: 14, freedFiles: 3, refusal: null })
    expect(
      (await bench.artifacts.previewDelete(team.viewer, { artifacts: [first] }, { withAliases: true }))
        .refusal,
    ).toMatch(/view-only/)
    await bench.artifacts.deleteArtifact(team.member, first.id, { withAliases: true })
    expect(await contentKeys(projectId)).toHaveLength(3)
    expect((await contentKeys(projectId)).join()).not.toContain(md5Hex('only here'))
    expect(await bench.contentsOf(team.member, second.id)).toEqual({ shared: 'both', more: 'x' })
    await bench.artifacts.deleteCollection(team.member, second.collection)
    expect(await contentKeys(projectId)).toHaveLength(1)
    expect(await bench.contentsOf(team.member, other.id)).toEqual({ far: 'only here too' })
    expect(await bench.storedKeys(projectId)).toHaveLength(2)
  })

  test('content that somebody is just saving is not cleared away under them', async () => {
    const project = aProject()
    const first = await bench.save(team.member, team, { a: 'kept' }, { project })
    const client = bench.saving(team.member, team, { b: 'kept', c: 'new' }, { project, collection: 'c' })
    await client.create()
    await client.sendFiles()
    await bench.artifacts.deleteArtifact(team.member, first.id, { withAliases: true })
    await client.sendManifest()
    const done = await client.commit()
    expect(await bench.contentsOf(team.member, done.id)).toEqual({ b: 'kept', c: 'new' })
  })

  test('a collection goes with what is pending in it; a mate’s version in it keeps it', async () => {
    const project = aProject()
    const mine = await bench.save(team.member, team, { a: '1' }, { project })
    const pending = bench.saving(team.member, team, { a: 'pending' }, { project })
    await pending.create()
    await pending.sendFiles()
    await expect(bench.artifacts.deleteCollection(team.viewer, mine.collection)).rejects.toEqual(
      code('forbidden'),
    )
    await expect(bench.artifacts.deleteCollection(team.stranger, mine.collection)).rejects.toEqual(
      code('not_found'),
    )
    await bench.artifacts.deleteCollection(team.member, mine.collection)
    expect(await bench.storedKeys(mine.collection.projectId)).toEqual([])
    await expect(pending.commit()).rejects.toEqual(code('not_found'))
  })
})

describe('clearing', () => {
  test('a version that nobody finished goes after a day, with its bytes; one that is worked on stays', async () => {
    const project = aProject()
    const left = bench.saving(team.member, team, { a: 'left' }, { project })
    await left.create()
    await left.sendFiles()
    await left.sendManifest()
    const { projectId } = (await bench.artifacts.findById(team.member, left.id()))!.collection
    expect(await bench.storedKeys(projectId)).toHaveLength(2)
    await bench.artifacts.sweep()
    expect(await bench.storedKeys(projectId)).toHaveLength(2)
    bench.time.now += 20 * 3600 * 1000
    const busy = bench.saving(team.member, team, { b: 'busy' }, { project, clientId: 'busy' })
    await busy.create()
    await busy.sendFiles()
    bench.time.now += 10 * 3600 * 1000
    await bench.artifacts.sweep()
    expect(await bench.artifacts.findById(team.member, left.id())).toBeUndefined()
    await busy.sendManifest()
    const done = await busy.commit()
    expect(await bench.contentsOf(team.member, done.id)).toEqual({ b: 'busy' })
    expect(await bench.storedKeys(projectId)).toHaveLength(2)
  })

  test('a version whose time is over goes; one that is kept for ever, or told nothing, stays', async () => {
    const project = aProject()
    const short = await bench.save(team.member, team, { a: 'short' }, { project, collection: 'short' })
    const long = await bench.save(team.member, team, { a: 'long' }, { project, collection: 'long' })
    await bench.artifacts.changeArtifact(team.member, short.id, { ttlSeconds: 3600 })
    await bench.artifacts.changeArtifact(team.member, long.id, { ttlSeconds: -2 })
    await bench.artifacts.sweep()
    expect(await bench.artifacts.findById(team.member, short.id)).toMatchObject({ ttlSeconds: 3600 })
    bench.time.now += 3601 * 1000
    await bench.artifacts.sweep()
    expect(await bench.artifacts.findById(team.member, short.id)).toBeUndefined()
    expect(await bench.artifacts.findById(team.member, long.id)).toMatchObject({ ttlSeconds: 0 })
  })
})

describe('deleting what an experiment made', () => {
  test('nobody but its owner and admins; then all of it, with what the rest of the project keeps told', async () => {
    const project = aProject()
    const experiment = await bench.anExperiment(team.member, { team: team.slug, project, slug: 'maker' })
    const made = await bench.save(
      team.member,
      team,
      { own: 'only here', shared: 'both' },
      { project, experiment: 'maker', aliases: ['latest', 'best'] },
    )
    const older = await bench.save(team.member, team, { shared: 'both' }, { project, collection: 'c' })
    for (const [actor, outcome] of [
      [team.viewer, 'forbidden'],
      [team.mate, 'policy_denied'],
    ] as const)
      await expect(bench.artifacts.deleteMade(actor, experiment)).rejects.toEqual(code(outcome))
    await expect(bench.artifacts.previewDeleteMade(team.stranger, [experiment.id])).rejects.toEqual(
      code('not_found'),
    )
    const preview = await bench.artifacts.previewDeleteMade(team.mate, [experiment.id])
    expect(preview).toMatchObject({ sizeBytes: 13, freedBytes: 9, freedFiles: 1 })
    expect(preview.refusal).toContain('members_delete_runs')
    await expect(bench.artifacts.deleteMade(team.member, experiment)).resolves.toBe(1)
    expect(await bench.artifacts.findById(team.member, made.id)).toBeUndefined()
    expect(await bench.contentsOf(team.member, older.id)).toEqual({ shared: 'both' })
    expect(await contentKeys(older.collection.projectId)).toHaveLength(1)
  })
})

describe('how long a team keeps artifacts', () => {
  test('an admin says so; versions inherit it unless they say something themselves, and registries keep theirs', async () => {
    const project = aProject()
    const save = (name: string) =>
      bench.save(team.member, team, { [name]: name }, { project, collection: name })
    const [plain, kept, short] = [await save('plain'), await save('kept'), await save('short')]
    const hour = 3600
    await bench.artifacts.changeArtifact(team.member, kept.id, { ttlSeconds: -2 })
    await bench.artifacts.changeArtifact(team.member, short.id, { ttlSeconds: hour })
    const say = (actor: typeof team.member, seconds: number | null) =>
      bench.artifacts.setTeamTimeToLive(actor, { team: team.slug, seconds })
    await expect(say(team.member, 2 * hour)).rejects.toEqual(code('forbidden'))
    await expect(say(team.stranger, 2 * hour)).rejects.toEqual(code('not_found'))
    await expect(say(team.admin, 60)).rejects.toEqual(code('invalid'))
    await say(team.admin, 2 * hour)
    const left = async () =>
      Promise.all(
        [plain, kept, short].map(async ({ id }) => !!(await bench.artifacts.findById(team.member, id))),
      )
    bench.time.now += hour * 1000
    await bench.artifacts.sweep()
    expect(await left()).toEqual([true, true, false])
    const soon = await bench.artifacts.teamTimeToLive(team.member, { team: team.slug, seconds: hour })
    expect(soon.overNow).toBeGreaterThanOrEqual(1)
    // To inherit again is to follow the team; to keep for ever is not.
    await bench.artifacts.changeArtifact(team.member, plain.id, { ttlSeconds: hour * 5 })
    bench.time.now += hour * 1000
    await bench.artifacts.sweep()
    expect(await left()).toEqual([true, true, false])
    await bench.artifacts.changeArtifact(team.member, plain.id, { ttlSeconds: -1 })
    await bench.artifacts.sweep()
    expect(await left()).toEqual([false, true, false])
    await say(team.admin, null)
  })
})
