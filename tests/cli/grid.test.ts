import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { saveArtifact } from '../support/artifacts.ts'
import { rootFolder, run } from '../support/programs.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { type LoggedExperiment, startExperiment } from './logging.ts'
import { admin, adminOk, type Caller, caller, cleanEnv, keyOf } from './people.ts'

// Every command here is a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

let server: TestServer
let ada: Caller
let bob: Caller
let cy: Caller
let zoe: Caller
let running: LoggedExperiment
let finished: LoggedExperiment
const model = randomBytes(200_000)

beforeAll(async () => {
  server = await startServer()
  for (const [name, letter] of [
    ['ada', 'a'],
    ['bob', 'b'],
    ['cy', 'c'],
    ['zoe', 'z'],
  ] as const) {
    await adminOk(server, [
      'user',
      'create',
      '--username',
      name,
      '--email',
      `${name}@example.com`,
      '--api-key',
      keyOf(letter),
      '--name',
      `${name === 'ada' ? 'Ada Lovelace' : name}`,
    ])
  }
  await adminOk(server, ['user', 'create', 'vi', 'vi@example.com', '--password', 'correct horse'])
  await adminOk(server, ['team', 'create', 'vision', '--admin', 'ada'])
  await adminOk(server, ['member', 'add', 'vision', 'bob'])
  await adminOk(server, ['member', 'add', 'vision', 'cy'])
  await adminOk(server, ['member', 'add', 'vision', 'vi', 'view-only'])
  ada = await caller(server, keyOf('a'))
  bob = await caller(server, keyOf('b'))
  cy = await caller(server, keyOf('c'))
  zoe = await caller(server, keyOf('z'))

  const place = (id: string) => ({ team: 'vision', project: 'digits', id })
  finished = await startExperiment(server, keyOf('b'), place('exp0'), {
    name: 'brave-lynx-101-exp0',
    group: 'brave-lynx-101',
    config: { lr: 0.1 },
  })
  await finished.print(0, [
    { text: 'epoch 0' },
    { text: '\u001b[31mloss is high\u001b[0m', isError: true, at: '2026-11-22T03:14:19.000000' },
    { text: 'epoch 1', at: '2026-11-22T03:15:00.000000' },
  ])
  await finished.save('model.pt', model)
  await finished.save('media/wrong digits & 50%.txt', Buffer.from('five'))
  await finished.save('empty.txt', Buffer.alloc(0))
  await finished.finish(0)
  running = await startExperiment(server, keyOf('b'), place('exp1'), {
    name: 'brave-lynx-101-exp1',
    group: 'brave-lynx-101',
    config: { lr: 0.2 },
  })
  await running.print(0, [{ text: 'started' }])
  await running.save('model.pt', Buffer.from('of exp1'))
})

afterAll(async () => {
  for (const one of [ada, bob, cy, zoe]) if (one) await rm(one.folder, { recursive: true, force: true })
  await server?.stop()
  // A server that was started again on its folder leaves it.
  if (server) await rm(server.dataDir, { recursive: true, force: true })
})

const json = (text: string) => JSON.parse(text) as Record<string, unknown>[]

