import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
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
  await team.member.projects.create({ team: team.slug, name: 'vision' })
}, 120_000)
afterAll(async () => {
  await cli.close()
  expect(app.errors).toEqual([])
  await app.close()
})

test('an admin reads who did what, as a table and as JSON', async () => {
  const { code, out } = await cli.grid(team.admin, ['audit', team.slug, '--action', 'project:'])
  expect(code).toBe(0)
  expect(out).toMatch(/^When\s+Who\s+Did\s+What\s+From\s+By/)
  expect(out).toContain('project:create')
  expect(out).toContain(`key …${team.member.key.slice(-4)}`)
  const json = await cli.grid(team.admin, ['audit', team.slug, '--user', team.member.username, '-o', 'json'])
  expect(JSON.parse(json.out)).toEqual([
    expect.objectContaining({ action: 'project:create', actor: team.member.username, subject: 'vision' }),
  ])
})

test('what one may not see is refused, with the exit code of each refusal', async () => {
  expect((await cli.grid(team.outsider, ['audit', team.slug])).code).toBe(4)
  expect((await cli.grid(team.admin, ['audit', '--organisation'])).code).toBe(1)
  expect((await cli.grid(team.member, ['audit', team.slug, '--verify'])).code).toBe(1)
  const mixed = await cli.grid(team.admin, ['audit', team.slug, '--organisation'])
  expect(mixed.err).toContain('not both')
  expect(mixed.code).toBe(2)
  expect((await cli.grid(team.admin, ['audit', team.slug, '--since', 'yesterday'])).code).toBe(2)
})

test('an export goes into a file that is named', async () => {
  for (const format of ['csv', 'json']) {
    const { code, err } = await cli.grid(team.admin, ['audit', team.slug, '--export', format])
    expect(code).toBe(0)
    const name = /grid-audit-\S+/.exec(err)![0]
    expect(await readFile(join(cli.folder, name), 'utf8')).toContain('project:create')
  }
  expect((await cli.grid(team.outsider, ['audit', team.slug, '--export', 'csv'])).code).toBe(4)
})

test('the operator verifies everything, and a changed line ends with code 5', async () => {
  const whole = await cli.admin(['audit', 'verify'])
  expect(whole.err).toContain('The audit log is whole')
  expect(whole.code).toBe(0)
  const [, head] = new RegExp(`${team.slug}  \\d+ lines  (\\S+)`).exec(whole.out)!
  expect((await cli.admin(['audit', 'verify', team.slug, '--expect', head!])).code).toBe(0)
  expect((await cli.grid(team.admin, ['audit', team.slug, '--verify', '-o', 'json'])).code).toBe(0)
  const list = await cli.admin(['audit', 'list', '--action', 'team:create', '--json'])
  expect(JSON.parse(list.out)).toContainEqual(expect.objectContaining({ team: team.slug, by: 'operator' }))
  expect((await cli.admin(['audit', 'export', team.slug, '--format', 'json'])).code).toBe(0)
  expect((await cli.admin(['audit', 'export', '--format', 'xml'])).code).toBe(2)

  await app.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await trx
      .updateTable('activity')
      .set({ address: '198.51.100.1' })
      .where('action', '=', 'project:create')
      .execute()
  })
  const tampered = await cli.admin(['audit', 'verify'])
  expect(tampered.code).toBe(5)
  expect(tampered.err).toContain('was tampered with')
  expect(tampered.err).toContain(`${team.slug}: The line`)
})
