import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GridError } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runAdmin } from './admin/program.ts'
import { exitCodeOf } from './exit-codes.ts'
import { reportFailure } from './failures.ts'
import { runGrid } from './program.ts'
import { memoryIo } from './test-io.ts'

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'grid-program-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

const nobody = () => memoryIo({ home, cwd: home })

async function grid(...argv: string[]) {
  const io = nobody()
  return { code: await runGrid(io, argv), out: io.out(), err: io.err() }
}

describe('who is not logged in', () => {
  test.each([
    ['user'],
    ['team'],
    ['teams', 'vision'],
    ['status'],
    ['status', '--global'],
    ['history'],
    ['logs', 'bob:x'],
    ['artifacts', 'bob:x'],
    ['stop', 'run', 'x'],
    ['stop', 'experiment', 'x'],
    ['cancel', 'x'],
    ['view', 'x'],
    ['user', 'set-default-entity', 'vision'],
  ])('grid %s %s is told to log in, with code 3', async (...argv) => {
    const { code, out, err } = await grid(...argv)
    expect(code).toBe(3)
    expect(out).toBe('')
    expect(err).toContain('Error: You are not logged in to http://localhost:8080')
    expect(err).toContain('grid login')
  })

  test('gets the same as JSON on stderr', async () => {
    const { code, out, err } = await grid('status', '-o', 'json')
    expect(code).toBe(3)
    expect(out).toBe('')
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'unauthenticated',
        message: 'You are not logged in to http://localhost:8080',
        hint: 'Run: grid login --url http://localhost:8080',
      },
    })
  })
})

describe('usage errors end with code 2 before anything is sent', () => {
  test.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['status', '--nonsense'], "unknown option '--nonsense'"],
    [['status', '--limit', '0'], 'Give a number from 1'],
    [['status', '-o', 'xml'], "argument 'xml' is invalid"],
    [['status', '--export', 'pdf'], "argument 'pdf' is invalid"],
    [['status', '--params'], '--params needs the name of a run'],
    [['logs'], "missing required argument 'experiment'"],
    [['logs', 'x', '-l', 'many'], 'Give a number from 1'],
    [['logs', 'x', '--since', 'yesterday'], 'is not a time'],
    [['logs', '<username>:x'], 'placeholder'],
    [['artifacts', 'x', '-m', '('], 'is not a regular expression'],
    [['login', '--key', 'k', '--url', 'ftp://x'], 'is not a web address'],
    [['login'], 'There is no terminal to ask for a key'],
    [['login', '--key', 'k', '--token-stdin'], 'not both'],
    [['stop', 'session', 'x'], 'unknown command'],
  ] as const)('%j: %s', async (argv, says) => {
    const { code, err } = await grid(...argv)
    expect(err).toContain(says)
    expect(code).toBe(2)
  })

  test('as JSON when asked, also where parsing itself fails', async () => {
    const { code, err } = await grid('frobnicate', '-o', 'json')
    expect(code).toBe(2)
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'invalid' } })
  })
})

test('every command explains itself', async () => {
  for (const argv of [
    [],
    ['--help'],
    ['login', '--help'],
    ['logout', '--help'],
    ['user', '--help'],
    ['user', 'set-default-entity', '--help'],
    ['team', '--help'],
    ['teams', '--help'],
    ['status', '--help'],
    ['summary', '--help'],
    ['history', '--help'],
    ['logs', '--help'],
    ['artifacts', '--help'],
    ['stop', 'run', '--help'],
    ['stop', 'experiment', '--help'],
    ['view', '--help'],
    ['version', '--help'],
    ['docs', '--help'],
  ]) {
    const { code, out, err } = await grid(...argv)
    expect([argv, code, err]).toEqual([argv, 0, ''])
    expect(out).toContain('Usage: grid')
    expect(out).toContain('--output')
  }
})

test('a server that is not there is named, with code 1', async () => {
  const io = memoryIo({ home, env: { GRID_URL: 'http://127.0.0.1:9', GRID_API_KEY: 'k' } })
  expect(await runGrid(io, ['user'])).toBe(1)
  expect(io.err()).toContain('Error: http://127.0.0.1:9 does not answer')
})

test('version works without a server and without login', async () => {
  const io = memoryIo({ home, env: { GRID_URL: 'http://127.0.0.1:9' } })
  expect(await runGrid(io, ['version'])).toBe(0)
  expect(io.out()).toMatch(/Grid CLI \(v\d+\.\d+\.\d+\)/)
  expect(io.out()).toContain('http://127.0.0.1:9 does not answer')
})

test('each kind of trouble has its exit code', () => {
  const code = (...given: ConstructorParameters<typeof GridError>) => exitCodeOf(new GridError(...given))
  expect(code('forbidden')).toBe(1)
  expect(code('policy_denied')).toBe(1)
  expect(code('unavailable')).toBe(1)
  expect(code('invalid')).toBe(2)
  expect(code('unauthenticated')).toBe(3)
  expect(code('not_found')).toBe(4)
  expect(code('conflict')).toBe(5)
  expect(code('out_of_credit')).toBe(6)
  expect(exitCodeOf(new Error('bug'))).toBe(1)
  expect(exitCodeOf(new DOMException('stopped', 'AbortError'))).toBe(130)
})

test('a refusal by policy warns, names the switch, and holds no terminal codes', () => {
  const refused = new GridError(
    'policy_denied',
    'Warning: run lynx\u001b[2J belongs to bob. Team policy "members_stop_runs" does not let members stop it.',
    { policy: 'members_stop_runs', owner: 'bob', admins: ['ada'] },
  )
  const io = memoryIo()
  expect(reportFailure(io, refused, { json: false, debug: false })).toBe(1)
  expect(io.err()).toBe(
    'Warning: run lynx belongs to bob. Team policy "members_stop_runs" does not let members stop it.\n',
  )
  const json = memoryIo()
  reportFailure(json, refused, { json: true, debug: false })
  expect(JSON.parse(json.err())).toMatchObject({
    error: { code: 'policy_denied', policy: 'members_stop_runs', owner: 'bob' },
  })
})

describe('teamgrid admin', () => {
  test('without the server’s data it says where it looked', async () => {
    const io = memoryIo({ home, env: { TEAMGRID_DATA: join(home, 'nothing') } })
    expect(await runAdmin(io, ['user', 'list'])).toBe(3)
    expect(io.err()).toContain(`There is no operator token at ${join(home, 'nothing', 'operator-token')}`)
  })

  test('what is missing is named before anything is looked for', async () => {
    const io = memoryIo({ home, env: { TEAMGRID_DATA: join(home, 'nothing') } })
    expect(await runAdmin(io, ['admin', 'nonsense'])).toBe(2)
    expect(await runAdmin(io, ['user', 'nonsense', '--json'])).toBe(2)
  })

  test('every command explains itself', async () => {
    for (const argv of [
      'user create',
      'team policy',
      'member add',
      'key revoke',
      'invite create',
      'service-account create',
    ]) {
      const io = memoryIo({ home })
      expect(await runAdmin(io, [...argv.split(' '), '--help'])).toBe(0)
      expect(io.out()).toContain(`Usage: teamgrid admin ${argv}`)
    }
  })
})
