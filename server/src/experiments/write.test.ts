import { GridError, type ExperimentState } from '@teamgrid/api'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { openBench, type Bench } from './testing.ts'
import type { StreamChunk } from './types.ts'

let bench: Bench
let team: Awaited<ReturnType<Bench['aTeam']>>
beforeAll(async () => {
  bench = await openBench()
})
beforeEach(async () => {
  team = await bench.aTeam()
  bench.trouble.append = undefined
})
afterAll(() => bench.close())

const code = (expected: string) => expect.objectContaining({ code: expected })
const history = (offset: number, ...rows: object[]): StreamChunk => ({
  history: { offset, lines: rows.map((row) => JSON.stringify(row)) },
})

describe('who may log', () => {
  test('a stranger is told which teams there are for them, and not whether this one exists', async () => {
    const refused = bench.experiments.upsert(team.stranger, { team: team.slug, project: 'digits' })
    await expect(refused).rejects.toEqual(code('not_found'))
    const own = await bench.aTeam()
    const lost = bench.experiments.upsert(own.member, { team: team.slug })
    await expect(lost).rejects.toThrow(`You may write to ${own.slug}`)
    const nowhere = bench.experiments.upsert(own.member, { team: 'no-such-team' })
    await expect(nowhere).rejects.toThrow('There is no team "no-such-team"')
  })

  test('somebody who names no team and has none is asked for one', async () => {
    await expect(bench.experiments.upsert(team.stranger, {})).rejects.toEqual(code('invalid'))
  })

  test('a viewer can begin nothing, not even a project', async () => {
    await expect(bench.experiments.upsert(team.viewer, { project: 'new' })).rejects.toEqual(code('forbidden'))
    await bench.anExperiment(team.member)
    await expect(bench.experiments.upsert(team.viewer, { project: 'digits' })).rejects.toEqual(
      code('forbidden'),
    )
    expect(await bench.teams.findProject(team.id, 'new')).toBeUndefined()
  })

  test('only its owner and admins log to an experiment', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    for (const refused of [
      () => bench.experiments.append(team.mate, ref, {}),
      () => bench.experiments.upsert(team.mate, { team: ref.team, project: ref.project, slug: ref.slug }),
      () => bench.experiments.upsert(team.mate, { id, notes: 'mine now' }),
      () => bench.experiments.append(team.viewer, ref, {}),
    ])
      await expect(refused()).rejects.toEqual(code('forbidden'))
    await expect(bench.experiments.append(team.stranger, ref, {})).rejects.toEqual(code('not_found'))
    await expect(bench.experiments.upsert(team.stranger, { id })).rejects.toEqual(code('not_found'))
    await expect(bench.experiments.append(team.admin, ref, {})).resolves.toEqual({ stopRequested: false })
  })

  test('a deleted experiment takes nothing more, and its name is free again', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { slug: 'again' })
    await bench.experiments.remove(team.member, id)
    await expect(bench.experiments.append(team.member, ref, history(0, { a: 1 }))).rejects.toEqual(
      code('not_found'),
    )
    await expect(bench.experiments.upsert(team.member, { id })).rejects.toEqual(code('not_found'))
    const again = await bench.experiments.upsert(team.member, { project: 'digits', slug: 'again' })
    expect(again).toMatchObject({ inserted: true, experiment: { historyLines: 0 } })
  })

  test('names that cannot stand in a url are refused with the rule', async () => {
    for (const slug of ['', 'a/b', '..', ' a', 'a\nb', 'x'.repeat(129)])
      await expect(bench.experiments.upsert(team.member, { slug })).rejects.toEqual(code('invalid'))
    for (const slug of ['x'.repeat(128), 'run 1: lr=0.1 %', 'λ-бег'])
      await expect(bench.experiments.upsert(team.member, { slug })).resolves.toMatchObject({
        experiment: { slug },
      })
    await expect(bench.experiments.upsert(team.member, { project: 'a/b' })).rejects.toEqual(code('invalid'))
  })

  test('a line number beyond the store is refused before anything is written', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    for (const offset of [-1, 1.5, 2 ** 32])
      await expect(bench.experiments.append(team.member, ref, history(offset, { a: 1 }))).rejects.toEqual(
        code('invalid'),
      )
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ historyLines: 0 })
  })
})

