import { Readable } from 'node:stream'
import type { Filter } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../lib/ids.ts'
import { openBench, type Bench } from './testing.ts'

let bench: Bench
let team: Awaited<ReturnType<Bench['aTeam']>>
beforeAll(async () => {
  bench = await openBench()
  team = await bench.aTeam()
})
afterAll(() => bench.close())

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('who may look', () => {
  test('a stranger sees no list, no experiment, no curve; in the words for what does not exist', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    const { experiments } = bench
    const missing = { team: 'nobody', project: 'nothing', slug: 'none' }
    for (const place of [ref, missing])
      for (const refused of [
        () => experiments.query(team.stranger, place),
        () => experiments.columns(team.stranger, { ...place, limit: 10 }),
        () => experiments.get(team.stranger, place),
        () => experiments.media(team.stranger, { ...place, keys: ['a'], limit: 1 }),
        () => experiments.console(team.stranger, { ...place, limit: 1 }),
        () => experiments.files(team.stranger, place),
        () => experiments.alerts(team.stranger, { team: place.team, limit: 1 }),
        () => experiments.change(team.stranger, { ...place, notes: 'x' }),
        () => experiments.stop(team.stranger, place),
        () => experiments.delete(team.stranger, place),
      ])
        await expect(refused()).rejects.toThrow('No such thing, or it is not yours to see')
    expect(await experiments.findById(team.stranger, id)).toBeUndefined()
    expect(await experiments.findById(team.viewer, 'no uuid')).toBeUndefined()
  })

  test('curves and keys of several experiments need all of them to be readable', async () => {
    const mine = await bench.anExperiment(team.member)
    const other = await bench.aTeam()
    const theirs = await bench.anExperiment(other.member)
    for (const ids of [[mine.id, theirs.id], [theirs.id], [mine.id, newId()]]) {
      await expect(bench.experiments.keys(team.member, { experimentIds: ids })).rejects.toEqual(
        code('not_found'),
      )
      await expect(curves(ids)).rejects.toEqual(code('not_found'))
    }
    await expect(curves([mine.id, mine.id])).resolves.toEqual([])
  })

  test('a viewer sees everything and changes nothing', async () => {
    const { ref } = await bench.anExperiment(team.member)
    await expect(bench.experiments.get(team.viewer, ref)).resolves.toMatchObject({ slug: ref.slug })
    await expect(bench.experiments.files(team.viewer, ref)).resolves.toEqual([])
    for (const refused of [
      () => bench.experiments.change(team.viewer, { ...ref, notes: 'x' }),
      () => bench.experiments.stop(team.viewer, ref),
      () => bench.experiments.delete(team.viewer, ref),
    ])
      await expect(refused()).rejects.toEqual(code('forbidden'))
  })

  test('a member writes notes on another’s experiment, but neither renames nor deletes it', async () => {
    const { ref } = await bench.anExperiment(team.member, { name: 'mine' })
    const noted = await bench.experiments.change(team.mate, { ...ref, notes: 'good', tags: ['best'] })
    expect(noted).toMatchObject({ notes: 'good', tags: ['best'], name: 'mine' })
    await expect(bench.experiments.change(team.mate, { ...ref, name: 'yours' })).rejects.toEqual(
      code('forbidden'),
    )
    await expect(bench.experiments.delete(team.mate, ref)).rejects.toMatchObject({ code: 'policy_denied' })
    await bench.experiments.delete(team.member, ref)
    await expect(bench.experiments.get(team.member, ref)).rejects.toEqual(code('not_found'))
  })
})

