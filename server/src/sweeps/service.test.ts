import { GridError } from '@teamgrid/api'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Condition } from '../experiments/types.ts'
import { createOutcomes } from './outcomes.ts'
import { textOf, type Values } from './parameters.ts'
import { createRandom } from './random.ts'
import { createSweeps, readConfig } from './service.ts'
import { type Bench, openBench } from './testing.ts'
import type { AgentCommand, StoredAgent, StoredSweep } from './types.ts'

let bench: Bench
let team: Awaited<ReturnType<Bench['aTeam']>>
beforeAll(async () => {
  bench = await openBench()
  team = await bench.aTeam()
}, 120_000)
afterAll(() => bench.close())

const grid = (values: number[]) =>
  `{method: grid, program: train.py, parameters: {a: {values: [${values.join(', ')}]}}}`
const codeOf = (act: Promise<unknown>) =>
  act.then(
    () => 'ok',
    (error: unknown) => (error instanceof GridError ? error.code : String(error)),
  )
const stateOf = async (sweep: StoredSweep) => (await bench.sweeps.findById(team.member, sweep.id))!.state
const experimentsOf = (sweep: StoredSweep) => bench.experiments.ofSweep(sweep.projectId, sweep.slug, 1000)
const runIn = (commands: AgentCommand[]) => {
  const [command] = commands
  if (command?.type !== 'run') throw new Error(`Expected a run, got ${JSON.stringify(commands)}`)
  return command
}

describe('who may', () => {
  test('strangers find nothing and change nothing', async () => {
    const sweep = await bench.aSweep(team.member, grid([1]))
    const ref = bench.refOf(sweep)
    const { stranger } = team
    const agent = await bench.anAgent(team.member, sweep)
    expect(await bench.sweeps.find(stranger, ref)).toBeUndefined()
    for (const act of [
      () => bench.sweeps.get(stranger, ref),
      () => bench.sweeps.list(stranger, { ...ref, limit: 10 }),
      () => bench.sweeps.analysis(stranger, { ...ref, limit: 10 }),
      () => bench.sweeps.create(stranger, { team: team.slug, project: 'digits', configText: grid([1]) }),
      () => bench.sweeps.steer(stranger, ref, 'cancel'),
      () => bench.sweeps.change(stranger, ref, { name: 'mine' }),
      () => bench.sweeps.reconfigure(stranger, sweep.id, grid([2])),
      () => bench.sweeps.followController(stranger, sweep.id, {}),
      () => bench.sweeps.enqueue(stranger, sweep.id, { a: 1 }, null),
      () => bench.sweeps.createAgent(stranger, ref, 'h'),
      () => bench.sweeps.heartbeat(stranger, agent.id, []),
      () => bench.sweeps.remove(stranger, ref),
    ])
      expect(await codeOf(act())).toBe('not_found')
    expect(await stateOf(sweep)).toBe('running')
  })

  test('a private project keeps its sweeps to its owner and the admins', async () => {
    const sweep = await bench.aSweep(team.member, grid([1]))
    const setVisibility = (visibility: 'team' | 'private') =>
      bench.db
        .updateTable('projects')
        .set({ visibility, created_by: team.member.userId })
        .where('id', '=', sweep.projectId)
        .execute()
    await setVisibility('private')
    try {
      expect(await bench.sweeps.find(team.viewer, bench.refOf(sweep))).toBeUndefined()
      expect(await bench.sweeps.findById(team.viewer, sweep.id)).toBeUndefined()
      expect(await bench.sweeps.find(team.member, bench.refOf(sweep))).toBeDefined()
    } finally {
      await setVisibility('team')
    }
  })

  test('viewers look on', async () => {
    const sweep = await bench.aSweep(team.member, grid([1]))
    const ref = bench.refOf(sweep)
    expect((await bench.sweeps.get(team.viewer, ref)).slug).toBe(sweep.slug)
    for (const act of [
      () => bench.sweeps.create(team.viewer, { team: team.slug, project: 'digits', configText: grid([1]) }),
      () => bench.sweeps.steer(team.viewer, ref, 'pause'),
      () => bench.sweeps.change(team.viewer, ref, { name: 'x' }),
      () => bench.sweeps.createAgent(team.viewer, ref, 'h'),
      () => bench.sweeps.remove(team.viewer, ref),
    ])
      expect(await codeOf(act())).toBe('forbidden')
    const made = bench.sweeps.create(team.viewer, {
      team: team.slug,
      project: 'digits',
      configText: grid([1]),
    })
    await expect(made).rejects.toThrow(/does not let you create a sweep in /)
  })

  test('a team mate may lend a machine and stop a sweep, but not change or delete it, nor speak for another’s agent', async () => {
    const sweep = await bench.aSweep(team.member, grid([1, 2]))
    const ref = bench.refOf(sweep)
    const agent = await bench.anAgent(team.member, sweep)
    expect(await codeOf(bench.sweeps.reconfigure(team.mate, sweep.id, grid([3])))).toBe('forbidden')
    expect(await codeOf(bench.sweeps.followController(team.mate, sweep.id, {}))).toBe('forbidden')
    expect(await codeOf(bench.sweeps.remove(team.mate, ref))).toBe('policy_denied')
    expect(await codeOf(bench.sweeps.heartbeat(team.mate, agent.id, []))).toBe('forbidden')
    const theirs = await bench.anAgent(team.mate, sweep)
    const run = runIn(await bench.sweeps.heartbeat(team.mate, theirs.id, []))
    const [experiment] = await experimentsOf(sweep)
    expect(experiment).toMatchObject({ slug: run.slug, ownerId: team.mate.userId, state: 'pending' })
    expect((await bench.sweeps.steer(team.mate, ref, 'pause')).state).toBe('paused')
    expect(await codeOf(bench.sweeps.remove(team.admin, ref))).toBe('ok')
  })
})

