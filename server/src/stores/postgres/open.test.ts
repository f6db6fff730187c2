import { createServer, type AddressInfo } from 'node:net'
import pg from 'pg'
import { expect, test } from 'vitest'
import { openPostgres } from './open.ts'
import { testDatabase, testServerUrl } from './testing.ts'

const log = { info() {}, warn() {}, error() {} }
const open = (databaseUrl: string) => openPostgres({ databaseUrl, dataDir: '/nonexistent', log })

test.each(['nonsense', 'mysql://host/db', 'localhost:5432', ''])(
  '%j is refused as an address',
  async (url) => {
    await expect(open(url)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('DATABASE_URL is not a Postgres address'),
    })
  },
)

test('an address where nothing listens is named, and the password is not', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const failure = await open(`postgres://ada:secret@127.0.0.1:${port}/grid`).catch((error: Error) => error)
  expect(failure).toMatchObject({
    message: `The database of DATABASE_URL cannot be used: nothing listens at 127.0.0.1:${port}.`,
  })
})

test('a host that does not exist is named', async () => {
  await expect(open('postgres://ada:secret@no-such-host.invalid/grid')).rejects.toMatchObject({
    message: 'The database of DATABASE_URL cannot be used: there is no host called no-such-host.invalid.',
  })
})

test('something that is not Postgres is refused with a sentence', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  )
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await expect(open(`postgres://ada@127.0.0.1:${port}/grid`)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^The database of DATABASE_URL cannot be used: .+/),
  })
  server.close()
})

test('a database that does not exist is named', async () => {
  const url = (await testServerUrl()).replace('/postgres?', '/no_such_database?')
  await expect(open(url)).rejects.toMatchObject({
    message: expect.stringContaining('there is no database "no_such_database"'),
  })
})

test('a user that does not exist is named', async () => {
  const url = (await testServerUrl()).replace('//teamgrid@', '//stranger@')
  await expect(open(url)).rejects.toMatchObject({
    message: expect.stringContaining('user "stranger" may not log in'),
  })
})

test('a good address is used, and closing leaves that server running', async () => {
  const { connectionString, close } = await testDatabase()
  const postgres = await open(connectionString)
  await postgres.ping()
  const { rows } = await postgres.pool.query(`select 7::bigint as count, now() as at, 1.5::numeric as exact`)
  expect(rows).toEqual([{ count: 7, at: expect.any(Date), exact: '1.5' }])
  await postgres.close()
  await close()
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.end()
})

test('a bigint too large for a number is an error, not a wrong number', async () => {
  await using database = await testDatabase()
  await expect(database.pool.query('select 9007199254740993::bigint as count')).rejects.toThrow('too large')
})
