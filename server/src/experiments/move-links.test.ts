/** What becomes of everything that led to an experiment before it moved: links, lists, and scripts that still log. */
import { createHash } from 'node:crypto'
import { writeReport } from '@teamgrid/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

type Somebody = { key: string }
type Ref = { team: string; project: string; slug: string }

const actorOf = (person: Somebody) =>
  app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })
const placeOf = ({ team, project, slug }: Ref) => ({ team, project, experiment: slug })
const md5 = (text: string) => createHash('md5').update(text).digest('base64')

async function anExperiment(person: Somebody, ref: Ref, name = `name of ${ref.slug}`) {
  const actor = await actorOf(person)
  const { experiment } = await app.experiments.upsert(actor, { ...ref, name })
  await app.experiments.append(actor, ref, {
    history: { offset: 0, lines: ['{"_step":0,"loss":0.5}'] },
    summary: { loss: 0.5 },
  })
  return experiment
}

async function aFile(person: Somebody, ref: Ref, path: string, content: string) {
  const [upload] = await app.experiments.uploadUrls(await actorOf(person), ref, [path])
  await app.inject(new Request(upload!.url, { method: 'PUT', body: content }))
}

/** A version of one file, logged by the experiment at that address. */
async function anArtifact(person: Somebody, { slug, ...place }: Ref, collection: string) {
  const actor = await actorOf(person)
  const content = `content of ${collection}`
  const manifest = JSON.stringify({
    version: 1,
    storagePolicy: 'wandb-storage-policy-v1',
    storagePolicyConfig: { storageLayout: 'V2' },
    contents: { 'a.txt': { digest: md5(content), size: content.length } },
  })
  const { id } = await app.artifacts.createArtifact(actor, {
    ...place,
    experiment: slug,
    collection,
    type: 'dataset',
    digest: createHash('md5').update(manifest).digest('hex'),
    aliases: ['latest'],
  })
  const [file] = await app.artifacts.createFiles(actor, [
    { artifactId: id, name: 'a.txt', digest: md5(content) },
  ])
  await app.inject(new Request(file!.uploadUrl!, { method: 'PUT', body: content }))
  const { uploadUrl } = await app.artifacts.createManifest(actor, {
    artifactId: id,
    baseArtifactId: null,
    name: 'wandb_manifest.json',
    type: 'FULL',
    digest: md5(manifest),
  })
  await app.inject(new Request(uploadUrl!, { method: 'PUT', body: manifest }))
  await app.artifacts.commitArtifact(actor, id)
  return id
}

const use = async (person: Somebody, experiment: Ref, artifactId: string) =>
  app.artifacts.useArtifact(await actorOf(person), { experiment, artifactId, usedAs: null })

async function post(person: Somebody, path: string, body: object) {
  const answer = await app.inject(
    new Request(`${app.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${person.key}` },
      body: JSON.stringify(body),
    }),
  )
  return { status: answer.status, body: JSON.parse(await answer.text()) as Record<string, never> }
}

/** What somebody hears who asks through the client's protocol who made a version and who used it. */
async function askLineage(person: Somebody, { team, project }: Ref, collection: string) {
  const query = `query A($team: String!, $project: String!, $name: String!) {
    project(name: $project, entityName: $team) { artifact(name: $name) {
      createdBy { __typename ... on Run { name projectName: project { name } } }
      usedBy { edges { node { name project { name } } } } } } }`
  const { body } = await post(person, '/graphql', {
    query,
    variables: { team, project, name: `${collection}:v0` },
  })
  expect(body).not.toHaveProperty('errors')
  return body as unknown
}