test('a configuration that cannot be carried out makes nothing', async () => {
  const before = await bench.sweeps.list(team.member, { team: team.slug, project: 'digits', limit: 1 })
  await expect(
    bench.aSweep(team.member, '{method: bayes, parameters: {a: {min: 1, max: 2}}}'),
  ).rejects.toThrow(/bayes needs the key "metric"/)
  const after = await bench.sweeps.list(team.member, { team: team.slug, project: 'digits', limit: 1 })
  expect(after.total).toBe(before.total)
})

test('a grid is tried once each by two agents, and is finished when the last has ended', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2, 3]))
  expect(sweep.state).toBe('pending')
  const one = await bench.anAgent(team.member, sweep, 'one')
  const two = await bench.anAgent(team.mate, sweep, 'two')
  const first = runIn(await bench.sweeps.heartbeat(team.member, one.id, []))
  expect(first).toMatchObject({ values: { a: 1 }, program: 'train.py' })
  const second = (await bench.worksOnce(team.mate, sweep, two)) as { values: Values }
  const third = (await bench.worksOnce(team.mate, sweep, two)) as { values: Values }
  expect([second.values, third.values]).toEqual([{ a: 2 }, { a: 3 }])
  // The first agent has not begun yet: what it took might come back.
  expect(await bench.sweeps.heartbeat(team.mate, two.id, [])).toEqual([])
  await bench.sweeps.heartbeat(team.member, one.id, [first.slug])
  await bench.logs(team.member, sweep, first.slug, 'loss', [1], null)
  expect(await bench.sweeps.heartbeat(team.mate, two.id, [])).toEqual([{ type: 'exit' }])
  expect(await stateOf(sweep)).toBe('running')
  await bench.logs(team.member, sweep, first.slug, 'loss', [], 0, 1)
  expect(await bench.sweeps.heartbeat(team.member, one.id, [])).toEqual([{ type: 'exit' }])
  expect(await stateOf(sweep)).toBe('finished')
  const shown = await bench.sweeps.get(team.viewer, bench.refOf(sweep))
  expect(shown).toMatchObject({ expected: 3, agents: 0, counts: { total: 3, finished: 3 } })
  expect(shown.agentList.map(({ name, state, experiments }) => [name, state, experiments])).toEqual([
    ['two-2', 'finished', 2],
    ['one-1', 'finished', 1],
  ])
})

test('the experiment waits with its parameters before its script begins, and shows its sweep', async () => {
  const sweep = await bench.aSweep(
    team.member,
    '{method: random, parameters: {o: {parameters: {lr: {value: 0.1}}}, b: {values: [x]}}}',
  )
  const agent = await bench.anAgent(team.member, sweep)
  const { slug } = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  const [experiment] = await experimentsOf(sweep)
  expect(experiment).toMatchObject({
    slug,
    state: 'pending',
    sweepName: sweep.slug,
    config: { o: { value: { lr: 0.1 } }, b: { value: 'x' } },
  })
  const { rows } = await bench.experiments.query(team.viewer, {
    team: team.slug,
    project: 'digits',
    filters: [{ column: 'sweep', op: 'eq', value: sweep.slug }],
    columns: ['sweep', 'config.o.lr'],
  })
  expect(rows.map((row) => row.values)).toEqual([{ sweep: sweep.slug, 'config.o.lr': 0.1 }])
})