describe('getting in', () => {
  test('without login every look is refused with code 3', async () => {
    const nobody = await caller(server, null)
    const { code, stderr } = await nobody.grid(['status'], { env: { GRID_URL: server.url } })
    expect(code).toBe(3)
    expect(stderr).toContain(`You are not logged in to ${server.url}`)
    await rm(nobody.folder, { recursive: true })
  })

  test('a wrong key is refused, stores nothing and is not printed', async () => {
    const nobody = await caller(server, null)
    const secret = keyOf('q')
    const { code, stdout, stderr } = await nobody.grid(['login', '--url', server.url, '--key', secret])
    expect(code).toBe(3)
    expect(stderr).toContain('This API key is not valid here')
    expect(stdout + stderr).not.toContain(secret)
    await expect(stat(join(nobody.folder, '.grid', 'settings.json'))).rejects.toThrow('ENOENT')
    await rm(nobody.folder, { recursive: true })
  })

  test('a key through standard input, stored for its owner alone, and forgotten by logout', async () => {
    const someone = await caller(server, null)
    const login = await someone.grid(
      ['login', '--url', `${server.url}/`, '--token-stdin', '--username', 'bob'],
      {
        input: `${keyOf('b')}\n`,
      },
    )
    expect([login.code, login.stderr]).toEqual([0, `✔ Logged in to ${server.url} as bob\n`])
    const settings = join(someone.folder, '.grid', 'settings.json')
    expect((await stat(settings)).mode & 0o777).toBe(0o600)
    expect(login.stdout + login.stderr).not.toContain(keyOf('b'))
    expect((await someone.grid(['logout'])).code).toBe(0)
    expect(await readFile(settings, 'utf8')).not.toContain(keyOf('b'))
    expect((await someone.grid(['user'])).code).toBe(3)
    await rm(someone.folder, { recursive: true })
  })

  test('somebody else’s name with my key is refused', async () => {
    expect((await cy.grid(['login', '--key', keyOf('c'), '--username', 'bob'])).code).toBe(3)
  })

  test('a key in the environment needs no login', async () => {
    const nobody = await caller(server, null)
    const env = { WANDB_BASE_URL: server.url, WANDB_API_KEY: keyOf('b') }
    expect((await nobody.grid(['user'], { env })).stdout).toMatch(/^Username +: bob$/m)
    await rm(nobody.folder, { recursive: true })
  })

  test('a view-only member’s key opens nothing, and says where to look instead', async () => {
    const refused = await admin(server, ['key', 'create', 'vi'])
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('vi is view-only, and view-only members have no API key')

    // Made before its owner became view-only.
    const key = 'v'.repeat(40)
    const made = ['user', 'create', 'vera', '--email', 'vera@example.org', '--api-key', key]
    await adminOk(server, made)
    await adminOk(server, ['user', 'create', 'walt', 'walt@example.org'])
    await adminOk(server, ['team', 'create', 'watchers', '--admin', 'walt'])
    await adminOk(server, ['member', 'add', 'watchers', 'vera', 'view-only'])
    const vi = await caller(server, null)
    const login = await vi.grid(['login', '--url', server.url, '--key', key])
    expect(login.code).toBe(3)
    expect(login.stderr).toContain('View-only members have no API key; open this server in a browser instead')
    const status = await vi.grid(['status'], { env: { GRID_URL: server.url, GRID_API_KEY: key } })
    expect(status.code).toBe(3)
    await rm(vi.folder, { recursive: true })
  })
})

describe('who am I, who is with me', () => {
  test('grid user', async () => {
    const { stdout } = await ada.grid(['user'])
    expect(stdout.replace(/[0-9a-f-]{36}/, 'ID')).toBe(
      [
        'Display name    : Ada Lovelace',
        'UserID          : ID',
        'Username        : ada',
        'Email           : ada@example.com',
        'Cluster context : -',
        'Default entity  : ada',
        'Teams           : vision, ada',
        '',
      ].join('\n'),
    )
  })

  test('my default entity can be a team of mine and nothing else', async () => {
    expect((await cy.grid(['user', 'set-default-entity', 'vision'])).code).toBe(0)
    expect(JSON.parse((await cy.grid(['user', '-o', 'json'])).stdout)).toMatchObject({
      default_entity: 'vision',
    })
    expect((await zoe.grid(['user', 'set-default-entity', 'vision'])).code).toBe(4)
  })

  test.each(['team', 'teams'])('grid %s vision', async (command) => {
    const { stdout } = await cy.grid([command, 'vision'])
    expect(stdout.replace(/\d{4}-\d\d-\d\d/, 'DAY')).toBe(
      [
        'vision -  Created on DAY',
        '  Role: member',
        '  Members',
        '    Ada Lovelace <ada>',
        '    bob <bob>',
        '    cy <cy>',
        '    vi <vi>',
        '  Policy: default',
        '',
      ].join('\n'),
    )
    expect(JSON.parse((await cy.grid([command, 'vision', '-o', 'json'])).stdout)).toMatchObject({
      team: 'vision',
      role: 'member',
      members: [
        { username: 'ada', role: 'admin' },
        { username: 'bob' },
        { username: 'cy' },
        { username: 'vi', role: 'viewer' },
      ],
    })
  })

  test('a team that is not mine and one that does not exist answer the same', async () => {
    for (const name of ['vision', 'nonsense']) {
      const { code, stderr } = await zoe.grid(['teams', name])
      expect([code, stderr]).toEqual([4, `Error: Team ${name} not found\n`])
    }
  })
})