describe('beginning', () => {
  test('what is not named is invented: project, id and a readable name with a number', async () => {
    const { experiment, inserted } = await bench.experiments.upsert(team.member, {})
    expect(inserted).toBe(true)
    expect(experiment).toMatchObject({ projectName: 'uncategorized', teamSlug: team.slug, state: 'running' })
    expect(experiment.slug).toMatch(/^[a-z0-9]{8}$/)
    expect(experiment.name).toMatch(/^[a-z]+-[a-z]+-1$/)
    const second = await bench.experiments.upsert(team.member, {})
    expect(second.experiment.name).toMatch(/-2$/)
  })

  test('team and project are found in any case and answered in their own', async () => {
    await bench.anExperiment(team.member, { project: 'Digits' })
    const { experiment } = await bench.experiments.upsert(team.member, {
      team: team.slug.toUpperCase(),
      project: 'dIGITS',
    })
    expect(experiment).toMatchObject({ teamSlug: team.slug, projectName: 'Digits' })
    const ref = { team: team.slug.toLowerCase(), project: 'digits', slug: experiment.slug }
    expect(await bench.experiments.find(team.mate, ref)).toMatchObject({ id: experiment.id })
    expect(await bench.experiments.find(team.stranger, ref)).toBeUndefined()
  })

  test('many first calls at once make one experiment and one project', async () => {
    const calls = await Promise.all(
      Array.from({ length: 8 }, () =>
        bench.experiments.upsert(team.member, { project: 'raced', slug: 'one' }),
      ),
    )
    expect(new Set(calls.map(({ experiment }) => experiment.id)).size).toBe(1)
    expect(calls.filter(({ inserted }) => inserted)).toHaveLength(1)
  })

  test('what is not given is left alone; what is given is replaced whole', async () => {
    const { id } = await bench.anExperiment(team.member, {
      name: 'first',
      notes: 'n',
      tags: ['a', 'b', 'a'],
      group: 'g',
      config: { lr: { value: 0.1 }, gone: { value: 1 } },
    })
    const { experiment, inserted } = await bench.experiments.upsert(team.member, {
      id,
      config: { lr: { value: NaN }, text: { value: 'nul\0' } },
    })
    expect(inserted).toBe(false)
    expect(experiment).toMatchObject({ name: 'first', notes: 'n', tags: ['a', 'b'], group: 'g' })
    expect(experiment.config).toEqual({ lr: { value: 'NaN' }, text: { value: 'nul' } })
    const cleared = await bench.experiments.upsert(team.member, { id, tags: [], notes: '' })
    expect(cleared.experiment).toMatchObject({ tags: [], notes: '', name: 'first' })
  })

  test('several processes of one experiment keep each other’s environment', async () => {
    const config = (writer: string) => ({
      lr: { value: 1 },
      _wandb: { value: { t: {}, e: { [writer]: { host: writer } } } },
    })
    const { id } = await bench.anExperiment(team.member, { config: config('a'), shared: true })
    const { experiment } = await bench.experiments.upsert(team.member, {
      id,
      config: config('b'),
      shared: true,
    })
    expect(experiment.config['_wandb']).toEqual({
      value: { t: {}, e: { a: { host: 'a' }, b: { host: 'b' } } },
    })
  })

  test('a service account works for a member, or for itself', async () => {
    const forMember: Actor = {
      ...team.service,
      attributedTo: { userId: team.member.userId!, username: team.member.username, name: team.member.name },
    }
    const { experiment } = await bench.experiments.upsert(forMember, {})
    expect(experiment).toMatchObject({
      createdBy: { username: team.member.username },
      via: { username: team.service.username },
    })
    const ref = { team: team.slug, project: experiment.projectName, slug: experiment.slug }
    await expect(bench.experiments.append(forMember, ref, {})).resolves.toBeDefined()
    await expect(bench.experiments.append(team.member, ref, {})).resolves.toBeDefined()
    const alone = await bench.experiments.upsert(team.service, {})
    expect(alone.experiment).toMatchObject({ createdBy: { username: team.service.username }, via: null })
  })
})