test('an agent whose answer was lost gets the same again; one whose script dies at once goes on', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2]))
  const agent = await bench.anAgent(team.member, sweep)
  const first = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  expect(runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))).toEqual(first)
  const second = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  expect(second.values).toEqual({ a: 2 })
  // This one was seen running, and is gone without a word.
  await bench.sweeps.heartbeat(team.member, agent.id, [second.slug])
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([{ type: 'exit' }])
  expect((await experimentsOf(sweep)).map((each) => each.state)).toEqual(['failed', 'failed'])
  expect(await stateOf(sweep)).toBe('finished')
})

test('an agent that dies gives back what it had not begun, and keeps what it had', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2]))
  const dead = await bench.anAgent(team.member, sweep, 'dead')
  const begun = runIn(await bench.sweeps.heartbeat(team.member, dead.id, []))
  await bench.logs(team.member, sweep, begun.slug, 'loss', [1], 0)
  const lost = runIn(await bench.sweeps.heartbeat(team.member, dead.id, []))
  // The same sweeps, seen by a server that has been there all the time.
  bench.time.now += 400_000
  const alive = await bench.anAgent(team.member, sweep, 'alive')
  await bench.sweeps.tendSweeps()
  const again = runIn(await bench.sweeps.heartbeat(team.member, alive.id, []))
  expect(again.values).toEqual(lost.values)
  expect(again.slug).not.toBe(lost.slug)
  const states = new Map((await experimentsOf(sweep)).map((each) => [each.slug, each.state]))
  expect(states).toEqual(
    new Map([
      [begun.slug, 'finished'],
      [lost.slug, 'crashed'],
      [again.slug, 'pending'],
    ]),
  )
  const { agentList } = await bench.sweeps.get(team.member, bench.refOf(sweep))
  expect(agentList.map(({ name, state }) => [name, state])).toEqual([
    ['alive-2', 'running'],
    ['dead-1', 'crashed'],
  ])
  // Once more it is tried; after the third machine that dies over it nobody else shall be.
  const told = []
  for (let death = 0; death < 2; death++) {
    bench.time.now += 400_000
    await bench.sweeps.tendSweeps()
    const next = await bench.anAgent(team.member, sweep)
    told.push(...(await bench.sweeps.heartbeat(team.member, next.id, [])))
  }
  expect(told).toMatchObject([{ type: 'run', values: lost.values }, { type: 'exit' }])
})

test('agents are not taken for dead while the server itself was away', async () => {
  const sweep = await bench.aSweep(team.member, grid([1]))
  const agent = await bench.anAgent(team.member, sweep)
  await bench.sweeps.heartbeat(team.member, agent.id, [])
  bench.time.now += 400_000
  await createSweeps(bench).tendSweeps()
  expect((await bench.sweeps.get(team.member, bench.refOf(sweep))).agents).toBe(1)
})

test('run_cap counts what was handed out, over all agents', async () => {
  const sweep = await bench.aSweep(
    team.member,
    '{method: random, run_cap: 3, parameters: {a: {min: 0.0, max: 1.5}}}',
  )
  const agents = await Promise.all([1, 2, 3, 4, 5].map(() => bench.anAgent(team.member, sweep)))
  const commands = await Promise.all(agents.map((agent) => bench.sweeps.heartbeat(team.member, agent.id, [])))
  expect(commands.filter(([command]) => command?.type === 'run')).toHaveLength(3)
  expect(await experimentsOf(sweep)).toHaveLength(3)
})

/** So many finished trials of a sweep at once; the values of each by SQL over its `number`, counted from 1. */
async function manyTrials(sweep: StoredSweep, count: number, params: string) {
  const model = await bench.anExperiment(team.member, { config: {} })
  await sql`
    with made as (
      insert into experiments (id, project_id, team_id, slug, name, state, created_by, config, summary, sweep_name, created_at)
      select gen_random_uuid(), project_id, team_id, 'many-' || ${sweep.slug} || number, 'many', 'finished', created_by,
        '{}', '{}', ${sweep.slug}, now() + number * interval '1 second'
      from experiments, generate_series(1, ${count}) number where id = ${model.id}
      returning id, slug, created_at
    ), numbered as (select *, row_number() over (order by created_at) as number from made)
    insert into sweep_trials (sweep_id, number, params, state, slug, experiment_id, reported_at)
    select ${sweep.id}, number - 1, ${sql.raw(params)}, 'handed', slug, id, now() from numbered`.execute(
    bench.db,
  )
  // Postgres does so by itself, a while after so much has changed.
  await sql`analyze experiments, sweep_trials`.execute(bench.db)
}

