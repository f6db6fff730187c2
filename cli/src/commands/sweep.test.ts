import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runGrid } from '../program.ts'
import { memoryIo } from '../test-io.ts'

const sweep = {
  id: '01900000-0000-7000-8000-000000000001',
  team: 'vision',
  project: 'digits',
  slug: 'ab12cd34',
  name: 'learning rates',
  state: 'running',
  method: 'bayes',
  metric: { name: 'loss', goal: 'minimize' },
  createdBy: { username: 'ada', name: 'Ada' },
  createdById: '01900000-0000-7000-8000-000000000002',
  createdAt: '2026-11-22T07:00:00.000Z',
  updatedAt: '2026-11-22T07:00:00.000Z',
  heartbeatAt: null,
  endedAt: null,
  counts: { total: 9, running: 2, waiting: 0, finished: 6, failed: 1, stopped: 0 },
  expected: 30,
  agents: 2,
  best: { slug: 'r1', name: 'fine-owl-3', value: 0.25 },
}
const details = {
  ...sweep,
  description: null,
  config: 'method: bayes\n',
  parameters: [],
  runCap: 30,
  earlyTermination: null,
  isLocal: false,
  agentList: [],
  warnings: [],
}

let asked: string[]
let url: string
let close: () => Promise<unknown>

beforeEach(async () => {
  asked = []
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    asked.push(`${request.method} ${pathname}`)
    response.setHeader('content-type', 'application/json')
    const from = Number(searchParams.get('cursor') ?? 0)
    const answer = pathname.endsWith('/sweeps')
      ? { items: [sweep], nextCursor: from < 2 ? String(from + 1) : null, total: 3 }
      : pathname === '/api/me'
        ? { user: { username: 'ada' }, defaultTeam: 'vision', teams: [] }
        : details
    response.end(JSON.stringify(answer))
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
  const code = await runGrid(io, argv)
  return { code, out: io.out(), err: io.err() }
}

test('what names no sweep is refused before anything is asked', async () => {
  const { code, err } = await grid('sweep', 'cancel', 'vision/digits/ab12cd34', 'ab12cd34')
  expect(code).not.toBe(0)
  expect(err).toContain('"ab12cd34" is not [team/]project/sweep')
  expect(asked).toEqual([])
})

test('all pages of a project’s sweeps are listed', async () => {
  const { out } = await grid('sweep', 'list', 'digits', '-o', 'json')
  const rows = JSON.parse(out) as Record<string, unknown>[]
  expect(rows).toHaveLength(3)
  expect(rows[0]).toMatchObject({ sweep: 'ab12cd34', status: 'running', team: 'vision', expected: 30 })
  expect(asked.at(-1)).toBe('GET /api/projects/vision/digits/sweeps')
})

test('a sweep shows how far it is, what was best, and how to help', async () => {
  const { out } = await grid('sweep', 'show', 'digits/ab12cd34')
  expect(out).toContain('learning rates (vision/digits/ab12cd34)')
  expect(out).toContain('7 of 30, 2 running')
  expect(out).toContain('fine-owl-3 with 0.25')
  expect(out).toContain('wandb agent vision/digits/ab12cd34')
})

test('a sweep is named by its web address as well', async () => {
  const { code, err } = await grid('sweep', 'pause', `${url}/vision/digits/sweeps/ab12cd34`)
  expect([code, err]).toEqual([0, '✔ Paused learning rates\n'])
  expect(asked).toEqual(['POST /api/projects/vision/digits/sweeps/ab12cd34/pause'])
})
