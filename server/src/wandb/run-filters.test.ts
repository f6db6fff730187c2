import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { runCondition, runSort } from './run-filters.ts'

describe('what is not understood is told', () => {
  test.each([
    ['no JSON', '{"state"', 'not JSON'],
    ['no object', '["state"]', 'not a JSON object'],
    ['an operator that is none', '{"$xor": []}', '$xor'],
    ['an operator on a key that is none', '{"state": {"$near": 1}}', '$near'],
    ['a key that runs do not have', '{"colour": "red"}', '"colour"'],
    ['a list that holds no filters', '{"$or": [1]}', '$or takes a list of filters'],
    ['a date that is none', '{"createdAt": {"$gt": "yesterday"}}', 'no date'],
    ['more depth than anyone writes', '{"$and":['.repeat(30) + '{}' + ']}'.repeat(30), 'nest'],
    ['depth by $not', `{"state":${'{"$not":'.repeat(30)}1${'}'.repeat(30)}}`, 'nest'],
  ])('%s', (_name, text, sentence) => {
    expect(() => runCondition(text)).toThrow(sentence)
  })

  test('an order by what runs do not have', () => {
    expect(() => runSort('-colour')).toThrow('"colour"')
  })

  test('nothing and an empty object mean all', () => {
    expect([null, undefined, '', ' ', 'null', '{}'].map((text) => runCondition(text))).toEqual(
      Array.from({ length: 6 }, () => undefined),
    )
  })
})