describe('however large a sweep is', () => {
  test('a grid of thousands goes on where it was, and what was tried before the sweep stays tried', async () => {
    const prior = await bench.anExperiment(team.member, { config: { a: { value: 6002 } } })
    const { sweep } = await bench.sweeps.create(team.member, {
      project: 'digits',
      configText: '{method: grid, parameters: {a: {min: 1, max: 6003}}}',
      prior: [prior.slug],
    })
    await manyTrials(sweep, 6000, `jsonb_build_object('a', number)`)
    const agent = await bench.anAgent(team.member, sweep)
    const told = []
    for (let number = 0; number < 3; number++) told.push(await bench.worksOnce(team.member, sweep, agent))
    expect(told).toMatchObject([{ values: { a: 6001 } }, { values: { a: 6003 } }, { type: 'exit' }])
    expect(await stateOf(sweep)).toBe('finished')
    // Deleted in the middle: tried again when the sweep is resumed, and nothing else is.
    const ref = { team: team.slug, project: 'digits', slug: `many-${sweep.slug}3000` }
    await bench.experiments.delete(team.member, ref)
    await bench.sweeps.steer(team.member, bench.refOf(sweep), 'resume')
    expect(await bench.worksOnce(team.member, sweep, agent)).toMatchObject({ values: { a: 3000 } })
    expect(await bench.worksOnce(team.member, sweep, agent)).toEqual({ type: 'exit' })
  })

  test('a random search of values that can be counted finds the last one that is left', async () => {
    const sweep = await bench.aSweep(
      team.member,
      '{method: random, parameters: {a: {min: 1, max: 2000}, b: {value: x}}}',
    )
    await manyTrials(
      sweep,
      1999,
      `jsonb_build_object('b', 'x', 'a', case when number < 777 then number else number + 1 end)`,
    )
    const agent = await bench.anAgent(team.member, sweep)
    expect(await bench.worksOnce(team.member, sweep, agent)).toMatchObject({ values: { a: 777, b: 'x' } })
  })

  test('a model, a target and the page know the best of all, and the page says what it shows', async () => {
    const sweep = await bench.aSweep(
      team.member,
      '{method: bayes, metric: {name: loss, target: 0.001}, parameters: {x: {min: 0.0, max: 1.5}}}',
    )
    const agent = await bench.anAgent(team.member, sweep)
    for (const loss of [0.5, 0.01]) await bench.worksOnce(team.member, sweep, agent, () => loss)
    await sql`update sweep_trials set number = number + 5000 where sweep_id = ${sweep.id}`.execute(bench.db)
    await manyTrials(sweep, 1200, `jsonb_build_object('x', 0.1)`)
    const { rows, newest, total } = await bench.sweeps.analysis(team.member, {
      ...bench.refOf(sweep),
      limit: 1000,
    })
    expect([newest, total, rows.length]).toEqual([1000, 1202, 1002])
    const measured = rows.flatMap(({ metric }) => metric ?? [])
    expect(new Set(measured)).toEqual(new Set([0.01, 0.5]))
    const { outcomesOf } = createOutcomes(bench)
    const metric = readConfig(sweep.config).config.metric!
    for (const round of ['read', 'remembered']) {
      const outcomes = await outcomesOf(team.member, sweep, metric)
      expect(outcomes, round).toHaveLength(1002)
      const best = outcomes.flatMap((outcome) => outcome.best ?? [])
      expect(new Set(best), round).toEqual(new Set([0.01, 0.5]))
    }
    expect(runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))).toBeDefined()
    const best = rows.find(({ metric: value }) => value === 0.01)!.slug
    await bench.logs(team.member, sweep, best, 'loss', [0.0001], 0, 1)
    const other = await bench.anAgent(team.member, sweep)
    expect(await bench.sweeps.heartbeat(team.member, other.id, [])).toEqual([{ type: 'exit' }])
  })
})

