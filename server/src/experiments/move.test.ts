import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../../../tests/support/app.ts'
import { newId } from '../lib/ids.ts'

let app: TestApp
beforeAll(async () => {
  app = await startApp()
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

type Team = Awaited<ReturnType<TestApp['aTeam']>>
type Somebody = { key: string }

const actorOf = (person: Somebody) =>
  app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })

async function anExperiment(person: Somebody, team: string, project: string, slug: string) {
  const actor = await actorOf(person)
  const { experiment } = await app.experiments.upsert(actor, {
    team,
    project,
    slug,
    name: `name of ${slug}`,
    config: { lr: { value: 0.1 } },
  })
  await log(person, team, project, slug, 0)
  return experiment
}

async function log(person: Somebody, team: string, project: string, slug: string, step: number) {
  await app.experiments.append(
    await actorOf(person),
    { team, project, slug },
    {
      history: { offset: step, lines: [JSON.stringify({ _step: step, loss: 1 / (step + 1) })] },
      console: { offset: step, lines: [{ timeMs: null, level: 'info', label: '', text: `step ${step}` }] },
      summary: { loss: 1 / (step + 1) },
    },
  )
}

const finish = async (person: Somebody, team: string, project: string, slug: string) =>
  app.experiments.append(await actorOf(person), { team, project, slug }, { complete: { exitCode: 0 } })

const slugsIn = async (person: Pick<TestPerson, 'experiments'>, team: string, project: string, query = {}) =>
  (await person.experiments.query({ team, project, ...query })).rows.map(({ slug }) => slug).toSorted()

/** Puts somebody of one team into another, too. */
async function alsoIn(team: Team, person: { username: string }) {
  await app.operator.teams.addMember({ team: team.slug, username: person.username, role: 'member' })
}

