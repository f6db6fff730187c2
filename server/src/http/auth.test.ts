import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { originOf } from './auth.ts'
import { httpErrorOf } from './errors.ts'

test('the address is what was configured, else what the request says, and never nonsense', async () => {
  const app = fastify()
  const bugs: string[] = []
  app.setErrorHandler((error, _request, reply) => {
    const { status, body } = httpErrorOf(error, (text) => void bugs.push(text))
    return reply.status(status).send(body)
  })
  app.get('/believing', async (request) => originOf(request, null))
  app.get('/configured', async (request) => originOf(request, 'https://grid.example.org'))
  const ask = (url: string, host: string) => app.inject({ url, headers: { host } })
  expect((await ask('/believing', 'box:8080')).body).toBe('http://box:8080')
  expect((await ask('/configured', 'elsewhere')).body).toBe('https://grid.example.org')
  for (const host of ['a:b:c', 'a b', 'somebody@box', 'box/path'])
    expect((await ask('/believing', host)).statusCode).toBe(422)
  expect(bugs).toEqual([])
})