test('sweeps are found by their fields', async () => {
  const project = `filtered-${Date.now()}`
  const make = (method: string, name: string) =>
    bench.aSweep(
      team.member,
      `{method: ${method}, name: "${name}", metric: {name: loss}, parameters: {a: {min: 1, max: 9}}}`,
      project,
    )
  const one = await make('grid', 'first try')
  const two = await make('random', 'second try')
  await bench.sweeps.steer(team.member, bench.refOf(two), 'cancel')
  const found = async (where: Condition) => {
    const input = { team: team.slug, project, where, offset: 0, limit: 10 }
    const { sweeps, total } = await bench.sweeps.page(team.viewer, input)
    expect(total).toBe(sweeps.length)
    return sweeps.map(({ name }) => name)
  }
  expect(await found({ op: 'eq', column: 'slug', value: one.slug })).toEqual(['first try'])
  expect(await found({ op: 'eq', column: 'state', value: 'cancelled' })).toEqual(['second try'])
  expect(await found({ op: 'regex', column: 'name', value: '^(first|third)' })).toEqual(['first try'])
  expect(await found({ op: 'gt', column: 'created_at', value: one.createdAt.getTime() })).toEqual([
    'second try',
  ])
  // What has no value is not equal to anything, and so is everything denied of it.
  expect(await found({ op: 'not', condition: { op: 'eq', column: 'description', value: 'x' } })).toHaveLength(
    2,
  )
  expect(
    await found({
      op: 'or',
      conditions: [
        { op: 'eq', column: 'method', value: 'grid' },
        { op: 'contains', column: 'name', value: 'SECOND' },
      ],
    }),
  ).toEqual(['second try', 'first try'])
  for (const where of [
    { op: 'regex', column: 'name', value: '(' },
    { op: 'regex', column: 'name', value: '(a)\\1' },
    { op: 'eq', column: 'config.lr', value: 1 },
    { op: 'gt', column: 'created_at', value: 'yesterday' },
  ] satisfies Condition[])
    expect(await codeOf(found(where))).toBe('invalid')
})

describe('whatever agents do, at the same moment', () => {
  test.each([1, 2])('no configuration of a grid is with two, and each is tried (seed %i)', async (seed) => {
    const random = createRandom(seed)
    const sweep = await bench.aSweep(
      team.member,
      '{method: grid, parameters: {a: {min: 1, max: 4}, b: {values: [x, y]}}}',
    )
    const people = [team.member, team.mate, team.admin]
    const agents: {
      actor: (typeof people)[number]
      agent: StoredAgent
      slug: string | null
      isGone: boolean
    }[] = []
    const join = async () => {
      const actor = people[Math.floor(random() * people.length)]!
      agents.push({ actor, agent: await bench.anAgent(actor, sweep), slug: null, isGone: false })
    }
    for (let index = 0; index < 4; index++) await join()

    const step = async (each: (typeof agents)[number]) => {
      const chance = random()
      if (each.slug !== null && chance < 0.5) {
        await bench.logs(each.actor, sweep, each.slug, 'loss', [chance], chance < 0.1 ? 1 : 0)
        each.slug = null
      } else if (each.slug !== null && chance > 0.9) {
        // Dies without a word.
        each.isGone = true
      } else {
        const alive = each.slug === null ? [] : [each.slug]
        const [command] = await bench.sweeps.heartbeat(each.actor, each.agent.id, alive)
        if (command?.type === 'run') each.slug = command.slug
        if (command?.type === 'exit') each.isGone = true
      }
    }
    for (let round = 0; round < 200 && (await stateOf(sweep)) !== 'finished'; round++) {
      const alive = agents.filter((each) => !each.isGone)
      await Promise.all(alive.map(step))
      bench.time.now += 20_000
      if (round % 5 === 4) {
        await bench.sweeps.tendSweeps()
        await bench.experiments.sweepCrashed()
      }
      if (agents.every((each) => each.isGone)) await join()

      const live = (await experimentsOf(sweep)).filter(
        (each) => each.state === 'pending' || each.state === 'running',
      )
      const values = live.map((each) => textOf(each.config))
      expect(new Set(values).size).toBe(values.length)
    }
    expect(await stateOf(sweep)).toBe('finished')
    const experiments = await experimentsOf(sweep)
    const tried = experiments.filter((each) => each.historyLines > 0).map((each) => textOf(each.config))
    expect(new Set(tried).size).toBe(tried.length)
    // What nobody began was lost with its agent, and is with another.
    expect(new Set(experiments.map((each) => textOf(each.config))).size).toBe(8)
  })

  test('of twelve agents that ask at once each gets something else', async () => {
    const sweep = await bench.aSweep(
      team.member,
      '{method: bayes, metric: {name: loss}, parameters: {x: {min: -5.0, max: 10.5}, y: {min: 0.0, max: 15.5}}}',
    )
    const agents = await Promise.all(Array.from({ length: 12 }, () => bench.anAgent(team.member, sweep)))
    for (let round = 0; round < 2; round++) {
      const runs = await Promise.all(
        agents.map(async (agent) => runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))),
      )
      expect(new Set(runs.map((run) => run.slug)).size).toBe(12)
      expect(new Set(runs.map((run) => textOf(run.values))).size).toBe(12)
      await Promise.all(
        runs.map(async (run) => bench.logs(team.member, sweep, run.slug, 'loss', [run.values.x as number])),
      )
    }
  })
})

