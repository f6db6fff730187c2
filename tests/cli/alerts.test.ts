/** `grid alerts`: notifications, rules and channels, as admin, member, view-only member and stranger. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../support/app.ts'
import { commandLines } from '../support/grid.ts'
import { startHooks } from '../support/hooks.ts'

let app: TestApp
let cli: Awaited<ReturnType<typeof commandLines>>
let hooks: Awaited<ReturnType<typeof startHooks>>
let team: Awaited<ReturnType<TestApp['aTeam']>>
type Row = Record<string, unknown>
type Given = Parameters<Awaited<ReturnType<typeof commandLines>>['grid']>[2]

beforeAll(async () => {
  hooks = await startHooks()
  app = await startApp({ privateWebhooks: ['127.0.0.0/8'] })
  cli = await commandLines(app)
  team = await app.aTeam()
}, 120_000)
afterAll(async () => {
  await cli.close()
  expect(app.errors).toEqual([])
  await app.close()
  await hooks.stop()
})

const alerts = (person: { key: string }, argv: string[], given?: Given) =>
  cli.grid(person, ['alerts', ...argv], given)

/** What succeeds, as a program reads it. */
async function json<Value = Row[]>(person: { key: string }, argv: string[]): Promise<Value> {
  const { code, out, err } = await alerts(person, [...argv, '-o', 'json'])
  if (code !== 0) throw new Error(`grid alerts ${argv.join(' ')} ended with ${code}: ${err}`)
  return JSON.parse(out) as Value
}

/** A script of somebody's, in this process. */
async function script(person: { key: string }, name: string) {
  const actor = await app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })
  const ref = { team: team.slug, project: 'digits', slug: name }
  await app.experiments.upsert(actor, { ...ref, name })
  let line = 0
  return {
    log: async (row: object) => {
      await app.experiments.append(actor, ref, {
        history: { offset: line++, lines: [JSON.stringify(row)] },
      })
      await app.alerts.settled()
    },
    alert: async (title: string) => {
      await app.experiments.addAlert(actor, ref, { title, text: 'look', level: 'warn', waitSeconds: 0 })
      await app.alerts.settled()
    },
  }
}

test('what is typed wrong ends with code 2 before anything is asked of the server', async () => {
  const { slug } = team
  for (const argv of [
    ['rules'],
    ['rule', 'create', slug, 'x'],
    ['rule', 'create', slug, 'x', '--when', 'whenever'],
    ['rule', 'create', slug, 'x', '--when', 'loss > 1', '--wait', 'soon'],
    ['rule', 'create', slug, 'x', '--when', 'loss > 1', '--level', 'panic'],
    ['rule', 'mute', slug],
    ['channel', 'create', slug, 'x'],
    ['channel', 'create', slug, 'x', '--email', 'a@example.org', '--slack', 'https://example.org/x'],
    ['--limit', '0'],
  ])
    expect([argv, (await alerts(team.admin, argv)).code]).toEqual([argv, 2])
  const unsaid = await alerts(team.admin, ['rule', 'create', slug, 'x', '--when', 'whenever'])
  expect(unsaid.err).toContain('"whenever" is not understood')
  expect(unsaid.err).toContain('val/loss > 2')
  const wrong = await alerts(team.admin, [
    'rule',
    'create',
    slug,
    'x',
    '--when',
    'crashed',
    '-o',
    'json',
    '--to',
    'nowhere',
  ])
  expect(JSON.parse(wrong.err)).toMatchObject({
    error: { code: 'not_found', message: 'There is no channel "nowhere"' },
  })
  expect(await json(team.admin, ['rules', slug])).toEqual([])
})

test('an admin makes a channel and a rule, tries, mutes, unmutes and deletes them', async () => {
  const { slug } = team
  const made = await alerts(team.admin, ['channel', 'create', slug, 'room', '--webhook', `${hooks.url}/room`])
  expect(made.err).toContain('Made channel room to')
  expect(made.out).toMatch(/^whsec_\S{40,}\n$/)
  expect(made.err).not.toContain('/room')
  const twice = await alerts(team.admin, ['channel', 'create', slug, 'Room', '--email', 'a@example.org'])
  expect([twice.code, twice.err]).toEqual([5, expect.stringContaining('There is a channel Room')])
  const inside = await alerts(team.admin, [
    'channel',
    'create',
    slug,
    'x',
    '--slack',
    'http://169.254.169.254/',
  ])
  expect(inside.code).toBe(2)
  expect(await json(team.admin, ['channels', slug])).toMatchObject([{ name: 'room', kind: 'webhook' }])

  await alerts(team.admin, ['channel', 'test', slug, 'room'])
  await app.alerts.settled()
  expect(hooks.to('/room')).toHaveLength(1)

  const options = '--to room --tell team --wait 10m --level error'.split(' ')
  const create = ['rule', 'create', slug, 'Too high', '--when', 'loss > 10', ...options]
  const rule = await json<Row>(team.admin, create)
  expect(rule).toMatchObject({ when: 'loss > 10', wait_seconds: 600, level: 'error', enabled: true })
  expect((await alerts(team.mate, ['rules', slug])).out).toMatch(
    /Too high\s+all\s+loss > 10\s+team\s+1\s+yes/,
  )
  const tried = await alerts(team.admin, ['rule', 'test', slug, 'too high'])
  expect(tried.err).toContain('Sent to 1 channel, and to you')
  await app.alerts.settled()
  expect(hooks.to('/room')).toHaveLength(2)

  await alerts(team.admin, ['rule', 'mute', slug, 'Too high'])
  const first = await script(team.member, 'first')
  await first.log({ loss: 11 })
  expect(hooks.to('/room')).toHaveLength(2)
  expect((await alerts(team.admin, ['rules', slug])).out).toContain('muted')
  await alerts(team.admin, ['rule', 'unmute', slug, String(rule['id'])])
  await first.log({ loss: 12 })
  await first.log({ loss: 13 })
  expect(hooks.to('/room')).toHaveLength(3)
  for (const person of [team.member, team.mate])
    expect(await json(person, ['--unread'])).toMatchObject([
      { title: 'loss is 12', team: slug, level: 'error' },
    ])
  expect((await alerts(team.mate, [])).out).toMatch(/\*\s+\S+\s+error\s+loss is 12/)
  expect(await json<Row>(team.mate, ['read'])).toEqual({ unread: 0 })
  expect(await json(team.mate, ['--unread'])).toEqual([])
  expect(await json(team.mate, [])).toHaveLength(1)

  const unsure = await alerts(team.admin, ['rule', 'delete', slug, 'Too high'])
  expect([unsure.code, unsure.err]).toEqual([1, expect.stringContaining('Nothing was deleted')])
  const no = await alerts(team.admin, ['channel', 'delete', slug, 'room'], { tty: true, answers: ['n'] })
  expect(no.code).toBe(1)
  expect((await alerts(team.admin, ['rule', 'delete', slug, 'Too high', '--yes'])).code).toBe(0)
  expect((await alerts(team.admin, ['channel', 'delete', slug, 'room', '--yes'])).code).toBe(0)
  expect(await json(team.admin, ['rules', slug])).toEqual([])
  expect(await json(team.admin, ['channels', slug])).toEqual([])
})

