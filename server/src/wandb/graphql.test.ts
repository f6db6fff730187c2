import { GridError } from '@teamgrid/api'
import { describe, expect, test } from 'vitest'
import { createExecutor, createSchema, type WandbContext } from './graphql.ts'
import { scalars } from './resolvers/scalars.ts'

const sdl = `
  scalar JSON
  scalar JSONString
  scalar Int64
  scalar DateTime
  scalar Duration
  type Query { echo(text: JSONString, list: [String!], n: Int64): String, self: Query, items(first: Int): [Query!]!, fail(code: String): String }
  type Mutation { upsertBucket(code: String): String, other(code: String): String }
`
const fail = (_: unknown, { code }: { code: string }) => {
  if (code === 'bug') throw new TypeError('secret detail')
  throw new GridError(code as 'not_found', 'a sentence', { hint: 'And a hint.' })
}
const bugs: unknown[] = []
const execute = createExecutor(
  createSchema(
    [sdl, 'extend type Query { added: Int }'],
    [
      scalars,
      {
        Query: {
          echo: (_, args) => JSON.stringify(args),
          self: () => ({}),
          items: (_, { first }) => Array.from({ length: Math.min(first, 3) }, () => ({})),
          added: () => 7,
          fail,
        },
        Mutation: { upsertBucket: fail, other: fail },
      },
    ],
  ),
  (_text, error) => void bugs.push(error),
)
const context = {} as WandbContext
const ask = (query: string, variables: Record<string, unknown> = {}, operationName?: string) =>
  execute({ query, variables, operationName }, context)

describe('documents as clients write them', () => {
  test('comments, trailing commas, aliases and unused variables are fine', async () => {
    const query = `#graphql
      query Q($unused: String, $list: [String!],) { result: echo(list: $list,) }`
    const { status, body } = await ask(query, { list: 'one', deleteArtifacts: false })
    expect(status).toBe(200)
    expect(body).toEqual({ data: { result: '{"list":["one"]}' } })
  })

  test('the first operation is meant when none is named, the named one otherwise', async () => {
    const query = 'query A { a: added } query B { b: added }'
    expect((await ask(query)).body).toEqual({ data: { a: 7 } })
    expect((await ask(query, {}, 'B')).body).toEqual({ data: { b: 7 } })
    expect((await ask(query, {}, 'C')).body).toMatchObject({ errors: [{}] })
  })

  test('a variable that is missing or of the wrong type is told, and is no bug', async () => {
    const query = 'query Q($n: Int64!) { echo(n: $n) }'
    for (const variables of [{}, { n: null }, { n: 'many' }]) {
      const { status, body } = await ask(query, variables)
      expect(status).toBe(200)
      expect(body).toMatchObject({ errors: [{ message: expect.stringContaining('$n') }] })
    }
    expect(bugs).toEqual([])
  })

  test('an unknown field is told in the words that clients look for', async () => {
    const { status, body } = await ask('{ features }')
    expect(status).toBe(200)
    expect(body).toMatchObject({ errors: [{ message: 'Cannot query field "features" on type "Query".' }] })
  })

  test('a broken document is an error with status 200', async () => {
    expect(await ask('{')).toMatchObject({ status: 200, body: { errors: [{}] } })
  })

  test('types can be probed', async () => {
    const { body } = await ask(
      '{ __type(name: "Query") { fields { name args { name } } } none: __type(name: "X") { name } }',
    )
    expect(body).toMatchObject({
      data: { __type: { fields: expect.arrayContaining([{ name: 'added', args: [] }]) }, none: null },
    })
  })

  test('the same document answers the same from the cache', async () => {
    for (let round = 0; round < 3; round++)
      expect((await ask('{ added }')).body).toEqual({ data: { added: 7 } })
  })
})

describe('limits', () => {
  test('depth', async () => {
    const deep = (levels: number) => '{ self '.repeat(levels) + '{ added }' + ' }'.repeat(levels)
    expect((await ask(deep(20))).body).not.toHaveProperty('errors')
    expect((await ask(deep(40))).body).toMatchObject({
      errors: [{ message: expect.stringContaining('levels deep') }],
    })
  })

  test('lists within lists', async () => {
    const query = 'query($n: Int) { items(first: $n) { items(first: $n) { items(first: $n) { added } } } }'
    expect((await ask(query, { n: 3 })).body).not.toHaveProperty('errors')
    expect((await ask(query, { n: 1000 })).body).toMatchObject({
      errors: [{ message: expect.stringContaining('too much') }],
    })
  })

  test('a bomb of fragments is refused quickly', async () => {
    const fragments = Array.from(
      { length: 25 },
      (_, index) =>
        `fragment F${index} on Query { a: self { ...F${index + 1} } b: self { ...F${index + 1} } }`,
    )
    const query = `{ ...F0 } ${fragments.join(' ')} fragment F25 on Query { added }`
    const start = performance.now()
    expect((await ask(query)).body).toMatchObject({ errors: [{}] })
    expect(performance.now() - start).toBeLessThan(5000)
  })

  test('length', async () => {
    expect((await ask(`{ added } #${'x'.repeat(200_000)}`)).body).toMatchObject({ errors: [{}] })
    const { body } = await ask('query($text: JSONString) { echo(text: $text) }', {
      text: 'x'.repeat(10_000_000),
    })
    expect(body).not.toHaveProperty('errors')
  })
})

describe('answers to trouble', () => {
  test('a refusal is status 200 with a sentence and its hint', async () => {
    const { status, body } = await ask('{ fail(code: "not_found") }')
    expect(status).toBe(200)
    expect(body).toMatchObject({ data: { fail: null }, errors: [{ message: 'a sentence. And a hint.' }] })
  })

  test.each([
    ['not_found', 404],
    ['forbidden', 403],
    ['policy_denied', 403],
    ['invalid', 400],
    ['conflict', 400],
    ['out_of_credit', 403],
  ])('upsertBucket refused as %s is final with %i', async (code, status) => {
    expect(await ask(`mutation { upsertBucket(code: "${code}") }`)).toMatchObject({
      status,
      body: { errors: [{ message: 'a sentence. And a hint.' }] },
    })
    expect((await ask(`mutation { other(code: "${code}") }`)).status).toBe(200)
  })

  test.each([
    ['overloaded', 429],
    ['unavailable', 503],
    ['storage_full', 507],
  ])('%s asks to try again with %i', async (code, status) => {
    for (const query of [`mutation { upsertBucket(code: "${code}") }`, `{ added fail(code: "${code}") }`]) {
      const answer = await ask(query)
      expect(answer.status).toBe(status)
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    }
  })

  test('a bug is logged whole and shown as nothing but an id', async () => {
    bugs.length = 0
    const { status, body } = await ask('{ fail(code: "bug") }')
    expect(status).toBe(200)
    expect(JSON.stringify(body)).not.toContain('secret detail')
    expect(bugs).toEqual([new TypeError('secret detail')])
  })
})

test('a resolver for a field that does not exist is a mistake at the start', () => {
  expect(() => createSchema(['type Query { a: Int }'], [{ Query: { b: () => 1 } }])).toThrow(
    'No field Query.b',
  )
})

test('whole numbers may come as digits, and text where JSON is due', async () => {
  const { body } = await ask('query($n: Int64, $text: JSONString) { echo(n: $n, text: $text) }', {
    n: '12',
    text: { a: 1 },
  })
  expect(body).toEqual({ data: { echo: '{"text":"{\\"a\\":1}","n":12}' } })
})