describe('status and history', () => {
  test('mine are mine alone', async () => {
    const { stdout } = await cy.grid(['status'])
    expect(stdout).toBe(
      [
        'Run           Status  Duration  Experiments  Running  Queued  Completed  Failed  Stopped',
        'None Active.',
        '0 Run(s) are not active. Use `grid history` to view your Run history.',
        '',
      ].join('\n'),
    )
  })

  test('--global shows what team mates run, with every cell filled', async () => {
    const { stdout } = await cy.grid(['status', '--global'])
    const [titles, row, rest] = stdout.split('\n')
    expect(titles!.trim().split(/ {2,}/)).toEqual([
      'Run',
      'Status',
      'Created By',
      'Duration',
      'Experiments',
      'Running',
      'Queued',
      'Completed',
      'Failed',
      'Stopped',
    ])
    expect(row!.trim().split(/ {2,}/)).toEqual([
      'brave-lynx-101',
      'running',
      'bob',
      expect.stringMatching(/^0d-00:\d\d:\d\d$/),
      '2',
      '1',
      '0',
      '1',
      '0',
      '0',
    ])
    expect(rest).toContain('Run(s) are not active.')
    expect(json((await cy.grid(['-o', 'json', 'status', '--global'])).stdout)).toEqual([
      expect.objectContaining({
        run: 'brave-lynx-101',
        created_by: 'bob',
        experiments: 2,
        running: 1,
        team: 'vision',
      }),
    ])
  })

  test('a stranger sees nothing, and is told why', async () => {
    const { code, stdout, stderr } = await zoe.grid(['status', '--global'])
    expect(code).toBe(0)
    expect(stdout).toContain('None Active.')
    expect(stdout).not.toContain('lynx')
    expect(stderr).toContain('You are in no team yet')
    expect((await zoe.grid(['history', '--global', '-o', 'json'])).stdout).toBe('[]\n')
    for (const command of ['status', 'logs', 'artifacts']) {
      expect([command, (await zoe.grid([command, 'bob:brave-lynx-101'])).code]).toEqual([command, 4])
    }
  })

  test('a run’s experiments, with their parameters', async () => {
    const { stdout } = await bob.grid(['status', 'brave-lynx-101', '--params'])
    const [titles, first, second] = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    expect(titles).toEqual(['Experiment', 'Status', 'Queued Duration', 'Run Duration', 'Command', 'lr'])
    expect(first).toEqual([
      'brave-lynx-101-exp0',
      'succeeded',
      '-',
      expect.any(String),
      expect.any(String),
      '0.1',
    ])
    expect(second!.slice(0, 2)).toEqual(['brave-lynx-101-exp1', 'running'])
    expect(json((await bob.grid(['status', 'brave-lynx-101', '-o', 'json'])).stdout)).toEqual([
      expect.objectContaining({
        experiment: 'brave-lynx-101-exp0',
        status: 'succeeded',
        slug: 'exp0',
        params: { lr: 0.1 },
      }),
      expect.objectContaining({ experiment: 'brave-lynx-101-exp1', status: 'running' }),
    ])
  })

  test('an experiment where a run is due is a usage error', async () => {
    const { code, stderr } = await bob.grid(['status', 'brave-lynx-101-exp0'])
    expect(code).toBe(2)
    expect(stderr).toContain('Must pass a Run name')
  })

  test('--export writes a file that says the same', async () => {
    const { stderr } = await bob.grid(['status', '--export', 'csv'])
    const name = /Exported status to file: (grid-status-\d{4}-\d\d-\d\d_\d\d:\d\d\.csv)/.exec(stderr)?.[1]
    expect(name).toBeDefined()
    expect(await readFile(join(bob.folder, name!), 'utf8')).toMatch(
      /^run,status,.*\r\nbrave-lynx-101,running,/,
    )
  })

  test('what ended is history, newest first and on as many pages as it takes', async () => {
    for (let number = 0; number < 3; number += 1) {
      const old = await startExperiment(
        server,
        keyOf('b'),
        { team: 'vision', project: 'old', id: `old${number}` },
        { name: `old-owl-${number}` },
      )
      await old.finish(number)
    }
    const { stdout } = await bob.grid(['history'])
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/))
    expect(rows[0]).toEqual(['Run', 'Created At', 'Experiments', 'Failed', 'Stopped', 'Completed'])
    expect(rows.slice(1).map((row) => row[0])).toEqual(['old-owl-2', 'old-owl-1', 'old-owl-0'])
    expect(rows[1]!.slice(2)).toEqual(['1', '1', '0', '0'])
    expect(
      json((await cy.grid(['history', '--global', '--limit', '2', '-o', 'json'])).stdout).map(
        (row) => row['run'],
      ),
    ).toEqual(['old-owl-2', 'old-owl-1'])
    expect((await cy.grid(['history', '--user', 'bob'])).stdout).toContain('Created By')
    expect((await bob.grid(['status'])).stdout).toContain('3 Run(s) are not active.')
  })
})