test('a paused sweep hands out nothing, a resumed one goes on, a stopped one lets its experiments end', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2, 3, 4]))
  const ref = bench.refOf(sweep)
  const agent = await bench.anAgent(team.member, sweep)
  expect((await bench.sweeps.steer(team.member, ref, 'pause')).state).toBe('paused')
  expect((await bench.sweeps.steer(team.member, ref, 'pause')).state).toBe('paused')
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([])
  await bench.sweeps.steer(team.member, ref, 'resume')
  const run = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  await bench.sweeps.heartbeat(team.member, agent.id, [run.slug])
  await bench.logs(team.member, sweep, run.slug, 'loss', [1], null)
  await bench.sweeps.steer(team.member, ref, 'stop')
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [run.slug])).toEqual([])
  await bench.logs(team.member, sweep, run.slug, 'loss', [], 0, 1)
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([{ type: 'exit' }])
  await expect(bench.sweeps.steer(team.member, ref, 'pause')).rejects.toThrow(
    /is finished, so you cannot pause it/,
  )
  await bench.sweeps.steer(team.member, ref, 'resume')
  const more = await bench.anAgent(team.member, sweep)
  expect(runIn(await bench.sweeps.heartbeat(team.member, more.id, [])).values).toEqual({ a: 2 })
})

test('a cancelled sweep stops what runs, what waits, and then its agents', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2, 3]))
  const agent = await bench.anAgent(team.mate, sweep)
  const other = await bench.anAgent(team.member, sweep)
  const run = runIn(await bench.sweeps.heartbeat(team.mate, agent.id, []))
  await bench.logs(team.mate, sweep, run.slug, 'loss', [1], null)
  const unbegun = runIn(await bench.sweeps.heartbeat(team.member, other.id, []))
  await bench.sweeps.steer(team.member, bench.refOf(sweep), 'cancel')
  expect(await bench.sweeps.heartbeat(team.mate, agent.id, [run.slug])).toEqual([
    { type: 'stop', slug: run.slug },
  ])
  expect(await bench.sweeps.heartbeat(team.member, other.id, [unbegun.slug])).toEqual([
    { type: 'stop', slug: unbegun.slug },
  ])
  const ref = { team: team.slug, project: 'digits', slug: run.slug }
  expect(await bench.experiments.append(team.mate, ref, {})).toEqual({ stopRequested: true })
  await bench.logs(team.mate, sweep, run.slug, 'loss', [], 1, 1)
  expect(await bench.sweeps.heartbeat(team.mate, agent.id, [])).toEqual([{ type: 'exit' }])
  expect(await bench.sweeps.heartbeat(team.member, other.id, [])).toEqual([{ type: 'exit' }])
  expect((await experimentsOf(sweep)).map((each) => each.state).toSorted()).toEqual(['failed', 'killed'])
})

test('hyperband ends what is worse than the others, and tells its agent', async () => {
  const sweep = await bench.aSweep(
    team.member,
    `{method: random, metric: {name: loss}, early_terminate: {type: hyperband, min_iter: 2, eta: 2},
      parameters: {a: {min: 0.0, max: 1.5}}}`,
  )
  const agents = await Promise.all([1, 2, 3].map(() => bench.anAgent(team.member, sweep)))
  const runs = []
  for (const [index, agent] of agents.entries()) {
    const run = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
    await bench.logs(team.member, sweep, run.slug, 'loss', [10, [1, 2, 9][index]!], null)
    runs.push(run.slug)
  }
  bench.time.now += 6000
  const told = []
  for (const [index, agent] of agents.entries())
    told.push(await bench.sweeps.heartbeat(team.member, agent.id, [runs[index]!]))
  expect(told).toEqual([[], [], [{ type: 'stop', slug: runs[2] }]])
  const ref = { team: team.slug, project: 'digits', slug: runs[2]! }
  expect(await bench.experiments.append(team.member, ref, {})).toEqual({ stopRequested: true })
})

test('a search by a model learns from what was tried, and the best is shown', async () => {
  const loss = (x: number) => -((x - 0.7) ** 2)
  const known = [-1, -0.2, 0.5, 1.3, 2.2, 3.4]
  const sweep = await bench.aSweep(
    team.member,
    '{method: bayes, metric: {name: loss, goal: maximize}, run_cap: 14, parameters: {x: {min: -1.0, max: 3.5}, c: {value: 7}}}',
  )
  await Promise.all(
    known.map((x) =>
      bench.anExperiment(team.member, {
        sweepName: sweep.slug,
        config: { x: { value: x }, c: { value: 7 } },
        summary: { loss: loss(x) },
      }),
    ),
  )
  const agent = await bench.anAgent(team.member, sweep)
  const tried: number[] = []
  for (let number = 0; number < 2; number++) {
    await bench.worksOnce(team.member, sweep, agent, (values) => {
      tried.push(values.x as number)
      return loss(values.x as number)
    })
  }
  expect(Math.min(...tried.map((x) => Math.abs(x - 0.7)))).toBeLessThan(0.1)
  const { best, expected } = await bench.sweeps.get(team.member, bench.refOf(sweep))
  expect(expected).toBe(14)
  expect(best!.value).toBeCloseTo(Math.max(...tried.map(loss)), 9)
})

