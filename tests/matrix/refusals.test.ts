/**
 * Refusals and questions as people meet them at the command line and over HTTP, in the words of the product. Names begin
 * with the row of the acceptance list they prove.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runGrid } from '../../cli/src/program.ts'
import { memoryIo } from '../../cli/src/test-io.ts'
import { startApp, type TestApp } from '../support/app.ts'
import { aWorld, type Cast, type Outcome, type Thing, type World } from './world.ts'

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startApp()
  world = await aWorld(app)
}, 120_000)
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
})

/** A thing of the owner that may be gone afterwards. */
const aSpare = async (): Promise<Thing> => {
  let found: Thing | undefined
  await world.consume('O', async (thing): Promise<Outcome> => {
    found = thing
    return 'yes'
  })
  return found!
}

/** At a terminal, with these answers. */
async function asked(column: Cast, answers: string[], ...argv: string[]) {
  const io = memoryIo({
    home: '/nowhere',
    tty: true,
    answers,
    env: { GRID_URL: app.origin, GRID_API_KEY: world.people[column].key, GRID_CONFIG_DIR: '/nowhere' },
    fetch: (request, init) => app.inject(new Request(request, init)),
  })
  const code = await runGrid(io, argv)
  return { code, out: io.out(), err: io.err() }
}

const stateOf = async ({ project, slug }: Thing) =>
  (await world.people.TA.experiments.get({ team: world.team, project, experiment: slug })).stopRequested

test('A10, B10: a member deletes no team mate’s experiment by default, and is told why and by whom', async () => {
  await world.choose('default')
  const thing = await aSpare()
  const sentence = `Warning: experiment ${thing.name} belongs to ${thing.owner}. Team policy "members_delete_runs" does not let members delete it. Ask ${thing.owner} or a team admin (${world.people.TA.username}).`
  const { code, err } = await world.grid('M', 'delete', 'experiment', `${thing.owner}:${thing.name}`, '--yes')
  expect(code).toBe(1)
  expect(err).toBe(`${sentence}\n`)
  const answer = await app.inject(
    new Request(`${app.origin}/api/projects/${world.team}/${thing.project}/experiments/${thing.slug}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${world.people.M.key}` },
    }),
  )
  expect(answer.status).toBe(403)
  expect(await answer.json()).toMatchObject({
    code: 'policy_denied',
    message: sentence,
    data: {
      policy: 'members_delete_runs',
      owner: thing.owner,
      admins: [world.people.TA.username],
    },
  })
  expect(await stateOf(thing)).toBe(false)
})

test('A10: under grid-2022 it asks, naming the owner, who is told; an admin may under both', async () => {
  await world.choose('grid-2022')
  const thing = await aSpare()
  const ref = `${thing.owner}:${thing.name}`
  const no = await asked('M', ['n'], 'delete', 'experiment', ref)
  expect(no.code).toBe(1)
  expect(no.err).toContain(`WARNING!\nexperiment ${thing.name} belongs to ${thing.owner}.`)
  expect(no.err).toContain('[y/N]')
  expect(await stateOf(thing)).toBe(false)
  const yes = await asked('M', ['y'], 'delete', 'experiment', ref)
  expect(yes).toMatchObject({ code: 0 })
  const { items } = await world.people.O.notifications.list({})
  expect(items[0]!.title).toBe(`${world.people.M.username} deleted ${thing.name}`)
  await world.choose('default')
  const other = await aSpare()
  expect((await world.grid('TA', 'delete', 'experiment', `${other.owner}:${other.name}`, '--yes')).code).toBe(
    0,
  )
})

test('A12: a member stops a team mate’s experiment after saying yes; under grid-2021 they may not', async () => {
  await world.choose('grid-2021')
  const thing = await aSpare()
  const ref = `${thing.owner}:${thing.name}`
  const refused = await asked('M', ['y'], 'stop', 'experiment', ref)
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('Team policy "members_stop_runs" does not let members stop it.')
  expect(refused.err).not.toContain('[y/N]')
  await world.choose('default')
  // Nobody at the terminal is no yes.
  expect((await world.grid('M', 'stop', 'experiment', ref)).code).toBe(1)
  expect(await stateOf(thing)).toBe(false)
  const done = await asked('M', ['yes'], 'stop', 'experiment', ref)
  expect(done.err).toContain(`belongs to ${thing.owner}`)
  expect(done.code).toBe(0)
  expect(await stateOf(thing)).toBe(true)
})