/** Everything an artifact tells: to the page, as lineage, and to the client. */
async function toldOf(
  person: Parameters<typeof askLineage>[0] & { artifacts: TestPersonArtifacts },
  { team, project }: Ref,
  collection: string,
) {
  const version = { team, project, collection, version: 'v0' }
  const page = await person.artifacts.get(version)
  const lineage = await person.artifacts.lineage(version)
  const client = await askLineage(person, { team, project, slug: '' }, collection)
  return { page, lineage, client, text: JSON.stringify([page, lineage, client]) }
}
type TestPersonArtifacts = Awaited<ReturnType<TestApp['aPerson']>>['artifacts']

test('artifacts name who made and used them to who may see both, and tell nobody else', async () => {
  const ref = { team: team.slug, project: 'vision', slug: 'hush1' }
  const giver = { ...ref, slug: 'giver' }
  const made = await anExperiment(team.member, ref, 'hush name')
  await anExperiment(team.mate, giver)
  await anArtifact(team.member, ref, 'made')
  await use(team.member, ref, await anArtifact(team.mate, giver, 'given'))
  await aFile(team.member, ref, 'model.pt', 'weights')
  expect((await toldOf(team.mate, ref, 'made')).page.madeBy).toMatchObject({ slug: 'hush1' })
  expect((await toldOf(team.mate, ref, 'given')).page.usedBy).toMatchObject([{ slug: 'hush1' }])
  const [handed] = await team.mate.experiments.files(placeOf(ref))
  expect((await app.inject(new Request(handed!.url))).status).toBe(200)

  await team.member.projects.create({ team: team.slug, name: 'hushed' })
  await team.admin.teams.setPrivacy({
    team: team.slug,
    project: { name: 'hushed', visibility: 'private' },
  })
  await team.member.experiments.move({
    experimentIds: [made.id],
    to: { team: team.slug, project: 'hushed' },
  })

  const there = { team: team.slug, project: 'hushed', slug: 'hush1' }
  for (const person of [team.member, team.admin]) {
    const ofMade = await toldOf(person, ref, 'made')
    expect(ofMade.page.madeBy).toMatchObject({ id: made.id, project: 'hushed', slug: 'hush1' })
    expect(JSON.stringify(ofMade.lineage)).toContain('hushed')
    expect(JSON.stringify(ofMade.client)).toContain('"hushed"')
    const ofGiven = await toldOf(person, ref, 'given')
    expect(ofGiven.page.usedBy).toMatchObject([{ project: 'hushed', slug: 'hush1' }])
    for (const address of [there, ref]) {
      const listed = await person.artifacts.ofExperiment(placeOf(address))
      expect(listed.made.map(({ collection, project }) => `${project}/${collection}`)).toEqual([
        'vision/made',
      ])
      expect(listed.used.map(({ collection, project }) => `${project}/${collection}`)).toEqual([
        'vision/given',
      ])
      const [file] = await person.experiments.files(placeOf(address))
      expect(await (await app.inject(new Request(file!.url))).text()).toBe('weights')
    }
  }
  for (const person of [team.mate, team.service]) {
    for (const collection of ['made', 'given']) {
      const told = await toldOf(person, ref, collection)
      expect(told.page.usedBy).toEqual([])
      if (collection === 'made') expect(told.page.madeBy).toBeNull()
      expect(told.text).not.toMatch(/hush/)
      expect(told.text).not.toContain(made.id)
    }
    for (const address of [there, ref]) {
      await expect(person.artifacts.ofExperiment(placeOf(address))).rejects.toMatchObject({
        code: 'not_found',
      })
      await expect(person.experiments.files(placeOf(address))).rejects.toMatchObject({ code: 'not_found' })
    }
  }
  // A link that was handed out while it was everybody's leads nowhere any more.
  expect((await app.inject(new Request(handed!.url))).status).not.toBe(200)
})