describe('logging', () => {
  test('a line is kept as it came, its numbers become curves, and NaN is one of them', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    const lines = [
      '{"_step": 0, "_runtime": 1.5, "loss": NaN, "d": {"acc": 0.5}, "ok": true}',
      'this is no JSON',
      '{"_step": 2, "loss": 0.25, "img": {"_type": "image-file", "path": "media/images/a.png"}}',
    ]
    await bench.experiments.append(team.member, ref, { history: { offset: 0, lines } })
    const found = (await bench.experiments.findById(team.member, id))!
    expect(found).toMatchObject({ historyLines: 3, rewritten: false })
    const scanned = await bench.experiments.history(found, { stream: 'history', limit: 10 })
    expect(scanned.map((line) => line.raw)).toEqual(lines)
    const [curve] = await curvesOf(team.mate, id, ['loss'])
    expect(curve).toMatchObject({ x: [2], y: [0.25], nonFinite: [{ x: 0, value: 'NaN' }] })
    expect(await bench.experiments.tails(found)).toEqual({ historyTail: [lines[2]], systemTail: [] })
  })

  test('the counts that a resuming client starts from are one past the highest line', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    await bench.experiments.append(team.member, ref, {
      ...history(5, { _step: 5 }),
      system: { offset: 0, lines: ['{"system.cpu": 1}', '{"system.cpu": 2}'] },
      console: { offset: 2, lines: [{ timeMs: 0, level: 'info', label: '', text: 'hello' }] },
    })
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      historyLines: 6,
      systemLines: 2,
      consoleLines: 3,
    })
    await bench.experiments.append(team.member, ref, history(0, { _step: 0 }, { _step: 1 }))
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      historyLines: 6,
      rewritten: false,
    })
  })

  test('chunks in any order, cut anywhere, repeated and at once come out the same', async () => {
    const rows = Array.from({ length: 60 }, (_, step) => ({ _step: step, loss: 1 / (step + 1) }))
    const random = seeded(7)
    const expected = rows.map((row) => JSON.stringify(row))
    for (let round = 0; round < 4; round++) {
      const { ref, id } = await bench.anExperiment(team.member)
      const cut = () => Array.from({ length: 5 }, () => Math.floor(random() * 61)).toSorted((a, b) => a - b)
      const chunks = [cut(), cut()].flatMap((cuts) => {
        const ends = [0, ...cuts, 60]
        return ends.slice(1).map((end, index) => history(ends[index]!, ...rows.slice(ends[index], end)))
      })
      const shuffled = chunks
        .filter((chunk) => chunk.history!.lines.length > 0)
        .map((chunk) => ({ chunk, order: random() }))
        .toSorted((a, b) => a.order - b.order)
      await Promise.all(shuffled.map(({ chunk }) => bench.experiments.append(team.member, ref, chunk)))
      const found = (await bench.experiments.findById(team.member, id))!
      expect(found).toMatchObject({ historyLines: 60, rewritten: true })
      const lines = await bench.experiments.history(found, { stream: 'history', limit: 1000 })
      expect(lines.map((line) => line.raw)).toEqual(expected)
      const [curve] = await curvesOf(team.member, id, ['loss'])
      expect(curve!.y).toEqual(rows.map((row) => row.loss))
    }
  })

  test('the summary is replaced whole, and what it says can be searched at once', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project: 'summaries' })
    await bench.experiments.append(team.member, ref, {
      summary: { acc: 0.5, old: 1, nested: { f1: Infinity } },
    })
    expect(await idsWhere({ column: 'summary.acc', op: 'gt', value: 0.4 }, 'summaries')).toEqual([id])
    await bench.experiments.append(team.member, ref, { summary: { acc: 0.9, nul: 'a\0b' } })
    expect((await bench.experiments.findById(team.member, id))!.summary).toEqual({ acc: 0.9, nul: 'ab' })
    expect(await idsWhere({ column: 'summary.acc', op: 'gte', value: 0.9 }, 'summaries')).toEqual([id])
    expect(await idsWhere({ column: 'summary.old', op: 'exists' }, 'summaries')).toEqual([])
  })

  test('an empty message is a sign of life', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    bench.time.now += 60_000
    await bench.experiments.append(team.member, ref, {})
    const found = await bench.experiments.findById(team.member, id)
    expect(found!.heartbeatAt.getTime()).toBe(bench.time.now)
  })

  test('browsers hear what changed', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    bench.heard.length = 0
    await bench.experiments.append(team.member, ref, {
      ...history(0, { a: 1 }),
      console: { offset: 0, lines: [{ timeMs: null, level: 'error', label: '', text: 'oh' }] },
      complete: { exitCode: 0 },
    })
    expect(bench.heard.map((message) => message.type).toSorted()).toEqual([
      'console.written',
      'experiment.changed',
      'experiment.logged',
    ])
    expect(bench.heard.every((message) => 'experimentId' in message && message.experimentId === id)).toBe(
      true,
    )
  })
})

