import { GridError } from '@teamgrid/api'
import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { type WandbDeps, wandbEdge } from './index.ts'

/** The edge alone, before parts that fail on purpose: what real ones do then is their own tests' matter. */
async function edge(parts: { authenticate?: () => never; append?: () => never; getMe?: () => never }) {
  const logged: unknown[] = []
  const actor = { kind: 'person', userId: 'u', username: 'anna', memberships: new Map() } as unknown as Actor
  const app = fastify()
  await app.register(
    wandbEdge({
      authenticate: async () => (parts.authenticate ? parts.authenticate() : actor),
      experiments: { append: async () => parts.append?.() },
      teams: { getMe: async () => parts.getMe?.() },
      log: (_text: string, error: unknown) => void logged.push(error),
    } as unknown as WandbDeps),
  )
  const post = (url: string, body: object) => app.inject({ method: 'POST', url, payload: body })
  return {
    logged,
    stream: () => post('/files/team/project/run/file_stream', {}),
    viewer: () => post('/graphql', { query: '{ viewer { id } }' }),
  }
}

const raise = (error: unknown) => (): never => {
  throw error
}
const databaseAway = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

test.each([
  ['overload', new GridError('overloaded', 'Too much', { retryAfterSeconds: 7 }), 429, '7'],
  ['a store that is away', new GridError('unavailable'), 503, '5'],
  ['a full disk', new GridError('storage_full'), 507, '5'],
  ['a database that is away', databaseAway, 503, '2'],
])('%s asks to send again, at every door', async (_name, error, status, retryAfter) => {
  const answers = [
    await (await edge({ append: raise(error) })).stream(),
    await (await edge({ authenticate: raise(error) })).stream(),
    await (await edge({ authenticate: raise(error) })).viewer(),
    await (await edge({ getMe: raise(error) })).viewer(),
  ]
  for (const answer of answers) {
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['retry-after']).toBe(retryAfter)
    expect(answer.json()).toMatchObject({ errors: [{ message: expect.stringMatching(/./) }] })
  }
})

test.each([
  ['not_found', 404],
  ['forbidden', 403],
  ['policy_denied', 403],
  ['unauthenticated', 401],
  ['invalid', 400],
  ['conflict', 400],
  ['out_of_credit', 403],
  ['too_large', 413],
] as const)('%s is final for a stream', async (code, status) => {
  const { stream } = await edge({ append: raise(new GridError(code)) })
  const answer = await stream()
  expect(answer.statusCode).toBe(status)
  expect(answer.headers).not.toHaveProperty('retry-after')
})

test('a bug loses no lines: the stream is asked to send them again, and only an id is shown', async () => {
  const { stream, logged } = await edge({ append: raise(new TypeError('secret detail')) })
  const answer = await stream()
  expect(answer.statusCode).toBe(500)
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(answer.body).not.toContain('secret detail')
  expect(logged).toEqual([new TypeError('secret detail')])
})

test('a bug ends a question at once, for on a 5xx the client would repeat it for minutes', async () => {
  const inField = await edge({ getMe: raise(new TypeError('secret detail')) })
  const atDoor = await edge({ authenticate: raise(new TypeError('secret detail')) })
  for (const [status, { viewer, logged }] of [
    [200, inField],
    [400, atDoor],
  ] as const) {
    const answer = await viewer()
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toMatchObject({ errors: [{ message: expect.stringContaining('Something broke') }] })
    expect(answer.body).not.toContain('secret detail')
    expect(logged).toHaveLength(1)
  }
})
