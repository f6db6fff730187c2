/** A team taken out of one server and given to another: nothing may be different. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetReadObjects, asyncBufferFromFile } from 'hyparquet'
import { createClient, type GridClient, readTar, tarHeader, tarPadding } from '@teamgrid/api'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onStore } from '../../server/src/artifacts/testing.ts'
import { createSender } from '../../server/src/datastores/testing.ts'
import { systemClock } from '../../server/src/lib/clock.ts'
import { startApp, type TestApp } from '../support/app.ts'
import { commandLines } from '../support/grid.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { admin } from './people.ts'

let app: TestApp
let cli: Awaited<ReturnType<typeof commandLines>>
let team: Awaited<ReturnType<TestApp['aTeam']>>
let target: TestServer
let experimentId: string
beforeAll(async () => {
  app = await startApp()
  cli = await commandLines(app)
  team = await app.aTeam()
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const ref = { team: team.slug, project: 'vision', slug: 'exp1' }
  const { experiment } = await app.experiments.upsert(actor, {
    ...ref,
    name: 'brave-lynx-1',
    group: 'g',
    tags: ['a', 'ü'],
    notes: 'line\nline',
    config: {
      lr: { value: 0.1 },
      deep: { value: { x: [1, null, 'NaN'] } },
    },
  })
  experimentId = experiment.id
  await sql`update experiments set config = config || '{"big": {"value": 9007199254740993}}'`.execute(app.db)
  const lines = Array.from(
    { length: 2500 },
    (_, step) =>
      `{"_step":${step},"_runtime":${step / 2},"_timestamp":${1.7e9 + step},"loss":${step === 7 ? 'NaN' : 1 / (step + 1)},"text":"step ${step}"}`,
  )
  await app.experiments.append(actor, ref, {
    history: { offset: 0, lines },
    system: { offset: 0, lines: ['{"_runtime":1,"_timestamp":1700000000,"system.cpu":42}'] },
    console: {
      offset: 0,
      lines: [{ timeMs: 1.7e12, level: 'error', label: '', text: '\u001b[31mred\u001b[0m' }],
    },
    summary: { loss: 0.5, 'val.acc': 1 },
  })
  // A line that was sent again in other words.
  await app.experiments.append(actor, ref, {
    history: {
      offset: 3,
      lines: ['{"_step":3,"_runtime":1.5,"_timestamp":1700000003,"loss":33,"text":"again"}'],
    },
  })
  const uploads = await app.experiments.uploadUrls(actor, ref, ['model.pt', 'media/ö & 50%.txt', 'empty.txt'])
  for (const [index, { url }] of uploads.entries())
    await app.inject(new Request(url, { method: 'PUT', body: index === 2 ? '' : `bytes ${index}` }))
  await app.experiments.addAlert(actor, ref, { title: 'low', text: 't', level: 'warn', waitSeconds: 0 })
  const second = await app.experiments.upsert(actor, { ...ref, slug: 'exp2', name: 'second' })
  await team.member.experiments.move({
    experimentIds: [second.experiment.id],
    to: { team: team.slug, project: 'other' },
  })
  await fillWithTheRest()
  target = await startServer()
}, 240_000)
afterAll(async () => {
  await target?.stop()
  await cli.close()
  expect(app.errors).toEqual([])
  await app.close()
})

/** Something in every table that an export holds. */
async function fillWithTheRest(): Promise<void> {
  const at = { team: team.slug, project: 'vision' }
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const saver = onStore({ ...app, clock: systemClock } as never, app.blobs)
  await saver.save(
    actor,
    team,
    { 'a/b.txt': 'of an artifact', 'ref.bin': { ref: 's3://bucket/x' } },
    {
      project: 'vision',
      experiment: 'exp1',
      metadata: { accuracy: 0.5 },
    },
  )
  const second = { 'a/b.txt': 'of an artifact', 'c.txt': 'second' }
  const { id: artifactId } = await saver.save(actor, team, second, { project: 'vision' })
  await app.artifacts.useArtifact(actor, { experiment: { ...at, slug: 'exp1' }, artifactId, usedAs: 'data' })
  const { send } = createSender(app)
  const cats = {
    'a.txt': 'meow',
    'deep/er/b.bin': randomBytes(900_000),
    'empty.txt': '',
    'folder/': 'nothing',
  }
  await send(team.member, team.slug, 'cats', cats)
  await send(team.member, team.slug, 'cats', { ...cats, 'a.txt': 'purr', link: { link: 'a.txt' } })
  const report = await team.member.reports.create({ ...at, title: 'Findings', publish: true })
  await team.viewer.reports.comment({ reportId: report.id, text: 'I see' })
  await team.viewer.reports.follow({ reportId: report.id, follow: true })
  await team.member.reports.create({ ...at, title: 'Not yet' })
  await team.member.sweeps.create({
    ...at,
    config:
      'method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {values: [1, 2]}}\nprogram: x.py',
  })
  const channel = await team.admin.alerts.createChannel({
    team: team.slug,
    name: 'desk',
    kind: 'webhook',
    target: 'https://hooks.example.org/very-secret-path',
  })
  await team.admin.alerts.createRule({
    team: team.slug,
    name: 'high',
    condition: { kind: 'threshold', metric: 'loss', operator: 'gt', value: 30 },
    channelIds: [channel.id],
  })
  await app.experiments.append(
    actor,
    { ...at, slug: 'exp1' },
    {
      history: {
        offset: 2500,
        lines: ['{"_step":2500,"_runtime":1250,"_timestamp":1700002500,"loss":40,"text":"high"}'],
      },
    },
  )
  await app.alerts.settled()
  // What machines would have left behind.
  const local = '00000000-0000-7000-8000-000000000001'
  await sql`with made as (
      insert into runs (id, project_id, team_id, name, spec, cluster_id, created_by)
      select gen_random_uuid(), project_id, team_id, 'brave-run-1', '{"command": ["python", "x.py"]}', ${local}, created_by
      from experiments where id = ${experimentId} returning id)
    insert into run_experiments (run_id, number, experiment_id, arguments, parameters)
    select id, 0, ${experimentId}, '[]', '{}' from made`.execute(app.db)
  await sql`with made as (
      insert into compute_attempts (id, kind, owner_id, team_id, user_id, cluster_id, number, state, spec, ended_at)
      select gen_random_uuid(), 'experiment', id, team_id, created_by, ${local}, 1, 'succeeded', '{}', now()
      from experiments where id = ${experimentId} returning id),
    streams as (insert into attempt_streams (attempt_id, name, rest) select id, 'out', '\\x00ff' from made)
    insert into attempt_lines (attempt_id, number, text) select id, 0, 'built' from made`.execute(app.db)
}

