import type { AuditFilter } from '@teamgrid/api'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startApp()
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

type Team = Awaited<ReturnType<TestApp['aTeam']>>

/** Past the database's own guard, as somebody with its password could. */
async function behindItsBack(statement: ReturnType<typeof sql>): Promise<void> {
  await app.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await statement.execute(trx)
  })
}

async function teamIdOf(slug: string): Promise<string> {
  return (await app.teams.teamGuard(slug))!.teamId
}

const download = (person: { key: string }, query: string) =>
  app.inject(
    new Request(`${app.origin}/api/audit/export?${query}`, {
      headers: { authorization: `Bearer ${person.key}` },
    }),
  )

describe('a line', () => {
  test('says who did what to what, when, from where and by which key', async () => {
    const team = await app.aTeam()
    const before = Date.now()
    await app.inject(
      new Request(`${app.origin}/api/teams/${team.slug}/projects`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${team.member.key}`,
          'content-type': 'application/json',
          'x-forwarded-for': '203.0.113.7',
          'x-grid-client': 'cli',
        },
        body: JSON.stringify({ name: 'vision' }),
      }),
    )
    const { items } = await team.admin.audit.team({ team: team.slug, action: 'project:create' })
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({
      team: team.slug,
      actor: { username: team.member.username },
      by: 'key',
      key: { name: 'API key', hint: team.member.key.slice(-4) },
      client: 'cli',
      address: '203.0.113.7',
      action: 'project:create',
      subjectKind: 'project',
      label: 'vision',
    })
    expect(Date.parse(items[0]!.at)).toBeGreaterThanOrEqual(before - 1000)
  })

  test('of an act that failed is not there', async () => {
    const team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'once' })
    await expect(team.member.projects.create({ team: team.slug, name: 'once' })).rejects.toMatchObject({
      code: 'conflict',
    })
    const { items } = await team.admin.audit.team({ team: team.slug, action: 'project:create' })
    expect(items).toHaveLength(1)
  })

  test.each([
    ['change', sql`update activity set action = 'nothing'`],
    ['delete', sql`delete from activity`],
    ['truncate', sql`truncate activity`],
    ['change the seal of', sql`update audit_seals set hash = ''`],
    ['delete the seal of', sql`delete from audit_seals`],
    ['truncate the seals of', sql`truncate audit_seals`],
  ])('is append-only: the database refuses to %s it', async (_, statement) => {
    await app.aTeam()
    await app.teams.sealAudit()
    await expect(statement.execute(app.db)).rejects.toThrow('The audit log is append-only')
  })
})

describe('row 61: who sees it', () => {
  test('an admin everything of the team, a member what they did, a viewer and a stranger nothing', async () => {
    const team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'mine' })
    await team.mate.projects.create({ team: team.slug, name: 'theirs' })
    const seen = async (person: Pick<typeof team.admin, 'audit'>) =>
      (await person.audit.team({ team: team.slug, action: 'project:create' })).items.map(({ label }) => label)
    expect(await seen(team.admin)).toEqual(['theirs', 'mine'])
    expect(await seen(team.member)).toEqual(['mine'])
    await expect(seen(team.viewer)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(seen(team.service)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(seen(team.outsider)).rejects.toMatchObject({ code: 'not_found' })
    await expect(team.member.audit.verify({ team: team.slug })).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('the organisation’s admin sees every shared team and nobody’s personal one', async () => {
    const chief = await app.aPerson({ admin: true })
    const team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'shared' })
    await team.member.projects.create({ team: team.member.username, name: 'private' })
    const actor = team.member.username
    const { items } = await chief.audit.organisation({ actor, action: 'project:create' })
    expect(items.map(({ label }) => label)).toEqual(['shared'])
    await expect(team.admin.audit.organisation({})).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('an export follows the same rules', async () => {
    const team = await app.aTeam()
    expect((await download(team.outsider, `team=${team.slug}`)).status).toBe(404)
    expect((await download(team.admin, '')).status).toBe(403)
    expect((await download(team.admin, `team=${team.slug}&format=xml`)).status).toBe(422)
    const text = await (await download(team.member, `team=${team.slug}&format=json`)).text()
    expect(JSON.parse(text)).toEqual([expect.objectContaining({ action: 'audit:export' })])
  })
})

describe('filter and export', () => {
  let team: Team
  beforeAll(async () => {
    team = await app.aTeam()
    for (const name of ['one', 'two', '=cmd()']) await team.member.projects.create({ team: team.slug, name })
    await team.admin.teams.change({ team: team.slug, name: 'Renamed, "quoted"' })
  })

  test('every filter narrows', async () => {
    const count = async (filter: object) =>
      (await team.admin.audit.team({ team: team.slug, limit: 500, ...filter })).items.length
    expect(await count({ actor: team.member.username })).toBe(3)
    expect(await count({ action: 'project:' })).toBe(3)
    expect(await count({ action: 'team:settings' })).toBe(1)
    expect(await count({ kind: 'project', search: 'two' })).toBe(1)
    expect(await count({ search: '100%' })).toBe(0)
    expect(await count({ to: '2020-01-01T00:00:00Z' })).toBe(0)
    expect(await count({ from: '2020-01-01T00:00:00Z', actor: 'operator' })).toBeGreaterThan(0)
    expect(await count({ address: '203.0.113.99' })).toBe(0)
    const [line] = (await team.admin.audit.team({ team: team.slug, search: 'two' })).items
    expect(await count({ subject: line!.subjectId })).toBe(1)
    expect(await count({ key: line!.key!.id })).toBe(3)
  })

  test('pages lead through all lines once, and a made-up cursor is refused', async () => {
    const all = (await team.admin.audit.team({ team: team.slug, limit: 500 })).items.map(({ id }) => id)
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = await team.admin.audit.team({ team: team.slug, limit: 2, ...(cursor ? { cursor } : {}) })
      paged.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor ?? undefined
    } while (cursor)
    expect(paged).toEqual(all)
    await expect(team.admin.audit.team({ team: team.slug, cursor: 'x' })).rejects.toMatchObject({
      code: 'invalid',
    })
  })

  test('CSV holds every line, and no cell that a spreadsheet would run', async () => {
    const answer = await download(team.admin, `team=${team.slug}&action=project:`)
    expect(answer.headers.get('content-type')).toContain('text/csv')
    expect(answer.headers.get('content-disposition')).toContain(`audit-${team.slug}-`)
    const lines = (await answer.text()).trimEnd().split('\r\n')
    expect(lines[0]).toMatch(/^at,team,actor,/)
    expect(lines).toHaveLength(4)
    expect(lines[1]).toContain(",'=cmd(),")
  })

  test('JSON holds the seals, and the export is itself a line', async () => {
    const rows = (await (
      await download(team.admin, `team=${team.slug}&format=json&action=project:`)
    ).json()) as {
      seal: { number: number }
    }[]
    expect(rows).toHaveLength(3)
    expect(rows.every(({ seal }) => seal.number > 0)).toBe(true)
    const { items } = await team.admin.audit.team({ team: team.slug, action: 'audit:export' })
    expect(items[0]).toMatchObject({ details: { action: 'project:' } })
  })
})

describe('signing in', () => {
  const origin = 'http://teamgrid.test'
  const auth = (path: string, body: object, { address, cookie = '' }: { address: string; cookie?: string }) =>
    app.inject(
      new Request(`${origin}/api/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin, cookie, 'x-forwarded-for': address },
        body: JSON.stringify(body),
      }),
    )
  const trail = async (filter: AuditFilter) =>
    (await app.operator.audit.organisation({ ...filter, limit: 100 })).items

  test('that fails is written down with its address, for a few tries and no more', async () => {
    const person = await app.aPerson()
    const address = '198.51.100.1'
    const guess = (number: number) =>
      auth('sign-in/email', { email: person.email, password: `guess ${number}` }, { address })
    await guess(1)
    await app.db.updateTable('attempts').set({ count: 8 }).where('key', '=', `refused ${address}`).execute()
    for (const number of [9, 10, 11]) await guess(number)
    const lines = await trail({ action: 'user:sign-in-refused', address })
    expect(lines).toHaveLength(3)
    expect(lines.at(-1)).toMatchObject({
      actor: null,
      by: 'nobody',
      client: 'web',
      subjectKind: 'user',
      label: person.username,
      details: { by: 'password', reason: 'invalid email or password' },
    })
    expect(lines[0]!.details).toHaveProperty('further')
    expect(JSON.stringify(lines)).not.toContain('guess')
    // From elsewhere, also for an address that nobody has; a password in the wrong field is not kept.
    await auth('sign-in/email', { email: 'Nobody@example.org', password: 'x' }, { address: '198.51.100.2' })
    await auth('sign-in/email', { email: 'my secret password', password: 'x' }, { address: '198.51.100.3' })
    expect(await trail({ address: '198.51.100.2' })).toMatchObject([
      { details: { email: 'Nobody@example.org' } },
    ])
    expect(await trail({ address: '198.51.100.3' })).toEqual([])
  })

  test('with another password from now on is written down, however it was set', async () => {
    const person = await app.aPerson({ byCookie: true })
    const address = '198.51.100.9'
    const change = (currentPassword: string) =>
      auth(
        'change-password',
        { currentPassword, newPassword: 'another one 2' },
        { address, cookie: person.cookie },
      )
    expect((await change('wrong')).status).toBe(400)
    expect(await trail({ actor: person.username, action: 'user:sign-in-change' })).toEqual([])
    expect((await change(person.password)).status).toBe(200)
    const { url } = await app.operator.users.resetPassword({ username: person.username })
    const token = new URL(url).searchParams.get('token')
    expect((await auth('reset-password', { token, newPassword: 'another one 3' }, { address })).status).toBe(
      200,
    )
    expect((await auth('reset-password', { token, newPassword: 'another one 4' }, { address })).status).toBe(
      400,
    )
    expect(await trail({ actor: person.username, action: 'user:sign-in-change' })).toMatchObject([
      { details: { what: 'password', by: 'link' }, label: person.username, address },
      { details: { what: 'password' }, label: person.username, by: 'browser', address },
    ])
    const answer = await app.inject(
      new Request(`${origin}/api/audit/export?action=user:sign-in-change&actor=${person.username}`, {
        headers: { authorization: `Bearer ${app.operatorToken}` },
      }),
    )
    expect((await answer.text()).trimEnd().split('\r\n')).toHaveLength(3)
    expect((await app.operator.audit.verify({})).ok).toBe(true)
  })
})

