import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runGrid } from '../program.ts'
import { memoryIo } from '../test-io.ts'

/** More runs than the server gives at once, so that pages have to be fetched. */
const total = 1203
let asked: URLSearchParams[]
let url: string
let close: () => Promise<unknown>

const row = (number: number) => ({
  run: `fine-owl-${number}`,
  team: 'vision',
  project: 'digits',
  createdBy: { username: 'bob', name: 'Bob' },
  status: 'succeeded',
  createdAt: '2026-11-22T07:00:00.000Z',
  durationSeconds: 14_723,
  experiments: 1,
  running: 0,
  queued: 0,
  completed: 1,
  failed: 0,
  stopped: 0,
})

beforeEach(async () => {
  asked = []
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url!, 'http://x')
    asked.push(searchParams)
    const from = Number(searchParams.get('cursor') ?? 0)
    const to = Math.min(total, from + Number(searchParams.get('limit')))
    const items = Array.from({ length: to - from }, (_, index) => row(from + index))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ items, nextCursor: to < total ? String(to) : null, inactive: total }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => {
    server.closeAllConnections()
    return new Promise((closed) => server.close(closed))
  }
})
afterEach(() => close())

async function grid(...argv: string[]) {
  const io = memoryIo({ env: { GRID_URL: url, GRID_API_KEY: 'k' } })
  expect(await runGrid(io, argv)).toBe(0)
  return io.out()
}

test('history shows every run, however many pages that takes', async () => {
  const runs = JSON.parse(await grid('history', '-o', 'json')) as { run: string; duration: string }[]
  expect(runs).toHaveLength(total)
  expect(new Set(runs.map((one) => one.run)).size).toBe(total)
  expect(runs[0]!.duration).toBe('0d-04:05:23')
  expect(asked).toHaveLength(3)
})

test('--limit asks for no more than it shows', async () => {
  const lines = (await grid('history', '--limit', '501')).trimEnd().split('\n')
  expect(lines).toHaveLength(502)
  expect(asked.map((query) => query.get('limit'))).toEqual(['500', '1'])
})

test('mine, everybody’s and one person’s are asked for as such', async () => {
  await grid('status', '--limit', '1')
  await grid('history', '--user', 'bob', '--team', 'vision', '--limit', '1')
  expect(
    asked.map((query) => [query.get('scope'), query.get('show'), query.get('user'), query.get('team')]),
  ).toEqual([
    ['mine', 'active', null, null],
    ['global', 'history', 'bob', 'vision'],
  ])
})
