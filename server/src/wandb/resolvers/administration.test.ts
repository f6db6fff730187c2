import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../../tests/support/app.ts'
import { randomText } from '../../lib/ids.ts'
import type { Actor } from '../../actor.ts'
import { createFreshKeys } from './administration.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let boss: { username: string; key: string }
beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  boss = await app.aPerson()
  await app.operator.users.change({ username: boss.username, organisationRole: 'admin' })
}, 60_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

// oxlint-disable-next-line typescript/no-explicit-any
type Answer = { data: any; errors?: { message: string }[] }

async function ask(key: string, query: string, variables: object = {}): Promise<Answer> {
  const answer = await app.inject(
    new Request(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    }),
  )
  return (await answer.json()) as Answer
}

const change = (field: string, selection: string, type: string) =>
  `mutation M($input: ${type}!) { result: ${field}(input: $input) { ${selection} } }`
const createTeam = change('createTeam', 'entity { id name available limits }', 'CreateTeamInput')
const createUser = change('createUser', 'user { id username email admin }', 'CreateUserInput')
const createInvite = change('createInvite', 'invite { id name email toUser { name } }', 'CreateInviteInput')
const deleteInvite = change('deleteInvite', 'success', 'DeleteInviteInput')
const createAccount = change('createServiceAccount', 'user { id }', 'CreateServiceAccountInput')
const renameProject = change('renameProject', 'inserted project { name }', 'RenameProjectInput')
const deleteModel = change('deleteModel', 'success', 'DeleteModelInput')
const createChart = change('createCustomChart', 'chart { id }', 'CreateCustomChartInput')
const members = `query Q($name: String!) { entity(name: $name) { members {
  id username name email admin pending accountType apiKey } } }`
const users =
  'query Q($query: String) { users(query: $query) { edges { node { username admin apiKeys { edges { node { name } } } teams { edges { node { name } } } } } } }'

const messageOf = ({ errors }: Answer) => errors?.[0]?.message

test('neither a member nor a team admin makes users or teams', async () => {
  for (const key of [team.member.key, team.admin.key, team.outsider.key]) {
    expect(messageOf(await ask(key, createUser, { input: { email: 'x@example.org' } }))).toMatch(/admin/)
    expect(messageOf(await ask(key, createTeam, { input: { teamName: `t${randomText(6)}` } }))).toBeTruthy()
  }
})

test('an admin of the organisation makes users, whose names are free', async () => {
  const email = `anna.${randomText(5)}@example.org`
  const first = await ask(boss.key, createUser, { input: { email, admin: true } })
  expect(first.data.result.user).toMatchObject({ email, admin: true })
  expect(first.data.result.user.username).toMatch(/^anna-/)
  const second = await ask(boss.key, createUser, { input: { email: email.replace('.org', '.net') } })
  expect(second.data.result.user.username).not.toBe(first.data.result.user.username)
  expect(messageOf(await ask(boss.key, createUser, { input: { email } }))).toContain('already')
})

test('an admin of the organisation makes a team, with themselves or somebody else as its admin', async () => {
  const teamName = `t${randomText(8)}`
  const { data } = await ask(boss.key, createTeam, { input: { teamName } })
  expect(data.result.entity).toMatchObject({ name: teamName, available: true, limits: {} })
  const other = `t${randomText(8)}`
  await ask(boss.key, createTeam, { input: { teamName: other, teamAdminUserName: team.mate.username } })
  const seen = await ask(team.mate.key, members, { name: other })
  expect(seen.data.entity.members).toMatchObject([{ username: team.mate.username, admin: true }])
  expect(messageOf(await ask(boss.key, createTeam, { input: { teamName } }))).toContain('taken')
  expect(messageOf(await ask(boss.key, createTeam, { input: { teamName: 'no spaces' } }))).toContain(
    'letters',
  )
})

test('people are found by the ends of their names: everybody by admins, team mates by the others', async () => {
  const found = async (key: string, query: string) =>
    (await ask(key, users, { query })).data.users.edges.map(
      // oxlint-disable-next-line typescript/no-explicit-any
      ({ node }: any) => node.username,
    )
  expect((await found(boss.key, team.mate.username))[0]).toBe(team.mate.username)
  expect(await found(boss.key, team.outsider.email)).toEqual([team.outsider.username])
  expect(await found(team.member.key, team.mate.username)).toContain(team.mate.username)
  expect(await found(team.member.key, team.outsider.username)).toEqual([])
  expect(await found(team.outsider.key, '')).toEqual([team.outsider.username])
  expect(await found(boss.key, `nobody-${randomText(8)}`)).toEqual([])
})