describe('what people and scripts do', () => {
  test('to themselves, to experiments and to files stands in the log', async () => {
    const team = await app.aTeam()
    await team.member.me.change({ name: 'Ada L.' })
    const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
    const ref = { team: team.slug, project: 'vision', slug: 'one' }
    const { experiment } = await app.experiments.upsert(actor, { ...ref, name: 'brave-lynx-1' })
    await app.experiments.upsert(actor, { ...ref, notes: 'again' })
    const uploads = await app.experiments.uploadUrls(actor, ref, ['a.txt', 'b.txt'])
    for (const { url } of uploads) await app.inject(new Request(url, { method: 'PUT', body: 'x' }))
    await app.experiments.removeFiles(actor, experiment.id, ['a.txt', 'none.txt'])
    await app.experiments.removeFiles(actor, experiment.id, ['none.txt'])
    const { items } = await team.admin.audit.team({ team: team.slug, subject: experiment.id })
    expect(items).toMatchObject([
      { action: 'file:delete', label: 'vision/brave-lynx-1', details: { count: 1, files: ['a.txt'] } },
      { action: 'experiment:create', label: 'vision/brave-lynx-1', by: 'key', client: 'wandb' },
    ])
    const [self] = (
      await app.operator.audit.organisation({ actor: team.member.username, action: 'user:change' })
    ).items
    expect(self).toMatchObject({ details: { name: 'Ada L.' } })
    expect((await team.admin.audit.verify({ team: team.slug })).ok).toBe(true)
  })
})

