/** Over the whole server: real Postgres, chDB, a mail server and hooks on loopback; only the clock is ours. */
import { createHmac } from 'node:crypto'
import type { AlertCondition } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../../../tests/support/app.ts'
import { startHooks } from '../../../tests/support/hooks.ts'
import { type MailServer, startMailServer } from '../../../tests/support/smtp.ts'
import { randomText } from '../lib/ids.ts'

let app: TestApp
let mailServer: MailServer
let hooks: Awaited<ReturnType<typeof startHooks>>
let team: Awaited<ReturnType<TestApp['aTeam']>>
let now = Date.parse('2030-01-01T00:00:00Z')
const pass = (seconds: number) => (now += seconds * 1000)

beforeAll(async () => {
  mailServer = await startMailServer()
  hooks = await startHooks()
  app = await startApp({
    clock: { now: () => new Date(now) },
    mail: mailServer.settings,
    privateWebhooks: ['127.0.0.0/8'],
  })
  team = await app.aTeam()
})
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await hooks.stop()
  await mailServer.stop()
})

const code = (name: string) => expect.objectContaining({ code: name })

/** An experiment of somebody, in a project of its own unless told. */
async function anExperiment(
  person: TestPerson = team.member,
  given: Parameters<typeof app.experiments.upsert>[1] = {},
) {
  const actor = await app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })
  const { experiment } = await app.experiments.upsert(actor, {
    team: team.slug,
    project: `p${randomText(6)}`,
    ...given,
  })
  const ref = { team: team.slug, project: experiment.projectName, slug: experiment.slug }
  let line = 0
  return {
    ...experiment,
    project: experiment.projectName,
    log: async (...rows: object[]) => {
      const lines = rows.map((row) => JSON.stringify(row).replaceAll('"NaN"', 'NaN'))
      await app.experiments.append(actor, ref, { history: { offset: line, lines } })
      line += rows.length
      await app.alerts.settled()
    },
    again: async (offset: number, ...rows: object[]) => {
      await app.experiments.append(actor, ref, {
        history: { offset, lines: rows.map((row) => JSON.stringify(row)) },
      })
      await app.alerts.settled()
    },
    end: async (exitCode = 0, summary?: Record<string, unknown>) => {
      await app.experiments.append(actor, ref, { ...(summary ? { summary } : {}), complete: { exitCode } })
      await app.alerts.settled()
    },
    alert: async (title: string, text = '', level: 'info' | 'warn' | 'error' = 'info', waitSeconds = 0) => {
      await app.experiments.addAlert(actor, ref, { title, text, level, waitSeconds })
      await app.alerts.settled()
    },
  }
}

const rule = (condition: object, more: object = {}) => ({
  team: team.slug,
  name: `r${randomText(6)}`,
  condition: condition as AlertCondition,
  ...more,
})
const above1 = { kind: 'threshold', metric: 'loss', operator: 'gt', value: 1 }

async function titlesOf(person: TestPerson): Promise<string[]> {
  return (await person.notifications.list({ limit: 500 })).items.map(({ title }) => title)
}