describe('a move', () => {
  test('C-8: takes history, console, files and artifact links along; the creator stays the same', async () => {
    const team = await app.aTeam()
    const own = team.member.username
    const made = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    const actor = await actorOf(team.member)
    const ref = { team: team.slug, project: 'vision', slug: 'exp1' }
    const [upload] = await app.experiments.uploadUrls(actor, ref, ['model.pt'])
    await app.inject(new Request(upload!.url, { method: 'PUT', body: 'weights' }))
    await app.experiments.addAlert(actor, ref, { title: 'low', text: '', level: 'info', waitSeconds: 0 })

    const result = await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: own, project: 'mine' },
    })
    expect(result).toEqual({ moved: 1, skipped: 0, team: own, project: 'mine', renamed: [] })
    expect(await slugsIn(team.member, team.slug, 'vision')).toEqual([])
    expect(await slugsIn(team.member, own, 'mine')).toEqual(['exp1'])

    const there = { team: own, project: 'mine', experiment: 'exp1' }
    expect(await team.member.experiments.get(there)).toMatchObject({
      id: made.id,
      createdBy: { username: own },
      summary: { loss: 1 },
      files: 1,
    })
    const [curve] = await team.member.experiments.curves({ experimentIds: [made.id], keys: ['loss'] })
    expect(curve!.y).toEqual([1])
    expect((await team.member.experiments.console(there)).lines).toHaveLength(1)
    const [file] = await team.member.experiments.files(there)
    expect(await (await app.inject(new Request(file!.url))).text()).toBe('weights')
    expect((await team.member.experiments.alerts({ team: own })).items).toHaveLength(1)
    // Team mates have lost it.
    await expect(team.mate.experiments.get(there)).rejects.toMatchObject({ code: 'not_found' })
    await expect(
      team.mate.experiments.get({ team: team.slug, project: 'vision', experiment: 'exp1' }),
    ).rejects.toMatchObject({ code: 'not_found' })
  })

  test('is found by its filters there, and no more where it was; also when it goes and comes back', async () => {
    const team = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'here', 'exp1')
    const filtered = { filters: [{ column: 'config.lr', op: 'eq' as const, value: 0.1 }] }
    for (const [from, to] of [
      ['here', 'there'],
      ['there', 'here'],
      ['here', 'there'],
    ] as const) {
      await team.member.experiments.move({ experimentIds: [made.id], to: { team: team.slug, project: to } })
      expect(await slugsIn(team.member, team.slug, from, filtered)).toEqual([])
      expect(await slugsIn(team.member, team.slug, to, filtered)).toEqual(['exp1'])
    }
    const before = await team.member.experiments.query({ team: team.slug, project: 'there', ...filtered })
    await app.experiments.rebuildFacts((await app.teams.findProjectGuard(team.slug, 'there'))!.id)
    const after = await team.member.experiments.query({ team: team.slug, project: 'there', ...filtered })
    expect(after).toEqual(before)
  })

  test('leads from the old address to the new one, for pages and for scripts that still log', async () => {
    const team = await app.aTeam()
    const other = await app.aTeam()
    await alsoIn(other, team.member)
    const made = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: other.slug, project: 'Vision 2' },
    })
    const old = { team: team.slug, project: 'vision', experiment: 'exp1' }
    expect(await team.member.experiments.get(old)).toMatchObject({
      team: other.slug,
      project: 'Vision 2',
      slug: 'exp1',
    })
    await log(team.member, team.slug, 'vision', 'exp1', 1)
    const resumed = await app.experiments.upsert(await actorOf(team.member), {
      team: team.slug,
      project: 'vision',
      slug: 'exp1',
    })
    expect(resumed).toMatchObject({ inserted: false, experiment: { id: made.id, teamSlug: other.slug } })
    const [curve] = await team.member.experiments.curves({ experimentIds: [made.id], keys: ['loss'] })
    expect(curve!.y).toEqual([1, 0.5])
    expect(
      await slugsIn(other.admin, other.slug, 'Vision 2', {
        filters: [{ column: 'summary.loss', op: 'eq', value: 0.5 }],
      }),
    ).toEqual(['exp1'])

    // Also when the project it left is deleted, and with it all that lies under its name.
    await team.admin.projects.delete({ team: team.slug, project: 'vision' })
    await log(team.member, team.slug, 'vision', 'exp1', 2)
    expect(await team.member.experiments.get(old)).toMatchObject({ summary: { loss: 1 / 3 } })
    expect((await team.admin.projects.list({ team: team.slug })).map(({ name }) => name)).toEqual([])
  })

  test('leaves the old address to a new experiment of somebody who cannot log to the moved one', async () => {
    const team = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    await finish(team.member, team.slug, 'vision', 'exp1')
    await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: team.member.username, project: 'mine' },
    })
    const fresh = await anExperiment(team.mate, team.slug, 'vision', 'exp1')
    expect(fresh.id).not.toBe(made.id)
    const old = { team: team.slug, project: 'vision', experiment: 'exp1' }
    expect(await team.member.experiments.get(old)).toMatchObject({ id: fresh.id })
  })

  test('keeps the files when the project it left is deleted and swept', async () => {
    const team = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'left', 'exp1')
    const ref = { team: team.slug, project: 'left', slug: 'exp1' }
    const [upload] = await app.experiments.uploadUrls(await actorOf(team.member), ref, ['model.pt'])
    await app.inject(new Request(upload!.url, { method: 'PUT', body: 'weights' }))
    await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: team.slug, project: 'kept' },
    })
    await team.admin.projects.delete({ team: team.slug, project: 'left' })
    await app.experiments.sweepCrashed()
    const [file] = await team.member.experiments.files({
      team: team.slug,
      project: 'kept',
      experiment: 'exp1',
    })
    expect(await (await app.inject(new Request(file!.url))).text()).toBe('weights')
  })

  test('gives another address where its own is taken, and says so', async () => {
    const team = await app.aTeam()
    await anExperiment(team.mate, team.slug, 'there', 'exp1')
    await anExperiment(team.mate, team.slug, 'there', 'exp1-2')
    const ids = []
    for (const project of ['one', 'two'])
      ids.push((await anExperiment(team.member, team.slug, project, 'exp1')).id)
    const result = await team.member.experiments.move({
      experimentIds: ids,
      to: { team: team.slug, project: 'there' },
    })
    expect(result.renamed.map(({ from, to }) => [from, to])).toEqual([
      ['exp1', 'exp1-3'],
      ['exp1', 'exp1-4'],
    ])
    expect(await slugsIn(team.member, team.slug, 'there')).toEqual(['exp1', 'exp1-2', 'exp1-3', 'exp1-4'])
    const old = { team: team.slug, project: 'two', experiment: 'exp1' }
    expect(await team.member.experiments.get(old)).toMatchObject({ id: ids[1] })
  })

  test('is a line in the audit log of both teams, and news in both', async () => {
    const team = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    const heard: string[] = []
    const stop = app.events.subscribe((event) => {
      if (event.type === 'experiment.changed') heard.push(event.teamId)
    })
    await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: team.member.username, project: 'mine' },
    })
    stop()
    expect(new Set(heard).size).toBe(2)
    for (const [reader, slug] of [
      [team.admin, team.slug],
      [team.member, team.member.username],
    ] as const) {
      const { items } = await reader.audit.team({ team: slug, action: 'experiment:move' })
      expect(items).toEqual([
        expect.objectContaining({
          subjectId: made.id,
          details: expect.objectContaining({
            from: `${team.slug}/vision/exp1`,
            to: `${team.member.username}/mine/exp1`,
          }),
        }),
      ])
    }
  })

  test('whose facts could not follow is repaired later', async () => {
    const team = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'here', 'exp1')
    const moveFacts = app.metrics.moveFacts.bind(app.metrics)
    app.metrics.moveFacts = async () => {
      throw new Error('away')
    }
    await team.member.experiments.move({
      experimentIds: [made.id],
      to: { team: team.slug, project: 'there' },
    })
    app.metrics.moveFacts = moveFacts
    const filtered = { filters: [{ column: 'config.lr', op: 'eq' as const, value: 0.1 }] }
    // Never shown where it is not any more, even though its facts still say so.
    expect(await slugsIn(team.member, team.slug, 'here', filtered)).toEqual([])
    await sql`update fact_moves set created_at = created_at - interval '1 hour'`.execute(app.db)
    expect(await app.experiments.finishMoves()).toBe(1)
    expect(await slugsIn(team.member, team.slug, 'there', filtered)).toEqual(['exp1'])
    const { total } = await team.member.experiments.query({ team: team.slug, project: 'here', ...filtered })
    expect(total).toBe(0)
    expect(await app.db.selectFrom('fact_moves').selectAll().execute()).toEqual([])
  })
})