test('in another team its people see the experiment and nothing of the team that it left', async () => {
  const other = await app.aTeam()
  await app.operator.teams.addMember({ team: other.slug, username: team.member.username, role: 'member' })
  const ref = { team: team.slug, project: 'hushroom', slug: 'exp1' }
  const made = await anExperiment(team.member, ref)
  await use(team.member, ref, await anArtifact(team.member, ref, 'hushset'))
  await team.member.experiments.move({
    experimentIds: [made.id],
    to: { team: other.slug, project: 'open' },
  })
  const there = placeOf({ team: other.slug, project: 'open', slug: 'exp1' })
  expect(await other.mate.artifacts.ofExperiment(there)).toEqual({ made: [], used: [] })
  const experiment = await other.mate.experiments.get(there)
  expect(JSON.stringify(experiment)).not.toMatch(/hush/)
  expect(JSON.stringify(experiment)).not.toContain(team.slug)
  // An old link leads whoever may see the experiment to it; the one it left keeps the rest to itself.
  await expect(team.mate.experiments.get(placeOf(ref))).rejects.toMatchObject({ code: 'not_found' })
  await expect(other.mate.projects.get({ team: team.slug, project: ref.project })).rejects.toMatchObject({
    code: 'not_found',
  })
  const { made: own, used } = await team.member.artifacts.ofExperiment(there)
  expect([own.length, used.length]).toEqual([1, 1])
  const told = await toldOf(team.mate, ref, 'hushset')
  expect([told.page.madeBy, told.page.usedBy]).toEqual([null, []])
  expect(told.text).not.toContain(other.slug)
})

test('panels of reports no longer show it to who reads the project that it left', async () => {
  const ref = { team: team.slug, project: 'panels', slug: 'hush2' }
  const made = await anExperiment(team.member, ref, 'hush name')
  await anExperiment(team.mate, { ...ref, slug: 'stays' })
  const { id: reportId } = await team.member.reports.create({
    team: team.slug,
    project: 'panels',
    title: 'Findings',
    publish: true,
    spec: writeReport([
      {
        kind: 'panels',
        runSets: [
          {
            name: 'All',
            team: null,
            project: null,
            search: '',
            filters: [],
            unknownFilters: 0,
            sort: [],
            enabled: true,
          },
        ],
        panels: [
          { id: 'a', kind: 'line', title: null, metrics: ['loss'], x: 'step', markdown: '', viewType: '' },
        ],
      },
    ]),
  })
  const { url } = await team.admin.reports.createLink({ reportId })
  const token = url!.split('/').at(-1)!
  const shownBy = async () => {
    const { rows, curves } = await team.outsider.reports.sharedPanels({ token, block: 0 })
    return { rows: rows.map(({ slug }) => slug).toSorted(), curves: curves.length }
  }
  expect(await shownBy()).toEqual({ rows: ['hush2', 'stays'], curves: 2 })
  await team.member.experiments.move({
    experimentIds: [made.id],
    to: { team: team.member.username, project: 'mine' },
  })
  expect(await shownBy()).toEqual({ rows: ['stays'], curves: 1 })
  const { rows } = await team.mate.experiments.query({ team: team.slug, project: 'panels' })
  expect(rows.map(({ slug }) => slug)).toEqual(['stays'])
  // Nor by its id, which an open page still knows.
  const curves = await team.mate.experiments
    .curves({ experimentIds: [made.id], keys: ['loss'] })
    .catch((error: { code: string }) => error.code)
  expect(curves === 'not_found' || (Array.isArray(curves) && curves.length === 0)).toBe(true)
  const [curve] = await team.member.experiments.curves({ experimentIds: [made.id], keys: ['loss'] })
  expect(curve!.y).toEqual([0.5])
})