type Archive = { texts: Map<string, string>; digests: Map<string, string> }

/** What is in an archive: tables as text, everything by its SHA-256. */
async function readArchive(source: AsyncIterable<Uint8Array>): Promise<Archive> {
  const archive: Archive = { texts: new Map(), digests: new Map() }
  for await (const { name, body } of readTar(source)) {
    const parts: Uint8Array[] = []
    for await (const part of body) parts.push(part)
    const bytes = Buffer.concat(parts)
    archive.digests.set(name, createHash('sha256').update(bytes).digest('hex'))
    if (name.startsWith('tables/') || name === 'manifest.json') archive.texts.set(name, bytes.toString())
  }
  return archive
}

/** All that people and scripts can ask about the team, as the operator sees it. */
async function everything(client: GridClient, fetchFile: (url: string) => Promise<string>) {
  const at = { team: team.slug, project: 'vision', experiment: 'exp1' }
  const experimentIds = [experimentId]
  const files = await client.experiments.files(at)
  return {
    team: { ...(await client.teams.get({ team: team.slug })), role: null },
    members: await client.teams.members({ team: team.slug }),
    projects: await client.projects.list({ team: team.slug }),
    rows: await client.experiments.query({ ...at, columns: ['config.lr', 'summary.loss'] }),
    found: await client.experiments.query({
      ...at,
      filters: [{ column: 'config.lr', op: 'eq', value: 0.1 }],
    }),
    details: await client.experiments.get(at),
    moved: await client.experiments.get({ ...at, experiment: 'exp2' }),
    keys: await client.experiments.keys({ experimentIds }),
    curves: await client.experiments.curves({ experimentIds, keys: ['loss'], pointsMax: 10_000 }),
    system: await client.experiments.curves({ experimentIds, keys: ['system.cpu'], stream: 'system' }),
    media: await client.experiments.media({ ...at, keys: ['text'], limit: 1000 }),
    console: await client.experiments.console(at),
    files: await Promise.all(
      files.map(async (file) => ({ ...file, url: '', body: await fetchFile(file.url) })),
    ),
    alerts: await client.experiments.alerts({ team: team.slug }),
    // Keys stay where they are, and the looks of who compares here are lines of their own.
    audit: (await client.audit.team({ team: team.slug, limit: 500 })).items
      .filter(({ action }) => action !== 'org:look')
      .map((line) => ({ ...line, key: null })),
  }
}