describe('runs of a project', () => {
  let app: TestApp
  let team: Awaited<ReturnType<TestApp['aTeam']>>
  beforeAll(async () => {
    app = await startApp()
    team = await app.aTeam()
    const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
    const add = async (slug: string, more: object, exitCode?: number) => {
      const ref = { team: team.slug, project: 'p', slug }
      await app.experiments.upsert(actor, { ...ref, ...more })
      if (exitCode !== undefined) await app.experiments.append(actor, ref, { complete: { exitCode } })
    }
    const value = (given: object) =>
      Object.fromEntries(Object.entries(given).map(([key, each]) => [key, { value: each }]))
    await add(
      'a',
      {
        name: 'Alpha one',
        config: value({ lr: 0.1, seed: 1, opt: { name: 'adam', value: 7 }, deep: true, layers: [1, 2] }),
        summary: { acc: 0.5, loss: { min: 0.1 } },
        tags: ['best', 'old'],
        group: 'g1',
        jobType: 'train',
        notes: 'First try',
        sweepName: 'sw1',
      },
      0,
    )
    await add(
      'b',
      {
        name: 'Beta',
        config: value({ lr: 0.01, seed: '1', opt: { name: 'sgd' }, deep: false }),
        summary: { acc: 0.9, loss: { min: 0.3 } },
        tags: ['old'],
        group: 'g2',
        jobType: 'eval',
      },
      1,
    )
    await add('c', { name: 'gamma', config: value({ lr: null }), summary: { acc: 'NaN' } })
    await add('d', { name: 'alpha two', group: 'g1' })
  }, 60_000)
  afterAll(async () => {
    expect(app.errors).toEqual([])
    await app.close()
  })

  type Answer = {
    data: {
      project: {
        runCount: number
        runs: {
          totalCount: number
          edges: { node: { name: string }; cursor: string }[]
          pageInfo: { hasNextPage: boolean }
        }
      } | null
    }
    errors?: { message: string }[]
  }
  async function ask(variables: object, key = team.mate.key): Promise<Answer> {
    const query = `query Runs($entity: String!, $filters: JSONString, $order: String, $first: Int, $after: String) {
      project(name: "p", entityName: $entity) {
        runCount(filters: $filters)
        runs(filters: $filters, order: $order, first: $first, after: $after) {
          totalCount edges { node { name } cursor } pageInfo { hasNextPage }
        }
      } }`
    const answer = await app.inject(
      new Request(`${app.origin}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables: { entity: team.slug, ...variables } }),
      }),
    )
    return (await answer.json()) as Answer
  }
  async function names(filters: object, order = '+name'): Promise<string> {
    const { data, errors } = await ask({ filters: JSON.stringify(filters), order })
    expect(errors).toBeUndefined()
    expect(data.project!.runCount).toBe(data.project!.runs.edges.length)
    return data.project!.runs.edges.map(({ node }) => node.name).join('')
  }

  test.each<[string, object, string]>([
    ['nothing', {}, 'abcd'],
    ['a value', { state: 'finished' }, 'a'],
    ['several keys, all of which hold', { group: 'g1', state: 'running' }, 'd'],
    ['$eq', { 'config.lr': { $eq: 0.01 } }, 'b'],
    ['a config key with .value', { 'config.lr.value': 0.1 }, 'a'],
    ['a config key with .value inside', { 'config.opt.value.name': 'sgd' }, 'b'],
    ['a nested config key', { 'config.opt.name': { $in: ['adam', 'lion'] } }, 'a'],
    ['a config key that is itself called value', { 'config.opt.value': 7 }, 'a'],
    ['a number, not its text', { 'config.seed': 1 }, 'a'],
    ['a text, not its number', { 'config.seed': '1' }, 'b'],
    ['a truth', { 'config.deep': true }, 'a'],
    ['a list', { 'config.layers': [1, 2] }, 'a'],
    ['$ne, also of what lacks the key', { 'config.lr': { $ne: 0.1 } }, 'bcd'],
    ['$gt and $lt together', { 'summary_metrics.acc': { $gt: 0.1, $lt: 0.6 } }, 'a'],
    ['$gte', { 'summary_metrics.acc': { $gte: 0.9 } }, 'b'],
    ['$lte', { 'summary_metrics.loss.min': { $lte: 0.1 } }, 'a'],
    ['a number against a text never holds', { 'summary_metrics.acc': { $gt: '0' } }, 'c'],
    ['$in', { displayName: { $in: ['Beta', 'gamma'] } }, 'bc'],
    ['$nin', { name: { $nin: ['a', 'b'] } }, 'cd'],
    ['$exists', { 'config.lr': { $exists: true } }, 'ab'],
    ['$exists: false', { 'config.lr': { $exists: false } }, 'cd'],
    ['null', { 'config.lr': null }, 'cd'],
    ['$ne null', { group: { $ne: null } }, 'abd'],
    ['$regex', { display_name: { $regex: '^[Aa]lpha' } }, 'ad'],
    ['$regex with options', { display_name: { $regex: '^ALPHA', $options: 'i' } }, 'ad'],
    ['$regex with flags', { display_name: { $regex: '(?i)ALPHA' } }, 'ad'],
    ['$not on a key', { display_name: { $not: { $regex: 'alpha' } } }, 'abc'],
    ['$or', { $or: [{ jobType: 'eval' }, { job_type: 'train' }] }, 'ab'],
    ['$and', { $and: [{ tags: 'old' }, { tags: { $ne: 'best' } }] }, 'b'],
    ['$nor', { $nor: [{ group: 'g1' }, { group: 'g2' }] }, 'c'],
    ['$not', { $not: { group: 'g1' } }, 'bc'],
    ['tags by $in', { tags: { $in: ['best'] } }, 'a'],
    ['tags by name', { 'tags.old': { $exists: true } }, 'ab'],
    ['no tags', { tags: null }, 'cd'],
    ['all of some tags', { tags: { $all: ['best', 'old'] } }, 'a'],
    ['a sweep', { sweep: 'sw1' }, 'a'],
    ['notes', { notes: { $regex: 'try' } }, 'a'],
    ['a time without a zone', { createdAt: { $gt: '2020-01-01T00:00:00' } }, 'abcd'],
    ['a time', { created_at: { $lt: '2020-01-01T00:00:00Z' } }, ''],
    ['logged keys', { 'keys_info.keys.acc': { $exists: true } }, 'abc'],
  ])('filtered by %s', async (_name, filters, expected) => {
    expect(await names(filters)).toBe(expected)
  })

  test('filtered by who made them', async () => {
    expect(await names({ username: team.member.username })).toBe('abcd')
    expect(await names({ user: { $in: [team.mate.username] } })).toBe('')
  })

  test.each([
    ['-summary_metrics.acc', 'bacd'],
    ['+summary_metrics.acc', 'abcd'],
    ['summary_metrics.acc', 'abcd'],
    ['+config.lr.value', 'badc'],
    ['-config.lr', 'abdc'],
    ['-display_name', 'cdba'],
    ['+created_at', 'abcd'],
    ['-createdAt', 'dcba'],
    ['-heartbeat_at', 'dcba'],
    ['-group,+name', 'badc'],
    ['state,-name', 'badc'],
  ])('ordered by %s, those without the key last', async (order, expected) => {
    expect(await names({}, order)).toBe(expected)
  })

  test('pages follow the cursor of the last edge and know their total', async () => {
    const seen: string[] = []
    let after: string | undefined
    for (;;) {
      const { data } = await ask({ order: '-created_at', first: 3, after })
      const { edges, pageInfo, totalCount } = data.project!.runs
      expect(totalCount).toBe(4)
      expect(data.project!.runCount).toBe(4)
      seen.push(...edges.map(({ node }) => node.name))
      after = edges.at(-1)?.cursor
      if (!pageInfo.hasNextPage) break
    }
    expect(seen).toEqual(['d', 'c', 'b', 'a'])
  })

  test('a stranger finds no project, and a bad filter is an error of one field', async () => {
    expect((await ask({ filters: '{"state":"finished"}' }, team.outsider.key)).data.project).toBeNull()
    const { errors } = await ask({ filters: '{"display_name":{"$regex":"("}}' })
    expect(errors?.[0]?.message).toContain('no regular expression')
    // Fine to JavaScript, and to neither engine.
    const ahead = await ask({ filters: '{"display_name":{"$regex":"(?=a)\\\\p{L}"}}' })
    expect(ahead.errors?.[0]?.message).toContain('ahead or behind')
  })
})
