/** Starting and ending a whole server, as an operator sees it. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rootFolder, run, type RunResult } from './support/programs.ts'
import { part } from './support/parts.ts'
import { venv } from './support/python.ts'
import { startSeaweed } from './support/seaweed.ts'
import { startServer } from './support/server.ts'
import { testDatabase } from '../server/src/stores/postgres/testing.ts'

const seaweedInstalled = await part('seaweedfs', () => venv('seaweedfs'))

let dataDir: string
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'teamgrid-start-'))
})
afterAll(() => rm(dataDir, { recursive: true, force: true }))

/** Runs `teamgrid start` to its end, on a data directory of its own unless told otherwise. */
async function startAndFail(env: Record<string, string>): Promise<RunResult> {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-refused-'))
  try {
    return await run(process.execPath, [join(rootFolder, 'server/bin/teamgrid.mjs'), 'start'], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        TEAMGRID_DATA: folder,
        TEAMGRID_PORT: '0',
        ...env,
      },
      secondsMax: 60,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test.each([
  [{ TEAMGRID_PORT: 'many' }, 'TEAMGRID_PORT is "many"; it must be a number from 0 to 65535.'],
  [{ DATABASE_URL: 'nonsense' }, 'DATABASE_URL is not a Postgres address'],
  [{ DATABASE_URL: 'postgres://ada:secret@127.0.0.1:1/grid' }, 'nothing listens at 127.0.0.1:1.'],
  [{ TEAMGRID_DATA: '/dev/null' }, 'The data directory /dev/null is not a directory.'],
  [{ TEAMGRID_HOST: '192.0.2.1' }, 'This machine has no address "192.0.2.1" to listen on.'],
])('with %j it says why it does not start, and nothing else', async (env, sentence) => {
  const { code, stderr, stdout } = await startAndFail(env)
  expect(code).toBe(1)
  expect(stderr).toContain(sentence)
  expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
  expect(stderr + stdout).not.toMatch(/secret|    at /)
})

test('a taken port is named', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await startAndFail({ TEAMGRID_HOST: '127.0.0.1', TEAMGRID_PORT: String(port) })
  other.close()
  expect(code).toBe(1)
  expect(stderr).toContain(`Port ${port} is taken by another program.`)
})

test('a second server on the same data directory is refused, a start after kill -9 just works', async () => {
  const first = await startServer({ dataDir })
  expect(first.operatorToken).toMatch(/^\S{20,}$/)
  expect((await stat(join(dataDir, 'operator-token'))).mode & 0o777).toBe(0o600)
  const refused = await startAndFail({ TEAMGRID_DATA: dataDir })
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain(
    `Another Teamgrid server (process ${first.pid}, ${first.url}) already uses`,
  )

  const postmaster = async () =>
    Number((await readFile(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])
  const left = await postmaster()
  await first.kill9()
  // Of the server alone: Postgres is still there.
  expect(() => process.kill(left, 0)).not.toThrow()
  const second = await startServer({ dataDir })
  expect(second.operatorToken).toBe(first.operatorToken)

  // Of everything.
  process.kill(await postmaster(), 'SIGKILL')
  await second.kill9()
  const third = await startServer({ dataDir })
  expect(await third.stop()).toBe(0)
  await expect(stat(join(dataDir, 'postgres/data/postmaster.pid'))).rejects.toThrow('ENOENT')
}, 120_000)

test.skipIf(!seaweedInstalled)(
  'with DATABASE_URL and S3_* the embedded twins are not started',
  async () => {
    await using database = await testDatabase()
    const seaweed = await startSeaweed()
    const { endpoint, bucket, accessKeyId, secretAccessKey } = seaweed.config
    const server = await startServer({
      env: {
        DATABASE_URL: database.connectionString,
        S3_ENDPOINT: endpoint!,
        S3_BUCKET: bucket,
        S3_ACCESS_KEY_ID: accessKeyId,
        S3_SECRET_ACCESS_KEY: secretAccessKey,
      },
    })
    const names = await readdir(server.dataDir)
    expect(names).toContain('metrics')
    expect(names).not.toContain('postgres')
    expect(names).not.toContain('blobs')
    expect(await server.stop()).toBe(0)
    await seaweed.stop()
  },
  120_000,
)