test('C-12: an export, given to an empty server, brings everything and nothing different', async () => {
  const folder = join(cli.folder, 'whole')
  const done = await cli.grid(team.admin, ['export', team.slug, '--into', folder])
  expect(done.err).toContain(`Exported ${team.slug} to ${folder}`)
  expect(done.code).toBe(0)
  expect((await cli.grid(team.admin, ['export', team.slug, '--into', folder])).code).toBe(2)

  const imported = await admin(target, ['import', folder, '--json'])
  expect(imported.stderr).toBe('')
  expect(JSON.parse(imported.stdout)).toMatchObject({
    team: team.slug,
    experiments: 2,
    lines: 2502,
  })

  const there = createClient({
    url: target.url,
    headers: () => ({ authorization: `Bearer ${target.operatorToken}` }),
  })
  const here = await everything(app.operator, async (url) => (await app.inject(new Request(url))).text())
  const arrived = await everything(there, async (url) => (await fetch(url)).text())
  expect(arrived).toEqual(here)
  expect(here.curves[0]!.y).toHaveLength(2500)
  expect(here.files.map(({ body }) => body)).toEqual(['', 'bytes 1', 'bytes 0'])
  expect((await there.audit.verify({ team: team.slug })).ok).toBe(true)

  // Numbers that JavaScript would round are as they were.
  const config = await readFile(join(folder, 'tables', 'experiments.jsonl'), 'utf8')
  expect(config).toContain('9007199254740993')
  // Again would be twice.
  const again = await admin(target, ['import', folder])
  expect(again.stderr).toContain('here already')
  expect(again.code).toBe(5)
}, 120_000)

