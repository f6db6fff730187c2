/** The owner of an experiment hears what others do to it. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import type { Actor } from '../actor.ts'
import { createSender } from '../datastores/testing.ts'

let app: TestApp
beforeAll(async () => {
  app = await startApp()
})
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
})

async function anExperiment() {
  const team = await app.aTeam()
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  await app.experiments.upsert(actor, { team: team.slug, project: 'vision', slug: 'mine', name: 'mine' })
  return { team, ref: { team: team.slug, project: 'vision', experiment: 'mine' } }
}

const titles = async (person: { notifications: TestApp['operator']['notifications'] }) =>
  (await person.notifications.list({})).items.map((each) => each.title)

test('what a team mate or an admin does is told, and stands in the log with what was before', async () => {
  const { team, ref } = await anExperiment()
  await team.mate.experiments.change({ ...ref, notes: 'Better than mine' })
  await team.mate.experiments.stop(ref)
  await team.admin.experiments.delete(ref)
  expect(await titles(team.member)).toEqual([
    `${team.admin.username} deleted mine`,
    `${team.mate.username} asked mine to stop`,
    `${team.mate.username} edited mine`,
  ])
  const { items } = await team.admin.teams.activity({ team: team.slug, limit: 10 })
  expect(items.find((each) => each.action === 'experiment:edit')).toMatchObject({
    actor: { username: team.mate.username },
    details: { notes: 'Better than mine', before: { notes: '' } },
  })
})

test('one’s own doing is not told, and what was refused tells nobody', async () => {
  const { team, ref } = await anExperiment()
  await expect(team.mate.experiments.delete(ref)).rejects.toMatchObject({ code: 'policy_denied' })
  await team.member.experiments.change({ ...ref, notes: 'Mine' })
  await team.member.experiments.stop(ref)
  expect(await titles(team.member)).toEqual([])
})

test('a move, and the end of files, artifacts, datastores, sweeps, reports and projects, are told once', async () => {
  const { team, ref } = await anExperiment()
  const { member, admin, slug } = team
  const by = admin.username
  const actor = await app.teams.actors.ofKey(member.key, { origin: app.origin, client: 'wandb' })
  const at = { team: slug, project: 'vision', slug: 'mine' }
  const [upload] = await app.experiments.uploadUrls(actor, at, ['weights.bin'])
  await app.inject(new Request(upload!.url, { method: 'PUT', body: 'weights' }))
  const { id } = await member.experiments.get(ref)
  const artifact = await anArtifact(actor, at)
  const { sweep } = await app.sweeps.create(actor, {
    team: slug,
    project: 'vision',
    configText: '{method: grid, name: search, parameters: {a: {value: 1}}}',
  })
  const report = await member.reports.create({
    team: slug,
    project: 'vision',
    title: 'Week 3',
    publish: true,
  })
  const { datastoreId } = await createSender(app).send(member, slug, 'cats', { a: 'b' })
  const other = await app.experiments.upsert(actor, { ...at, slug: 'other', name: 'other' })
  await app.experiments.append(actor, { ...at, slug: 'other' }, { complete: { exitCode: 0 } })
  const admins = await app.teams.actors.ofKey(admin.key, { origin: app.origin, client: 'wandb' })

  await app.experiments.removeFiles(admins, id, ['weights.bin'])
  await app.artifacts.deleteArtifact(admins, artifact, { withAliases: true })
  await admin.sweeps.steer({ team: slug, project: 'vision', sweep: sweep.slug, action: 'stop' })
  await admin.sweeps.delete({ team: slug, project: 'vision', sweep: sweep.slug })
  await admin.reports.delete({ reportId: report.id })
  await admin.datastores.delete({ datastoreId, version: 1 })
  await admin.datastores.restore({ datastoreId, version: 1 })
  await admin.experiments.move({
    experimentIds: [id, other.experiment.id],
    to: { team: slug, project: 'kept' },
  })
  // To a team that its owner is not in: where to is not theirs to know.
  await admin.experiments.move({
    experimentIds: [other.experiment.id],
    to: { team: admin.username, project: 'secret' },
  })
  await admin.projects.delete({ team: slug, project: 'kept' })

  const { items } = await member.notifications.list({})
  expect(items.map(({ title }) => title)).toEqual([
    `${by} deleted project kept`,
    `${by} moved other`,
    `${by} moved 2 experiments of yours`,
    `${by} restored cats:1`,
    `${by} deleted cats:1`,
    `${by} deleted report Week 3`,
    `${by} deleted sweep search`,
    `${by} stopped sweep search`,
    `${by} deleted ds:v0`,
    `${by} deleted files of mine`,
  ])
  expect(items[0]!.text).toContain('Of the experiments in it, yours: 1.')
  expect(items[1]).toMatchObject({ link: null, text: expect.stringContaining('to another team.') })
  expect(JSON.stringify(items[1])).not.toContain('secret')
  expect(items[2]).toMatchObject({
    link: `/${slug}/kept`,
    text: expect.stringContaining(`from ${slug}/vision to ${slug}/kept: mine, other.`),
  })
  const log = (await admin.teams.activity({ team: slug, limit: 50 })).items.map(({ action }) => action)
  for (const action of ['file', 'artifact', 'sweep', 'report', 'datastore', 'project'])
    expect(log).toContain(`${action}:delete`)
  expect(log).toContain('experiment:move')
  // Of all that the admin hears nothing: it was their own doing.
  expect(await titles(admin)).toEqual([])
})

/** `ds:v0`, with no files. */
async function anArtifact(actor: Actor, at: { team: string; project: string; slug: string }) {
  const manifest = '{"version":1,"contents":{}}'
  const { id } = await app.artifacts.createArtifact(actor, {
    team: at.team,
    project: at.project,
    experiment: at.slug,
    collection: 'ds',
    type: 'dataset',
    digest: 'any',
  })
  const { uploadUrl } = await app.artifacts.createManifest(actor, {
    artifactId: id,
    baseArtifactId: null,
    name: 'wandb_manifest.json',
    type: 'FULL',
    digest: createHash('md5').update(manifest).digest('base64'),
  })
  await app.inject(new Request(uploadUrl!, { method: 'PUT', body: manifest }))
  await app.artifacts.commitArtifact(actor, id)
  return id
}