describe('logs', () => {
  test('lines of a team mate’s experiment with their times', async () => {
    const { code, stdout } = await cy.grid(['logs', 'bob:brave-lynx-101-exp0'])
    expect(code).toBe(0)
    expect(stdout).toBe(
      [
        '[experiment] [2026-11-22T03:14:18.051+00:00] epoch 0',
        '[experiment] [2026-11-22T03:14:19.000+00:00] loss is high',
        '[experiment] [2026-11-22T03:15:00.000+00:00] epoch 1',
        '',
      ].join('\n'),
    )
  })

  test('the newest, the errors, the recent', async () => {
    const texts = async (...flags: string[]) =>
      json((await cy.grid(['logs', 'bob:brave-lynx-101-exp0', '-o', 'json', ...flags])).stdout).map(
        (line) => line['text'],
      )
    expect(await texts('-l', '1')).toEqual(['epoch 1'])
    expect(await texts('--stderr')).toEqual(['\u001b[31mloss is high\u001b[0m'])
    expect(await texts('--since', '2026-11-22T03:14:30Z')).toEqual(['epoch 1'])
    expect(await texts('--since', '2100-01-01')).toEqual([])
  })

  test('an older spelling works and says its name of today', async () => {
    const { stdout, stderr } = await cy.grid(['logs', '--n_lines', '1', 'bob:brave-lynx-101-exp0'])
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toBe('Warning: --n_lines is deprecated, use --tail-lines\n')
  })

  test('a run’s name prints all of its experiments, each line with its own', async () => {
    const { stdout } = await cy.grid(['logs', 'bob:brave-lynx-101'])
    expect(stdout).toContain('[brave-lynx-101-exp0] [2026-11-22T03:14:18.051+00:00] epoch 0')
    expect(stdout).toContain('[brave-lynx-101-exp1] [2026-11-22T03:14:18.051+00:00] started')
  })

  test('nobody and nothing are not found', async () => {
    for (const ref of ['bob:nonsense', 'nobody:brave-lynx-101-exp0', 'nonsense']) {
      expect([ref, (await cy.grid(['logs', ref])).code]).toEqual([ref, 4])
    }
  })

  test('-f prints lines as they come, each once, and ends with the experiment', async () => {
    const place = { team: 'vision', project: 'digits', id: 'followed' }
    const followed = await startExperiment(server, keyOf('b'), place, { name: 'calm-owl-7' })
    await followed.print(0, [{ text: 'one' }])
    const child = follow(cy, 'bob:calm-owl-7')
    await child.until('one')
    await followed.print(1, [{ text: '10%' }])
    await followed.print(1, [{ text: '90%' }, { text: 'three' }])
    await child.until('three')
    await followed.print(3, [{ text: 'last' }])
    await followed.finish(0)
    expect(await child.ended).toEqual([0, null])
    expect(texts(child.output()).filter((line) => line !== '10%')).toEqual(['one', '90%', 'three', 'last'])
  })

  test('Ctrl-C ends -f without a trace', async () => {
    const child = follow(cy, 'bob:brave-lynx-101-exp1')
    await child.until('started')
    child.process.kill('SIGINT')
    expect(await child.ended).toEqual([130, null])
    expect(child.errors().trim()).toBe('')
  })
})

