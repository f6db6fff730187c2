/** What every engine behind the metric store must do. Run against chDB always, against a server when one is named. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../lib/ids.ts'
import type { Append, FactFilter, Line, MetricStore, SampleQuery } from './metric-types.ts'

export function metricStoreContract(name: string, open: () => Promise<MetricStore>): void {
  describe(`metric store on ${name}`, () => {
    let store: MetricStore
    beforeAll(async () => {
      store = await open()
    })
    afterAll(() => store.close())

    const sample = (query: Partial<SampleQuery>) =>
      store.sample({
        experimentIds: [],
        keys: ['loss'],
        stream: 'history',
        x: 'step',
        from: null,
        to: null,
        pointsMax: 100,
        rewritten: new Set(),
        ...query,
      })

    describe('refuses', () => {
      test('an odd, tiny or huge number of points', async () => {
        for (const pointsMax of [0, 1, 3, 10_002, Number.NaN])
          await expect(sample({ experimentIds: [newId()], pointsMax })).rejects.toMatchObject({
            code: 'invalid',
          })
      })

      test('ids, lines and steps that are none, without hurting others of the same group', async () => {
        const good = newId()
        const attempts = await Promise.allSettled([
          store.append({ lines: [line('x', 0, {})] }),
          store.append({ lines: [line(good, -1, {})] }),
          store.append({ lines: [line(good, 2 ** 32, {})] }),
          store.append({ lines: [{ ...line(good, 0, {}), step: 0.5 }] }),
          store.append({ lines: [line(good, 0, { loss: 1 })] }),
        ])
        expect(attempts.map((attempt) => attempt.status)).toEqual([
          'rejected',
          'rejected',
          'rejected',
          'rejected',
          'fulfilled',
        ])
        expect(await store.latest({ experimentId: good, stream: 'history', limit: 9 })).toHaveLength(1)
      })

      test('a regular expression that is none', async () => {
        const projectId = newId()
        await expect(find(projectId, { op: 'regex', key: 'name', value: '(' })).rejects.toMatchObject({
          code: 'invalid',
        })
      })

      test('nothing, when there is nothing', async () => {
        const id = newId()
        expect(await sample({ experimentIds: [id] })).toEqual([])
        expect(await sample({ experimentIds: [] })).toEqual([])
        expect(await store.keys({ experimentIds: [id] })).toEqual([])
        expect(await store.keys({ experimentIds: [] })).toEqual([])
        expect(await store.latest({ experimentId: id, stream: 'history', limit: 5 })).toEqual([])
        expect(await store.console({ experimentId: id, limit: 5 })).toEqual({ lines: [], total: 0 })
        expect(await find(id, null)).toEqual({ experimentIds: [], total: 0 })
        await store.append({})
        await store.forget([])
      })
    })

    test('lines sent in any chunks, any order and any number of times give the same answers', async () => {
      const lines = (id: string): Line[] =>
        Array.from({ length: 400 }, (_, index) => ({
          ...line(id, index, {
            loss: index % 50 === 7 ? Number.NaN : Math.round(Math.sin(index / 9) * 5),
            constant: 1,
            ...(index % 3 === 0 ? { rare: index % 60 === 0 ? -Infinity : index } : {}),
          }),
          step: index * 2,
          objects: Object.fromEntries(
            index % 20 === 0 ? [['text', { type: 'string', json: JSON.stringify(`n${index}`) }]] : [],
          ),
        }))
      const random = seeded(7)
      const answers = []
      for (let trial = 0; trial < 4; trial++) {
        const id = newId()
        const sent = lines(id)
        if (trial === 0) await store.append({ lines: sent })
        else {
          const repeated = [...sent, ...sent.filter(() => random() < 0.5)]
          repeated.sort(() => random() - 0.5)
          const chunks: Promise<void>[] = []
          while (repeated.length > 0) {
            chunks.push(store.append({ lines: repeated.splice(0, 1 + Math.floor(random() * 60)) }))
            if (random() < 0.5) await chunks.at(-1)
          }
          await Promise.all(chunks)
        }
        for (const rewritten of [new Set<string>(), new Set([id])])
          answers.push(
            JSON.parse(
              JSON.stringify([
                await sample({ experimentIds: [id], keys: ['loss', 'constant', 'rare'], rewritten }),
                await sample({ experimentIds: [id], keys: ['loss', 'constant'], pointsMax: 10, rewritten }),
                await sample({ experimentIds: [id], pointsMax: 20, from: 101, to: 600.5, rewritten }),
                await sample({ experimentIds: [id], pointsMax: 20, x: 'runtime', rewritten }),
                await sample({ experimentIds: [id], pointsMax: 20, x: { key: 'rare' }, rewritten }),
                await store.keys({ experimentIds: [id] }),
                await store.scan({
                  experimentId: id,
                  stream: 'history',
                  stepFrom: 100,
                  limit: 70,
                  rewritten: rewritten.size > 0,
                }),
                await store.latest({ experimentId: id, stream: 'history', limit: 33 }),
                await store.objects({ experimentId: id, keys: ['text'], limit: 7 }),
              ]).replaceAll(id, 'id'),
            ) as unknown,
          )
      }
      for (const answer of answers.slice(1)) expect(answer).toEqual(answers[0])
    })

    test('a replaced line replaces all of the old one, also keys that the new one lacks', async () => {
      const id = newId()
      await store.append({ lines: range(5).map((n) => line(id, n, { loss: n, old: n })) })
      await store.append({
        lines: [{ ...line(id, 2, { loss: 20 }), objects: { note: { type: 'string', json: '"new"' } } }],
      })
      await store.append({
        lines: [{ ...line(id, 3, {}), objects: { note: { type: 'string', json: '"x"' } } }],
      })
      await store.append({ lines: [line(id, 3, {})] })
      const rewritten = new Set([id])
      for (const pointsMax of [2, 100]) {
        const [loss, old] = await sample({ experimentIds: [id], keys: ['loss', 'old'], rewritten, pointsMax })
        expect(loss?.points).toBe(4)
        expect(Math.max(...loss!.y)).toBe(20)
        expect(old?.points).toBe(3)
      }
      const objects = await store.objects({ experimentId: id, keys: ['note'], limit: 9 })
      expect(objects.map((object) => object.json)).toEqual(['"new"'])
      const lines = await store.scan({
        experimentId: id,
        stream: 'history',
        stepFrom: 2,
        limit: 9,
        rewritten: true,
      })
      expect(lines.map(({ line: n, raw }) => [n, raw])).toEqual([
        [2, '{"loss":20}'],
        [3, '{}'],
        [4, '{"loss":4,"old":4}'],
      ])
    })

    test('numbers survive to the last bit, NaN and Infinity are told apart', async () => {
      const id = newId()
      const values = [0.1 + 0.2, -0, 5e-324, Number.MAX_VALUE, 1 / 3, -1e-7, 123456789.12345679, 2 ** 53 - 1]
      const odd = [Number.NaN, Infinity, -Infinity]
      await store.append({ lines: [...values, ...odd].map((loss, n) => line(id, n, { loss })) })
      const [curve] = await sample({ experimentIds: [id] })
      expect(curve!.y).toEqual(values)
      expect(curve!.nonFinite).toEqual([
        { x: 8, value: 'NaN' },
        { x: 9, value: 'Infinity' },
        { x: 10, value: '-Infinity' },
      ])
      const [thinned] = await sample({ experimentIds: [id], pointsMax: 2 })
      expect(thinned).toMatchObject({ y: [Number.MAX_VALUE, -1e-7], points: 11 })
      expect(thinned!.nonFinite).toHaveLength(2)
      expect(await store.keys({ experimentIds: [id] })).toMatchObject([{ lastNumber: -Infinity, count: 11 }])
    })

    test('a spike stays visible at every zoom and on every axis, and both ends are kept', async () => {
      const id = newId()
      const at = 3_333
      await store.append({
        lines: range(10_000).map((n) =>
          line(id, n, { loss: n === at ? 1e6 : n === at + 1 ? -1e6 : 0, up: n * 3 }),
        ),
      })
      for (const [from, to] of [
        [null, null],
        [0, 9_999],
        [3_000, 3_400],
        [3_333, 9_999],
        [100, 3_334],
      ] as const)
        for (const pointsMax of [2, 4, 6, 50, 1000])
          for (const x of ['step', 'runtime', 'timestamp', { key: 'up' }] as const) {
            const factor = x === 'step' ? 1 : typeof x === 'object' ? 3 : 0.5
            const offset = x === 'timestamp' ? 1_700_000_000 : 0
            const place = (n: number | null) => (n === null ? null : n * factor + offset)
            const [curve] = await sample({
              experimentIds: [id],
              x,
              from: place(from),
              to: place(to),
              pointsMax,
            })
            expect(curve!.x.length).toBeLessThanOrEqual(pointsMax)
            expect(curve!.x).toEqual([...curve!.x].sort((a, b) => a - b))
            expect(curve!.y[curve!.x.indexOf(place(at)!)]).toBe(1e6)
            if ((to ?? 1e9) > at) expect(Math.min(...curve!.y)).toBe(-1e6)
            expect(curve!.points).toBe((to ?? 9_999) - (from ?? 0) + 1)
            if (pointsMax > 2) {
              expect(curve!.x[0]).toBe(place(from ?? 0))
              expect(curve!.x.at(-1)).toBe(place(to ?? 9_999))
            }
          }
    })

    test('many experiments and keys come back in the asked order, absent ones left out', async () => {
      const ids = [newId(), newId(), newId()]
      await store.append({
        lines: ids.flatMap((id, n) =>
          range(200).map((index) => line(id, index, n === 1 ? { acc: index } : { loss: index, acc: n })),
        ),
      })
      const curves = await sample({
        experimentIds: [ids[2]!, ids[1]!, ids[0]!],
        keys: ['loss', 'acc'],
        pointsMax: 20,
      })
      expect(curves.map((curve) => [ids.indexOf(curve.experimentId), curve.key])).toEqual([
        [2, 'loss'],
        [2, 'acc'],
        [1, 'acc'],
        [0, 'loss'],
        [0, 'acc'],
      ])
    })

    test('keys of any characters and length are kept as they are', async () => {
      const id = newId()
      const keys = [
        'val/acc',
        'val.acc',
        'it\'s \\ "quoted" `tick`',
        'tab\tline\nnull\0end\r',
        '\n\n; DROP TABLE points; --',
        '__proto__',
        'constructor',
        'größe 损失 🙂',
        'x'.repeat(5_000),
        '{p0:String}',
        '\\N',
        ' ',
        '',
      ]
      const numbers = Object.fromEntries(keys.map((key, n) => [key, n]))
      Object.defineProperty(numbers, '__proto__', { value: 5, enumerable: true })
      await store.append({
        lines: [
          {
            ...line(id, 0, numbers),
            raw: keys.join(''),
            objects: Object.fromEntries(keys.slice(0, 5).map((key) => [key, { type: key, json: key }])),
          },
        ],
        console: [
          { experimentId: id, line: 0, timeMs: 5, level: 'error', label: keys[3]!, text: keys.join('') },
        ],
      })
      const curves = await sample({ experimentIds: [id], keys })
      expect(curves.map((curve) => [curve.key, curve.y])).toEqual(keys.map((key, n) => [key, [n]]))
      const known = await store.keys({ experimentIds: [id], stream: 'history' })
      expect(new Set(known.filter((info) => info.kind === 'number').map((info) => info.key))).toEqual(
        new Set(keys),
      )
      expect((await store.latest({ experimentId: id, stream: 'history', limit: 1 }))[0]!.raw).toBe(
        keys.join(''),
      )
      const objects = await store.objects({ experimentId: id, keys, limit: 99 })
      expect(new Set(objects.map(({ key, json, type }) => JSON.stringify([key, type, json])))).toEqual(
        new Set(keys.slice(0, 5).map((key) => JSON.stringify([key, key, key]))),
      )
      expect(await store.console({ experimentId: id, limit: 1 })).toEqual({
        lines: [{ line: 0, timeMs: 5, level: 'error', label: keys[3], text: keys.join('') }],
        total: 1,
      })
    })

    test('lines are picked evenly among those that have all of the keys', async () => {
      const id = newId()
      await store.append({
        lines: range(300).map((n) => ({
          ...line(id, n, {
            loss: n,
            ...(n % 3 === 0 ? { 'd.x': n, dd: 1 } : {}),
            ...(n % 10 === 0 ? { ten: n } : {}),
          }),
          step: n * 2,
          objects: Object.fromEntries(n % 5 === 0 ? [['text', { type: 'string', json: '"a"' }]] : []),
        })),
      })
      const pick = (query: object) =>
        store.pick({ experimentId: id, stream: 'history', keys: [], count: 100, rewritten: false, ...query })
      expect(await pick({ count: 3 })).toEqual([0, 100, 200])
      expect(await pick({ count: 1000 })).toEqual(range(300))
      expect(await pick({ count: 0 })).toEqual([])
      expect(await pick({ keys: ['loss', 'ten', 'text'] })).toEqual(range(30).map((n) => n * 10))
      expect(await pick({ keys: ['ten', 'd.x', 'ten'] })).toEqual(range(10).map((n) => n * 30))
      expect(await pick({ keys: ['d', 'text'], count: 4 })).toEqual([0, 75, 150, 225])
      expect(await pick({ keys: ['loss', 'never'] })).toEqual([])
      expect(await pick({ keys: ['ten'], stepFrom: 20, stepTo: 60 })).toEqual([10, 20])
      expect(await pick({ stepFrom: 594 })).toEqual([297, 298, 299])
      expect(await pick({ experimentId: newId() })).toEqual([])
      expect(await pick({ experimentId: newId(), keys: ['loss'] })).toEqual([])
      const at = (lines: number[]) => store.linesAt({ experimentId: id, stream: 'history', lines })
      expect(await at([])).toEqual([])
      expect((await at([7, 299, 300, 5])).map((found) => [found.line, found.step])).toEqual([
        [5, 10],
        [7, 14],
        [299, 598],
      ])
      // Replacing a line moves its step, and what it was before is not read.
      await store.append({ lines: [{ ...line(id, 10, { other: 1 }), step: 9_000 }] })
      expect(await pick({ stepFrom: 19, stepTo: 23, rewritten: true })).toEqual([11])
      expect(await pick({ stepFrom: 9_000, rewritten: true })).toEqual([10])
      expect(await at([10])).toEqual([{ line: 10, step: 9_000, raw: '{"other":1}' }])
      await expect(pick({ count: -1 })).rejects.toMatchObject({ code: 'invalid' })
    })

    test('streams of one experiment do not mix', async () => {
      const id = newId()
      await store.append({
        lines: [line(id, 0, { loss: 1 }), { ...line(id, 0, { loss: 2 }), stream: 'system' }],
      })
      expect((await sample({ experimentIds: [id], stream: 'system' }))[0]!.y).toEqual([2])
      expect((await sample({ experimentIds: [id] }))[0]!.y).toEqual([1])
      expect(await store.keys({ experimentIds: [id] })).toHaveLength(2)
    })

    test('objects are picked evenly when there are more than asked', async () => {
      const id = newId()
      await store.append({
        lines: range(100).map((n) => ({
          ...line(id, n, {}),
          objects: { image: { type: 'image-file', json: `{"n":${n}}` } },
        })),
      })
      const picked = await store.objects({ experimentId: id, keys: ['image'], limit: 10 })
      expect(picked.map((object) => object.step)).toEqual([9, 19, 29, 39, 49, 59, 69, 79, 89, 99])
      const some = await store.objects({
        experimentId: id,
        keys: ['image'],
        stepFrom: 10,
        stepTo: 13,
        limit: 10,
      })
      expect(some.map((object) => object.json)).toEqual(['{"n":10}', '{"n":11}', '{"n":12}'])
      expect(await store.keys({ experimentIds: [id] })).toMatchObject([
        { key: 'image', kind: 'object', type: 'image-file', count: 100, lastStep: 99, lastNumber: null },
      ])
    })

    test('the console pages, searches without regard to case, and shows overwritten lines once', async () => {
      const id = newId()
      const text = (n: number, content: string) => ({
        experimentId: id,
        line: n,
        timeMs: n === 1 ? null : n,
        level: 'info' as const,
        label: '',
        text: content,
      })
      await store.append({ console: range(50).map((n) => text(n, `Epoch ${n} ÄRGER`)) })
      for (let progress = 0; progress < 5; progress++)
        await store.append({ console: [text(49, `progress ${progress * 25}%`)] })
      const lineNumbers = async (query: object) => {
        const { lines, total } = await store.console({ experimentId: id, limit: 3, ...query })
        return [lines.map((found) => found.line), total]
      }
      expect(await lineNumbers({})).toEqual([[0, 1, 2], 50])
      expect(await lineNumbers({ last: true })).toEqual([[47, 48, 49], 50])
      expect(await lineNumbers({ lineFrom: 10, lineTo: 12 })).toEqual([[10, 11], 2])
      expect(await lineNumbers({ search: 'epoch 4' })).toEqual([[4, 40, 41], 10])
      expect(await lineNumbers({ search: 'ärger', last: true })).toEqual([[46, 47, 48], 49])
      expect(await lineNumbers({ search: '100%' })).toEqual([[49], 1])
      expect(await lineNumbers({ search: '75%' })).toEqual([[], 0])
      const { lines } = await store.console({ experimentId: id, lineFrom: 1, lineTo: 2, limit: 1 })
      expect(lines).toEqual([{ line: 1, timeMs: null, level: 'info', label: '', text: 'Epoch 1 ÄRGER' }])
    })

    const find = (projectId: string, filter: FactFilter | null, more: object = {}) =>
      store.find({ projectIds: [projectId], filter, sort: [], offset: 0, limit: 100, ...more })

    async function withFacts(
      facts: Record<string, number | string>[],
    ): Promise<{ projectId: string; ids: string[] }> {
      const projectId = newId()
      const ids = facts.map((_, n) => newId(1_700_000_000_000 + n))
      await store.append({
        facts: facts.map((some, n) => ({
          projectId,
          experimentId: ids[n]!,
          removedKeys: [],
          facts: Object.entries(some).map(([key, value]) => ({
            key,
            number: typeof value === 'number' ? value : null,
            text: typeof value === 'string' ? value : null,
          })),
        })),
      })
      return { projectId, ids }
    }

    test('every filter means what it says', async () => {
      const { projectId, ids } = await withFacts([
        { name: 'Alpha.1', 'config.lr': 0.1 },
        { name: 'alphaX1', 'config.lr': 0.2 },
        { name: '100%_sure', 'config.lr': '0.1' },
        { name: "o'neil\\" },
        { name: 'nan', 'config.lr': Number.NaN },
      ])
      const matching = async (filter: FactFilter) =>
        (await find(projectId, filter)).experimentIds.map((id) => ids.indexOf(id)).sort((a, b) => a - b)
      const lr = 'config.lr'
      expect(await matching({ op: 'eq', key: lr, value: 0.1 })).toEqual([0])
      expect(await matching({ op: 'eq', key: lr, value: '0.1' })).toEqual([2])
      expect(await matching({ op: 'ne', key: lr, value: 0.1 })).toEqual([1, 2, 3, 4])
      expect(await matching({ op: 'gt', key: lr, value: 0.1 })).toEqual([1])
      expect(await matching({ op: 'gte', key: lr, value: 0.1 })).toEqual([0, 1])
      expect(await matching({ op: 'lt', key: lr, value: 0.2 })).toEqual([0])
      expect(await matching({ op: 'lte', key: lr, value: 0.2 })).toEqual([0, 1])
      expect(await matching({ op: 'gt', key: 'name', value: 'alpha' })).toEqual([1, 3, 4])
      expect(await matching({ op: 'in', key: lr, values: [0.2, '0.1', 7] })).toEqual([1, 2])
      expect(await matching({ op: 'in', key: lr, values: [] })).toEqual([])
      expect(await matching({ op: 'nin', key: lr, values: [0.2, '0.1'] })).toEqual([0, 3, 4])
      expect(await matching({ op: 'exists', key: lr, exists: true })).toEqual([0, 1, 2, 4])
      expect(await matching({ op: 'exists', key: lr, exists: false })).toEqual([3])
      expect(await matching({ op: 'regex', key: 'name', value: '^[Aa]lpha.1$' })).toEqual([0, 1])
      expect(await matching({ op: 'regex', key: lr, value: '^0\\.[12]$' })).toEqual([0, 1, 2])
      expect(await matching({ op: 'contains', key: 'name', value: 'ALPHA.' })).toEqual([0])
      expect(await matching({ op: 'contains', key: 'name', value: '%_' })).toEqual([2])
      expect(await matching({ op: 'contains', key: 'name', value: "O'NEIL\\" })).toEqual([3])
      expect(await matching({ op: 'and', filters: [] })).toEqual([0, 1, 2, 3, 4])
      expect(await matching({ op: 'or', filters: [] })).toEqual([])
      const alpha: FactFilter = { op: 'contains', key: 'name', value: 'alpha' }
      const low: FactFilter = { op: 'lte', key: lr, value: 0.1 }
      expect(await matching({ op: 'and', filters: [alpha, low] })).toEqual([0])
      expect(await matching({ op: 'or', filters: [low, { op: 'exists', key: lr, exists: false }] })).toEqual([
        0, 3,
      ])
      expect(await matching({ op: 'not', filter: { op: 'and', filters: [alpha, low] } })).toEqual([
        1, 2, 3, 4,
      ])
      expect(await matching({ op: 'eq', key: "no' such \\ key", value: "'; DROP TABLE facts" })).toEqual([])
    })

    test('sorting puts missing values last either way and pages do not overlap', async () => {
      const facts: Record<string, number | string>[] = [
        { a: 2, b: 'x' },
        { a: 1 },
        { b: 'y' },
        { a: 2, b: 'a' },
        { a: 'text' },
        {},
        { a: 10 },
      ]
      const { projectId, ids } = await withFacts(facts.map((some) => ({ ...some, state: 'ok' })))
      const order = async (sort: { key: string; descending: boolean }[]) =>
        (await find(projectId, null, { sort })).experimentIds.map((id) => ids.indexOf(id))
      expect(await order([])).toEqual([6, 5, 4, 3, 2, 1, 0])
      expect(await order([{ key: 'a', descending: false }])).toEqual([1, 3, 0, 6, 4, 5, 2])
      expect(await order([{ key: 'a', descending: true }])).toEqual([6, 3, 0, 1, 4, 5, 2])
      expect(
        await order([
          { key: 'a', descending: true },
          { key: 'b', descending: true },
        ]),
      ).toEqual([6, 0, 3, 1, 4, 2, 5])
      const whole = await order([{ key: 'state', descending: false }])
      const pages: number[] = []
      for (let offset = 0; offset < 9; offset += 2) {
        const page = await find(projectId, null, {
          sort: [{ key: 'state', descending: false }],
          offset,
          limit: 2,
        })
        expect(page.total).toBe(7)
        pages.push(...page.experimentIds.map((id) => ids.indexOf(id)))
      }
      expect(pages).toEqual(whole)
    })

    test('the newest fact counts, a removed one is gone, and keys are listed with how many have them', async () => {
      const { projectId, ids } = await withFacts([{ 'summary.acc': 1, name: 'one' }, { 'summary.acc': 2 }])
      const update = (facts: NonNullable<Append['facts']>[number]['facts'], removedKeys: string[]) =>
        store.append({ facts: [{ projectId, experimentId: ids[0]!, facts, removedKeys }] })
      await Promise.all([3, 4, 5].map((number) => update([{ key: 'summary.acc', number, text: null }], [])))
      const acc = (value: number): FactFilter => ({ op: 'eq', key: 'summary.acc', value })
      expect((await find(projectId, acc(5))).experimentIds).toEqual([ids[0]])
      expect((await find(projectId, acc(1))).total).toBe(0)
      expect(await store.factKeys({ projectIds: [projectId], limit: 9 })).toEqual([
        { key: 'summary.acc', experiments: 2, numeric: true },
        { key: 'name', experiments: 1, numeric: false },
      ])
      expect(await store.factKeys({ projectIds: [projectId], search: 'ACC', limit: 9 })).toHaveLength(1)
      await update([], ['summary.acc', 'never'])
      expect(
        (await find(projectId, { op: 'exists', key: 'summary.acc', exists: false })).experimentIds,
      ).toEqual([ids[0]])
      expect((await store.factKeys({ projectIds: [projectId], limit: 9 }))[1]).toMatchObject({
        experiments: 1,
      })
      expect((await find(newId(), null)).total).toBe(0)
    })

    test('what is asked of several experiments at once is told of each by itself', async () => {
      const [one, two, none] = [newId(), newId(), newId()]
      await store.append({ lines: range(5).map((n) => line(one, n, { loss: n, up: n })) })
      await store.append({ lines: range(3).map((n) => line(two, n, { loss: 10 + n })) })
      await store.append({ lines: [{ ...line(two, 2, { loss: 7 }), raw: 'replaced' }] })
      const lines = [one, two, none].map((experimentId) => ({ experimentId, line: 2 }))
      const found = await store.lineOfEach({ lines, stream: 'history' })
      const [, , third] = await store.scan({
        experimentId: one,
        stream: 'history',
        limit: 9,
        rewritten: false,
      })
      expect(Object.fromEntries(found)).toEqual({ [one]: third!.raw, [two]: 'replaced' })
      expect(await store.lineOfEach({ lines, stream: 'system' })).toEqual(new Map())
      const keys = await store.keysOfEach({ experimentIds: [one, two, none], stream: 'history' })
      for (const id of [one, two, none])
        expect(keys.get(id)).toEqual(await store.keys({ experimentIds: [id], stream: 'history' }))
      expect(keys.get(two)).toMatchObject([{ key: 'loss', count: 3, lastNumber: 7 }])
    })

    test('a forgotten experiment is gone at once and its neighbours stay', async () => {
      const { projectId, ids } = await withFacts([{ name: 'gone' }, { name: 'stays' }])
      const [gone, stays] = ids as [string, string]
      const everything = (id: string): Append => ({
        lines: [{ ...line(id, 0, { loss: 1 }), objects: { note: { type: 'string', json: '"x"' } } }],
        console: [{ experimentId: id, line: 0, timeMs: 0, level: 'info', label: '', text: 'x' }],
      })
      await Promise.all([store.append(everything(gone)), store.append(everything(stays))])
      await store.forget([gone])
      const left = async (id: string) => [
        (await sample({ experimentIds: [id] })).length,
        (await store.keys({ experimentIds: [id] })).length,
        (await store.latest({ experimentId: id, stream: 'history', limit: 1 })).length,
        (await store.objects({ experimentId: id, keys: ['note'], limit: 1 })).length,
        (await store.console({ experimentId: id, limit: 1 })).total,
      ]
      expect(await left(gone)).toEqual([0, 0, 0, 0, 0])
      expect(await left(stays)).toEqual([1, 2, 1, 1, 1])
      expect((await find(projectId, null)).experimentIds).toEqual([stays])
      await store.append(everything(gone))
      expect(await left(gone)).toEqual([1, 2, 1, 1, 1])
    })

    test('a hundred callers at once are all answered and all stored', async () => {
      const ids = range(100).map(() => newId())
      await Promise.all(
        ids.map(async (id) => {
          for (const n of range(5)) await store.append({ lines: [line(id, n, { loss: n })] })
        }),
      )
      const keys = await store.keys({ experimentIds: ids })
      expect(keys).toMatchObject([{ key: 'loss', count: 500, lastLine: 4 }])
    })
  })
}

function line(experimentId: string, n: number, numbers: Record<string, number>): Line {
  return {
    experimentId,
    stream: 'history',
    line: n,
    step: n,
    runtimeSeconds: n * 0.5,
    timestampSeconds: 1_700_000_000 + n * 0.5,
    raw: JSON.stringify(numbers),
    numbers,
    objects: {},
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Random numbers that are the same in every run. Source: mulberry32, Tommy Ettinger, public domain. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