test('a sweep counts what moved away from it, says nothing else of it, and is found from there', async () => {
  const actor = await actorOf(team.member)
  const { sweep } = await app.sweeps.create(actor, {
    team: team.slug,
    project: 'search',
    configText: '{method: grid, metric: {name: loss}, parameters: {a: {values: [1, 2]}}}',
  })
  const at = { team: team.slug, project: 'search', sweep: sweep.slug }
  const agent = await app.sweeps.createAgent(
    actor,
    { team: team.slug, project: 'search', slug: sweep.slug },
    'h',
  )
  const ids: string[] = []
  const slugs: string[] = []
  for (const loss of [0.1, 0.2]) {
    const [command] = await app.sweeps.heartbeat(actor, agent.id, [])
    if (command?.type !== 'run') throw new Error(`Expected work, got ${JSON.stringify(command)}`)
    await app.sweeps.heartbeat(actor, agent.id, [command.slug])
    const ref = { team: team.slug, project: 'search', slug: command.slug }
    const { experiment } = await app.experiments.upsert(actor, { ...ref, name: `hush ${loss}` })
    await app.experiments.append(actor, ref, { summary: { loss }, complete: { exitCode: 0 } })
    ids.push(experiment.id)
    slugs.push(command.slug)
  }
  await team.member.experiments.move({
    experimentIds: [ids[0]!],
    to: { team: team.member.username, project: 'mine' },
  })

  const read = await team.mate.sweeps.get(at)
  expect(read.counts).toMatchObject({ total: 2, finished: 1, moved: 1 })
  expect(read.best).toMatchObject({ slug: slugs[1], value: 0.2 })
  const { items } = await team.mate.sweeps.list({ team: team.slug, project: 'search' })
  expect(items).toMatchObject([{ slug: sweep.slug, counts: { total: 2, moved: 1 } }])
  const analysis = await team.mate.sweeps.analysis(at)
  expect(analysis).toMatchObject({ total: 1, rows: [{ slug: slugs[1] }] })
  expect(JSON.stringify([read, items, analysis])).not.toContain('hush 0.1')
  // It was tried: nobody tries it again, and the sweep comes to its end.
  expect(await app.sweeps.heartbeat(actor, agent.id, [])).toEqual([{ type: 'exit' }])
  expect(await team.mate.sweeps.get(at)).toMatchObject({ state: 'finished' })

  // Its old address among the sweep's leads on for who may see it, and for nobody else.
  const old = placeOf({ team: team.slug, project: 'search', slug: slugs[0]! })
  expect(await team.member.experiments.get(old)).toMatchObject({ project: 'mine', sweep: sweep.slug })
  await expect(team.mate.experiments.get(old)).rejects.toMatchObject({ code: 'not_found' })
  // And the sweep that it names is found from where it is.
  const there = { team: team.member.username, project: 'mine', sweep: sweep.slug }
  expect(await team.member.sweeps.get(there)).toMatchObject({ team: team.slug, project: 'search' })
  await expect(team.mate.sweeps.get(there)).resolves.toMatchObject({ project: 'search' })
  await expect(team.outsider.sweeps.get(there)).rejects.toMatchObject({ code: 'not_found' })
  // Deleted, it is counted no more.
  await team.member.experiments.delete({ team: there.team, project: 'mine', experiment: slugs[0]! })
  expect((await team.mate.sweeps.get(at)).counts).toMatchObject({ total: 1, moved: 0 })
})