test('keys and teams of somebody else are shown to admins of the organisation alone', async () => {
  const [own] = (await ask(team.mate.key, users, { query: team.mate.username })).data.users.edges
  expect(own.node.apiKeys.edges).toHaveLength(1)
  const [mates] = (await ask(team.member.key, users, { query: team.mate.username })).data.users.edges
  expect(mates.node).toMatchObject({ apiKeys: null, teams: null, admin: false })
  const [bosses] = (await ask(boss.key, users, { query: team.mate.username })).data.users.edges
  expect(bosses.node.apiKeys.edges).toEqual(own.node.apiKeys.edges)
  // oxlint-disable-next-line typescript/no-explicit-any
  expect(bosses.node.teams.edges.map(({ node }: any) => node.name)).toContain(team.slug)
})

test('a key is shown whole once, shortened afterwards, and ends when it is deleted', async () => {
  const generate =
    'mutation { result: generateApiKey(input: {description: "laptop"}) { apiKey { id name } } }'
  const { name: secret, id } = (await ask(team.member.key, generate)).data.result.apiKey
  const { data } = await ask(
    secret,
    '{ viewer { username apiKeys { edges { node { id name description } } } } }',
  )
  expect(data.viewer.username).toBe(team.member.username)
  expect(data.viewer.apiKeys.edges).toContainEqual({
    node: { id, name: secret.slice(0, 4), description: 'laptop' },
  })
  const remove = `mutation { result: deleteApiKey(input: {id: "${id}"}) { success } }`
  expect(messageOf(await ask(team.mate.key, remove))).toBeTruthy()
  expect(messageOf(await ask(team.outsider.key, remove))).toBeTruthy()
  expect((await ask(boss.key, remove)).data.result.success).toBe(true)
  expect(messageOf(await ask(secret, '{ viewer { username } }'))).toContain('not valid')
})

test('a team admin invites by e-mail, sees the invitation among the members and takes it back', async () => {
  const email = `guest.${randomText(5)}@example.org`
  const input = { entityName: team.slug, email, admin: false }
  expect(messageOf(await ask(team.outsider.key, createInvite, { input }))).toBeTruthy()
  expect(messageOf(await ask(team.member.key, createInvite, { input }))).toBeTruthy()
  const { data } = await ask(team.admin.key, createInvite, { input })
  expect(data.result.invite).toMatchObject({ email, toUser: null })
  const list = (await ask(team.admin.key, members, { name: team.slug })).data.entity.members
  expect(list[0]).toMatchObject({ id: data.result.invite.id, email, pending: true })
  expect((await ask(team.member.key, members, { name: team.slug })).data.entity.members).not.toContainEqual(
    expect.objectContaining({ pending: true }),
  )
  const back = { input: { id: data.result.invite.id, entityName: team.slug } }
  expect(messageOf(await ask(team.outsider.key, deleteInvite, back))).toBeTruthy()
  expect((await ask(team.admin.key, deleteInvite, back)).data.result.success).toBe(true)
})

test('a team admin invites by name whom they know; an admin of the organisation adds at once', async () => {
  const newcomer = await app.aPerson()
  const input = { entityName: team.slug, username: newcomer.username }
  expect((await ask(team.admin.key, createInvite, { input })).data.result.invite.toUser).not.toBeNull()
  const unknown = { input: { entityName: team.slug, username: `nobody-${randomText(8)}` } }
  expect(messageOf(await ask(team.admin.key, createInvite, unknown))).toContain('There is no person')
  expect((await ask(boss.key, createInvite, { input })).data.result.invite.name).toBe(newcomer.username)
  const list = (await ask(newcomer.key, members, { name: team.slug })).data.entity.members
  // oxlint-disable-next-line typescript/no-explicit-any
  const member = list.find((each: any) => each.username === newcomer.username)
  expect(member).toMatchObject({ pending: false, accountType: 'USER' })
  expect(messageOf(await ask(team.admin.key, createInvite, { input }))).toContain('already')
  const out = { input: { id: member.id, entityName: team.slug } }
  expect(messageOf(await ask(team.mate.key, deleteInvite, out))).toBeTruthy()
  expect((await ask(team.admin.key, deleteInvite, out)).data.result.success).toBe(true)
  expect((await ask(newcomer.key, members, { name: team.slug })).data.entity).toBeNull()
})