test('every row and every byte of an export comes out again of where it went in', async () => {
  const headers = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  const path = `/api/teams/${team.slug}/export`
  const there = await readArchive(
    (await fetch(target.url + path, headers(target.operatorToken))).body as AsyncIterable<Uint8Array>,
  )
  const answer = await app.inject(new Request(app.origin + path, headers(app.operatorToken)))
  const here = await readArchive(answer.body as AsyncIterable<Uint8Array>)

  const names = (archive: Archive) => [...archive.digests.keys()].toSorted()
  expect(names(there)).toEqual(names(here))
  const counts = (JSON.parse(here.texts.get('manifest.json')!) as { tables: Record<string, number> }).tables
  const empty = Object.keys(counts).filter((name) => counts[name] === 0)
  // Rows of these need machines, agents or older clients to be there.
  expect(empty.toSorted()).toEqual([
    'alert_deliveries',
    'artifact_links',
    'budgets',
    'clusters',
    'code_archives',
    'custom_charts',
    'meters',
    'shared_lines',
    'spending_rules',
    'sweep_agents',
    'sweep_trials',
    'usage_hours',
  ])
  // Both logs have gone on by the export itself; keys arrive revoked.
  const growing = ['activity', 'audit_seals', 'api_keys'].map((name) => `tables/${name}.jsonl`)
  growing.push('manifest.json', 'teamgrid-export.json')
  for (const [name, digest] of here.digests)
    if (!growing.includes(name)) expect([name, there.digests.get(name)]).toEqual([name, digest])
  const lines = (archive: Archive, name: string) => archive.texts.get(`tables/${name}.jsonl`)!.split('\n')
  for (const name of ['activity', 'audit_seals']) {
    const then = await readFile(join(cli.folder, 'whole', 'tables', `${name}.jsonl`), 'utf8')
    const now = new Set(lines(there, name))
    expect(then.split('\n').filter((line) => !now.has(line))).toEqual([])
  }
  expect(lines(there, 'api_keys').every((line) => line === '' || /"revoked_at": "/.test(line))).toBe(true)
  const all = [...here.texts.values()].join('')
  for (const secret of ['very-secret-path', team.service.key, team.member.key])
    expect(all).not.toContain(secret)
  expect(here.digests.size).toBeGreaterThan(40)
}, 60_000)

test('history is Parquet that any tool reads, with a column for each number', async () => {
  const folder = join(cli.folder, 'parquet')
  await cli.grid(team.admin, ['export', team.slug, '--into', folder])
  const file = await asyncBufferFromFile(join(folder, 'history', `${experimentId}.parquet`))
  const rows = await parquetReadObjects({ file, rowStart: 0, rowEnd: 8 })
  expect(rows[3]).toMatchObject({ _line: 3n, _step: 3n, _runtime: 1.5, loss: 33 })
  expect(rows[7]).toMatchObject({ loss: NaN })
  expect(await readdir(folder)).toEqual(
    expect.arrayContaining(['README.md', 'manifest.json', 'tables', 'history', 'blobs']),
  )
})

test('row 60: who may not, gets nothing; a member gets no audit log; no secret leaves with anybody', async () => {
  expect((await cli.grid(team.outsider, ['export', team.slug, '--archive', 'x.tar'])).code).toBe(4)
  expect((await cli.grid(team.removed, ['export', team.slug, '--archive', 'x.tar'])).code).toBe(4)
  const folder = join(cli.folder, 'of-member')
  expect((await cli.grid(team.member, ['export', team.slug, '--into', folder])).code).toBe(0)
  expect(await readFile(join(folder, 'tables', 'activity.jsonl'), 'utf8')).toBe('')
  const all = await Promise.all(
    (await readdir(join(folder, 'tables'))).map((name) => readFile(join(folder, 'tables', name), 'utf8')),
  )
  for (const secret of [team.member.key, team.service.key, 'secret_hash', 'sealed_', 'password', 'token'])
    expect(all.join('')).not.toContain(secret)
  const { items } = await team.admin.audit.team({ team: team.slug, action: 'data:export' })
  expect(items[0]).toMatchObject({ actor: { username: team.member.username } })
})

test('it goes on after a trial has ended', async () => {
  await app.db
    .updateTable('instance')
    .set({ trial_ends_at: new Date('2020-01-01') })
    .execute()
  expect((await cli.grid(team.admin, ['export', team.slug, '--archive', 'after.tar'])).code).toBe(0)
  await app.db.updateTable('instance').set({ trial_ends_at: null }).execute()
})

/** An archive of made-up files. */
function tar(files: Record<string, string>): Buffer {
  const parts: Uint8Array[] = []
  for (const [name, text] of Object.entries(files)) {
    const bytes = Buffer.from(text)
    const header = tarHeader('a'.repeat(Math.min(name.length, 90)), bytes.length)
    header.fill(0, 0, 100)
    header.set(Buffer.from(name), 0)
    header.set(Buffer.from('        '), 148)
    header.set(
      Buffer.from(
        `${header
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
      ),
      148,
    )
    parts.push(header, bytes, new Uint8Array(tarPadding(bytes.length)))
  }
  return Buffer.concat([...parts, new Uint8Array(1024)])
}

const header = JSON.stringify({ format: 'teamgrid-export', version: 1, team: 'x' })

test.each([
  ['nothing', {}, 'manifest is missing'],
  ['another archive', { 'index.html': 'x' }, 'no export of Teamgrid'],
  ['a newer one', { 'teamgrid-export.json': header.replace('1', '99') }, 'newer version'],
  [
    'a path that climbs',
    { 'teamgrid-export.json': header, 'blobs/../../etc/passwd': 'x' },
    'is no name in an export',
  ],
  ['an absolute path', { '/etc/passwd': 'x' }, 'is no name in an export'],
  [
    'a file outside of files and artifacts',
    { 'teamgrid-export.json': header, 'blobs/datastores/x': 'x' },
    'is no file of an export',
  ],
  [
    'a datastore’s file that is damaged',
    { 'teamgrid-export.json': header, [`contents/${'0'.repeat(64)}`]: 'x' },
    'is damaged',
  ],
  [
    'history of an experiment that is here',
    () => ({ 'teamgrid-export.json': header, [`history/${experimentId}.parquet`]: 'x' }),
    'is here already',
  ],
  [
    'no Parquet',
    { 'teamgrid-export.json': header, 'history/01900000-0000-7000-8000-000000000000.parquet': 'PAR1' },
    'cannot be read',
  ],
])('an archive of %s is refused and leaves nothing', async (_, files, says) => {
  const before = await countBlobs()
  const answer = await app.inject(
    new Request(`${app.origin}/api/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.operatorToken}`, 'content-type': 'application/x-tar' },
      body: new Uint8Array(tar(typeof files === 'function' ? files() : files)),
    }),
  )
  const text = await answer.text()
  expect(text).toContain(says)
  expect([409, 422]).toContain(answer.status)
  expect(await countBlobs()).toBe(before)
})

test('rows that belong to another team are refused, and who is no admin imports nothing', async () => {
  const folder = join(cli.folder, 'forged')
  await cli.grid(team.admin, ['export', team.slug, '--into', folder])
  // The team and its things under other ids, but one member goes into a team that is here.
  const tables = join(folder, 'tables')
  const victim = (await app.teams.teamGuard(team.admin.username))!.id
  const forgedId = '01900000-0000-7000-8000-00000000beef'
  const original = (await app.teams.teamGuard(team.slug))!.id
  for (const name of await readdir(tables)) {
    const text = await readFile(join(tables, name), 'utf8')
    const isKept = ['teams.jsonl', 'users.jsonl', 'memberships.jsonl'].includes(name)
    const forged = text
      .replaceAll(original, forgedId)
      .replaceAll(`"slug": "${team.slug}"`, '"slug": "forged"')
    await writeFile(join(tables, name), isKept ? forged : '')
  }
  const members = (await readFile(join(tables, 'memberships.jsonl'), 'utf8')).split('\n')
  // Of somebody who is not in it yet.
  const outsider = members.find((line) => line.includes('"viewer"'))!
  await writeFile(
    join(tables, 'memberships.jsonl'),
    members
      .map((line) => (line === outsider ? line.replace(forgedId, victim).replace('viewer', 'admin') : line))
      .join('\n'),
  )
  for (const section of ['history', 'system', 'console', 'blobs', 'contents'])
    await rm(join(folder, section), { recursive: true, force: true })
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { tables: object }
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify({ ...manifest, lines: 0, console: 0, blobs: 0, contents: 0 }),
  )
  await mkdir(folder, { recursive: true })
  const refused = await cli.admin(['import', folder])
  expect(refused.err).toContain('do not belong to its team')
  expect(refused.code).toBe(2)
  expect(await app.teams.teamGuard('forged')).toBeUndefined()

  const answer = await app.inject(
    new Request(`${app.origin}/api/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${team.admin.key}`, 'content-type': 'application/x-tar' },
      body: new Uint8Array(tar({ 'teamgrid-export.json': header })),
    }),
  )
  expect(answer.status).toBe(403)
})

async function countBlobs(): Promise<number> {
  let count = 0
  for await (const _ of app.blobs.list('')) count += 1
  return count
}