test('a script that still logs to the old address is heard, whatever it logs', async () => {
  const ref = { team: team.slug, project: 'late', slug: 'exp1' }
  const made = await anExperiment(team.member, ref)
  await team.member.experiments.move({
    experimentIds: [made.id],
    to: { team: team.member.username, project: 'mine' },
  })
  const there = { team: team.member.username, project: 'mine', slug: 'exp1' }
  const upserted = await post(team.member, '/graphql', {
    query: `mutation U($name: String, $project: String, $entity: String, $config: JSONString) {
      upsertBucket(input: { name: $name, modelName: $project, entityName: $entity, config: $config }) {
        inserted bucket { id name project { name entity { name } } } } }`,
    variables: {
      name: 'exp1',
      project: 'late',
      entity: team.slug,
      config: JSON.stringify({ lr: { value: 0.3 } }),
    },
  })
  expect(upserted.body).toMatchObject({
    data: {
      upsertBucket: {
        inserted: false,
        bucket: { name: 'exp1', project: { name: 'mine', entity: { name: team.member.username } } },
      },
    },
  })
  const streamed = await post(team.member, `/files/${team.slug}/late/exp1/file_stream`, {
    files: {
      'wandb-history.jsonl': { offset: 1, content: ['{"_step":1,"loss":0.25}'] },
      'wandb-summary.json': { offset: 0, content: ['{"loss":0.25}'] },
      'output.log': { offset: 0, content: ['2026-11-22T10:00:00.000000 still here'] },
    },
  })
  expect(streamed.status).toBe(200)
  await aFile(team.member, ref, 'late.txt', 'late')
  const artifactId = await anArtifact(team.member, ref, 'late')
  await use(team.member, ref, artifactId)
  const ended = await post(team.member, `/files/${team.slug}/late/exp1/file_stream`, {
    complete: true,
    exitcode: 0,
  })
  expect(ended.status).toBe(200)

  expect(await team.member.experiments.get(placeOf(there))).toMatchObject({
    id: made.id,
    state: 'finished',
    summary: { loss: 0.25 },
    config: { lr: 0.3 },
  })
  const [curve] = await team.member.experiments.curves({ experimentIds: [made.id], keys: ['loss'] })
  expect(curve!.y).toEqual([0.5, 0.25])
  const { lines } = await team.member.experiments.console(placeOf(there))
  expect(lines.map(({ text }) => text)).toEqual(['still here'])
  expect((await team.member.experiments.files(placeOf(there))).map(({ path }) => path)).toEqual(['late.txt'])
  const { made: own, used } = await team.member.artifacts.ofExperiment(placeOf(there))
  expect([own, used]).toMatchObject([[{ collection: 'late' }], [{ collection: 'late' }]])
  // Nothing of it was left behind for the team that it went from.
  const { total } = await team.mate.experiments.query({ team: team.slug, project: 'late' })
  expect(total).toBe(0)
  // Who may not log to it does not write into it by its old address either.
  const strange = await post(team.outsider, `/files/${team.slug}/late/exp1/file_stream`, {
    files: { 'wandb-summary.json': { offset: 0, content: ['{"loss":9}'] } },
  })
  expect(strange.status).toBe(404)
  expect((await team.member.experiments.get(placeOf(there))).summary).toEqual({ loss: 0.25 })
})

test('a refused move of many leaves every link, line and notice as it was', async () => {
  const refs = ['one', 'two', 'three'].map((slug) => ({ team: team.slug, project: 'refused', slug }))
  const ids: string[] = []
  for (const [index, ref] of refs.entries())
    ids.push((await anExperiment(index === 1 ? team.mate : team.member, ref)).id)
  await anArtifact(team.member, refs[0]!, 'made')
  await aFile(team.member, refs[0]!, 'model.pt', 'weights')
  const before = await Promise.all(refs.map((ref) => team.admin.experiments.get(placeOf(ref))))
  await expect(
    team.member.experiments.move({
      experimentIds: ids,
      to: { team: team.member.username, project: 'mine' },
    }),
  ).rejects.toMatchObject({ code: 'policy_denied' })
  expect(await Promise.all(refs.map((ref) => team.admin.experiments.get(placeOf(ref))))).toEqual(before)
  expect((await toldOf(team.mate, refs[0]!, 'made')).page.madeBy).toMatchObject({ project: 'refused' })
  const [file] = await team.mate.experiments.files(placeOf(refs[0]!))
  expect(await (await app.inject(new Request(file!.url))).text()).toBe('weights')
  const addresses = await app.db
    .selectFrom('experiment_addresses')
    .select('slug')
    .where('experiment_id', 'in', ids)
    .execute()
  expect(addresses).toEqual([])
  const { items } = await team.admin.audit.team({ team: team.slug, action: 'experiment:move' })
  expect(items.filter(({ subjectId }) => ids.includes(subjectId!))).toEqual([])
})