describe('the table', () => {
  const project = 'table'
  const ids: string[] = []
  beforeAll(async () => {
    for (let index = 0; index < 6; index++) {
      const { id, ref } = await bench.anExperiment(index % 2 ? team.mate : team.member, {
        project,
        slug: `s${index}`,
        name: `Name ${index}`,
        tags: index < 2 ? ['base', 'a|b'] : [],
        notes: index === 3 ? 'Look at me' : '',
        group: index < 3 ? 'first' : undefined,
        config: {
          lr: { value: index / 10 },
          opt: { value: { name: index % 2 ? 'adam' : 'sgd' } },
          deep: { value: index === 0 },
          _wandb: { value: { secret: 1 } },
        },
      })
      ids.push(id)
      await bench.experiments.append(index % 2 ? team.mate : team.member, ref, {
        summary: { acc: index === 5 ? NaN : 1 - index / 10, 'val/f1': index, _wandb: { runtime: 1 } },
        ...(index === 4 ? { complete: { exitCode: 1 } } : {}),
      })
    }
  })

  const query = (input: Partial<Parameters<Bench['experiments']['query']>[1]> = {}) =>
    bench.experiments.query(team.viewer, { team: team.slug, project, ...input })
  const found = async (filters: Filter[], search?: string) => {
    const { rows, total } = await query({ filters, search, sort: [{ column: 'created_at' }] })
    expect(total).toBe(rows.length)
    return rows.map((row) => Number(row.slug.slice(1)))
  }

  test('is newest first and pages without gaps', async () => {
    const first = await query({ limit: 4 })
    const second = await query({ limit: 4, offset: 4 })
    expect(first.total).toBe(6)
    expect([...first.rows, ...second.rows].map((row) => row.id)).toEqual(ids.toReversed())
    expect((await query({ offset: 100 })).rows).toEqual([])
  })

  test.each<[why: string, filters: Filter[], expected: number[]]>([
    ['a number', [{ column: 'config.lr', op: 'gt', value: 0.2 }], [3, 4, 5]],
    ['a number typed as text', [{ column: 'config.lr', op: 'eq', value: '0.2' }], [2]],
    ['nested text', [{ column: 'config.opt.name', op: 'eq', value: 'adam' }], [1, 3, 5]],
    ['a truth value', [{ column: 'config.deep', op: 'eq', value: true }], [0]],
    [
      'not-a-number, which compares with nothing',
      [{ column: 'summary.acc', op: 'lte', value: 2 }],
      [0, 1, 2, 3, 4],
    ],
    ['not-a-number by its name', [{ column: 'summary.acc', op: 'eq', value: 'NaN' }], [5]],
    ['a key with a slash', [{ column: 'summary.val/f1', op: 'in', value: [0, 5] }], [0, 5]],
    ['a state', [{ column: 'state', op: 'ne', value: 'running' }], [4]],
    ['a tag', [{ column: 'tags', op: 'eq', value: 'base' }], [0, 1]],
    ['a tag with our separator in it', [{ column: 'tags', op: 'eq', value: 'a|b' }], [0, 1]],
    ['no tag', [{ column: 'tags', op: 'missing' }], [2, 3, 4, 5]],
    ['no group', [{ column: 'group', op: 'missing' }], [3, 4, 5]],
    ['part of a name', [{ column: 'name', op: 'contains', value: 'nAmE 4' }], [4]],
    ['an expression', [{ column: 'slug', op: 'regex', value: '^s[12]$' }], [1, 2]],
    ['a time', [{ column: 'created_at', op: 'lt', value: '2000-01-01' }], []],
    [
      'two at once',
      [
        { column: 'config.opt.name', op: 'eq', value: 'sgd' },
        { column: 'group', op: 'exists' },
      ],
      [0, 2],
    ],
    ['our own notes, which are no keys', [{ column: 'config._wandb.secret', op: 'exists' }], []],
  ])('is filtered by %s', async (_why, filters, expected) => {
    expect(await found(filters)).toEqual(expected)
  })

  test('is searched in names, ids, tags and notes, by text or by an expression', async () => {
    expect(await found([], 'look')).toEqual([3])
    expect(await found([], 'BASE')).toEqual([0, 1])
    expect(await found([], '/Name [45]/')).toEqual([4, 5])
    expect(await found([], 's5')).toEqual([5])
    expect(await found([], 'nothing like it')).toEqual([])
  })

  test('is sorted by any column, with those that lack it last', async () => {
    const sorted = async (column: string, descending: boolean) =>
      (await query({ sort: [{ column, descending }] })).rows.map((row) => Number(row.slug.slice(1)))
    expect(await sorted('config.lr', true)).toEqual([5, 4, 3, 2, 1, 0])
    expect(await sorted('name', false)).toEqual([0, 1, 2, 3, 4, 5])
    expect(new Set((await sorted('group', false)).slice(0, 3))).toEqual(new Set([0, 1, 2]))
    expect((await sorted('created_at', false))[0]).toBe(0)
    const creators = (
      await query({ sort: [{ column: 'creator' }, { column: 'config.lr', descending: true }] })
    ).rows
    expect(creators.slice(0, 3).map((row) => row.createdBy.username)).toEqual(
      Array(3).fill([team.member.username, team.mate.username].toSorted()[0]),
    )
  })

  test('brings the asked values along, and only those', async () => {
    const columns = [
      'config.lr',
      'config.opt.name',
      'summary.val/f1',
      'summary.acc',
      'tags',
      'config.none',
      'state',
    ]
    const { rows } = await query({ columns, filters: [{ column: 'slug', op: 'in', value: ['s5', 's0'] }] })
    expect(rows.map((row) => row.values)).toEqual([
      {
        'config.lr': 0.5,
        'config.opt.name': 'adam',
        'summary.val/f1': 5,
        'summary.acc': 'NaN',
        tags: [],
        state: 'running',
      },
      {
        'config.lr': 0,
        'config.opt.name': 'sgd',
        'summary.val/f1': 0,
        'summary.acc': 1,
        tags: ['base', 'a|b'],
        state: 'running',
      },
    ])
  })

  test('tells which columns there are', async () => {
    const columns = await bench.experiments.columns(team.viewer, { team: team.slug, project, limit: 100 })
    expect(columns).toContainEqual({ column: 'config.opt.name', experiments: 6, numeric: false })
    expect(columns).toContainEqual({ column: 'summary.val/f1', experiments: 6, numeric: true })
    expect(
      columns.every(({ column }) => /^(config|summary)\./.test(column) && !column.includes('_wandb')),
    ).toBe(true)
    const searched = await bench.experiments.columns(team.viewer, {
      team: team.slug,
      project,
      search: 'OPT',
      limit: 100,
    })
    expect(searched.map(({ column }) => column)).toEqual(['config.opt.name'])
  })

  test('refuses what makes no sense with a sentence', async () => {
    for (const filters of [
      [{ column: 'nonsense', op: 'eq', value: 1 }],
      [{ column: 'config.lr', op: 'eq' }],
      [{ column: 'config.lr', op: 'gt', value: [1] }],
      [{ column: 'name', op: 'regex', value: '(' }],
      [{ column: 'created_at', op: 'gt', value: 'yesterday-ish' }],
    ] as Filter[][])
      await expect(query({ filters })).rejects.toEqual(code('invalid'))
    await expect(query({ sort: [{ column: 'config.' }] })).rejects.toEqual(code('invalid'))
    await expect(query({ search: '/(/' })).rejects.toEqual(code('invalid'))
  })

  test('drops a deleted experiment at once', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project, config: { lr: { value: 99 } } })
    const filters: Filter[] = [{ column: 'config.lr', op: 'eq', value: 99 }]
    expect((await query({ filters })).total).toBe(1)
    await bench.experiments.remove(team.member, id)
    expect(await query({ filters })).toEqual({ rows: [], total: 0 })
    expect((await query()).total).toBe(6)
    await expect(bench.experiments.get(team.member, ref)).rejects.toEqual(code('not_found'))
  })

  test('its facts are exactly what Postgres says, and can be made again from it', async () => {
    const guard = (await bench.teams.findProject(team.id, project))!
    const all = await everything(guard.id)
    // As a lost disk and a restored backup would leave it: one without facts, one with a wrong one, one that is gone.
    await bench.metrics.forget([ids[0]!])
    await bench.metrics.append({
      facts: [
        {
          projectId: guard.id,
          experimentId: ids[1]!,
          facts: [
            { key: 'config.lr', number: 5, text: null },
            { key: 'config.stale', number: 5, text: null },
          ],
          removedKeys: [],
        },
        {
          projectId: guard.id,
          experimentId: newId(),
          facts: [{ key: 'name', number: null, text: 'x' }],
          removedKeys: [],
        },
      ],
    })
    expect(await everything(guard.id)).not.toEqual(all)
    expect(await bench.experiments.rebuildFacts(guard.id)).toBe(6)
    expect(await everything(guard.id)).toEqual(all)
  })

  /** Every key with its number of holders, and the order by every key, which a wrong value would change. */
  async function everything(projectId: string) {
    const keys = await bench.metrics.factKeys({ projectIds: [projectId], limit: 10_000 })
    const orders = await Promise.all(
      keys.map(async ({ key }) => {
        const { experimentIds } = await bench.metrics.find({
          projectIds: [projectId],
          filter: null,
          sort: [{ key, descending: false }],
          offset: 0,
          limit: 100,
        })
        return [key, experimentIds] as const
      }),
    )
    return { keys: keys.toSorted((a, b) => (a.key < b.key ? -1 : 1)), orders: Object.fromEntries(orders) }
  }
})