test('two rules of one name are told apart by their ids', async () => {
  const { slug } = team
  const create = ['rule', 'create', slug, 'Twin', '--mine', '--when', 'failed']
  const [one, two] = [await json<Row>(team.mate, create), await json<Row>(team.mate, create)]
  const both = await alerts(team.mate, ['rule', 'delete', slug, 'Twin', '--yes'])
  expect(both.code).toBe(2)
  expect(both.err).toContain(String(one['id']))
  await alerts(team.mate, ['rule', 'delete', slug, String(one['id']), String(two['id']), '--yes'])
  expect(await json(team.mate, ['rules', slug])).toEqual([])
})

test('a member keeps rules for themselves and none of the team; nobody else sees those', async () => {
  const { slug } = team
  await json(team.admin, ['rule', 'create', slug, 'Of all', '--when', 'loss is NaN'])
  for (const argv of [
    ['rule', 'create', slug, 'x', '--when', 'crashed'],
    ['rule', 'mute', slug, 'Of all'],
    ['rule', 'test', slug, 'Of all'],
    ['rule', 'delete', slug, 'Of all', '--yes'],
    ['channel', 'create', slug, 'x', '--email', 'a@example.org'],
  ]) {
    const { code, err } = await alerts(team.member, argv)
    expect([argv, code]).toEqual([argv, 1])
    expect(err).toContain(team.admin.username)
  }
  await json(team.member, ['rule', 'create', slug, 'Only me', '--mine', '--when', 'a script reports warn'])
  expect(await json(team.member, ['rules', slug])).toMatchObject([
    { name: 'Of all' },
    { name: 'Only me', tell: 'me' },
  ])
  expect(await json(team.admin, ['rules', slug])).toMatchObject([{ name: 'Of all' }])
  const hidden = await alerts(team.admin, ['rule', 'mute', slug, 'Only me'])
  expect(hidden.err).toContain('There is no rule "Only me"')

  const second = await script(team.mate, 'second')
  await second.alert('Odd')
  expect(await json(team.member, ['--unread', '--limit', '1'])).toMatchObject([{ title: 'Odd' }])
  expect(await json(team.admin, ['--unread'])).not.toContainEqual(expect.objectContaining({ title: 'Odd' }))
})

test('a view-only member has no key, and a stranger finds no such team', async () => {
  const { slug } = team
  const viewer = await alerts(team.viewer, ['rules', slug])
  expect([viewer.code, viewer.out]).toEqual([3, ''])
  // Who works in another team has a key there, which is none here.
  const guest = await app.aPerson()
  await app.operator.teams.create({ slug: `${slug}-other`, admin: guest.username })
  await app.operator.teams.addMember({ team: slug, username: guest.username, role: 'viewer' })
  for (const argv of [
    ['rules', slug],
    ['rule', 'create', slug, 'x', '--when', 'failed'],
    ['rule', 'mute', slug, 'Of all'],
  ])
    expect(await alerts(guest, argv)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('Your role is view-only, which has no API key'),
    })
  for (const stranger of [team.outsider, team.removed]) {
    for (const argv of [
      ['rules', slug],
      ['channels', slug],
      ['rule', 'create', slug, 'x', '--when', 'failed'],
      ['rule', 'delete', slug, 'Of all', '--yes'],
      ['channel', 'create', slug, 'x', '--email', 'a@example.org'],
    ]) {
      const { code, err, out } = await alerts(stranger, argv)
      expect([argv, out, err]).toEqual([
        argv,
        '',
        expect.stringContaining('No such thing, or it is not yours'),
      ])
      expect(code).toBe(4)
    }
    expect(await json(stranger, [])).toEqual([])
  }
})
