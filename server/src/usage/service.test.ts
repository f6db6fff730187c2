import { randomUUID } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../../../tests/support/app.ts'
import { seededRandom } from '../../../api/src/distributions.ts'
import { costOf, secondsBetween } from './metering.ts'
import type { Stay } from './service.ts'
import { tickMs } from './ticking.ts'

const credit = 1_000_000
const begin = new Date('2026-03-10T08:00:00Z')
const time = { now: begin }
const pass = (seconds: number) => void (time.now = new Date(time.now.getTime() + seconds * 1000))
let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let teamId: string
let userId: string

beforeAll(async () => {
  app = await startApp({ clock: { now: () => time.now } })
  team = await app.aTeam()
  ;({ id: teamId } = await app.db
    .selectFrom('teams')
    .select('id')
    .where('slug', '=', team.slug)
    .executeTakeFirstOrThrow())
  userId = await idOf(team.member)
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

const idOf = async (person: TestPerson) =>
  (
    await app.db
      .selectFrom('users')
      .select('id')
      .where('username', '=', person.username)
      .executeTakeFirstOrThrow()
  ).id

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof GridError ? `${error.code}: ${error.message}` : String(error)
}

const aStay = (some: Partial<Stay> = {}): Stay => ({
  attemptId: randomUUID(),
  kind: 'experiment',
  teamId,
  userId,
  projectId: null,
  subjectId: randomUUID(),
  subjectName: 'swift-otter-exp0',
  cluster: 'local',
  machine: 'small',
  isSpot: false,
  cpus: 2,
  gpus: 1,
  startedAt: time.now,
  ...some,
})

async function start(some: Partial<Stay> = {}): Promise<Stay> {
  const stay = aStay(some)
  await app.usage.startStays(app.db, [stay])
  return stay
}

let teams = 0
/** Another team of the same people, with credits. */
async function aTeamOf(microcredits: number | null) {
  const slug = `${team.slug}-${(teams += 1)}`
  await app.operator.teams.create({ slug, admin: team.admin.username })
  for (const { username } of [team.member, team.mate])
    await app.operator.teams.addMember({ team: slug, username, role: 'member' })
  const { id } = await app.db
    .selectFrom('teams')
    .select('id')
    .where('slug', '=', slug)
    .executeTakeFirstOrThrow()
  if (microcredits !== null) await app.operator.usage.addCredit({ team: slug, microcredits })
  const { admin, member, mate } = team
  return { slug, admin, member, mate, id, userId }
}

describe('who may not', () => {
  test('members, view-only members and team admins give no credits; admins change no rates', async () => {
    const give = (person: TestPerson) => person.usage.addCredit({ team: team.slug, microcredits: credit })
    expect(await refusal(give(team.member))).toMatch(/^forbidden/)
    expect(await refusal(give(team.viewer))).toMatch(/^forbidden/)
    expect(await refusal(give(team.admin))).toMatch(/^policy_denied/)
    expect(await refusal(give(team.outsider))).toMatch(/^not_found/)
    const rate = { machine: 'small', microcreditsPerHour: 1 }
    expect(await refusal(team.admin.usage.setRate(rate))).toMatch(/^(forbidden|policy_denied)/)
    expect((await team.member.usage.balance({ team: team.slug })).microcredits).toBe(0)
  })

  test('view-only members see no cost; strangers see no team', async () => {
    expect(await refusal(team.viewer.usage.balance({ team: team.slug }))).toMatch(/^policy_denied/)
    expect(await refusal(team.viewer.usage.table({ team: team.slug }))).toMatch(/^policy_denied/)
    expect(await refusal(team.outsider.usage.table({ team: team.slug }))).toMatch(/^not_found/)
    expect(
      await refusal(team.member.usage.createBudget({ team: team.slug, period: 'month', microcredits: 1 })),
    ).toMatch(/^forbidden/)
  })

  test('nonsense is told', async () => {
    const give = (microcredits: number) => app.operator.usage.addCredit({ team: team.slug, microcredits })
    expect(await refusal(give(-credit))).toBe(`invalid: ${team.slug} has 0 credits left`)
    expect(await refusal(give(0))).toMatch(/invalid|Give an amount/)
    expect(await refusal(give(0.5))).toMatch(/digits/)
    const budget = { team: team.slug, period: 'month', microcredits: credit } as const
    expect(await refusal(team.admin.usage.createBudget({ ...budget, person: 'nobody-here' }))).toBe(
      'invalid: nobody-here is not in the team',
    )
    expect(await refusal(team.admin.usage.changeBudget({ team: team.slug, budgetId: randomUUID() }))).toMatch(
      /^not_found/,
    )
    const past = new Date(time.now.getTime() - 3_600_000).toISOString()
    expect(
      await refusal(
        app.operator.usage.setRate({ machine: 'small', microcreditsPerHour: 1, validFrom: past }),
      ),
    ).toMatch(/past/)
  })

  test('the books take nothing that does not add up, and forget nothing', async () => {
    const row = {
      transfer_id: randomUUID(),
      account_id: '00000000-0000-0000-0000-000000000001',
      microcredits: 5,
    }
    const insert = app.db
      .insertInto('ledger_entries')
      .values({ ...row, reason: 'credit', created_at: time.now })
    expect(await refusal(insert.execute())).toContain('does not add up')
    await app.operator.usage.addCredit({ team: (await aTeamOf(null)).slug, microcredits: 5 })
    expect(await refusal(app.db.deleteFrom('ledger_entries').execute())).toContain('append-only')
    expect(await refusal(app.db.updateTable('ledger_entries').set({ microcredits: 1 }).execute())).toContain(
      'append-only',
    )
  })
})

describe('a stay', () => {
  test('costs by the second at the rate of its start, once, whoever asks how often', async () => {
    await app.operator.usage.setRate({ machine: 'small', microcreditsPerHour: 3_600_000 })
    const stay = await start()
    await app.usage.startStays(app.db, [{ ...stay, startedAt: new Date(0) }])
    pass(59.5)
    await app.operator.usage.setRate({ machine: 'small', microcreditsPerHour: 7 })
    await Promise.all([app.usage.tick(), app.usage.tick(), app.usage.tick()])
    const used = async () => (await team.member.usage.balance({ team: team.slug })).usedMicrocredits
    expect(await used()).toBe(59_000)
    pass(7200)
    await app.usage.endStays(app.db, [stay.attemptId], time.now)
    pass(1000)
    await app.usage.endStays(app.db, [stay.attemptId], time.now)
    await app.usage.tick()
    pass(1000)
    await app.usage.tick()
    expect(await used()).toBe(7_259_000)
    expect(await team.member.usage.table({ team: team.slug, by: 'machine' })).toMatchObject({
      rows: [
        {
          name: 'local · small',
          stays: 1,
          seconds: 7259,
          gpuSeconds: 7259,
          microcredits: 7_259_000,
          isEstimate: false,
        },
      ],
      days: [{ day: '2026-03-10', seconds: 7259, microcredits: 7_259_000 }],
      total: { stays: 1, seconds: 7259, microcredits: 7_259_000 },
    })
  })

  test('takes the rate that names the most; spot without one costs the ordinary', async () => {
    const set = (rate: object) =>
      app.operator.usage.setRate({ machine: '*', microcreditsPerHour: 1, ...rate } as {
        machine: string
        microcreditsPerHour: number
      })
    await set({ microcreditsPerHour: 10 })
    await set({ cluster: 'big', microcreditsPerHour: 20 })
    await set({ machine: 'gpu', microcreditsPerHour: 30 })
    await set({ cluster: 'big', machine: 'gpu', microcreditsPerHour: 40 })
    await set({ cluster: 'big', machine: 'gpu', isSpot: true, microcreditsPerHour: 50 })
    await set({
      machine: 'gpu',
      microcreditsPerHour: 99,
      validFrom: new Date(time.now.getTime() + 1e9).toISOString(),
    })
    const cost = async (cluster: string, machine: string, isSpot = false) =>
      (await app.usage.proveFunds({ teamId, userId, projectId: null, cluster, machine, isSpot, machines: 1 }))
        .microcreditsPerHour
    expect(await cost('local', 'cpu')).toBe(10)
    expect(await cost('big', 'cpu')).toBe(20)
    expect(await cost('local', 'gpu')).toBe(30)
    expect(await cost('big', 'gpu')).toBe(40)
    expect(await cost('big', 'gpu', true)).toBe(50)
    expect(await cost('local', 'gpu', true)).toBe(30)
    expect((await team.member.usage.rates()).items).toHaveLength(6)
  })

  test('in a private project is counted for everybody, and named for those who may see it', async () => {
    const { slug, member, mate, admin, id } = await aTeamOf(null)
    await member.projects.create({ team: slug, name: 'secret-plans' })
    await admin.teams.setPrivacy({ team: slug, project: { name: 'secret-plans', visibility: 'private' } })
    const { id: projectId } = await app.db
      .selectFrom('projects')
      .select('id')
      .where('team_id', '=', id)
      .where('name', '=', 'secret-plans')
      .executeTakeFirstOrThrow()
    const stay = await start({ teamId: id, projectId, subjectName: 'secret-exp0' })
    await admin.usage.createBudget({
      team: slug,
      project: 'secret-plans',
      period: 'month',
      microcredits: credit,
    })
    pass(10)
    await app.usage.endStays(app.db, [stay.attemptId], time.now)
    await app.usage.tick()
    const names = async (person: TestPerson) => [
      ...(await person.usage.table({ team: slug, by: 'project' })).rows.map((row) => row.name),
      ...(await person.usage.table({ team: slug, by: 'experiment' })).rows.map((row) => row.name),
      ...(await person.usage.budgets({ team: slug })).items.map((budget) => budget.project),
    ]
    expect(await names(member)).toEqual(['secret-plans', 'secret-exp0', 'secret-plans'])
    expect(await names(mate)).toEqual(['private projects', 'in private projects'])
    expect((await mate.usage.table({ team: slug })).total.seconds).toBe(10)
  })
})

describe('at the end of credits', () => {
  beforeAll(async () => {
    await app.operator.usage.setRate({ machine: 'hourly', microcreditsPerHour: credit })
    await app.operator.usage.setRate({ machine: 'free', microcreditsPerHour: 0 })
  })
  const plan = (of: { id: string; userId: string }) =>
    app.usage.proveFunds({
      teamId: of.id,
      userId: of.userId,
      projectId: null,
      cluster: 'local',
      machine: 'hourly',
      isSpot: false,
      machines: 1,
    })
  const told = async (person: TestPerson, slug: string) =>
    (await person.notifications.list({})).items
      .filter((item) => item.kind === 'budget' && item.team === slug)
      .map((item) => item.title)

  test('a team that was never given any goes on', async () => {
    const poor = await aTeamOf(null)
    await start({ teamId: poor.id, userId: poor.userId, machine: 'hourly' })
    pass(3600)
    expect(await app.usage.tick()).toEqual([])
    expect((await poor.member.usage.balance({ team: poor.slug })).state).toBe('unlimited')
    expect(await plan(poor)).toEqual({ microcreditsPerHour: credit, warnings: [] })
  })

  test('sessions pause, nothing starts, admins are told once; with "stop" experiments end too', async () => {
    const some = await aTeamOf(2 * credit)
    const where = { teamId: some.id, userId: some.userId, machine: 'hourly' }
    const experiment = await start(where)
    const session = await start({ ...where, kind: 'session' })
    const free = await start({ ...where, kind: 'session', machine: 'free' })
    pass(1800)
    expect(await app.usage.tick()).toEqual([])
    expect(await told(some.admin, some.slug)).toEqual([`${some.slug} has few credits left`])
    expect(await told(some.member, some.slug)).toEqual([])
    expect((await plan(some)).warnings).toEqual([])
    pass(1750)
    const why = `${some.slug} has no credits left`
    expect(await app.usage.tick()).toEqual([
      { attemptId: session.attemptId, kind: 'session', subjectId: session.subjectId, reason: why },
    ])
    expect(await app.usage.tick()).toHaveLength(1)
    expect(await told(some.admin, some.slug)).toHaveLength(2)
    expect((await plan(some)).warnings[0]).toBe('0.03 credits are left, enough for 1 minutes of this.')
    await some.admin.usage.setRules({ team: some.slug, whenEmpty: 'stop' })
    const stopped = (await app.usage.tick()).map((stop) => stop.attemptId)
    expect(stopped).toEqual(expect.arrayContaining([session.attemptId, experiment.attemptId]))
    expect(stopped).not.toContain(free.attemptId)
    await app.usage.endStays(app.db, stopped, time.now)
    pass(tickMs / 1000)
    await app.usage.tick()
    const { microcredits } = await some.member.usage.balance({ team: some.slug })
    expect(microcredits).toBeGreaterThanOrEqual(0)
    await app.operator.usage.addCredit({ team: some.slug, microcredits: -microcredits })
    expect(await refusal(plan(some))).toBe(`out_of_credit: ${some.slug} has no credits left`)
    await app.operator.usage.addCredit({ team: some.slug, microcredits: 100 * credit })
    expect((await plan(some)).warnings).toEqual([])
  })

  test('one request for credits, twice, is one gift; the ledger tells who gave what', async () => {
    const some = await aTeamOf(null)
    const gift = { team: some.slug, microcredits: 5 * credit, note: 'March', requestId: randomUUID() }
    await Promise.all([app.operator.usage.addCredit(gift), app.operator.usage.addCredit(gift)])
    await app.operator.usage.addCredit({ team: some.slug, microcredits: -credit, note: 'Mistake' })
    const { items } = await some.member.usage.ledger({ team: some.slug })
    expect(items.map(({ reason, microcredits, note }) => [reason, microcredits, note])).toEqual([
      ['adjustment', -credit, 'Mistake'],
      ['credit', 5 * credit, 'March'],
    ])
    const first = await some.member.usage.ledger({ team: some.slug, limit: 1 })
    expect(
      (await some.member.usage.ledger({ team: some.slug, cursor: first.nextCursor! })).items,
    ).toHaveLength(1)
  })

  test('a hard budget of one person stops that person alone, and begins anew with the month', async () => {
    const some = await aTeamOf(null)
    const mateId = await idOf(some.mate)
    const budget = await some.admin.usage.createBudget({
      team: some.slug,
      person: some.member.username,
      period: 'month',
      microcredits: credit,
      noticePercents: [50],
      isHard: true,
    })
    const mine = await start({ teamId: some.id, userId: some.userId, machine: 'hourly' })
    await start({ teamId: some.id, userId: mateId, machine: 'hourly' })
    pass(1800)
    expect(await app.usage.tick()).toEqual([])
    expect(await told(some.admin, some.slug)).toEqual([
      `50 % of the budget of ${some.member.username} in ${some.slug} are used`,
    ])
    pass(1800 - 30)
    expect((await app.usage.tick()).map((stop) => stop.attemptId)).toEqual([mine.attemptId])
    expect(await refusal(plan(some))).toContain('is used up')
    expect(await plan({ ...some, userId: mateId })).toMatchObject({ warnings: [] })
    await app.usage.endStays(app.db, [mine.attemptId], time.now)
    const before = time.now
    time.now = new Date('2026-04-01T00:00:00Z')
    expect((await some.member.usage.budgets({ team: some.slug })).items[0]).toMatchObject({
      usedMicrocredits: 0,
    })
    expect((await plan(some)).warnings).toEqual([])
    time.now = before
    await some.admin.usage.deleteBudget({ team: some.slug, budgetId: budget.id })
    expect((await some.member.usage.budgets({ team: some.slug })).items).toEqual([])
  })
})

test('ten thousand teams whose stays begin, end, are charged and die in any order keep every credit', async () => {
  const count = 10_000
  const random = seededRandom('books')
  await app.db
    .updateTable('meters')
    .set({ is_settled: true, ended_at: time.now })
    .where('is_settled', '=', false)
    .execute()
  await app.operator.usage.setRate({ machine: 'busy', microcreditsPerHour: 7_777_777 })
  const tickCost = costOf(tickMs / 1000, 7_777_777)
  const grants = new Map<string, number>()
  for (let index = 0; index < count; index++)
    grants.set(randomUUID(), 1 + Math.floor(random() * 6 * tickCost))
  const ids = [...grants.keys()]
  await sql`insert into teams (id, slug, name, kind) select id, id::text, 'x', 'team' from unnest(${ids}::uuid[]) id`.execute(
    app.db,
  )
  // Notices are tested above; ten thousand of them are not what this is about.
  await sql`insert into spending_rules (team_id, when_empty, told_low, told_empty)
    select id, 'stop', true, true from unnest(${ids}::uuid[]) id`.execute(app.db)
  await sql`with a as (insert into ledger_accounts (id, kind, team_id, microcredits)
      select gen_random_uuid(), 'team', id, amount from unnest(${ids}::uuid[], ${[...grants.values()]}::bigint[]) as g (id, amount)
      returning id, microcredits, gen_random_uuid() as transfer)
    insert into ledger_entries (transfer_id, account_id, microcredits, reason, created_at)
      select transfer, id, microcredits, 'credit', ${time.now}::timestamptz from a
      union all select transfer, '00000000-0000-0000-0000-000000000001', -microcredits, 'credit', ${time.now} from a`.execute(
    app.db,
  )

  const live = new Map<string, string>()
  const end = async (attemptIds: string[]) => {
    for (const id of attemptIds) live.delete(id)
    await app.usage.endStays(app.db, attemptIds, time.now)
  }
  let deaths = 0
  for (let round = 0; round < 8; round++) {
    pass(Math.floor(random() * (tickMs / 1000)) + 1)
    const { rows } = await sql<{ id: string }>`select team_id as id from ledger_accounts
      where team_id = any(${ids}::uuid[]) and microcredits > 0`.execute(app.db)
    const starting = rows
      .filter(() => random() < 0.25)
      .map(({ id }) => aStay({ teamId: id, machine: 'busy', subjectName: 'x' }))
    const ending = [...live.keys()].filter(() => random() < 0.15)
    // Everything at the same time; and now and then the one who keeps the books dies in the middle.
    const dies = round % 3 === 2
    const [ticked] = await Promise.all([
      app.usage.tick().catch(() => 'died' as const),
      round % 3 === 1 ? app.usage.tick() : undefined,
      app.usage.startStays(app.db, starting),
      end(ending),
      dies ? kill() : undefined,
    ])
    for (const stay of starting) live.set(stay.attemptId, stay.teamId)
    if (ticked === 'died') deaths++
    await end((ticked === 'died' ? await app.usage.tick() : ticked).map((stop) => stop.attemptId))
  }
  expect(deaths).toBeGreaterThan(0)
  await end([...live.keys()])
  await app.usage.tick()

  expect(
    (await sql<{ sum: number }>`select sum(microcredits)::bigint as sum from ledger_entries`.execute(app.db))
      .rows[0]!.sum,
  ).toBe(0)
  const meters = await app.db.selectFrom('meters').selectAll().where('machine', '=', 'busy').execute()
  expect(meters.length).toBeGreaterThan(count)
  const cost = new Map<string, number>()
  for (const meter of meters) {
    expect(meter.is_settled).toBe(true)
    expect(meter.microcredits).toBe(
      costOf(secondsBetween(meter.started_at, meter.ended_at!), meter.microcredits_per_hour),
    )
    cost.set(meter.team_id, (cost.get(meter.team_id) ?? 0) + meter.microcredits)
  }
  const balances = await sql<{ id: string; balance: number; entries: number; hours: number }>`
    select a.team_id as id, a.microcredits as balance,
      (select coalesce(sum(e.microcredits), 0)::bigint from ledger_entries e where e.account_id = a.id) as entries,
      (select coalesce(sum(h.microcredits), 0)::bigint from usage_hours h where h.team_id = a.team_id) as hours
    from ledger_accounts a where a.team_id = any(${ids}::uuid[])`.execute(app.db)
  const wrong = balances.rows.filter(({ id, balance, entries, hours }) => {
    const used = cost.get(id) ?? 0
    return balance !== grants.get(id)! - used || entries !== balance || hours !== used
  })
  expect(wrong).toEqual([])
  const most = new Map<string, number>()
  for (const meter of meters) most.set(meter.team_id, (most.get(meter.team_id) ?? 0) + 1)
  const overspent = balances.rows.filter(({ id, balance }) => balance < -tickCost * most.get(id)!)
  expect(overspent).toEqual([])
}, 120_000)

/** Ends the database connection on which the books are being written, wherever it is. */
async function kill(): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    const { rows } = await sql<{
      killed: boolean
    }>`select pg_terminate_backend(pid) as killed from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and query ~ '^(update meters set metered_until|insert into usage_hours|with t as materialized)'
        and state <> 'idle' limit 1`.execute(app.db)
    if (rows.length > 0) return
  }
}