test('a target that is reached ends the sweep', async () => {
  const sweep = await bench.aSweep(
    team.member,
    '{method: random, metric: {name: loss, target: 0.5}, parameters: {a: {min: 0.0, max: 1.5}}}',
  )
  const agent = await bench.anAgent(team.member, sweep)
  await bench.worksOnce(team.member, sweep, agent, () => 0.6)
  await bench.worksOnce(team.member, sweep, agent, () => 0.4)
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([{ type: 'exit' }])
  await bench.sweeps.tendSweeps()
  expect(await stateOf(sweep)).toBe('finished')
})

test('earlier experiments count from the start, if the actor may write about them', async () => {
  const prior = await bench.anExperiment(team.mate, { config: { a: { value: 2 } } })
  await bench.logs(
    team.mate,
    { teamSlug: team.slug, projectName: 'digits' } as StoredSweep,
    prior.slug,
    'loss',
    [1],
  )
  const configText = grid([1, 2, 3])
  const input = { project: 'digits', configText, prior: [prior.slug] }
  expect(await codeOf(bench.sweeps.create(team.member, { ...input, prior: ['nobody'] }))).toBe('not_found')
  const { sweep } = await bench.sweeps.create(team.member, input)
  expect((await experimentsOf(sweep)).map((each) => each.slug)).toEqual([prior.slug])
  const agent = await bench.anAgent(team.member, sweep)
  const tried = []
  for (let number = 0; number < 3; number++) tried.push(await bench.worksOnce(team.member, sweep, agent))
  expect(tried.map((command) => (command?.type === 'run' ? command.values : command))).toEqual([
    { a: 1 },
    { a: 3 },
    { type: 'exit' },
  ])
})

test('a deleted experiment is tried again when the sweep is resumed', async () => {
  const sweep = await bench.aSweep(team.member, grid([1, 2]))
  const agent = await bench.anAgent(team.member, sweep)
  const first = await bench.worksOnce(team.member, sweep, agent)
  await bench.worksOnce(team.member, sweep, agent)
  expect(await bench.worksOnce(team.member, sweep, agent)).toEqual({ type: 'exit' })
  await bench.experiments.delete(team.member, {
    team: team.slug,
    project: 'digits',
    slug: (first as { slug: string }).slug,
  })
  await bench.sweeps.steer(team.member, bench.refOf(sweep), 'resume')
  expect(runIn(await bench.sweeps.heartbeat(team.member, agent.id, [])).values).toEqual({ a: 1 })
})

test('what was preempted is run again, as the same experiment, by an agent of its owner', async () => {
  const sweep = await bench.aSweep(team.member, grid([1]))
  const agent = await bench.anAgent(team.member, sweep)
  const run = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  await bench.sweeps.heartbeat(team.member, agent.id, [run.slug])
  const ref = { team: team.slug, project: 'digits', slug: run.slug }
  await bench.experiments.append(team.member, ref, { preempting: true })
  await bench.experiments.append(team.member, ref, { complete: { exitCode: 1 } })
  const mates = await bench.anAgent(team.mate, sweep)
  expect(await bench.sweeps.heartbeat(team.mate, mates.id, [])).not.toContainEqual(
    expect.objectContaining({ type: 'resume' }),
  )
  await bench.sweeps.steer(team.member, bench.refOf(sweep), 'resume').catch(() => undefined)
  const next = await bench.anAgent(team.member, sweep)
  expect(await bench.sweeps.heartbeat(team.member, next.id, [])).toMatchObject([
    { type: 'resume', slug: run.slug, values: { a: 1 } },
  ])
})

test('a controller elsewhere decides: each wish becomes one experiment, and null ends the sweep', async () => {
  const sweep = await bench.aSweep(
    team.member,
    '{method: custom, controller: {type: local}, metric: {name: loss}, parameters: {a: {min: 0, max: 9}}}',
  )
  const agent = await bench.anAgent(team.member, sweep)
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([])
  const wish = { schedule: [{ id: 'k1', data: { args: { a: { value: 4 } } } }] }
  await bench.sweeps.followController(team.member, sweep.id, wish)
  await bench.sweeps.followController(team.member, sweep.id, wish)
  const [scheduled] = await bench.sweeps.scheduled(sweep)
  const run = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  expect(run.values).toEqual({ a: 4 })
  expect(scheduled).toEqual({ id: 'k1', slug: run.slug })
  await bench.logs(team.member, sweep, run.slug, 'loss', [1], null)
  await bench.sweeps.followController(team.member, sweep.id, { schedule: [], earlystop: [run.slug] })
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [run.slug])).toEqual([
    { type: 'stop', slug: run.slug },
  ])
  await bench.logs(team.member, sweep, run.slug, 'loss', [], 1, 1)
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([])
  await bench.sweeps.followController(team.member, sweep.id, {
    schedule: [{ id: 'k2', data: { args: null } }],
  })
  expect(await bench.sweeps.heartbeat(team.member, agent.id, [])).toEqual([{ type: 'exit' }])
  expect(await stateOf(sweep)).toBe('finished')
})