describe('who may', () => {
  test('only admins keep rules and channels of the team', async () => {
    const kept = await team.admin.alerts.createRule(rule(above1))
    const channel = await team.admin.alerts.createChannel({
      team: team.slug,
      name: `c${randomText(6)}`,
      kind: 'email',
      target: 'desk@example.org',
    })
    const ruleId = kept.id
    for (const person of [team.member, team.viewer, team.service]) {
      const { alerts } = person
      await expect(alerts.createRule(rule(above1))).rejects.toEqual(code('forbidden'))
      await expect(alerts.changeRule({ team: team.slug, ruleId, enabled: false })).rejects.toEqual(
        code('forbidden'),
      )
      await expect(alerts.deleteRule({ team: team.slug, ruleId })).rejects.toEqual(code('forbidden'))
      await expect(alerts.testRule({ team: team.slug, ruleId })).rejects.toEqual(code('forbidden'))
      await expect(alerts.deliveries({ team: team.slug })).rejects.toEqual(code('forbidden'))
      await expect(alerts.testChannel({ team: team.slug, channelId: channel.id })).rejects.toEqual(
        code('forbidden'),
      )
      expect((await alerts.rules({ team: team.slug })).map(({ id }) => id)).toContain(ruleId)
    }
    for (const stranger of [team.outsider, team.removed]) {
      const { alerts } = stranger
      await expect(alerts.createRule(rule(above1))).rejects.toEqual(code('not_found'))
      await expect(alerts.rules({ team: team.slug })).rejects.toEqual(code('not_found'))
      await expect(alerts.channels({ team: team.slug })).rejects.toEqual(code('not_found'))
      await expect(alerts.changeRule({ team: team.slug, ruleId, name: 'x' })).rejects.toEqual(
        code('not_found'),
      )
    }
    await team.admin.alerts.deleteRule({ team: team.slug, ruleId })
  })

  test('a personal rule is its owner’s alone; a viewer may have one, a service account not', async () => {
    const mine = rule(above1, { reach: 'mine' })
    await expect(team.service.alerts.createRule(mine)).rejects.toEqual(code('forbidden'))
    await expect(
      team.viewer.alerts.createRule({ ...mine, channelIds: ['01900000-0000-7000-8000-000000000000'] }),
    ).rejects.toEqual(code('invalid'))
    const made = await team.viewer.alerts.createRule(mine)
    expect((await team.admin.alerts.rules({ team: team.slug })).map(({ id }) => id)).not.toContain(made.id)
    await expect(
      team.admin.alerts.changeRule({ team: team.slug, ruleId: made.id, enabled: false }),
    ).rejects.toEqual(code('not_found'))
    const experiment = await anExperiment()
    await experiment.log({ loss: 2 })
    expect(await titlesOf(team.viewer)).toContain('loss is 2')
    expect(await titlesOf(team.mate)).not.toContain('loss is 2')
    await team.viewer.alerts.deleteRule({ team: team.slug, ruleId: made.id })
  })

  test('who was removed hears nothing more, and no longer sees what was said', async () => {
    const leaver = await app.aPerson()
    await app.operator.teams.addMember({ team: team.slug, username: leaver.username, role: 'member' })
    const experiment = await anExperiment(leaver)
    await experiment.alert('before')
    expect(await titlesOf(leaver)).toContain('before')
    await team.admin.teams.removeMember({ team: team.slug, username: leaver.username })
    const by = await app.db.selectFrom('experiments').select('id').where('id', '=', experiment.id).execute()
    expect(by).toHaveLength(1)
    expect(await leaver.notifications.list({})).toMatchObject({ items: [], unread: 0 })
  })
})

describe('what cannot be is refused', () => {
  test.each([
    ['a regular expression', { filters: [{ column: 'name', op: 'regex', value: '(a+)+$' }] }],
    ['a column that is none', { filters: [{ column: 'colour', op: 'eq', value: 'red' }] }],
    ['a channel of nobody', { channelIds: ['01900000-0000-7000-8000-000000000000'] }],
    ['a payload without end', { payload: { text: 'x'.repeat(30_000) } }],
  ])('%s', async (_name, more) => {
    await expect(team.admin.alerts.createRule(rule(above1, more))).rejects.toEqual(code('invalid'))
  })

  test('a pinned baseline without its project', async () => {
    const pinned = { kind: 'regression', metric: 'loss', goal: 'minimize', baseline: 'x' }
    await expect(team.admin.alerts.createRule(rule(pinned))).rejects.toEqual(code('invalid'))
  })

  test.each([
    ['slack', 'http://169.254.169.254/latest'],
    ['webhook', 'http://10.0.0.1/'],
    ['webhook', 'ftp://example.org'],
    ['email', 'nobody'],
    ['email', ','],
  ] as const)('a %s channel to %s', async (kind, target) => {
    await expect(
      team.admin.alerts.createChannel({ team: team.slug, name: 'never', kind, target }),
    ).rejects.toEqual(code('invalid'))
  })
})

