import { expect, test } from 'vitest'
import { createClient } from './client.ts'

const answering = (status: number, body: string, type = 'application/json') =>
  createClient({
    url: 'http://grid.test/',
    fetch: async () => new Response(body, { status, headers: { 'content-type': type } }),
  })

test('a refusal of an endpoint is the error that the server threw', async () => {
  const body = {
    defined: true,
    code: 'policy_denied',
    status: 403,
    message: 'Not yours',
    data: { policy: 'members_stop_runs', owner: 'bob' },
  }
  await expect(answering(403, JSON.stringify(body)).me.get()).rejects.toMatchObject({
    name: 'GridError',
    code: 'policy_denied',
    message: 'Not yours',
    details: { policy: 'members_stop_runs', owner: 'bob' },
  })
})

test('a refusal before any endpoint keeps its words too', async () => {
  const body = { error: { code: 'unauthenticated', message: 'This key was revoked', hint: 'Make another' } }
  await expect(answering(401, JSON.stringify(body)).me.get()).rejects.toMatchObject({
    name: 'GridError',
    code: 'unauthenticated',
    message: 'This key was revoked',
    details: { hint: 'Make another' },
  })
})

test('what is no answer of ours is told by its status', async () => {
  await expect(answering(502, 'Bad gateway', 'text/plain').me.get()).rejects.toMatchObject({
    code: 'unavailable',
  })
  await expect(answering(404, '{}').me.get()).rejects.toMatchObject({ code: 'not_found' })
})

test('nobody there is unavailable', async () => {
  const client = createClient({
    url: 'http://grid.test',
    fetch: () => Promise.reject(new TypeError('fetch failed')),
  })
  await expect(client.me.get()).rejects.toMatchObject({ code: 'unavailable' })
})
