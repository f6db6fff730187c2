import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile, chmod, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPostgres, type OpenPostgres } from './open.ts'

let dataDir: string
let opened: OpenPostgres[] = []
let logged: string[] = []
const log = {
  info: (message: string) => void logged.push(message),
  warn: (message: string) => void logged.push(message),
  error: (message: string) => void logged.push(message),
}

async function open(folder = dataDir): Promise<OpenPostgres> {
  const postgres = await openPostgres({ databaseUrl: null, dataDir: folder, log })
  opened.push(postgres)
  return postgres
}

async function postmasterPid(): Promise<number> {
  return Number((await readFile(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'teamgrid-embedded-'))
  await chmod(dataDir, 0o711)
  logged = []
})

afterEach(async () => {
  for (const postgres of opened) await postgres.close().catch(() => {})
  opened = []
  await rm(dataDir, { recursive: true, force: true })
})

test('what was committed is there after a stop and a start', async () => {
  const first = await open()
  await first.pool.query('create table note (text text, size bigint)')
  await first.pool.query(`insert into note values ('kept', 9000000000)`)
  await first.close()
  await expect(stat(join(dataDir, 'postgres/data/postmaster.pid'))).rejects.toThrow('ENOENT')

  const second = await open()
  expect((await second.pool.query('select * from note')).rows).toEqual([
    { text: 'kept', size: 9_000_000_000 },
  ])
})

test('it commits durably and listens on no port', async () => {
  const { pool } = await open()
  const { rows } = await pool.query(
    `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'listen_addresses') order by name`,
  )
  expect(rows).toEqual([
    { name: 'fsync', setting: 'on' },
    { name: 'listen_addresses', setting: '' },
    { name: 'synchronous_commit', setting: 'on' },
  ])
})

test('a Postgres killed under a running server is started again and has lost nothing', async () => {
  const postgres = await open()
  await postgres.pool.query(`create table note as select 'kept' as text`)
  const before = await postmasterPid()
  process.kill(before, 'SIGKILL')
  await expect.poll(() => postmasterPid().catch(() => before), { timeout: 20_000 }).not.toBe(before)
  await expect
    .poll(
      () =>
        postgres.pool
          .query('select text from note')
          .then(({ rows }) => rows)
          .catch(() => []),
      { timeout: 20_000 },
    )
    .toEqual([{ text: 'kept' }])
  expect(logged.join('\n')).toContain('Postgres ended unexpectedly')
})

test('a process id file left by a crash does not prevent a start, even if its number is in use again', async () => {
  const first = await open()
  await first.close()
  const file = join(dataDir, 'postgres/data/postmaster.pid')
  await writeFile(file, `${process.pid}\n${dataDir}/postgres/data\n1700000000\n5432\n\n\n\nready\n`)
  const second = await open()
  await expect(second.ping()).resolves.toBeUndefined()
})

test('a Postgres left running by a killed server is replaced, with everything it had committed', async () => {
  // A process of its own opens the database and is killed, as a server would be.
  const script = `
    import { openPostgres } from ${JSON.stringify(new URL('./open.ts', import.meta.url).href)}
    const log = { info() {}, warn() {}, error() {} }
    const { pool } = await openPostgres({ databaseUrl: null, dataDir: process.argv[1], log })
    await pool.query("create table note as select 'kept' as text")
    process.kill(process.pid, 'SIGKILL')`
  expect(() =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script, dataDir], { stdio: 'ignore' }),
  ).toThrow()
  const left = await postmasterPid()
  expect(() => process.kill(left, 0)).not.toThrow()

  const postgres = await open()
  expect((await postgres.pool.query('select text from note')).rows).toEqual([{ text: 'kept' }])
  expect(await postmasterPid()).not.toBe(left)
})

test('the child does not outlive a process that ends without closing', async () => {
  const script = `
    import { openPostgres } from ${JSON.stringify(new URL('./open.ts', import.meta.url).href)}
    const log = { info() {}, warn() {}, error() {} }
    await openPostgres({ databaseUrl: null, dataDir: process.argv[1], log })
    process.exit(3)`
  expect(() =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script, dataDir], { stdio: 'ignore' }),
  ).toThrow()
  await expect
    .poll(
      () =>
        stat(join(dataDir, 'postgres/data/postmaster.pid')).then(
          () => 'running',
          () => 'ended',
        ),
      { timeout: 20_000 },
    )
    .toBe('ended')
})

test('a data directory with a very long path works', async () => {
  const deep = join(dataDir, 'a-rather-long-name-of-a-folder'.repeat(4))
  await mkdir(deep, { mode: 0o711 })
  const postgres = await open(deep)
  await expect(postgres.ping()).resolves.toBeUndefined()
})

test.skipIf(process.getuid?.() !== 0)(
  'as root, Postgres runs as a system user and needs to reach its folder',
  async () => {
    await chmod(dataDir, 0o700)
    await expect(open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('cannot be reached by the system user "teamgrid"'),
    })
    await chmod(dataDir, 0o711)
    await open()
    const owner = (await stat(`/proc/${await postmasterPid()}`)).uid
    expect(owner).not.toBe(0)
    expect((await stat(join(dataDir, 'postgres'))).mode & 0o777).toBe(0o700)
  },
)