test('a mixed list is refused as a whole, or only what is denied with --skip-denied', async () => {
  await world.choose('default')
  const theirs = await aSpare()
  const actor = await app.teams.actors.ofKey(world.people.M.key, { origin: app.origin, client: 'wandb' })
  const mine = `mine-${theirs.slug}`
  await app.experiments.upsert(actor, { team: world.team, project: 'digits', slug: mine, name: mine })
  const refs = [`me:${mine}`, `${theirs.owner}:${theirs.name}`]
  expect((await world.grid('M', 'delete', 'experiment', ...refs, '--yes')).code).toBe(1)
  const ref = { team: world.team, project: 'digits', experiment: mine }
  expect((await world.people.M.experiments.get(ref)).slug).toBe(mine)
  const { code, err } = await world.grid('M', 'delete', 'experiment', ...refs, '--yes', '--skip-denied')
  expect(code).toBe(0)
  expect(err).toContain('members_delete_runs')
  await expect(world.people.M.experiments.get(ref)).rejects.toMatchObject({ code: 'not_found' })
  expect(await stateOf(theirs)).toBe(false)
})

test('B8: grid teams prints name, day, my role and members; a stranger hears that there is none', async () => {
  const { out } = await world.grid('M', 'teams', world.team)
  const [first, role, members] = out.split('\n')
  expect(first).toMatch(new RegExp(`^${world.team} -  Created on \\d{4}-\\d{2}-\\d{2}$`))
  expect([role, members]).toEqual(['  Role: member', '  Members'])
  expect(out).toContain(`<${world.people.O.username}>`)
  for (const name of [world.team, 'no-such-team']) {
    const { code, err } = await world.grid('N', 'team', name)
    expect([code, err]).toEqual([4, `Error: Team ${name} not found\n`])
  }
})

test('C-9: removing lists what stops, ends and stays, and asks; then nothing of theirs gets in', async () => {
  const leaver = await app.aPerson()
  await app.operator.teams.addMember({ team: world.team, username: leaver.username, role: 'member' })
  const no = await asked('TA', [''], 'team', 'remove', world.team, leaver.username)
  expect(no.code).toBe(1)
  expect(no.err).toMatch(/^WARNING!\nEnds:\n {2}Access to /)
  expect(no.err).toContain('Stays:\n  Nothing: ')
  expect((await leaver.teams.get({ team: world.team })).role).toBe('member')
  expect((await asked('TA', ['y'], 'team', 'remove', world.team, leaver.username)).code).toBe(0)
  await expect(leaver.teams.get({ team: world.team })).rejects.toMatchObject({ code: 'not_found' })
})

test('C-4, B15: a team is asked for and people are invited from the command line', async () => {
  const slug = `c${world.team}`
  const plain = await world.grid('N', 'team', 'create', slug)
  expect(plain.code).toBe(1)
  expect(plain.err).toContain(`grid team create ${slug} --reason`)
  expect((await world.grid('N', 'team', 'create', slug, '--reason', 'Speech')).code).toBe(0)
  const invited = await world.grid('TA', 'team', 'invite', world.team, world.people.N.username)
  expect(invited.code).toBe(0)
  expect(invited.out).toMatch(/\/invite\/[\w-]{43}\n$/)
  const joined = await world.grid('N', 'team', 'accept', world.team)
  expect(joined.err).toContain(`grid user set-default-entity ${world.people.N.username}`)
  expect((await world.grid('N', 'team', 'leave', world.team, '--yes')).code).toBe(0)
})

test('grid why says the reason in a sentence, and grid team can prints the table as it is now', async () => {
  await world.choose('default')
  const thing = world.thing('O')
  const { out } = await world.grid('M', 'why', world.people.V.username, `${thing.owner}:${thing.name}`)
  expect(out).toBe(
    `${world.people.V.username} can see experiment ${thing.name}, because they are a view-only member of team ${world.team}: they see what members see and change nothing.\n`,
  )
  const rows = async () =>
    JSON.parse((await world.grid('M', 'team', 'can', world.team, '-o', 'json')).out) as Record<
      string,
      unknown
    >[]
  const deletes = (all: Record<string, unknown>[]) => all.find((row) => row['row'] === 20)
  expect(deletes(await rows())).toMatchObject({
    owner: 'yes',
    member: 'no',
    service: 'own',
    team_admin: 'yes',
  })
  await world.choose('grid-2022')
  expect(deletes(await rows())).toMatchObject({ member: 'yes', view_only: 'no', others: 'no' })
})
