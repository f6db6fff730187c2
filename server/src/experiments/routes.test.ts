import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import type { Actor } from '../actor.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let place: { team: string; project: string; experiment: string }
let id: string

beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  const actor: Actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const { experiment } = await app.experiments.upsert(actor, {
    team: team.slug,
    project: 'digits',
    slug: 'run 1: 100 %',
    name: 'first',
    tags: ['a'],
    config: { lr: { value: 0.1 }, _wandb: { value: { m: [{ '1': 'loss', '6': [2] }] } } },
  })
  id = experiment.id
  place = { team: team.slug, project: 'digits', experiment: experiment.slug }
  const ref = { team: team.slug, project: 'digits', slug: experiment.slug }
  await app.experiments.append(actor, ref, {
    history: {
      offset: 0,
      lines: ['{"_step":0,"loss":NaN,"t":"x"}', '{"_step":1,"loss":-Infinity}', '{"_step":2,"loss":0.5}'],
    },
    console: { offset: 0, lines: [{ timeMs: 1, level: 'error', label: '', text: 'hello' }] },
    summary: { loss: NaN },
  })
  await app.experiments.storeFile(id, 'a b%.txt', Readable.from([Buffer.from('content')]))
  await app.experiments.addAlert(actor, ref, { title: 'T', text: 'x', level: 'warn', waitSeconds: 0 })
})
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

test('everything of an experiment is read over HTTP in the shapes of the contract', async () => {
  const { experiments } = team.viewer
  const project = { team: team.slug, project: 'digits' }
  const { rows, total } = await experiments.query({
    ...project,
    filters: [{ column: 'config.lr', op: 'lte', value: 0.1 }],
    sort: [{ column: 'summary.loss', descending: true }],
    columns: ['summary.loss', 'config.lr'],
  })
  expect({ total, values: rows[0]!.values }).toEqual({
    total: 1,
    values: { 'summary.loss': 'NaN', 'config.lr': 0.1 },
  })
  expect(await experiments.columns({ ...project, search: 'lr' })).toEqual([
    { column: 'config.lr', experiments: 1, numeric: true },
  ])
  expect(await experiments.get(place)).toMatchObject({
    slug: 'run 1: 100 %',
    config: { lr: 0.1 },
    metricDefinitions: [{ key: 'loss', hidden: true }],
  })
  const keys = await experiments.keys({ experimentIds: [id] })
  expect(keys.map((key) => [key.key, key.kind])).toEqual(
    expect.arrayContaining([
      ['loss', 'number'],
      ['t', 'object'],
    ]),
  )
  const [curve] = await experiments.curves({ experimentIds: [id], keys: ['loss'] })
  expect(curve).toMatchObject({
    x: [2],
    y: [0.5],
    nonFinite: [
      { x: 0, value: 'NaN' },
      { x: 1, value: '-Infinity' },
    ],
  })
  expect(await experiments.media({ ...place, keys: ['t'] })).toMatchObject([
    { type: 'string', value: 'x', files: [] },
  ])
  expect(await experiments.console({ ...place, last: true, limit: 5, search: 'HELL' })).toMatchObject({
    total: 1,
    lines: [{ line: 0, text: 'hello', level: 'error' }],
  })
  const alerts = await experiments.alerts({ team: team.slug, project: 'digits' })
  expect(alerts.items).toMatchObject([{ title: 'T', level: 'warn', experiment: { name: 'first' } }])
  expect(await experiments.resolve({ ref: `${team.member.username}:first` })).toMatchObject([{ id }])
  expect(await experiments.status({ scope: 'global' })).toMatchObject({
    items: [{ run: 'first', running: 1, status: 'running' }],
    inactive: 0,
  })
})

test('a file is fetched from its signed url without a login', async () => {
  const [file] = await team.viewer.experiments.files({ ...place, prefix: 'a b' })
  expect(file).toMatchObject({ path: 'a b%.txt', sizeBytes: 7, mediaType: 'text/plain' })
  const answer = await app.inject(new Request(file!.url))
  expect([answer.status, await answer.text()]).toEqual([200, 'content'])
})

test('what is uploaded to a signed url is the experiment’s, and to an altered one nobody’s', async () => {
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const ref = { team: team.slug, project: 'digits', slug: place.experiment }
  const [upload] = await app.experiments.uploadUrls(actor, ref, ['up/é %.bin'])
  const { url } = upload!
  const put = (to: string) => app.inject(new Request(to, { method: 'PUT', body: 'bytes' }))
  expect((await put(url.replace('/blobs/ey', '/blobs/eY'))).status).toBeGreaterThanOrEqual(400)
  expect((await put(url)).status).toBeLessThan(300)
  const [file] = await team.viewer.experiments.files({ ...place, prefix: 'up/' })
  expect(file).toMatchObject({ path: 'up/é %.bin', sizeBytes: 5 })
})

test('changes go through HTTP under the same rules', async () => {
  await expect(team.viewer.experiments.change({ ...place, notes: 'x' })).rejects.toMatchObject({
    code: 'forbidden',
  })
  await expect(team.outsider.experiments.get(place)).rejects.toMatchObject({ code: 'not_found' })
  await expect(team.removed.experiments.get(place)).rejects.toMatchObject({ code: 'not_found' })
  expect(await team.mate.experiments.change({ ...place, tags: ['b', 'b'] })).toMatchObject({ tags: ['b'] })
  expect(await team.mate.experiments.stop(place)).toMatchObject({ stopRequested: true, state: 'running' })
  await expect(team.mate.experiments.delete(place)).rejects.toMatchObject({ code: 'policy_denied' })
  expect(await team.member.experiments.delete(place)).toEqual({ ok: true })
  await expect(team.member.experiments.get(place)).rejects.toMatchObject({ code: 'not_found' })
})