describe('the hash chain', () => {
  test('of writers at once has no gap, and proves whole', async () => {
    const team = await app.aTeam()
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        await team.member.projects.create({ team: team.slug, name: `p${index}` })
        await app.teams.sealAudit()
      }),
    )
    const verdict = await team.admin.audit.verify({ team: team.slug })
    expect(verdict).toMatchObject({ ok: true, problems: [] })
    const { items } = await team.admin.audit.team({ team: team.slug, limit: 500 })
    expect(items.map(({ seal }) => seal!.number).toSorted((a, b) => a - b)).toEqual(
      items.map((_, index) => index + 1),
    )
    expect(verdict.heads).toEqual([expect.objectContaining({ team: team.slug, number: items.length })])
  })

  test.each([
    [
      'a changed line',
      (teamId: string) =>
        sql`update activity set details = '{}' where team_id = ${teamId} and action = 'project:create'`,
      'was changed',
    ],
    [
      'a deleted line',
      (teamId: string) => sql`delete from activity where team_id = ${teamId} and action = 'project:create'`,
      'is missing',
    ],
    [
      'a deleted line with its seal',
      (teamId: string) =>
        sql`with gone as (delete from activity where team_id = ${teamId} and action = 'project:create' returning id)
            delete from audit_seals where activity_id in (select id from gone)`,
      'are missing',
    ],
    [
      'a line moved to another time',
      (teamId: string) =>
        sql`update activity set created_at = created_at - interval '1 hour' where team_id = ${teamId}`,
      'was changed',
    ],
    [
      'a line put in without a seal',
      (teamId: string) =>
        sql`insert into activity (id, team_id, via, action, subject_kind, subject_id)
            values (gen_random_uuid(), ${teamId}, 'cookie', 'x:y', 'x', 'y')`,
      'was added without a seal',
    ],
  ])('shows %s', async (_, tamper, says) => {
    const team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'evidence' })
    await team.member.projects.change({ team: team.slug, project: 'evidence', description: 'later' })
    expect((await team.admin.audit.verify({ team: team.slug })).ok).toBe(true)
    await behindItsBack(tamper(await teamIdOf(team.slug)))
    const verdict = await team.admin.audit.verify({ team: team.slug })
    expect(verdict.ok).toBe(false)
    expect(verdict.problems[0]!.says).toContain(says)
  })

  test('cut at its end is seen by who noted its head', async () => {
    const team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'evidence' })
    const [head] = (await team.admin.audit.verify({ team: team.slug })).heads
    const expected = `${head!.number}:${head!.hash}`
    expect((await team.admin.audit.verify({ team: team.slug, expect: expected })).ok).toBe(true)
    const teamId = await teamIdOf(team.slug)
    await behindItsBack(
      sql`with gone as (delete from audit_seals where chain = ${teamId} and number = ${head!.number} returning activity_id)
          delete from activity where id in (select activity_id from gone)`,
    )
    expect((await team.admin.audit.verify({ team: team.slug })).ok).toBe(true)
    const verdict = await team.admin.audit.verify({ team: team.slug, expect: expected })
    expect(verdict.problems.map(({ says }) => says)).toEqual([
      'The chain ends before the seal that was noted',
    ])
    await expect(team.admin.audit.verify({ team: team.slug, expect: 'last' })).rejects.toMatchObject({
      code: 'invalid',
    })
  })
})