describe('one experiment', () => {
  test('shows keys, curves, console and media with urls', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    const image = { _type: 'image-file', path: 'media/images/a 1.png', caption: 'one' }
    await bench.experiments.append(team.member, ref, {
      history: {
        offset: 0,
        lines: [0, 1, 2].map((step) =>
          JSON.stringify({ _step: step, loss: step, image, missing: { ...image, path: 'b.png' } }),
        ),
      },
      system: { offset: 0, lines: ['{"system.cpu": 5, "_runtime": 3}'] },
      console: {
        offset: 0,
        lines: [
          { timeMs: 1000, level: 'info', label: '', text: 'epoch 1' },
          { timeMs: null, level: 'error', label: 'w', text: 'epoch 2' },
        ],
      },
    })
    await bench.experiments.storeFile(id, 'media/images/a 1.png', Readable.from([Buffer.from('png')]))

    const keys = await bench.experiments.keys(team.viewer, { experimentIds: [id] })
    expect(keys).toContainEqual({
      key: 'loss',
      stream: 'history',
      kind: 'number',
      type: 'number',
      count: 3,
      lastStep: 2,
    })
    expect(keys).toContainEqual({
      key: 'image',
      stream: 'history',
      kind: 'object',
      type: 'image-file',
      count: 3,
      lastStep: 2,
    })
    expect(
      (await bench.experiments.keys(team.viewer, { experimentIds: [id], stream: 'system' })).map(
        (k) => k.key,
      ),
    ).toEqual(['system.cpu'])
    const [cpu] = await curves([id], ['system.cpu'], { stream: 'system', x: 'runtime' })
    expect(cpu).toMatchObject({ x: [3], y: [5] })
    expect(await curves([id], ['loss'], { from: 1, to: 2, pointsMax: 3 })).toMatchObject([
      { x: [1, 2], y: [1, 2] },
    ])

    const media = await bench.experiments.media(team.viewer, {
      ...ref,
      keys: ['image'],
      stepFrom: 1,
      stepTo: 1,
      limit: 10,
    })
    expect(media).toMatchObject([
      { key: 'image', step: 1, timestampSeconds: null, type: 'image-file', value: image },
    ])
    const url = new URL(media[0]!.files[0]!.url)
    expect(url.origin).toBe(team.viewer.origin)
    expect(bench.signed.open(url.pathname.split('/')[2]!)).toMatchObject({
      do: 'get',
      mediaType: 'image/png',
    })
    const [pending] = await bench.experiments.media(team.viewer, { ...ref, keys: ['missing'], limit: 1 })
    expect(pending!.files).toEqual([{ path: 'b.png', url: '', caption: 'one' }])

    expect(await bench.experiments.console(team.viewer, { ...ref, limit: 10 })).toEqual({
      total: 2,
      lines: [
        { line: 0, time: '1970-01-01T00:00:01.000Z', level: 'info', label: '', text: 'epoch 1' },
        { line: 1, time: null, level: 'error', label: 'w', text: 'epoch 2' },
      ],
    })
    const searched = await bench.experiments.console(team.viewer, {
      ...ref,
      search: 'EPOCH 2',
      last: true,
      limit: 1,
    })
    expect(searched).toMatchObject({ total: 1, lines: [{ line: 1 }] })
    expect(await bench.experiments.get(team.viewer, ref)).toMatchObject({
      historyLines: 3,
      consoleLines: 2,
      files: 1,
    })
  })

  test('of an older client takes its environment from the file it uploads', async () => {
    const { ref, id } = await bench.anExperiment(team.member)
    const metadata = '{"program": "old.py", "python": "3.8", "cpu_freq": NaN}'
    await bench.experiments.storeFile(id, 'wandb-metadata.json', Readable.from([Buffer.from(metadata)]))
    const details = await bench.experiments.get(team.viewer, ref)
    expect(details).toMatchObject({ command: 'python old.py', environment: { python: '3.8' } })
  })

  test('a console line that is overwritten shows its newest text', async () => {
    const { ref } = await bench.anExperiment(team.member)
    for (const text of ['10 %', '50 %', '100 %'])
      await bench.experiments.append(team.member, ref, {
        console: { offset: 0, lines: [{ timeMs: null, level: 'info', label: '', text }] },
      })
    const { lines, total } = await bench.experiments.console(team.mate, { ...ref, limit: 10 })
    expect({ texts: lines.map((line) => line.text), total }).toEqual({ texts: ['100 %'], total: 1 })
  })

  test('alerts are kept once within the time they ask for', async () => {
    const { ref, id } = await bench.anExperiment(team.member, { project: 'alerts' })
    const alert = { title: 'Loss is NaN', text: 'step 3', level: 'error', waitSeconds: 60 } as const
    await expect(bench.experiments.addAlert(team.mate, ref, alert)).rejects.toEqual(code('forbidden'))
    await Promise.all([1, 2, 3].map(() => bench.experiments.addAlert(team.member, ref, alert)))
    bench.time.now += 61_000
    await bench.experiments.addAlert(team.member, ref, alert)
    bench.time.now += 1
    await bench.experiments.addAlert(team.member, ref, { ...alert, title: 'Other' })
    const first = await bench.experiments.alerts(team.viewer, {
      team: team.slug,
      project: 'ALERTS',
      limit: 2,
    })
    expect(first.items.map((item) => item.title)).toEqual(['Other', 'Loss is NaN'])
    expect(first.items[0]).toMatchObject({
      level: 'error',
      experiment: { slug: ref.slug, project: 'alerts' },
    })
    const rest = await bench.experiments.alerts(team.viewer, {
      team: team.slug,
      experiment: ref.slug,
      limit: 2,
      cursor: first.nextCursor!,
    })
    expect(rest).toMatchObject({ items: [{ title: 'Loss is NaN' }], nextCursor: null })
    await bench.experiments.remove(team.member, id)
    expect(
      (await bench.experiments.alerts(team.viewer, { team: team.slug, project: 'alerts', limit: 9 })).items,
    ).toEqual([])
  })
})