test('C-13: a metric rule speaks to the team’s channel once per wait time', async () => {
  const channel = await team.admin.alerts.createChannel({
    team: team.slug,
    name: 'room',
    kind: 'slack',
    target: `${hooks.url}/room`,
  })
  expect(channel.hint).not.toContain('/room')
  const kept = await team.admin.alerts.createRule(
    rule({ ...above1, metric: 'val/loss' }, { channelIds: [channel.id], waitSeconds: 600, name: 'Too high' }),
  )
  const experiment = await anExperiment(team.member, { name: 'bold <fox>' })
  await experiment.log({ 'val/loss': 0.5 }, { 'val/loss': 1 }, { train: 9 })
  expect(hooks.to('/room')).toHaveLength(0)
  await experiment.log({ 'val/loss': 1.5 }, { 'val/loss': 1.7 })
  await experiment.log({ 'val/loss': 1.9 })
  expect(hooks.to('/room')).toHaveLength(1)
  const said = JSON.parse(hooks.to('/room')[0]!.body)
  expect(said.text).toContain('val/loss is 1.5')
  expect(JSON.stringify(said)).toContain('bold &lt;fox&gt;')
  expect(said.attachments[0].title_link).toBe(
    `${app.origin}/${team.slug}/${experiment.project}/runs/${experiment.slug}`,
  )
  pass(601)
  await experiment.again(3, { 'val/loss': 1.5 })
  expect(hooks.to('/room')).toHaveLength(1)
  await experiment.log({ 'val/loss': 2 })
  expect(hooks.to('/room')).toHaveLength(2)
  expect((await titlesOf(team.member)).filter((title) => title.startsWith('val/loss'))).toHaveLength(2)
  expect((await mailServer.mailTo(team.member.email)).subject).toBe(`[${team.slug}] val/loss is 1.5`)
  const { items } = await team.admin.alerts.deliveries({ team: team.slug })
  expect(items).toMatchObject([
    { channel: 'room', rule: 'Too high', state: 'sent', httpStatus: 200, tries: 1 },
    { channel: 'room', rule: 'Too high', state: 'sent' },
  ])
  const kept2 = await app.operator.experiments.alerts({ team: team.slug, experiment: experiment.slug })
  expect(kept2.items).toHaveLength(2)
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

test('a window survives a restart of the server', async () => {
  const kept = await team.admin.alerts.createRule(
    rule({
      kind: 'threshold',
      metric: 'acc',
      operator: 'lt',
      value: 0.5,
      aggregate: 'average',
      windowValues: 3,
    }),
  )
  const experiment = await anExperiment()
  await experiment.log({ acc: 0.1 }, { acc: 0.2 })
  // A changed rule begins anew, as after a restart: its window is filled from what is stored.
  await team.admin.alerts.changeRule({ team: team.slug, ruleId: kept.id, description: 'changed' })
  await experiment.log({ acc: 0.3 })
  expect(await titlesOf(team.member)).toContain('average of acc is 0.2')
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

test('NaN is seen, and only in experiments that fit the filters', async () => {
  const kept = await team.admin.alerts.createRule(
    rule(
      { kind: 'nonfinite', metric: 'nanloss' },
      { filters: [{ column: 'config.lr', op: 'gt', value: 0.1 }] },
    ),
  )
  const careful = await anExperiment(team.mate, { config: { lr: { value: 0.01 } } })
  await careful.log({ nanloss: 'NaN' })
  expect(await titlesOf(team.mate)).not.toContain('nanloss is NaN')
  const bold = await anExperiment(team.mate, { config: { lr: { value: 1 } } })
  await bold.log({ nanloss: 'NaN' })
  expect(await titlesOf(team.mate)).toContain('nanloss is NaN')
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

test('failed, crashed, finished: the owner hears of bad ends, others by rule', async () => {
  const failing = await anExperiment(team.mate, { name: 'sad-owl' })
  await failing.end(1)
  expect(await titlesOf(team.mate)).toContain('sad-owl failed')
  await failing.end(1)
  expect((await titlesOf(team.mate)).filter((title) => title === 'sad-owl failed')).toHaveLength(1)

  const kept = await team.admin.alerts.createRule(
    rule({ kind: 'state', states: ['crashed', 'finished'] }, { audience: 'team', level: 'error' }),
  )
  const good = await anExperiment(team.member, { name: 'glad-owl' })
  await good.end(0)
  const silent = await anExperiment(team.member, { name: 'mute-owl' })
  pass(301)
  await app.experiments.sweepCrashed()
  await app.alerts.settled()
  for (const person of [team.admin, team.mate, team.viewer])
    expect(await titlesOf(person)).toEqual(
      expect.arrayContaining(['glad-owl has finished', 'mute-owl crashed']),
    )
  expect((await titlesOf(team.member)).filter((title) => title === 'mute-owl crashed')).toHaveLength(1)
  expect(silent.slug).toBeTruthy()
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

test('no sign of life is told before it counts as a crash', async () => {
  const kept = await team.admin.alerts.createRule(rule({ kind: 'silent', seconds: 120 }))
  const experiment = await anExperiment(team.member, { name: 'quiet-elk' })
  pass(100)
  await app.alerts.step()
  expect(await titlesOf(team.member)).not.toContain('quiet-elk gives no sign of life')
  pass(30)
  await app.alerts.step()
  await app.alerts.step()
  const told = (await titlesOf(team.member)).filter((title) => title === 'quiet-elk gives no sign of life')
  expect(told).toHaveLength(1)
  await experiment.end(0)
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

test('a regression is told with the config that differs, against the best and against a pinned one', async () => {
  const project = `p${randomText(6)}`
  const best = await anExperiment(team.member, {
    project,
    name: 'best-so-far',
    config: { lr: { value: 0.1 }, model: { value: { depth: 3 } } },
  })
  await best.end(0, { acc: 0.9 })
  const worse = await anExperiment(team.member, { project, name: 'middling', config: { lr: { value: 0.1 } } })
  await worse.end(0, { acc: 0.5 })
  const condition = { kind: 'regression', metric: 'acc', goal: 'maximize', tolerance: 0.05 }
  const byBest = await team.admin.alerts.createRule(
    rule(condition, { project, audience: 'team', name: 'By best' }),
  )
  const byPin = await team.admin.alerts.createRule(
    rule({ ...condition, baseline: worse.slug }, { project, audience: 'team', name: 'By pin' }),
  )
  const close = await anExperiment(team.member, { project, name: 'close' })
  await close.end(0, { acc: 0.88 })
  const bad = await anExperiment(team.member, {
    project,
    name: 'bad-idea',
    config: { lr: { value: 0.3 }, model: { value: { depth: 3 } } },
  })
  await bad.end(0, { acc: 0.6 })
  const { items } = await team.mate.notifications.list({ limit: 100 })
  const told = items.filter(({ title }) => title.includes('worse than the baseline'))
  expect(told).toHaveLength(1)
  expect(told[0]!.title).toBe('bad-idea: acc is worse than the baseline: 0.6 after 0.9')
  expect(told[0]!.text).toContain('Config compared with best-so-far:\nlr: 0.1 → 0.3')
  expect(told[0]!.text).not.toContain('depth')
  for (const ruleId of [byBest.id, byPin.id]) await team.admin.alerts.deleteRule({ team: team.slug, ruleId })
})

describe('what scripts report', () => {
  test('reaches its owner in the app and by mail, and rules send it further', async () => {
    const channel = await team.admin.alerts.createChannel({
      team: team.slug,
      name: 'signed',
      kind: 'webhook',
      target: `${hooks.url}/signed`,
    })
    expect(channel.secret).toMatch(/^whsec_/)
    const kept = await team.admin.alerts.createRule(
      rule(
        { kind: 'script', levels: ['error'] },
        { audience: 'nobody', channelIds: [channel.id], name: 'Errors' },
      ),
    )
    const experiment = await anExperiment(team.member, { name: 'odd-crow' })
    await experiment.alert('Low disk', 'careful', 'info')
    await experiment.alert('Out of disk', '<script>alert(1)</script>', 'error')
    expect(await titlesOf(team.member)).toEqual(expect.arrayContaining(['Low disk', 'Out of disk']))
    const mail = await mailServer.mailTo(team.member.email)
    expect(mail.html).not.toContain('<script>')
    const [post, ...others] = hooks.to('/signed')
    expect(others).toEqual([])
    expect(JSON.parse(post!.body)).toMatchObject({
      type: 'alert',
      title: 'Out of disk',
      level: 'error',
      team: team.slug,
      experiment: { name: 'odd-crow', state: 'running' },
      rule: { name: 'Errors' },
    })
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': given } = post!.headers
    const key = Buffer.from(channel.secret!.slice(6), 'base64')
    const mac = createHmac('sha256', key).update(`${id}.${time}.${post!.body}`).digest('base64')
    expect(given).toBe(`v1,${mac}`)
    const stored = await app.db
      .selectFrom('alert_channels')
      .selectAll()
      .where('id', '=', channel.id)
      .executeTakeFirstOrThrow()
    expect(JSON.stringify(stored)).not.toContain(channel.secret!.slice(6))
    expect(JSON.stringify(stored)).not.toContain('/signed')
    await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
  })

  test('goes along a rule once per wait time and title; to its owner as often as the script wants', async () => {
    const levels = ['info', 'warn', 'error']
    const kept = await team.admin.alerts.createRule(
      rule({ kind: 'script', levels }, { audience: 'team', waitSeconds: 600 }),
    )
    const experiment = await anExperiment(team.member)
    const heard = async (person: TestPerson) =>
      (await titlesOf(person)).filter((title) => title.startsWith('Chatty')).toSorted()
    await experiment.alert('Chatty one')
    await experiment.alert('Chatty one')
    await experiment.alert('Chatty two')
    expect(await heard(team.mate)).toEqual(['Chatty one', 'Chatty two'])
    expect(await heard(team.member)).toEqual(['Chatty one', 'Chatty one', 'Chatty two'])
    pass(601)
    await experiment.alert('Chatty one')
    expect(await heard(team.mate)).toEqual(['Chatty one', 'Chatty one', 'Chatty two'])
    await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
  })

  test('is told once when a rule tells the owner too', async () => {
    const kept = await team.admin.alerts.createRule(
      rule({ kind: 'script', levels: ['info', 'warn', 'error'] }, { audience: 'team' }),
    )
    const experiment = await anExperiment(team.mate)
    await experiment.alert('Just once')
    expect((await titlesOf(team.mate)).filter((title) => title === 'Just once')).toHaveLength(1)
    expect(await titlesOf(team.viewer)).toContain('Just once')
    await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
  })
})

test('a hook that is away is tried again, one that refuses or redirects is given up', async () => {
  const channels = await Promise.all(
    ['away', 'refuses', 'moved'].map((name) =>
      team.admin.alerts.createChannel({
        team: team.slug,
        name,
        kind: 'slack',
        target: `${hooks.url}/${name}`,
      }),
    ),
  )
  hooks.answers.set('/away', { status: 503 })
  hooks.answers.set('/refuses', { status: 404 })
  hooks.answers.set('/moved', { status: 302, headers: { location: `${hooks.url}/elsewhere` } })
  for (const { id } of channels) await team.admin.alerts.testChannel({ team: team.slug, channelId: id })
  await app.alerts.settled()
  const stateOf = async (name: string) =>
    (await team.admin.alerts.deliveries({ team: team.slug })).items.find(({ channel }) => channel === name)
  expect(await stateOf('away')).toMatchObject({ state: 'waiting', tries: 1, httpStatus: 503 })
  expect(await stateOf('refuses')).toMatchObject({ state: 'failed', httpStatus: 404 })
  expect(await stateOf('moved')).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('redirects are not followed'),
  })
  expect(hooks.to('/elsewhere')).toEqual([])
  hooks.answers.delete('/away')
  pass(11)
  await app.alerts.step()
  expect(await stateOf('away')).toMatchObject({ state: 'sent', tries: 2, error: null })
})

test('an e-mail channel tells what became of its mail, and a test reaches who asks for it', async () => {
  const channel = await team.admin.alerts.createChannel({
    team: team.slug,
    name: 'desk',
    kind: 'email',
    target: 'desk1@example.org, desk2@example.org',
  })
  const kept = await team.admin.alerts.createRule(
    rule(above1, { channelIds: [channel.id], name: 'Desk rule', audience: 'team' }),
  )
  expect(await team.admin.alerts.testRule({ team: team.slug, ruleId: kept.id })).toEqual({ deliveries: 1 })
  await mailServer.mailTo('desk1@example.org')
  expect((await mailServer.mailTo('desk2@example.org')).subject).toBe(`[${team.slug}] Test: Desk rule`)
  await app.mailer.step()
  const [delivery] = (await team.admin.alerts.deliveries({ team: team.slug })).items
  expect(delivery).toMatchObject({ channel: 'desk', kind: 'email', state: 'sent', rule: 'Desk rule' })
  expect(await titlesOf(team.admin)).toContain('Test: Desk rule')
  expect(await titlesOf(team.mate)).not.toContain('Test: Desk rule')
  await team.admin.alerts.deleteRule({ team: team.slug, ruleId: kept.id })
})

describe('notifications', () => {
  test('are counted, read one by one or all, and only by whose they are', async () => {
    const person = await app.aPerson()
    await app.operator.teams.addMember({ team: team.slug, username: person.username, role: 'member' })
    const experiment = await anExperiment(person)
    await experiment.alert('one')
    await experiment.alert('two')
    await experiment.alert('three')
    const { items, unread } = await person.notifications.list({ limit: 2 })
    expect(unread).toBe(3)
    expect(items).toHaveLength(2)
    const { unread: others } = await team.mate.notifications.read({ ids: items.map(({ id }) => id) })
    expect(others).toBeGreaterThanOrEqual(0)
    expect((await person.notifications.list({})).unread).toBe(3)
    expect(await person.notifications.read({ ids: [items[0]!.id] })).toEqual({ unread: 2 })
    expect(await person.notifications.read({ ids: [] })).toEqual({ unread: 2 })
    expect(await person.notifications.read({})).toEqual({ unread: 0 })
    expect((await person.notifications.list({ unread: true })).items).toEqual([])
    await expect(person.notifications.list({ cursor: 'x' })).rejects.toEqual(code('invalid'))
    await expect(team.service.notifications.list({})).rejects.toEqual(code('forbidden'))
  })

  test('come in the ways that somebody chose', async () => {
    const person = await app.aPerson()
    await app.operator.teams.addMember({ team: team.slug, username: person.username, role: 'member' })
    const before = await person.notifications.preferences()
    expect(before).toMatchObject({ mailIsOn: true, preferences: { script: { app: true, email: true } } })
    await person.notifications.prefer({
      preferences: { script: { app: false, email: false }, finish: { app: true, email: false } },
    })
    const experiment = await anExperiment(person, { name: 'calm-bee' })
    await experiment.alert('unwanted')
    await experiment.end(0)
    expect(await titlesOf(person)).toEqual(['calm-bee has finished'])
    await app.mailer.step()
    expect(mailServer.mails.filter(({ to }) => to.includes(person.email))).toEqual([])
  })

  test('only the browser of who was told hears of it', async () => {
    const heard: unknown[] = []
    const stop = app.events.subscribe((event) => heard.push(event))
    const experiment = await anExperiment(team.mate)
    await experiment.alert('live')
    stop()
    const { userId } = (await team.admin.teams.members({ team: team.slug })).find(
      ({ username }) => username === team.mate.username,
    )!
    expect(heard).toContainEqual(
      expect.objectContaining({ type: 'notifications.changed', userIds: [userId] }),
    )
  })
})
