/** Keys, teams and refusals, as the newest client shows them to its user. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, startWandb } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000

describe.skipIf(!python)('the newest client', () => {
  let server: TestServer
  let anna: Person
  let bert: Person
  let cleo: Person
  let team: { slug: string; admin: Person }
  beforeAll(async () => {
    server = await startServer()
    const make = people(server)
    ;[anna, bert, cleo] = await Promise.all([make.person(), make.person(), make.person()])
    team = await make.team([
      { person: anna, role: 'member' },
      { person: cleo, role: 'viewer' },
    ])
  })
  afterAll(() => server?.stop())

  async function login(args: string[]) {
    const folder = await mkdtemp(join(tmpdir(), 'wandb-login-'))
    const running = await startWandb({ python, url: server.url, folder }, ['login', ...args])
    const { code, output } = await running.ended
    const netrc = await readFile(join(folder, '.netrc'), 'utf8').catch(() => '')
    await rm(folder, { recursive: true, force: true })
    return { code, output, netrc }
  }
  const logOne = (
    person: { key: string },
    entity: string | null,
    id: string,
    env: Record<string, string> = {},
  ) =>
    runScript({
      python,
      url: server.url,
      key: person.key,
      env,
      code: `
import wandb
run = wandb.init(project="p", id="${id}"${entity === null ? '' : `, entity="${entity}"`})
run.log({"x": 1})
run.finish()
`,
    })

  test(
    'login --verify keeps a good key and refuses a bad one',
    async () => {
      const good = await login(['--verify', '--host', server.url, anna.key])
      expect(good.code).toBe(0)
      expect(good.netrc).toContain(anna.key)
      const wrong = '0'.repeat(40)
      const bad = await login(['--verify', '--host', server.url, wrong])
      expect(bad.code).not.toBe(0)
      expect(bad.netrc).not.toContain(wrong)
    },
    60 * seconds,
  )

  test(
    'init with a revoked or wrong key says so at once',
    async () => {
      const startedAt = Date.now()
      const { code, output } = await logOne({ key: 'x'.repeat(40) }, null, 'never')
      expect(code).not.toBe(0)
      expect(output).toMatch(/API key|401|authoriz/i)
      expect(Date.now() - startedAt).toBeLessThan(40 * seconds)
    },
    60 * seconds,
  )

  test(
    'a member logs to the team and a team mate sees it',
    async () => {
      expect((await logOne(anna, team.slug, 'of-team')).code).toBe(0)
      const found = await team.admin.api.experiments.get({
        team: team.slug,
        project: 'p',
        experiment: 'of-team',
      })
      expect(found).toMatchObject({ state: 'finished', createdBy: { username: anna.username } })
      await expect(
        bert.api.experiments.get({ team: team.slug, project: 'p', experiment: 'of-team' }),
      ).rejects.toMatchObject({ code: 'not_found' })
    },
    60 * seconds,
  )

  test(
    'an entity that is not there is told with those that are',
    async () => {
      const { code, output } = await logOne(anna, 'teem-typo', 'typo')
      expect(code).not.toBe(0)
      expect(output).toContain('teem-typo')
      expect(output).toContain(team.slug)
    },
    60 * seconds,
  )

  test(
    'a stranger is told the same of a team that exists',
    async () => {
      const { code, output } = await logOne(bert, team.slug, 'stranger')
      expect(code).not.toBe(0)
      expect(output).toContain(`There is no team "${team.slug}"`)
    },
    60 * seconds,
  )

  test(
    'a view-only member cannot log, and is told why',
    async () => {
      const { code, output } = await logOne(cleo, team.slug, 'viewer')
      expect(code).not.toBe(0)
      expect(output).toMatch(/view-only/i)
      await expect(
        team.admin.api.experiments.get({ team: team.slug, project: 'p', experiment: 'viewer' }),
      ).rejects.toMatchObject({ code: 'not_found' })
    },
    60 * seconds,
  )

  test(
    'a service account logs for the member named by WANDB_USERNAME',
    async () => {
      const account = await team.admin.api.teams.createServiceAccount({
        team: team.slug,
        username: `robot-${team.slug}`,
      })
      const key = account.key.secret
      expect((await logOne({ key }, team.slug, 'for-anna', { WANDB_USERNAME: anna.username })).code).toBe(0)
      expect(
        await anna.api.experiments.get({ team: team.slug, project: 'p', experiment: 'for-anna' }),
      ).toMatchObject({
        createdBy: { username: anna.username },
        via: { username: account.member.username },
        state: 'finished',
      })
    },
    60 * seconds,
  )
})
