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
  counts: { total: 9, running: 2, waiting: 0, finished: 6, failed: 1, stopped: 0, moved: 0 },
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
let me: object
let found: object
let url: string
let close: () => Promise<unknown>

beforeEach(async () => {
  asked = []
  found = details
  me = { user: { id: sweep.createdById, username: 'ada' }, defaultTeam: 'vision', teams: [] }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    asked.push(`${request.method} ${pathname}`)
    response.setHeader('content-type', 'application/json')
    const from = Number(searchParams.get('cursor') ?? 0)
    const answer = pathname.endsWith('/sweeps')
      ? { items: [sweep], nextCursor: from < 2 ? String(from + 1) : null, total: 3 }
      : pathname === '/api/me'
        ? me
        : found
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
  return await gridAnswering([], ...argv)
}

/** As `grid`, with somebody at the terminal who says these things; with none, nobody is there. */
async function gridAnswering(answers: string[], ...argv: string[]) {
  const io = memoryIo({ env: { GRID_URL: url, GRID_API_KEY: 'k' }, tty: answers.length > 0, answers })
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
  expect(asked.at(-1)).toBe('POST /api/projects/vision/digits/sweeps/ab12cd34/pause')
})

const bob = { id: '01900000-0000-7000-8000-000000000009', username: 'bob', organisationRole: 'member' }
const inTeam = (role: string, switches = {}) => ({
  user: bob,
  defaultTeam: 'vision',
  teams: [
    {
      id: '01900000-0000-7000-8000-00000000000a',
      slug: 'vision',
      kind: 'team',
      role,
      admins: ['grace'],
      policy: { preset: 'default', switches },
    },
  ],
})
const ref = 'vision/digits/ab12cd34'
const posted = () => asked.filter((line) => line.startsWith('POST'))

test('a viewer is refused in words that name the role, before anything is asked or done', async () => {
  me = inTeam('viewer')
  const { code, err } = await gridAnswering(['y'], 'sweep', 'stop', ref)
  expect(code).toBe(1)
  expect(err).toContain('Your role is view-only')
  expect(err).toContain('grace')
  expect(err).not.toContain('[y/N]')
  expect(posted()).toEqual([])
})

test('where the policy forbids it a member is told whose it is and who can help; --skip-denied leaves it out', async () => {
  me = inTeam('member')
  const refused = await grid('sweep', 'cancel', ref, '--yes')
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('sweep learning rates belongs to ada')
  expect(refused.err).toContain('members_stop_runs')
  const skipped = await grid('sweep', 'cancel', ref, '--yes', '--skip-denied', '-o', 'json')
  expect([skipped.code, JSON.parse(skipped.out)]).toEqual([0, []])
  expect(posted()).toEqual([])
})

test('a team mate’s sweep is steered after a yes, and after nothing else', async () => {
  me = inTeam('member', { members_stop_runs: true })
  for (const action of ['pause', 'resume', 'stop', 'cancel']) {
    const nobody = await grid('sweep', action, ref)
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('--yes')])
    const no = await gridAnswering(['n'], 'sweep', action, ref)
    expect(no.code).toBe(1)
    expect(no.err).toContain('WARNING!\nsweep learning rates belongs to ada.\n')
    expect(no.err).toContain('[y/N]')
    expect(posted()).toEqual([])
    expect((await gridAnswering(['y'], 'sweep', action, ref)).code).toBe(0)
    expect((await grid('sweep', action, ref, '--yes')).code).toBe(0)
    expect(posted()).toEqual(
      Array.from({ length: 2 }, () => `POST /api/projects/vision/digits/sweeps/ab12cd34/${action}`),
    )
    asked = []
  }
  // One's own is never asked about.
  found = { ...details, createdBy: { username: 'bob', name: 'Bob' }, createdById: bob.id }
  expect((await grid('sweep', 'stop', ref)).code).toBe(0)
})