describe('when stores are away', () => {
  const away = new GridError('unavailable', 'The metric engine does not answer.', { retryAfterSeconds: 2 })

  test('nothing is acknowledged, and sending it again stores it once', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project: 'away' })
    const chunk = { ...history(0, { _step: 0, loss: 1 }), summary: { loss: 1 }, complete: { exitCode: 0 } }
    bench.trouble.append = away
    await expect(bench.experiments.append(team.member, ref, chunk)).rejects.toEqual(code('unavailable'))
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'running' })
    bench.trouble.append = undefined
    await bench.experiments.append(team.member, ref, chunk)
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: 'finished',
      historyLines: 1,
    })
    expect(await curvesOf(team.member, id, ['loss'])).toMatchObject([{ x: [0], y: [1] }])
    expect(await idsWhere({ column: 'summary.loss', op: 'eq', value: 1 }, 'away')).toEqual([id])
  })

  test('facts that did not get through are written by the next message or step of the loop', async () => {
    const first = await bench.anExperiment(team.member, { project: 'facts' })
    const second = await bench.anExperiment(team.member, { project: 'facts' })
    bench.trouble.append = away
    for (const { ref } of [first, second])
      await expect(bench.experiments.append(team.member, ref, { summary: { f: 7 } })).rejects.toEqual(
        code('unavailable'),
      )
    bench.trouble.append = undefined
    await bench.experiments.append(team.member, first.ref, {})
    expect(await idsWhere({ column: 'summary.f', op: 'eq', value: 7 }, 'facts')).toEqual([first.id])
    await bench.experiments.sweepCrashed()
    expect(await idsWhere({ column: 'summary.f', op: 'eq', value: 7 }, 'facts')).toEqual([
      second.id,
      first.id,
    ])
  })

  test('a new process writes the facts that the old one could not', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project: 'restart' })
    bench.trouble.append = away
    const lost = bench.experiments.append(team.member, ref, { summary: { f: 7 } })
    await expect(lost).rejects.toEqual(code('unavailable'))
    bench.trouble.append = undefined
    await bench.restarted().append(team.member, ref, {})
    expect(await idsWhere({ column: 'summary.f', op: 'eq', value: 7 }, 'restart')).toEqual([id])
  })
})

