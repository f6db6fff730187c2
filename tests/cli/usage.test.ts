/** `grid usage` as organisation, admin, member, view-only member and stranger. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../support/app.ts'
import { commandLines } from '../support/grid.ts'

const time = { now: new Date('2026-03-10T08:00:00Z') }
let app: TestApp
let cli: Awaited<ReturnType<typeof commandLines>>
let team: Awaited<ReturnType<TestApp['aTeam']>>

beforeAll(async () => {
  app = await startApp({ clock: { now: () => time.now } })
  cli = await commandLines(app)
  team = await app.aTeam()
}, 120_000)
afterAll(async () => {
  await cli.close()
  expect(app.errors).toEqual([])
  await app.close()
})

const usage = (person: { key: string }, ...argv: string[]) => cli.grid(person, ['usage', ...argv])

test('what is typed wrong, and what one may not, ends with a sentence and the right code', async () => {
  const { slug, admin, member, outsider } = team
  for (const [person, argv, code, says] of [
    [member, ['add-credit', slug, 'many'], 2, '"many" is not an amount of credits'],
    [member, ['add-credit', slug, '0.1234567'], 2, 'six digits'],
    [member, [slug, '--from', 'yesterday'], 2, '"yesterday" is not a day'],
    [member, [slug, '--by', 'colour'], 2, 'colour'],
    [member, ['set-budget', slug, '5', '--notice', 'often'], 2, '"often" are not percentages'],
    [member, ['add-credit', slug, '5'], 1, 'credit'],
    [admin, ['add-credit', slug, '5'], 1, 'credit'],
    [member, ['set-budget', slug, '5'], 1, 'budget'],
    [admin, ['delete-budget', slug, randomUUID()], 4, 'no budget'],
    [outsider, [slug], 4, ''],
    [outsider, ['balance', slug], 4, ''],
  ] as const) {
    const answer = await usage(person, ...argv)
    expect([argv.join(' '), answer.code]).toEqual([argv.join(' '), code])
    expect(answer.err).toContain(says)
  }
})

test('what ran is shown by person, machine and as CSV; credits and budgets with it', async () => {
  const { slug, admin, member } = team
  await app.operator.usage.setRate({ machine: 'small', microcreditsPerHour: 2_000_000 })
  await app.operator.usage.addCredit({ team: slug, microcredits: 10_000_000 })
  const [{ id: teamId }, { id: userId }] = await Promise.all([
    app.db.selectFrom('teams').select('id').where('slug', '=', slug).executeTakeFirstOrThrow(),
    app.db.selectFrom('users').select('id').where('username', '=', member.username).executeTakeFirstOrThrow(),
  ])
  const attemptId = randomUUID()
  const stay = { teamId, userId, projectId: null, subjectId: randomUUID(), subjectName: 'a-exp0' }
  const machine = { cluster: 'local', machine: 'small', isSpot: false, cpus: 2, gpus: 1 }
  await app.usage.startStays(app.db, [
    { attemptId, kind: 'experiment', ...stay, ...machine, startedAt: time.now },
  ])
  time.now = new Date(time.now.getTime() + 90 * 60_000)
  await app.usage.endStays(app.db, [attemptId], time.now)
  await app.usage.tick()

  const shown = await usage(member, slug)
  expect(shown.out).toMatch(/Person +Stays +Hours +GPU Hours +Credits/)
  expect(shown.out).toMatch(new RegExp(`${member.username} +1 +1.50 +1.50 +3.00`))
  expect((await usage(member, slug, '--by', 'machine', '--csv')).out).toBe(
    'name,stays,seconds,gpu_seconds,microcredits,estimate\r\nlocal · small,1,5400,5400,3000000,false\r\n',
  )
  expect(JSON.parse((await usage(member, 'balance', slug, '-o', 'json')).out)).toMatchObject([
    { team: slug, microcredits: 7_000_000, state: 'low' },
  ])
  expect((await usage(member, 'balance')).out).toContain('unlimited')
  expect((await usage(admin, 'set-budget', slug, '4', '--person', member.username, '--hard')).code).toBe(0)
  expect((await usage(admin, 'set-budget', slug, '6', '--person', member.username)).code).toBe(0)
  const budgets = JSON.parse((await usage(member, 'budgets', slug, '-o', 'json')).out) as { id: string }[]
  expect(budgets).toMatchObject([
    { person: member.username, microcredits: 6_000_000, used_microcredits: 3_000_000, hard: false },
  ])
  expect((await usage(admin, 'delete-budget', slug, budgets[0]!.id, '--yes')).code).toBe(0)
  expect((await usage(member, 'rates')).out).toMatch(/small +every +no +2.00/)
})
