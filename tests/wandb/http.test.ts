/** The protocol at the level of HTTP: what clients send when networks fail, and what they must be answered. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../support/app.ts'

let app: TestApp
let anna: TestPerson
let team: Awaited<ReturnType<TestApp['aTeam']>>

beforeAll(async () => {
  app = await startApp()
  anna = await app.aPerson()
  team = await app.aTeam()
})
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
})

const basic = (key: string) => `Basic ${Buffer.from(`api:${key}`).toString('base64')}`

type Answer = { status: number; headers: Headers; json: Record<string, unknown> & { data: any; errors: any } }

async function post(
  path: string,
  body: unknown,
  key: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await app.inject(
    new Request(`${app.origin}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-wandb-username': '',
        'x-wandb-user-email': '',
        ...(key ? { authorization: basic(key) } : {}),
        ...headers,
      },
      body: body instanceof Uint8Array || typeof body === 'string' ? (body as string) : JSON.stringify(body),
    }),
  )
  return { status: answer.status, headers: answer.headers, json: await answer.json() }
}

const ask = (key: string, query: string, variables: object = {}, headers: Record<string, string> = {}) =>
  post('/graphql', { query, variables }, key, headers)

const upsertDocument = `mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String, $config: JSONString,
  $tags: [String!], $notes: String, $summaryMetrics: JSONString, $displayName: String, $state: String) {
  upsertBucket(input: {id: $id, name: $name, modelName: $project, entityName: $entity, config: $config, tags: $tags,
    notes: $notes, summaryMetrics: $summaryMetrics, displayName: $displayName, state: $state}) {
    bucket { id name displayName config historyLineCount sweepName tags notes project { id name entity { id name } } }
    inserted
  }
}`
const upsert = (variables: object, key = anna.key, headers = {}) =>
  ask(key, upsertDocument, variables, headers)

let runs = 0
async function aRun(key = anna.key, entity: string | null = null) {
  const name = `run-${++runs}`
  const { json } = await upsert({ name, project: 'p', entity }, key)
  const { bucket } = json.data.upsertBucket
  return { name, id: bucket.id as string, path: `/files/${bucket.project.entity.name}/p/${name}/file_stream` }
}

const history = (offset: number, content: string[]) => ({
  files: { 'wandb-history.jsonl': { offset, content } },
})
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => JSON.stringify({ _step: from + index, loss: from + index }))

async function details(name: string, person: TestPerson = anna, slug = anna.username) {
  return person.experiments.get({ team: slug, project: 'p', experiment: name })
}

async function curve(name: string, key = 'loss') {
  const { id } = await details(name)
  const [found] = await anna.experiments.curves({ experimentIds: [id], keys: [key] })
  return { x: found?.x ?? [], y: found?.y ?? [], points: found?.points ?? 0 }
}

describe('who asks', () => {
  test.each([
    ['/graphql', { query: '{ viewer { id } }' }],
    ['/files/a/b/c/file_stream', {}],
  ])('a wrong key and no key are 401 with a JSON body at %s', async (path, body) => {
    for (const key of ['0'.repeat(40), '']) {
      const { status, json } = await post(path, body, key)
      expect(status).toBe(401)
      expect(json).toMatchObject({ error: expect.any(String), errors: [{ message: expect.any(String) }] })
    }
  })

  test('Viewer names the caller, the default entity and the teams', async () => {
    const { json } = await ask(
      team.member.key,
      'query Viewer { viewer { id entity username email flags admin teams { edges { node { name } } } } }',
    )
    const { viewer } = json.data
    expect(viewer).toMatchObject({
      username: team.member.username,
      entity: team.member.username,
      admin: false,
    })
    expect(JSON.parse(viewer.flags)).toEqual({})
    expect(viewer.teams.edges.map((edge: any) => edge.node.name).toSorted()).toEqual(
      [team.slug, team.member.username].toSorted(),
    )
  })

  test('a question may be packed', async () => {
    const packed = gzipSync(JSON.stringify({ query: '{ viewer { username } }' }))
    const { json } = await post('/graphql', packed, anna.key, { 'content-encoding': 'gzip' })
    expect(json.data.viewer.username).toBe(anna.username)
  })

  test('a bearer token is a key too', async () => {
    const { json } = await ask('', '{ viewer { username } }', {}, { authorization: `Bearer ${anna.key}` })
    expect(json.data.viewer.username).toBe(anna.username)
  })
})

describe('upsertBucket', () => {
  test('without an entity goes to the default one, without a project to "uncategorized", and names the run', async () => {
    const { status, json } = await upsert({ name: 'auto1', entity: null, project: null })
    expect(status).toBe(200)
    const { bucket, inserted } = json.data.upsertBucket
    expect(inserted).toBe(true)
    expect(bucket).toMatchObject({
      name: 'auto1',
      displayName: expect.stringMatching(/^\w+-\w+-\d+$/),
      historyLineCount: 0,
      sweepName: null,
      config: '{}',
      project: { name: 'uncategorized', entity: { name: anna.username } },
    })
    for (const id of [bucket.id, bucket.project.id, bucket.project.entity.id]) {
      expect(id).toMatch(/^[A-Za-z0-9]+={0,2}$/)
    }
  })

  test('a second time finds it by name or id, replaces the config and leaves alone what is null', async () => {
    const { name, id } = await aRun()
    await upsert({ id, config: '{"a":{"value":1},"b":{"value":{"c":NaN}}}', tags: ['x', 'y'], notes: 'n' })
    const { json } = await upsert({
      name,
      project: 'P',
      entity: anna.username.toUpperCase(),
      config: '{"a":{"value":2}}',
    })
    const { bucket, inserted } = json.data.upsertBucket
    expect(inserted).toBe(false)
    expect(bucket).toMatchObject({ id, tags: ['x', 'y'], notes: 'n', project: { name: 'p' } })
    expect(JSON.parse(bucket.config)).toEqual({ a: { value: 2 } })
    await upsert({ id, tags: [] })
    expect(await details(name)).toMatchObject({ tags: [], notes: 'n', config: { a: 2 } })
  })

  test('what may not be is final, with a sentence: 403 or 404, never 409', async () => {
    const unknown = await upsert({ name: 'x', project: 'p', entity: 'no-such-team' })
    expect(unknown.status).toBe(404)
    expect(unknown.json.errors[0].message).toContain(anna.username)
    const outsider = await upsert({ name: 'x', project: 'p', entity: team.slug }, team.outsider.key)
    expect(outsider.status).toBe(404)
    const removed = await upsert({ name: 'x', project: 'p', entity: team.slug }, team.removed.key)
    expect(removed.status).toBe(404)
    expect((await upsert({ id: 'Zm9v' })).status).toBe(404)
    expect((await upsert({ name: 'a/b', project: 'p' })).status).toBe(400)
    expect((await upsert({ name: 'x', project: 'p', config: '[]' })).status).toBe(400)
  })

  test('nobody writes to the run of a team mate', async () => {
    const { id, path } = await aRun(team.member.key, team.slug)
    const other = await upsert({ id, notes: 'mine now' }, team.mate.key)
    expect(other.status).toBe(403)
    expect(other.json.errors[0].message).toContain(team.member.username)
    expect((await post(path, history(0, rows(0, 1)), team.mate.key)).status).toBe(403)
    expect((await post(path, history(0, rows(0, 1)), team.outsider.key)).status).toBe(404)
  })

  test('a service account works for the member it names', async () => {
    const headers = { 'x-wandb-username': team.member.username }
    await upsert({ name: 'by-service', project: 'p', entity: team.slug }, team.service.key, headers)
    expect(await details('by-service', team.member, team.slug)).toMatchObject({
      createdBy: { username: team.member.username },
      via: { username: team.service.username },
    })
    await upsert({ name: 'by-itself', project: 'p', entity: team.slug }, team.service.key, {
      'x-wandb-username': 'nobody-here',
    })
    expect(await details('by-itself', team.member, team.slug)).toMatchObject({
      createdBy: { username: team.service.username },
      via: null,
    })
  })
})

describe('file_stream', () => {
  test('answers what old and new senders read; an empty body is a sign of life', async () => {
    const { name, path } = await aRun()
    const { heartbeatAt } = await details(name)
    const { status, json } = await post(path, {}, anna.key)
    expect(status).toBe(200)
    expect(json).toEqual({ exitcode: null, limits: {}, stopped: false })
    expect(Date.parse((await details(name)).heartbeatAt)).toBeGreaterThan(Date.parse(heartbeatAt))
  })

  test('a chunk that comes again, late or overlapping changes nothing', async () => {
    const { name, path } = await aRun()
    const chunks = [
      history(5, rows(5, 8)),
      history(0, rows(0, 3)),
      history(0, rows(0, 3)),
      history(2, rows(2, 6)),
    ]
    for (const chunk of chunks) expect((await post(path, chunk, anna.key)).status).toBe(200)
    expect(await curve(name)).toEqual({ x: [0, 1, 2, 3, 4, 5, 6, 7], y: [0, 1, 2, 3, 4, 5, 6, 7], points: 8 })
    const { json } = await upsert({ name, project: 'p' })
    expect(json.data.upsertBucket.bucket.historyLineCount).toBe(8)
  })

  test('the same chunk from many connections at once is one', async () => {
    const { name, path } = await aRun()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(path, history(0, rows(0, 50)), anna.key)),
    )
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(200))
    expect((await curve(name)).points).toBe(50)
  })

  test('other content under the same number replaces it', async () => {
    const { name, path } = await aRun()
    await post(path, history(0, ['{"_step":0,"loss":1}']), anna.key)
    await post(path, history(0, ['{"_step":0,"loss":2}']), anna.key)
    expect(await curve(name)).toEqual({ x: [0], y: [2], points: 1 })
  })

  test('rows that are sent again under later numbers, as wandb sync does, keep their place', async () => {
    const { name, path } = await aRun()
    const timed = (from: number, to: number, second = 0) =>
      Array.from({ length: to - from }, (_, index) =>
        JSON.stringify({ _step: from + index, _timestamp: 1000 + second + from + index, loss: from + index }),
      )
    await post(path, history(0, timed(0, 10)), anna.key)
    await post(path, history(10, timed(10, 20)), anna.key)
    // Again, numbered on from the 20 rows that are there, in other portions, and five rows more.
    await post(path, history(20, timed(0, 15)), anna.key)
    await post(path, history(35, timed(15, 25)), anna.key)
    expect(await curve(name)).toMatchObject({ points: 25, x: Array.from({ length: 25 }, (_, step) => step) })
    // The same steps at another time are rows of their own.
    await post(path, history(25, timed(0, 3, 500)), anna.key)
    const { json } = await upsert({ name, project: 'p' })
    expect(json.data.upsertBucket.bucket.historyLineCount).toBe(28)
  })

  test('bare NaN and Infinity are kept', async () => {
    const { name, path } = await aRun()
    const lines = ['{"_step":0,"loss":NaN}', '{"_step":1,"loss":-Infinity}', '{"_step":2,"loss":1}']
    await post(
      path,
      {
        files: { ...history(0, lines).files, 'wandb-summary.json': { offset: 0, content: ['{"loss":NaN}'] } },
      },
      anna.key,
    )
    const { id, summary } = await details(name)
    expect(summary).toEqual({ loss: 'NaN' })
    const [found] = await anna.experiments.curves({ experimentIds: [id], keys: ['loss'] })
    expect(found?.nonFinite).toEqual([
      { x: 0, value: 'NaN' },
      { x: 1, value: '-Infinity' },
    ])
  })

  test('lines that are no JSON cost nothing around them', async () => {
    const { name, path } = await aRun()
    const { status } = await post(
      path,
      history(0, ['{"_step":0,"loss":1}', 'garbage {', '{"_step":2,"loss":3}']),
      anna.key,
    )
    expect(status).toBe(200)
    expect(await curve(name)).toMatchObject({ x: [0, 2], y: [1, 3] })
  })

  test('gzip and more than 20 MiB are taken in', async () => {
    const { name, path } = await aRun()
    const packed = gzipSync(JSON.stringify(history(0, rows(0, 100))))
    expect((await post(path, packed, anna.key, { 'content-encoding': 'gzip' })).status).toBe(200)
    const large = history(100, [JSON.stringify({ _step: 100, loss: 1, text: 'x'.repeat(21 * 1024 * 1024) })])
    expect((await post(path, large, anna.key)).status).toBe(200)
    expect((await curve(name)).points).toBe(101)
  })

  test('what can never succeed is final: no JSON, broken gzip, a run that is not there', async () => {
    const { path } = await aRun()
    expect((await post(path, '{', anna.key)).status).toBe(400)
    expect((await post(path, '[]', anna.key)).status).toBe(400)
    expect((await post(path, Buffer.from('no gzip'), anna.key, { 'content-encoding': 'gzip' })).status).toBe(
      400,
    )
    expect((await post(path, Buffer.from('x'), anna.key, { 'content-encoding': 'br' })).status).toBe(400)
    expect((await post(`/files/${anna.username}/p/never-was/file_stream`, {}, anna.key)).status).toBe(404)
    const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024))
    expect((await post(path, bomb, anna.key, { 'content-encoding': 'gzip' })).status).toBe(413)
  })

  test('the end is told by exit code, and another line makes it run again', async () => {
    const { name, path } = await aRun()
    await post(path, { ...history(0, rows(0, 2)), complete: true, exitcode: 3 }, anna.key)
    expect(await details(name)).toMatchObject({ state: 'failed', exitCode: 3 })
    expect((await curve(name)).points).toBe(2)
    await post(path, { ...history(2, rows(2, 3)), complete: true, exitcode: 0 }, anna.key)
    expect(await details(name)).toMatchObject({ state: 'finished', exitCode: 0 })
    await post(path, history(3, rows(3, 4)), anna.key)
    expect(await details(name)).toMatchObject({ state: 'running' })
  })

  test('a stop is told with every answer, and its exit is a kill', async () => {
    const { name, id, path } = await aRun()
    const stop = 'mutation($id: ID!) { stopRun(input: {id: $id}) { success clientMutationId } }'
    expect((await ask(anna.key, stop, { id })).json.data.stopRun).toEqual({
      success: true,
      clientMutationId: null,
    })
    expect((await post(path, {}, anna.key)).json.stopped).toBe(true)
    expect((await post(path, {}, anna.key)).json.stopped).toBe(true)
    const asked = await ask(
      anna.key,
      'query RunStoppedStatus($e: String, $p: String, $r: String!) { project(name: $p, entityName: $e) { run(name: $r) { stopped } } }',
      { e: anna.username, p: 'p', r: name },
    )
    expect(asked.json.data.project.run.stopped).toBe(true)
    await post(path, { complete: true, exitcode: 255 }, anna.key)
    expect(await details(name)).toMatchObject({ state: 'killed' })
  })

  test('a deleted run is gone for its script', async () => {
    const { name, id, path } = await aRun()
    await post(path, history(0, rows(0, 2)), anna.key)
    await ask(
      anna.key,
      'mutation($id: ID!) { deleteRun(input: {id: $id, deleteArtifacts: false}) { clientMutationId } }',
      { id },
    )
    expect((await post(path, {}, anna.key)).status).toBe(404)
    await expect(details(name)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('console lines of both formats are shown, rewritten lines once', async () => {
    const { name, path } = await aRun()
    const output = (offset: number, content: string[]) => ({ files: { 'output.log': { offset, content } } })
    const structured = (content: string, extra = {}) =>
      JSON.stringify({ ts: '2026-11-22T03:14:18.051126', content, ...extra })
    await post(path, output(0, [structured('epoch 1'), structured('10 %')]), anna.key)
    await post(
      path,
      output(1, [structured('100 %'), structured('boom', { level: 'error', label: 'gpu0' })]),
      anna.key,
    )
    await post(
      path,
      output(3, ['ERROR 2026-11-22T03:14:19.000000 old style', '2026-11-22T03:14:20.000000 plain']),
      anna.key,
    )
    const { lines, total } = await anna.experiments.console({
      team: anna.username,
      project: 'p',
      experiment: name,
    })
    expect(total).toBe(5)
    expect(lines.map(({ text, level, label }) => [text, level, label])).toEqual([
      ['epoch 1', 'info', ''],
      ['100 %', 'info', ''],
      ['boom', 'error', 'gpu0'],
      ['old style', 'error', ''],
      ['plain', 'info', ''],
    ])
    expect(lines[0]?.time).toBe('2026-11-22T03:14:18.051Z')
    const { json } = await ask(
      anna.key,
      `query($e: String, $p: String, $r: String!) { project(name: $p, entityName: $e) { run(name: $r) { logLineCount
        tail: logLines(last: 2, useImprovedPagination: true) { edges { node { number line level label } } }
        page: logLines(first: 2) { edges { node { number line } } pageInfo { endCursor hasNextPage } } } } }`,
      { e: anna.username, p: 'p', r: name },
    )
    const { run } = json.data.project
    expect(run.logLineCount).toBe(5)
    expect(run.tail.edges.map((edge: any) => edge.node.number)).toEqual([3, 4])
    expect(run.page.pageInfo.hasNextPage).toBe(true)
  })
})

describe('resume', () => {
  const document = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
    model(name: $project, entityName: $entity) { id name entity { id name }
      bucket(name: $name, missingOk: true) { id name summaryMetrics displayName logLineCount historyLineCount
        eventsLineCount historyTail eventsTail config tags notes wandbConfig(keys: ["t"]) } } }`
  const status = async (project: string, name: string, entity = anna.username) =>
    (await ask(anna.key, document, { project, entity, name })).json

  test('of what does not exist, or is not readable, is null and no error', async () => {
    expect(await status('no-project', 'x')).toEqual({ data: { model: null } })
    await aRun()
    expect(await status('p', 'no-run')).toMatchObject({ data: { model: { bucket: null } } })
    expect(await status('p', 'x', team.slug)).toEqual({ data: { model: null } })
  })

  test('of a run that was only made has empty values everywhere, and no "t"', async () => {
    const { name } = await aRun()
    const { bucket } = (await status('p', name)).data.model
    expect(bucket).toMatchObject({
      config: '{}',
      summaryMetrics: '{}',
      historyTail: '[]',
      eventsTail: '[]',
      wandbConfig: '{}',
      historyLineCount: 0,
      eventsLineCount: 0,
      logLineCount: 0,
    })
  })

  test('of a run that logged has its newest lines as JSON in JSON', async () => {
    const { name, id, path } = await aRun()
    await upsert({ id, config: '{"_wandb":{"value":{"t":{"1":[1]},"m":[]}}}' })
    await post(path, history(0, rows(0, 16)), anna.key)
    const { bucket } = (await status('p', name)).data.model
    expect(JSON.parse(bucket.wandbConfig)).toEqual({ t: { 1: [1] } })
    expect(JSON.parse(JSON.parse(bucket.historyTail)[0])).toEqual({ _step: 15, loss: 15 })
    expect(bucket.historyTail).not.toContain('15.0')
    expect(bucket.historyLineCount).toBe(16)
  })
})

describe('files', () => {
  const create = `mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
    createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
      runID uploadHeaders files { name uploadUrl } } }`
  const list = `query RunFiles($e: String, $p: String, $r: String!, $names: [String], $first: Int, $after: String, $pattern: String) {
    project(name: $p, entityName: $e) { internalId run(name: $r) { fileCount
      files(names: $names, first: $first, after: $after, pattern: $pattern) {
        edges { node { id name url(upload: false) directUrl sizeBytes mimetype updatedAt md5 } cursor } pageInfo { endCursor hasNextPage } } } } }`

  async function send(name: string, files: Record<string, string>) {
    const names = Object.keys(files)
    const { json } = await ask(anna.key, create, {
      entity: anna.username,
      project: 'p',
      run: name,
      files: names,
    })
    for (const [index, file] of json.data.createRunFiles.files.entries()) {
      const answer = await app.inject(
        new Request(file.uploadUrl, { method: 'PUT', body: files[names[index]!]! }),
      )
      expect(answer.status).toBe(200)
    }
    return json.data.createRunFiles
  }
  const listed = async (name: string, variables: object = {}) =>
    (await ask(anna.key, list, { e: anna.username, p: 'p', r: name, ...variables })).json.data.project.run

  test('are sent to signed urls, as many as asked, under any name, and come back byte for byte', async () => {
    const { name } = await aRun()
    const files = { 'a b.txt': 'one', 'media/HT%3ML _0.html': '<b>', 'ü/ñ<>?#.txt': 'three', 'empty.txt': '' }
    const made = await send(name, files)
    expect(made).toMatchObject({ runID: name, uploadHeaders: [] })
    expect(made.files.map((file: any) => file.name)).toEqual(Object.keys(files))
    const run = await listed(name)
    expect(run.fileCount).toBe(4)
    for (const { node } of run.files.edges) {
      const text = files[node.name as keyof typeof files]
      expect(node.sizeBytes).toBe(text.length === 0 ? 0 : Buffer.byteLength(text))
      for (const url of [node.url, node.directUrl]) {
        expect(url).toMatch(/^http:\/\/teamgrid\.test\//)
        expect(await (await app.inject(new Request(url))).text()).toBe(text)
      }
    }
  })

  test('that may not be are left out by the client: their url is null, the count is kept', async () => {
    const { name } = await aRun()
    const { json } = await ask(anna.key, create, {
      entity: anna.username,
      project: 'p',
      run: name,
      files: ['../../etc/passwd', 'good.txt', '/abs'],
    })
    const urls = json.data.createRunFiles.files.map((file: any) => file.uploadUrl)
    expect(urls).toEqual([null, expect.any(String), null])
  })

  test('asked by name are placeholders when they are not there, and "./x" is "x"', async () => {
    const { name } = await aRun()
    await send(name, { 'x y.txt': 'here' })
    const { files } = await listed(name, { names: ['./x y.txt', 'none.txt'] })
    expect(files.edges).toMatchObject([
      { node: { name: './x y.txt', sizeBytes: 4 } },
      { node: { name: 'none.txt', sizeBytes: 0, updatedAt: null, md5: null } },
    ])
    const missing = await app.inject(
      new Request(files.edges[1].node.url, { headers: { authorization: basic(anna.key) } }),
    )
    expect(missing.status).toBe(404)
  })

  test('are sent by old clients to urls that are asked for with the file', async () => {
    const { name } = await aRun()
    const query = `query RunUploadUrls($e: String, $p: String!, $r: String!, $files: [String]!, $desc: String) {
      model(name: $p, entityName: $e) { bucket(name: $r, desc: $desc) { id
        files(names: $files) { uploadHeaders edges { node { name url(upload: true) updatedAt } } } } } }`
    const { json } = await ask(anna.key, query, { e: anna.username, p: 'p', r: name, files: ['old.txt'] })
    const { files } = json.data.model.bucket
    expect(files.uploadHeaders).toEqual([])
    const answer = await app.inject(new Request(files.edges[0].node.url, { method: 'PUT', body: 'old' }))
    expect(answer.status).toBe(200)
    expect((await listed(name)).files.edges).toMatchObject([{ node: { name: 'old.txt', sizeBytes: 3 } }])
  })

  test('are paged by the cursor of the last edge and found by pattern', async () => {
    const { name } = await aRun()
    await send(name, Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`f${index}.txt`, 'x'])))
    const seen: string[] = []
    let after: string | null = null
    for (let page = 0; page < 5; page++) {
      const { files }: any = await listed(name, { first: 2, after })
      seen.push(...files.edges.map((edge: any) => edge.node.name))
      after = files.edges.at(-1).cursor
      if (!files.pageInfo.hasNextPage) break
    }
    expect(seen).toEqual(['f0.txt', 'f1.txt', 'f2.txt', 'f3.txt', 'f4.txt'])
    const { files } = await listed(name, { pattern: 'f_.txt' })
    expect(files.edges).toHaveLength(5)
    expect((await listed(name, { pattern: '%3.txt' })).files.edges).toHaveLength(1)
  })

  test('are deleted by id', async () => {
    const { name } = await aRun()
    await send(name, { 'a.txt': 'x', 'b.txt': 'x' })
    const { files } = await listed(name)
    const remove =
      'mutation($files: [ID!]!, $projectId: Int) { deleteFiles(input: {files: $files, projectId: $projectId}) { success } }'
    const { json } = await ask(anna.key, remove, { files: [files.edges[0].node.id], projectId: 1 })
    expect(json.data.deleteFiles.success).toBe(true)
    expect((await listed(name)).files.edges).toMatchObject([{ node: { name: 'b.txt' } }])
    const foreign = await ask(team.outsider.key, remove, { files: [files.edges[1].node.id] })
    expect(foreign.json.errors).toHaveLength(1)
  })
})

describe('what is not offered', () => {
  test.each(['/sdk/otel/v1/metrics', '/sdk/otel/v1/logs', '/oidc/token'])('%s is 404', async (path) => {
    expect((await post(path, {}, anna.key)).status).toBe(404)
  })

  test('launch is an unknown field, and runs are rewound to steps alone', async () => {
    const launch = await ask(anna.key, 'mutation { createRunQueue(input: {}) { success } }')
    expect(launch.status).toBe(200)
    expect(launch.json.errors[0].message).toContain('Cannot query field "createRunQueue"')
    const rewind = await ask(
      anna.key,
      'mutation { rewindRun(input: {runName: "x", metricName: "loss", metricValue: 3}) { rewoundRun { id } } }',
    )
    expect(rewind.status).toBe(200)
    expect(rewind.json.errors[0].message).toContain('resume_from')
  })
})

test('the server tells its features and versions', async () => {
  const { json } = await ask(
    anna.key,
    'query { serverInfo { features { name isEnabled } cliVersionInfo latestLocalVersionInfo { outOfDate } } }',
  )
  const { features, cliVersionInfo } = json.data.serverInfo
  expect(features).toContainEqual({ name: 'STRUCTURED_CONSOLE_LOGS', isEnabled: true })
  expect(cliVersionInfo).toEqual({ min_cli_version: '0.10.0', max_cli_version: '0.99.0' })
})

test('10 MB of variables are no trouble, and an unknown entity has no project', async () => {
  const query =
    'query Project($e: String, $n: String!, $r: String!, $d: String!) { project(name: $n, entityName: $e) { run(name: $r, desc: $d) { name summaryMetrics } } }'
  const { status, json } = await ask(anna.key, query, {
    e: 'root',
    n: 'verify',
    r: '',
    d: 'x'.repeat(10_000_000),
  })
  expect(status).toBe(200)
  expect(json).toEqual({ data: { project: null } })
})

test('alerts are stored, the same title once in its wait', async () => {
  const { name } = await aRun()
  const alert = `mutation($run: String!, $e: String!, $title: String!) { notifyScriptableRunAlert(input: {entityName: $e,
    projectName: "p", runName: $run, title: $title, text: "t", severity: WARN, waitDuration: 60000}) { success } }`
  for (const title of ['loss', 'loss', 'other'])
    await ask(anna.key, alert, { run: name, e: anna.username, title })
  const { items } = await anna.experiments.alerts({ team: anna.username, project: 'p', experiment: name })
  expect(items.map((item) => [item.title, item.level])).toEqual([
    ['other', 'warn'],
    ['loss', 'warn'],
  ])
})

test('projects are made and listed, keys generated once in full', async () => {
  const create = `mutation($input: UpsertModelInput!) { result: upsertModel(input: $input) {
    project { id name entityName description access views } model { id name } inserted } }`
  const first = await ask(anna.key, create, {
    input: { name: 'made', entityName: anna.username, description: 'd' },
  })
  expect(first.json.data.result).toMatchObject({
    inserted: true,
    project: { name: 'made', description: 'd' },
  })
  const again = await ask(anna.key, create, {
    input: { name: 'made', entityName: anna.username, description: 'e' },
  })
  expect(again.json.data.result).toMatchObject({ inserted: false, model: { name: 'made' } })
  const { json } = await ask(
    anna.key,
    'query($e: String) { models(entityName: $e, first: 10) { edges { node { id internalId name description createdAt isBenchmark user { username } } } pageInfo { hasNextPage } } }',
    { e: anna.username },
  )
  expect(json.data.models.edges.map((edge: any) => edge.node.name)).toContain('made')
  const key = await ask(
    anna.key,
    'mutation { generateApiKey(input: {description: "d"}) { apiKey { id name description } } }',
  )
  const { name } = key.json.data.generateApiKey.apiKey
  expect(name).toMatch(/^[0-9a-z]{40}$/)
  expect((await ask(name, '{ viewer { username } }')).json.data.viewer.username).toBe(anna.username)
})

test('runs are read back by the names of the public API', async () => {
  const { name, path } = await aRun()
  await post(path, history(0, rows(0, 20)), anna.key)
  const { json } = await ask(
    anna.key,
    `query($e: String, $p: String, $r: String!) { project(name: $p, entityName: $e) { internalId runCount
      runs(first: 2, order: "-created_at") { edges { node { projectId name state } cursor } pageInfo { hasNextPage endCursor } }
      run(name: $r) { projectId state createdAt heartbeatAt user { username name } historyKeys systemMetrics
        history(samples: 5) window: history(minStep: 3, maxStep: 6, samples: 100) events
        sampledHistory(specs: ["{\\"keys\\":[\\"_step\\",\\"loss\\"],\\"samples\\":100,\\"minStep\\":18,\\"maxStep\\":19}", "{}"])
        parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData } } } }`,
    { e: anna.username, p: 'p', r: name },
  )
  expect(json.errors).toBeUndefined()
  const { run, runs: page, runCount } = json.data.project
  expect(run.history).toHaveLength(5)
  expect(run.window.map((line: string) => JSON.parse(line)._step)).toEqual([3, 4, 5])
  expect(run.events).toEqual([])
  expect(run.sampledHistory).toEqual([
    [
      { _step: 18, loss: 18 },
      { _step: 19, loss: 19 },
    ],
    [],
  ])
  expect(run.historyKeys).toMatchObject({ lastStep: 19, keys: { loss: { previousValue: 19 } } })
  expect(run.user.username).toBe(anna.username)
  expect(Number.isInteger(run.projectId)).toBe(true)
  expect(runCount).toBeGreaterThan(2)
  expect(page.edges).toHaveLength(2)
  expect(page.edges[0].node.name).toBe(name)
  expect(page.pageInfo.hasNextPage).toBe(true)
})

test('files of an ended history stay as they are when it goes on, and go when what they hold was replaced', async () => {
  const { name, path } = await aRun()
  const exported = async (person = anna) => {
    const { json } = await ask(
      person.key,
      'query($e: String, $r: String!) { project(name: "p", entityName: $e) { run(name: $r) { parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData } } } }',
      { e: anna.username, r: name },
    )
    const found = json.data.project?.run?.parquetHistory
    return (
      found && {
        files: found.parquetUrls.map((url: string) => new URL(url).pathname.split('/').at(-1)),
        live: found.liveData,
        urls: found.parquetUrls as string[],
      }
    )
  }
  const end = { complete: true, exitcode: 0 }
  expect(await exported()).toMatchObject({ files: [], live: [] })
  await post(path, history(0, rows(0, 20)), anna.key)
  // While it runs: what there is, and that more is to be read from there on.
  const table = expect.stringMatching(/^table-[0-9a-f]+-0000-of-1\.parquet$/)
  expect(await exported()).toMatchObject({ files: [table], live: [{ _step: 20 }] })
  await post(path, end, anna.key)
  const first = (await exported())!
  expect(first).toMatchObject({ files: [expect.stringMatching(/^history-0000-20-/)], live: [] })
  const whole = await app.inject(new Request(first.urls[0]!))
  expect(
    Buffer.from(await whole.arrayBuffer())
      .subarray(0, 4)
      .toString(),
  ).toBe('PAR1')
  await post(path, { ...history(20, rows(20, 25)), ...end }, anna.key)
  expect((await exported())!.files).toEqual([first.files[0], expect.stringMatching(/^history-0001-25-/)])
  expect(await exported(team.member)).toBeFalsy()
  // A row with other keys: a table with holes.
  await post(path, { ...history(25, ['{"_step":25,"loss":1,"acc":1}']), ...end }, anna.key)
  expect(await exported()).toMatchObject({ files: [table], live: [] })
  const other = await aRun()
  await post(other.path, { ...history(0, rows(0, 5)), ...end }, anna.key)
  await post(other.path, { ...history(0, rows(0, 5)), ...end }, anna.key)
  const { json } = await ask(
    anna.key,
    'query($e: String, $r: String!) { project(name: "p", entityName: $e) { run(name: $r) { parquetHistory(liveKeys: []) { parquetUrls } } } }',
    { e: anna.username, r: other.name },
  )
  const [replaced, ...more] = json.data.project.run.parquetHistory.parquetUrls as string[]
  expect(new URL(replaced!).pathname.split('/').at(-1)).toEqual(table)
  expect(more).toEqual([])
})

test('a state is set by hand only where it makes sense', async () => {
  const { name, id, path } = await aRun()
  const change =
    'mutation($id: ID!, $state: String!) { updateRunState(input: {id: $id, state: $state}) { success } }'
  expect((await ask(anna.key, change, { id, state: 'failed' })).json.data.updateRunState.success).toBe(true)
  expect(await details(name)).toMatchObject({ state: 'failed' })
  expect((await ask(anna.key, change, { id, state: 'pending' })).json.data.updateRunState.success).toBe(true)
  expect(await details(name)).toMatchObject({ state: 'pending' })
  await post(path, { complete: true, exitcode: 0 }, anna.key)
  const refused = await ask(anna.key, change, { id, state: 'failed' })
  expect(refused.json.errors[0].message).toContain('invalid state transition')
})