/** What scripts wrote, without label and time. */
function texts(output: string): (string | undefined)[] {
  return output
    .trimEnd()
    .split('\n')
    .map((line) => line.split('] ').at(-1))
}

function follow(who: Caller, ref: string) {
  const child = spawn(process.execPath, [join(rootFolder, 'cli/src/main.ts'), 'logs', '-f', ref], {
    cwd: who.folder,
    env: cleanEnv({ GRID_CONFIG_DIR: join(who.folder, '.grid') }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  const waiting: (() => void)[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    for (const look of waiting) look()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve([code, signal])))
  return {
    process: child,
    output: () => output,
    errors: () => errors,
    ended,
    until: (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (output.includes(text)) resolve()
        }
        waiting.push(look)
        void ended.then(() => reject(new Error(`It ended before "${text}": ${output}${errors}`)))
        look()
      }),
  }
}

describe('versions of artifacts', () => {
  test('are listed, inspected, fetched and deleted by name, with the bytes that this frees', async () => {
    const place = { team: 'vision', project: 'digits', name: 'numbers', type: 'dataset' }
    await saveArtifact(server, keyOf('b'), { ...place, files: { 'a.csv': '1,2', 'in/b.csv': 'same' } })
    await saveArtifact(server, keyOf('b'), { ...place, files: { 'a.csv': '3,4,5', 'in/b.csv': 'same' } })
    const listed = await cy.grid(['artifacts', '--list', 'vision/digits/', '-o', 'json'])
    expect(json(listed.stdout)).toMatchObject([{ name: 'numbers', versions: 2, latest: 'v1' }])
    const versions = await cy.grid(['artifacts', '--list', 'vision/digits/numbers:*', '-o', 'json'])
    expect(json(versions.stdout).map((row) => [row['name'], row['aliases']])).toEqual([
      ['numbers:v1', ['latest']],
      ['numbers:v0', []],
    ])
    const known = await cy.grid(['artifacts', '--inspect', 'vision/digits/numbers:v0', '-o', 'json'])
    expect(json(known.stdout)).toMatchObject([{ size: 7, files: 2, created_by: 'bob', used_by: [] }])
    const fetch = ['artifacts', 'vision/digits/numbers:latest', '--include', '*.csv']
    expect((await cy.grid(fetch)).stdout).toBe(
      'Downloaded 2 files (9 B) to grid_artifacts, skipped 0 files unchanged (0 B).\n',
    )
    expect((await cy.grid(fetch)).stdout).toContain('skipped 2 files unchanged (9 B)')
    expect(await readFile(join(cy.folder, 'grid_artifacts/numbers-v1/in/b.csv'), 'utf8')).toBe('same')
    const stranger = await zoe.grid(['artifacts', 'vision/digits/numbers:v0'])
    expect([stranger.code === 0, stranger.stdout]).toEqual([false, ''])

    const gone = ['delete', 'artifact', 'vision/digits/numbers:v1']
    const refused = await cy.grid([...gone, '--yes'])
    expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('bob')])
    const told = await bob.grid([...gone, '--dry-run'])
    expect(told.stdout).toBe(
      'vision/digits/numbers:v1: 1 version, 9 B, of which 5 B are freed; other versions keep the rest; aliases latest go with it.\n',
    )
    expect(json((await bob.grid([...gone, '--yes', '-o', 'json'])).stdout)).toMatchObject([
      { freed: 5, size: 9, deleted: true },
    ])
    const left = await cy.grid(['artifacts', '--list', 'vision/digits/numbers:latest', '-o', 'json'])
    expect(json(left.stdout).map((row) => row['artifact'])).toContain('vision/digits/numbers:v0')
  })
})