test('a new service account is the last member, and shows its key to its maker once', async () => {
  const input = { entityName: team.slug, description: 'CI of the vision group' }
  expect(messageOf(await ask(team.member.key, createAccount, { input }))).toBeTruthy()
  await ask(team.admin.key, createAccount, { input })
  expect(
    (await ask(team.member.key, members, { name: team.slug })).data.entity.members.at(-1).apiKey,
  ).toBeNull()
  const last = async () =>
    (await ask(team.admin.key, members, { name: team.slug })).data.entity.members.at(-1)
  const account = await last()
  expect(account).toMatchObject({ name: input.description, accountType: 'SERVICE', pending: false })
  expect((await ask(account.apiKey, '{ viewer { username } }')).data.viewer.username).toBe(account.username)
  expect((await last()).apiKey).toBeNull()
})

test('a key of a new service account is forgotten after a minute', () => {
  let now = 0
  const keys = createFreshKeys(() => now)
  const actor = { via: 'key:1', userId: 'u' } as Actor
  keys.put(actor, 'account', 'secret')
  now = 61_000
  expect(keys.take(actor, 'account')).toBeNull()
})

test('a project is renamed by who made it, and deleted by an admin', async () => {
  await team.member.projects.create({ team: team.slug, name: 'first' })
  const input = { entityName: team.slug, oldProjectName: 'first', newProjectName: 'second' }
  expect(messageOf(await ask(team.outsider.key, renameProject, { input }))).toBeTruthy()
  expect(messageOf(await ask(team.mate.key, renameProject, { input }))).toBeTruthy()
  const { data } = await ask(team.member.key, renameProject, { input })
  expect(data.result).toEqual({ inserted: false, project: { name: 'second' } })
  await team.member.projects.create({ team: team.slug, name: 'first' })
  const taken = { input: { ...input, oldProjectName: 'second', newProjectName: 'First' } }
  expect(messageOf(await ask(team.member.key, renameProject, taken))).toContain('There is a project')
  const query = `{ project(name: "second", entityName: "${team.slug}") { id } }`
  const { id } = (await ask(team.mate.key, query)).data.project
  expect(messageOf(await ask(team.outsider.key, deleteModel, { input: { id } }))).toBeTruthy()
  expect(messageOf(await ask(team.mate.key, deleteModel, { input: { id } }))).toBeTruthy()
  expect((await ask(team.admin.key, deleteModel, { input: { id } })).data.result.success).toBe(true)
  expect((await ask(team.mate.key, query)).data.project).toBeNull()
})

test('a chart is made once by name, and only a public one leaves its team', async () => {
  const input = {
    entity: team.slug,
    name: 'spread',
    displayName: 'Spread',
    type: 'vega2',
    access: 'private',
    spec: '{"mark": "bar"}',
  }
  expect(messageOf(await ask(team.outsider.key, createChart, { input }))).toBeTruthy()
  expect((await ask(team.member.key, createChart, { input })).data.result.chart.id).toBeTruthy()
  expect(messageOf(await ask(team.mate.key, createChart, { input }))).toContain('already')
  expect(messageOf(await ask(team.mate.key, createChart, { input: { ...input, access: 'all' } }))).toContain(
    'private',
  )
  await ask(team.mate.key, createChart, { input: { ...input, name: 'open', access: 'public' } })
  const actorOf = (key: string) => app.teams.actors.ofKey(key, { origin: app.origin, client: 'wandb' })
  const outsider = await actorOf(team.outsider.key)
  await expect(app.teams.getChart(outsider, team.slug, 'spread')).rejects.toMatchObject({ code: 'not_found' })
  await expect(app.teams.getChart(outsider, team.slug, 'open')).resolves.toMatchObject({
    spec: { mark: 'bar' },
  })
  const mate = await actorOf(team.mate.key)
  await expect(app.teams.getChart(mate, team.slug, 'spread')).resolves.toMatchObject({
    displayName: 'Spread',
  })
})