describe('no way to move what one may not take', () => {
  test('row 22: an owner and an admin may, a mate only by the switch, a viewer and a stranger never', async () => {
    const team = await app.aTeam()
    const { id } = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    await finish(team.member, team.slug, 'vision', 'exp1')
    const take = (person: Pick<TestPerson, 'experiments'>, to: string) =>
      person.experiments.move({ experimentIds: [id], to: { team: to, project: 'taken' } })
    await expect(take(team.mate, team.mate.username)).rejects.toMatchObject({
      code: 'policy_denied',
      details: { policy: 'members_move_runs', owner: team.member.username },
    })
    await expect(take(team.viewer, team.viewer.username)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(take(team.service, team.slug)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(take(team.outsider, team.outsider.username)).rejects.toMatchObject({ code: 'not_found' })
    await expect(take(team.removed, team.removed.username)).rejects.toMatchObject({ code: 'not_found' })
    await team.admin.teams.setPolicy({ team: team.slug, overrides: { members_move_runs: true } })
    expect(await take(team.mate, team.slug)).toMatchObject({ moved: 1 })
    expect(await take(team.admin, team.slug)).toMatchObject({ moved: 0 })
  })

  test('nobody moves into a team they cannot work in, or to where a running script could not follow', async () => {
    const team = await app.aTeam()
    const other = await app.aTeam()
    const made = await anExperiment(team.member, team.slug, 'vision', 'exp1')
    const to = { team: other.slug, project: 'gift' }
    await expect(team.member.experiments.move({ experimentIds: [made.id], to })).rejects.toMatchObject({
      code: 'not_found',
    })
    await app.operator.teams.addMember({ team: other.slug, username: team.member.username, role: 'viewer' })
    await expect(team.member.experiments.move({ experimentIds: [made.id], to })).rejects.toMatchObject({
      code: 'forbidden',
    })
    await alsoIn(other, team.admin)
    await expect(team.admin.experiments.move({ experimentIds: [made.id], to })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('still logs'),
    })
    expect(await slugsIn(team.member, team.slug, 'vision')).toEqual(['exp1'])
    await finish(team.member, team.slug, 'vision', 'exp1')
    expect(await team.admin.experiments.move({ experimentIds: [made.id], to })).toMatchObject({ moved: 1 })
  })

  test('one that may not be taken keeps all of them, unless asked to leave it', async () => {
    const team = await app.aTeam()
    const mine = await anExperiment(team.member, team.slug, 'vision', 'mine')
    const theirs = await anExperiment(team.mate, team.slug, 'vision', 'theirs')
    const to = { team: team.slug, project: 'taken' }
    const experimentIds = [mine.id, theirs.id]
    await expect(team.member.experiments.move({ experimentIds, to })).rejects.toMatchObject({
      code: 'policy_denied',
    })
    expect(await slugsIn(team.member, team.slug, 'vision')).toEqual(['mine', 'theirs'])
    await expect(team.member.projects.get({ team: team.slug, project: 'taken' })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(
      team.outsider.experiments.move({ experimentIds, to, skipDenied: true }),
    ).rejects.toMatchObject({ code: 'not_found' })
    expect(await team.member.experiments.move({ experimentIds, to, skipDenied: true })).toMatchObject({
      moved: 1,
      skipped: 1,
    })
    expect(await slugsIn(team.member, team.slug, 'vision')).toEqual(['theirs'])
    await expect(
      team.member.experiments.move({ experimentIds: [mine.id, newId()], to }),
    ).rejects.toMatchObject({ code: 'not_found' })
    await expect(team.member.experiments.move({ to })).rejects.toMatchObject({ code: 'invalid' })
  })

  test('row 23: who owns a project cannot delete what another member moved into it; creator and admin can', async () => {
    const team = await app.aTeam()
    await team.admin.teams.setPolicy({ team: team.slug, preset: 'grid-2022' })
    await team.mate.projects.create({ team: team.slug, name: 'of-mate' })
    const ids = []
    for (const slug of ['a', 'b', 'c'])
      ids.push((await anExperiment(team.member, team.slug, 'vision', slug)).id)
    await team.mate.experiments.delete({ team: team.slug, project: 'vision', experiment: 'c' })
    await team.member.experiments.move({
      experimentIds: ids.slice(0, 2),
      to: { team: team.slug, project: 'of-mate' },
    })
    const place = (experiment: string) => ({ team: team.slug, project: 'of-mate', experiment })
    await expect(team.mate.experiments.delete(place('a'))).rejects.toMatchObject({ code: 'forbidden' })
    await team.member.experiments.delete(place('a'))
    await team.admin.experiments.delete(place('b'))
  })
})

describe('ten thousand at once', () => {
  const count = 10_000
  let team: Team

  beforeAll(async () => {
    team = await app.aTeam()
    await team.member.projects.create({ team: team.slug, name: 'many' })
    const project = (await app.teams.findProjectGuard(team.slug, 'many'))!
    const projectId = project.id
    const { userId } = await actorOf(team.member)
    const { rows } = await sql<{ id: string; n: number }>`
      insert into experiments (id, project_id, team_id, slug, name, state, created_by, config, created_at)
      select gen_random_uuid(), ${projectId}, ${project.teamId}, 'e' || n, 'experiment ' || n, 'finished', ${userId},
        jsonb_build_object('n', jsonb_build_object('value', n)), now() - n * interval '1 second'
      from generate_series(1, ${count}::int) n
      returning id, (config->'n'->>'value')::int as n`.execute(app.db)
    await app.metrics.append({
      facts: rows.map(({ id, n }) => ({
        projectId,
        experimentId: id,
        facts: [{ key: 'config.n', number: n, text: null }],
        removedKeys: [],
      })),
    })
  }, 120_000)

  test('all that match a filter go together, or none', async () => {
    const from = { team: team.slug, project: 'many' }
    const rest = { filters: [{ column: 'config.n', op: 'gt' as const, value: 5 }] }
    // One of them belongs to somebody else.
    const { userId } = await actorOf(team.mate)
    await app.db.updateTable('experiments').set({ created_by: userId! }).where('slug', '=', 'e777').execute()
    const to = { team: team.member.username, project: 'all mine' }
    await expect(team.member.experiments.move({ from: { ...from, ...rest }, to })).rejects.toMatchObject({
      code: 'policy_denied',
    })
    expect((await team.member.experiments.query({ ...from, limit: 1 })).total).toBe(count)

    const heap = process.memoryUsage().heapUsed
    const started = Date.now()
    const result = await team.member.experiments.move({ from: { ...from, ...rest }, to, skipDenied: true })
    process.stdout.write(
      `moved ${result.moved} in ${Date.now() - started} ms, heap +${Math.round((process.memoryUsage().heapUsed - heap) / 1e6)} MB\n`,
    )
    expect(result).toMatchObject({ moved: count - 6, skipped: 1 })
    expect(await slugsIn(team.member, team.slug, 'many')).toEqual(['e1', 'e2', 'e3', 'e4', 'e5', 'e777'])
    const there = { team: team.member.username, project: 'all mine' }
    expect((await team.member.experiments.query({ ...there, limit: 1 })).total).toBe(count - 6)
    expect((await team.member.experiments.query({ ...there, ...rest, limit: 1 })).total).toBe(count - 6)
    expect((await team.member.experiments.query({ ...from, ...rest, limit: 1 })).total).toBe(1)
    expect((await team.member.audit.verify({ team: team.member.username })).ok).toBe(true)
  }, 60_000)

  test('more than can be held at once are refused with the way out', async () => {
    await expect(
      team.member.experiments.move({
        experimentIds: Array.from({ length: 20_001 }, () => newId()),
        to: { team: team.slug, project: 'x' },
      }),
    ).rejects.toMatchObject({ code: 'invalid' })
  })
})