describe('artifacts', () => {
  test('of an experiment land under run and experiment, and a second time nothing is fetched', async () => {
    const first = await cy.grid(['artifacts', 'bob:brave-lynx-101-exp0', '-m', '^(model|media|empty)'])
    expect([first.code, first.stdout]).toEqual([
      0,
      'Downloaded 3 files (195.3 KiB) to grid_artifacts, skipped 0 files unchanged (0 B).\n',
    ])
    const folder = join(cy.folder, 'grid_artifacts/brave-lynx-101/brave-lynx-101-exp0')
    expect((await readFile(join(folder, 'model.pt'))).equals(model)).toBe(true)
    expect(await readFile(join(folder, 'media/wrong digits & 50%.txt'), 'utf8')).toBe('five')
    expect((await stat(join(folder, 'empty.txt'))).size).toBe(0)
    const again = await cy.grid(['artifacts', 'bob:brave-lynx-101-exp0', '-m', '^(model|media|empty)'])
    expect(again.stdout).toBe(
      'Downloaded 0 files (0 B) to grid_artifacts, skipped 3 files unchanged (195.3 KiB).\n',
    )
  })

  test('of a run get one folder each and never overwrite each other', async () => {
    const { code, stdout } = await cy.grid([
      'artifacts',
      'bob:brave-lynx-101',
      '--download_dir',
      'elsewhere',
      '-m',
      'model',
      '-o',
      'json',
    ])
    expect(code).toBe(0)
    expect(json(stdout).map((row) => [row['experiment'], row['path'], row['status']])).toEqual(
      expect.arrayContaining([
        ['brave-lynx-101-exp0', 'model.pt', 'downloaded'],
        ['brave-lynx-101-exp1', 'model.pt', 'downloaded'],
      ]),
    )
    const run = join(cy.folder, 'elsewhere/brave-lynx-101')
    expect(
      createHash('md5')
        .update(await readFile(join(run, 'brave-lynx-101-exp0/model.pt')))
        .digest('hex'),
    ).toBe(createHash('md5').update(model).digest('hex'))
    expect(await readFile(join(run, 'brave-lynx-101-exp1/model.pt'), 'utf8')).toBe('of exp1')
  })

  test('--list only shows', async () => {
    const { stdout } = await cy.grid(['artifacts', '--list', 'bob:brave-lynx-101-exp1'])
    expect(stdout).toMatch(/^Experiment +Path +Size +Modified\n/)
    expect(stdout).toMatch(/brave-lynx-101-exp1 +model\.pt +7 B +\d{4}-/)
  })

  test('a name that would leave the folder is never written outside of it', async () => {
    const names = ['../../evil.txt', '/tmp/evil.txt', 'a/../../../evil.txt']
    for (const name of names) await running.save(name, Buffer.from('evil')).catch(() => undefined)
    await cy.grid(['artifacts', 'bob:brave-lynx-101-exp1', '--download_dir', 'deep/er'])
    expect(await readdir(cy.folder)).not.toContain('evil.txt')
    expect(await readdir(join(cy.folder, 'deep'))).toEqual(['er'])
    expect(
      (await readdir(join(cy.folder, 'deep/er'), { recursive: true })).filter((name) => name.includes('..')),
    ).toEqual([])
  })

  test('where nothing can be written it says so', async () => {
    await writeFile(join(cy.folder, 'a-file'), '')
    const { code, stderr } = await cy.grid([
      'artifacts',
      'bob:brave-lynx-101-exp1',
      '--download_dir',
      'a-file',
    ])
    expect(code).toBe(1)
    expect(stderr).toContain('Cannot write to')
  })
})

