import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../support/app.ts'
import { commandLines } from '../support/grid.ts'

let app: TestApp
let cli: Awaited<ReturnType<typeof commandLines>>
let team: Awaited<ReturnType<TestApp['aTeam']>>
beforeAll(async () => {
  app = await startApp()
  cli = await commandLines(app)
  team = await app.aTeam()
  for (const [person, slug] of [
    [team.member, 'mine-1'],
    [team.member, 'mine-2'],
    [team.mate, 'theirs'],
  ] as const) {
    const actor = await app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })
    const ref = { team: team.slug, project: 'vision', slug }
    await app.experiments.upsert(actor, { ...ref, name: slug })
    await app.experiments.append(actor, ref, { complete: { exitCode: 0 } })
  }
}, 120_000)
afterAll(async () => {
  await cli.close()
  expect(app.errors).toEqual([])
  await app.close()
})

const slugs = async (slug: string, project: string) =>
  (await team.admin.experiments.query({ team: slug, project })).rows.map((row) => row.slug).toSorted()

test('what is typed wrong ends with code 2 before anything moves', async () => {
  for (const argv of [
    ['move', 'mine-1'],
    ['move', '--to', 'a/b'],
    ['move', 'mine-1', '--to', 'nowhere'],
    ['move', 'mine-1', '--all', '--from', 'a/b', '--to', 'a/c'],
    ['move', 'mine-1', '--from', 'a/b', '--to', 'a/c'],
  ])
    expect([argv, (await cli.grid(team.member, argv)).code]).toEqual([argv, 2])
})

test('one that may not be taken keeps all; --skip-denied moves the rest', async () => {
  const to = `${team.slug}/kept`
  const from = ['--all', '--from', `${team.slug}/vision`, '--to', to]
  const unsure = await cli.grid(team.member, ['move', ...from])
  expect(unsure.err).toContain('3 experiments of')
  expect(unsure.code).toBe(1)
  const refused = await cli.grid(team.member, ['move', ...from, '--yes'])
  expect(refused.err).toContain('members_move_runs')
  expect(refused.code).toBe(1)
  expect(await slugs(team.slug, 'vision')).toHaveLength(3)

  const some = await cli.grid(team.member, ['move', ...from, '--search', 'mine-1', '--yes', '-o', 'json'])
  expect(JSON.parse(some.out)).toMatchObject({ moved: 1, skipped: 0, project: 'kept' })
  const rest = await cli.grid(team.member, ['move', ...from, '--yes', '--skip-denied'])
  expect(rest.err).toContain('1 experiment may not be moved and stayed')
  expect(rest.err).toContain(`Moved 1 experiment to ${to}`)
  expect(await slugs(team.slug, 'vision')).toEqual(['theirs'])
  expect(await slugs(team.slug, 'kept')).toEqual(['mine-1', 'mine-2'])
})

test('somebody else’s is asked about by the owner’s name', async () => {
  const argv = ['move', `${team.mate.username}:theirs`, '--to', `${team.slug}/kept`]
  const no = await cli.grid(team.admin, argv, { tty: true, answers: ['n'] })
  expect(no.err).toContain(`belongs to ${team.mate.username}`)
  expect(no.code).toBe(1)
  expect((await cli.grid(team.admin, argv, { tty: true, answers: ['y'] })).code).toBe(0)
  expect(await slugs(team.slug, 'kept')).toContain('theirs')
})