test('one more configuration can be put in line, with its experiment there at once', async () => {
  const sweep = await bench.aSweep(team.member, grid([1]))
  const { experimentId } = await bench.sweeps.enqueue(team.member, sweep.id, { a: 42 }, 'by hand')
  const mates = await bench.anAgent(team.mate, sweep)
  expect(runIn(await bench.sweeps.heartbeat(team.mate, mates.id, [])).values).toEqual({ a: 1 })
  const agent = await bench.anAgent(team.member, sweep)
  const run = runIn(await bench.sweeps.heartbeat(team.member, agent.id, []))
  expect(run.values).toEqual({ a: 42 })
  expect((await bench.experiments.findById(team.member, experimentId))?.slug).toBe(run.slug)
})

test('a new configuration takes effect at once; a sweep that is gone is not found, and its experiments stay', async () => {
  const sweep = await bench.aSweep(team.member, grid([1]))
  const agent = await bench.anAgent(team.member, sweep)
  await bench.worksOnce(team.member, sweep, agent)
  await bench.sweeps.reconfigure(team.member, sweep.id, grid([1, 5]))
  expect(runIn(await bench.sweeps.heartbeat(team.member, agent.id, [])).values).toEqual({ a: 5 })
  await bench.sweeps.remove(team.member, bench.refOf(sweep))
  expect(await codeOf(bench.sweeps.heartbeat(team.member, agent.id, []))).toBe('not_found')
  expect(await experimentsOf(sweep)).toHaveLength(2)
})

test('the analysis names what mattered, first and with its direction', async () => {
  const sweep = await bench.aSweep(
    team.member,
    `{method: random, metric: {name: loss}, parameters: {lr: {distribution: log_uniform_values, min: 0.0001, max: 1},
      noise: {min: 0.0, max: 1.5}, kind: {values: [a, b]}, fixed: {value: 3}}}`,
  )
  const random = createRandom(1)
  await Promise.all(
    Array.from({ length: 30 }, async () => {
      const [lr, noise, kind] = [10 ** (-4 * random()), 1.5 * random(), random() < 0.5 ? 'a' : 'b']
      const config = {
        lr: { value: lr },
        noise: { value: noise },
        kind: { value: kind },
        fixed: { value: 3 },
      }
      const loss = Math.log10(lr) + (kind === 'a' ? 0.5 : 0)
      await bench.anExperiment(team.member, { sweepName: sweep.slug, config, summary: { loss } })
    }),
  )
  const { parameters, rows, learnedFrom } = await bench.sweeps.analysis(team.viewer, {
    ...bench.refOf(sweep),
    limit: 100,
  })
  expect(parameters.map(({ name }) => name).toSorted()).toEqual(['kind', 'lr', 'noise'])
  expect(parameters[0]).toMatchObject({ name: 'lr', isLogarithmic: true })
  expect(parameters[0]!.importance).toBeGreaterThan(0.6)
  expect(parameters[0]!.correlation).toBeGreaterThan(0.9)
  expect(parameters.find(({ name }) => name === 'kind')!.correlation).toBeNull()
  expect(rows).toHaveLength(30)
  expect(rows[0]!.values).toHaveProperty('lr')
  expect(learnedFrom).toBe(30)
})

test('what happens is told to browsers, and written down', async () => {
  bench.heard.length = 0
  const sweep = await bench.aSweep(team.member, grid([1]))
  await bench.sweeps.steer(team.member, bench.refOf(sweep), 'cancel')
  expect(bench.heard).toContainEqual(expect.objectContaining({ type: 'sweep.changed', sweepId: sweep.id }))
  const lines = await bench.db
    .selectFrom('activity')
    .select(['action', 'actor_user_id'])
    .where('subject_id', '=', sweep.id)
    .orderBy('id')
    .execute()
  expect(lines).toEqual([
    { action: 'run:create', actor_user_id: team.member.userId },
    { action: 'run:stop', actor_user_id: team.member.userId },
  ])
})