describe('stop', () => {
  test('what is somebody else’s is not stopped without asking', async () => {
    const { code, stderr } = await cy.grid(['stop', 'run', 'bob:brave-lynx-101'])
    expect(code).toBe(1)
    expect(stderr).toContain('WARNING!\nrun brave-lynx-101 belongs to bob.')
    expect(json((await bob.grid(['status', '-o', 'json'])).stdout)[0]).toMatchObject({ running: 1 })
  })

  test('the team’s policy decides whether a member may', async () => {
    await adminOk(server, ['team', 'policy', 'vision', '--set', 'members_stop_runs=off'])
    const refused = await cy.grid(['stop', 'experiment', 'bob:brave-lynx-101-exp1', '--yes', '-o', 'json'])
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: { code: 'policy_denied', policy: 'members_stop_runs', owner: 'bob' },
    })
    await adminOk(server, [
      'team',
      'policy',
      'vision',
      '--preset',
      'default',
      '--set',
      'members_stop_runs=on',
    ])
    const allowed = await cy.grid(['stop', 'run', 'bob:brave-lynx-101', '--yes'])
    expect([allowed.code, allowed.stderr]).toEqual([
      0,
      '✔ Stopping brave-lynx-101-exp1\n✔ brave-lynx-101-exp0 has already ended\n',
    ])
  })

  test('cancel is the older spelling', async () => {
    const { code, stderr } = await bob.grid(['cancel', 'brave-lynx-101-exp1'])
    expect(code).toBe(0)
    expect(stderr).toContain('Warning: grid cancel is deprecated')
  })
})

describe('a service account', () => {
  test('sees the team’s runs, and those of the member it works for as its own', async () => {
    const made = await adminOk(server, ['service-account', 'create', 'vision', 'ci'])
    const ci = await caller(server, (made['key'] as { secret: string }).secret)
    const runs = async (args: string[], env: Record<string, string> = {}) =>
      json((await ci.grid(['status', '-o', 'json', ...args], { env })).stdout).map((row) => row['run'])
    expect(await runs(['--global'])).toContain('brave-lynx-101')
    expect(await runs([])).toEqual([])
    expect(await runs([], { GRID_USERNAME: 'bob' })).toContain('brave-lynx-101')
    await rm(ci.folder, { recursive: true })
  })
})

describe('a policy that keeps the logs of others in the web app', () => {
  test('refuses with the address, and leaves one’s own alone', async () => {
    await adminOk(server, ['team', 'policy', 'vision', '--preset', 'grid-2022'])
    for (const command of ['logs', 'artifacts']) {
      const { code, stderr } = await cy.grid([command, 'bob:brave-lynx-101-exp0'])
      expect([command, code]).toEqual([command, 1])
      expect(stderr).toMatch(/^Warning: .*cli_cross_user_logs_artifacts/)
      expect(stderr).toContain(`${server.url}/vision/digits/runs/exp0`)
      expect((await bob.grid([command, 'brave-lynx-101-exp0'])).code).toBe(0)
    }
    await adminOk(server, ['team', 'policy', 'vision', '--preset', 'default'])
  })
})

describe('a member who was removed', () => {
  test('sees nothing any more, at once', async () => {
    await adminOk(server, ['member', 'remove', 'vision', 'cy'])
    expect((await cy.grid(['logs', 'bob:brave-lynx-101-exp0'])).code).toBe(4)
    expect((await cy.grid(['teams', 'vision'])).code).toBe(4)
    expect((await cy.grid(['status', '--global', '-o', 'json'])).stdout).toBe('[]\n')
  })
})

test('-f goes on when the server comes back', async () => {
  const place = { team: 'vision', project: 'digits', id: 'patient' }
  const patient = await startExperiment(server, keyOf('b'), place, { name: 'patient-owl-1' })
  await patient.print(0, [{ text: 'before' }, { text: 'still before' }])
  const child = follow(bob, 'patient-owl-1')
  await child.until('before')
  await server.kill9()
  const { dataDir } = server
  server = await startServer({ dataDir, port: server.port })
  await patient.print(2, [{ text: 'after' }])
  await patient.finish(0)
  expect(await child.ended).toEqual([0, null])
  expect(texts(child.output())).toEqual(['before', 'still before', 'after'])
  expect(child.errors()).toContain('trying again')
  expect(child.errors()).toContain('Connected again.')
})

test('the operator’s command says in a sentence that the server is not running', async () => {
  const { code, stderr } = await run(process.execPath, ['cli/src/admin/main.ts', 'user', 'list'], {
    cwd: rootFolder,
    env: cleanEnv({ TEAMGRID_DATA: server.dataDir, TEAMGRID_URL: 'http://127.0.0.1:9' }),
  })
  expect(code).toBe(1)
  expect(stderr).toContain('Error: The server at http://127.0.0.1:9 is not running')
})
