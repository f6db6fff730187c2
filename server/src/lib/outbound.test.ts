import { createServer, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbound, readPrivateAddresses } from './outbound.ts'

let port = 0
const asked: { path: string | undefined; host: string | undefined; body: string }[] = []
const server = createServer((request: IncomingMessage, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => {
    asked.push({ path: request.url, host: request.headers.host, body })
    if (request.url === '/redirect') response.writeHead(302, { location: `http://127.0.0.1:${port}/inner` })
    if (request.url === '/endless') return void response.write('x'.repeat(1_000_000))
    response.end('thanks')
  })
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as { port: number }).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const message = { headers: { 'content-type': 'application/json' }, body: '{}' }
const careful = createOutbound({ allowPrivate: [] })
const trusting = createOutbound({ allowPrivate: ['127.0.0.0/8'] })

test.each([
  'http://127.0.0.1/',
  'http://localhost/',
  'http://api.localhost./',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://10.1.2.3/',
  'http://172.31.0.1/',
  'http://192.168.0.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://100.64.0.1/',
  'http://0.0.0.0/',
  'http://224.0.0.1/',
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:a00:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[fe80::1]/',
  'http://[fd00::1]/',
])('%s is private and is not asked', async (url) => {
  await expect(careful.post(url, message)).rejects.toMatchObject({ code: 'invalid' })
})

test.each(['ftp://example.org', 'file:///etc/passwd', 'example.org', '', 'https://user:word@example.org/'])(
  '"%s" is no address to post to',
  (url) => {
    expect(() => careful.checkUrl(url)).toThrow(expect.objectContaining({ code: 'invalid' }))
  },
)

test.each(['https://hooks.slack.com/services/T/B/x', 'https://1.1.1.1/', 'http://[2606:4700::1111]/'])(
  '%s is public',
  (url) => {
    expect(careful.checkUrl(url).href).toBe(url)
  },
)

test('a name with any private address is not asked', async () => {
  const outbound = createOutbound({ allowPrivate: [], resolve: async () => ['93.184.216.34', '10.0.0.1'] })
  await expect(outbound.post('http://mixed.example.org/', message)).rejects.toMatchObject({ code: 'invalid' })
})

test('a name is resolved once, and the connection goes to the address that was checked', async () => {
  const answers = [['127.0.0.1'], ['10.0.0.1']]
  let times = 0
  const outbound = createOutbound({ allowPrivate: ['127.0.0.1'], resolve: async () => answers[times++]! })
  await outbound.post(`http://rebinding.example.org:${port}/once`, message)
  expect(times).toBe(1)
  expect(asked.at(-1)).toMatchObject({ path: '/once', host: `rebinding.example.org:${port}` })
})

test('a redirect is not followed', async () => {
  const before = asked.length
  const answer = await trusting.post(`http://127.0.0.1:${port}/redirect`, message)
  expect(answer.status).toBe(302)
  expect(asked.slice(before).map(({ path }) => path)).toEqual(['/redirect'])
})

test('an answer without end is cut off', async () => {
  const { text } = await trusting.post(`http://127.0.0.1:${port}/endless`, message)
  expect(text.length).toBe(64 * 1024)
})

test('who does not answer is unavailable', async () => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port: free } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  await expect(trusting.post(`http://127.0.0.1:${free}/`, message)).rejects.toMatchObject({
    code: 'unavailable',
  })
})

test('the setting allows nothing, everything, or some networks', () => {
  expect(readPrivateAddresses(undefined)).toEqual([])
  expect(readPrivateAddresses('true')).toBe('all')
  expect(readPrivateAddresses('10.0.0.0/8, fd00::/8')).toEqual(['10.0.0.0/8', 'fd00::/8'])
  expect(() => readPrivateAddresses('10.0.0.0/99')).toThrow('TEAMGRID_PRIVATE_WEBHOOKS')
  const some = createOutbound({ allowPrivate: ['10.0.0.0/8'] })
  expect(some.checkUrl('http://10.2.3.4/').hostname).toBe('10.2.3.4')
  expect(() => some.checkUrl('http://192.168.0.1/')).toThrow(expect.objectContaining({ code: 'invalid' }))
})