function curves(
  experimentIds: string[],
  keys = ['loss'],
  more: Partial<Parameters<Bench['experiments']['curves']>[1]> = {},
) {
  return bench.experiments.curves(team.member, {
    experimentIds,
    keys,
    stream: 'history',
    x: 'step',
    from: null,
    to: null,
    pointsMax: 100,
    ...more,
  })
}

test('names with a NUL character are names of nothing, and an expression the engine lacks is refused', async () => {
  const { ref } = await bench.anExperiment(team.member)
  const { experiments } = bench
  const nul = { ...ref, slug: 'a\0b' }
  for (const refused of [
    () => experiments.get(team.member, nul),
    () => experiments.console(team.member, { ...nul, limit: 1 }),
    () => experiments.resolve(team.member, { ref: 'a\0b' }),
    () => experiments.append(team.member, nul, {}),
    () => experiments.upsert(team.member, { slug: 'a\0b' }),
    () => experiments.status(team.member, { scope: 'mine', show: 'active', limit: 1, cursor: '\0' }),
    () => experiments.query(team.member, { ...ref, search: '/(?=a)/' }),
    () =>
      experiments.query(team.member, { ...ref, filters: [{ column: 'name', op: 'regex', value: '(a)\\1' }] }),
  ])
    await expect(refused()).rejects.toMatchObject({ code: expect.stringMatching(/^(invalid|not_found)$/) })
  await expect(experiments.query(team.member, { ...ref, search: 'a\0b' })).resolves.toMatchObject({
    total: 0,
  })
})