describe('how it ends', () => {
  test.each<[exitCode: number, before: Partial<Record<'stop' | 'preempting', true>>, after: ExperimentState]>(
    [
      [0, {}, 'finished'],
      [0, { stop: true }, 'finished'],
      [0, { preempting: true }, 'finished'],
      [1, {}, 'failed'],
      [255, {}, 'failed'],
      [255, { stop: true }, 'killed'],
      [1, { stop: true }, 'killed'],
      [1, { preempting: true }, 'preempted'],
      [255, { preempting: true, stop: true }, 'preempted'],
    ],
  )('exit code %i after %j is %s', async (exitCode, before, after) => {
    const { ref, id } = await bench.anExperiment(team.member)
    if (before.preempting) await bench.experiments.append(team.member, ref, { preempting: true })
    if (before.stop) await bench.experiments.requestStop(team.member, id)
    const complete = { ...history(0, { a: 1 }), complete: { exitCode } }
    await bench.experiments.append(team.member, ref, complete)
    const endedAt = new Date(bench.time.now)
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: after,
      exitCode,
      endedAt,
    })
    // The last message may come twice; the end stays where it was.
    bench.time.now += 1000
    await bench.experiments.append(team.member, ref, complete)
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: after,
      exitCode,
      endedAt,
    })
  })

  test('one that is silent for five minutes crashed, and runs again when it speaks', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project: 'silent' })
    const heartbeatAt = new Date(bench.time.now)
    bench.time.now += 299_000
    await bench.experiments.sweepCrashed()
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'running' })
    bench.time.now += 2_000
    expect(await bench.experiments.sweepCrashed()).toBeGreaterThanOrEqual(1)
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: 'crashed',
      endedAt: heartbeatAt,
    })
    expect(await idsWhere({ column: 'state', op: 'eq', value: 'crashed' }, 'silent')).toEqual([id])
    await bench.experiments.append(team.member, ref, {})
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: 'running',
      endedAt: null,
    })
    expect(await idsWhere({ column: 'ended_at', op: 'missing' }, 'silent')).toEqual([id])
  })

  test('nobody crashed because the server was away', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    bench.time.now += 3_600_000
    const restarted = bench.restarted()
    bench.time.now += 299_000
    expect(await restarted.sweepCrashed()).toBe(0)
    await restarted.append(team.member, ref, {})
    bench.time.now += 301_000
    await restarted.sweepCrashed()
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'crashed' })
  })

  test('one that said it would be preempted is preempted when it falls silent', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    await bench.experiments.append(team.member, ref, { preempting: true })
    await bench.experiments.append(team.member, ref, {})
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'preempting' })
    bench.time.now += 301_000
    await bench.experiments.sweepCrashed()
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'preempted' })
  })

  test('a wish to stop reaches the script until it ends, and does not stop it when it is resumed', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    await bench.experiments.requestStop(team.mate, id)
    await bench.experiments.requestStop(team.mate, id)
    for (let beat = 0; beat < 2; beat++)
      expect(await bench.experiments.append(team.member, ref, {})).toEqual({ stopRequested: true })
    await bench.experiments.append(team.member, ref, { complete: { exitCode: 255 } })
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'killed' })
    expect(await bench.experiments.append(team.member, ref, {})).toEqual({ stopRequested: false })
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({
      state: 'running',
      exitCode: null,
    })
  })

  test('one that ended may be put back into waiting by its id, and not by beginning it again', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    await bench.experiments.append(team.member, ref, { complete: { exitCode: 1 } })
    const again = { team: ref.team, project: ref.project, slug: ref.slug, state: 'pending' as const }
    expect((await bench.experiments.upsert(team.member, again)).experiment.state).toBe('failed')
    const { experiment } = await bench.experiments.upsert(team.member, { id, state: 'pending' })
    expect(experiment).toMatchObject({ state: 'pending', exitCode: null, endedAt: null })
  })

  test('one that waits runs with its first message', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { state: 'pending' })
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'pending' })
    await bench.experiments.append(team.member, ref, {})
    expect(await bench.experiments.findById(team.member, id)).toMatchObject({ state: 'running' })
  })
})

async function curvesOf(actor: Actor, id: string, keys: string[]) {
  return await bench.experiments.curves(actor, {
    experimentIds: [id],
    keys,
    stream: 'history',
    x: 'step',
    from: null,
    to: null,
    pointsMax: 1000,
  })
}

async function idsWhere(
  filter: { column: string; op: 'eq' | 'gt' | 'gte' | 'exists' | 'missing'; value?: string | number },
  project: string,
): Promise<string[]> {
  const { rows } = await bench.experiments.query(team.member, { team: team.slug, project, filters: [filter] })
  return rows.map((row) => row.id)
}

/** A small linear congruential generator, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}
