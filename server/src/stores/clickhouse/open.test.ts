import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { newId } from '../../lib/ids.ts'
import { createMetricStore } from './metric-store.ts'
import { openClickHouse } from './open.ts'

/**
 * Stands in for a ClickHouse server on the wire; what SQL means is for the contract suite and a real one. An answer in
 * JSON is an answer, any other is trouble.
 */
async function aServer(answer: (statement: string, body: string) => string | null) {
  const requests: { authorization: string; database: string; statement: string; body: string }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { searchParams } = new URL(request.url ?? '', 'http://server')
      const sent = Buffer.concat(chunks)
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString()
      const statement = searchParams.get('query') ?? ''
      requests.push({
        authorization: Buffer.from((request.headers.authorization ?? '').slice(6), 'base64').toString(),
        database: searchParams.get('database') ?? '',
        statement,
        body,
      })
      const trouble = answer(statement, body)
      if (trouble !== null && !trouble.startsWith('{')) response.statusCode = 500
      response.end(trouble ?? '')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://ada:secret@127.0.0.1:${port}/metrics`, requests, close: () => server.close() }
}

test('a server that refuses its tables is not opened', async () => {
  const server = await aServer(() => 'Code: 497. DB::Exception: ada: Not enough privileges. (ACCESS_DENIED)')
  await expect(openClickHouse({ url: server.url, path: '' })).rejects.toThrow('Not enough privileges')
  server.close()
})

test('a server syncs every insert and merge of our tables, unless they say otherwise themselves', async () => {
  const server = await aServer((statement, body) =>
    `${statement}${body}`.includes('fsync_after_insert%') ? '{"name":"lines"}\n' : null,
  )
  await (await openClickHouse({ url: server.url, path: '' })).close()
  const altering = server.requests.filter(({ statement, body }) =>
    `${statement}${body}`.includes('ALTER TABLE {name'),
  )
  expect(altering).toHaveLength(1)
  server.close()
})

test('rows go to the named database of a server, every bit and byte of them, and its troubles are understood', async () => {
  const server = await aServer((statement) =>
    statement.startsWith('INSERT INTO console')
      ? 'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)'
      : null,
  )
  const store = createMetricStore({
    ...(await openClickHouse({ url: server.url, path: '' })),
    clock: { now: () => 5 },
  })
  const experimentId = newId()
  await store.append({
    lines: [
      {
        experimentId,
        stream: 'history',
        line: 7,
        step: 8,
        runtimeSeconds: Number.NaN,
        timestampSeconds: 0.1,
        raw: 'é\t\n\\',
        numbers: { "a'": -0, b: -Infinity },
        objects: {},
      },
    ],
  })
  expect(server.requests.at(-1)).toEqual({
    authorization: 'ada:secret',
    database: 'metrics',
    statement:
      'INSERT INTO arrivals (experiment, stream, line, step, timestamp, version, runtime, raw, keys, packed_values) ' +
      'SETTINGS precise_float_parsing = 1 FORMAT TabSeparated',
    body: `${experimentId}\thistory\t7\t8\t0.1\t5000\tNaN\té\\t\\n\\\\\t['a\\'','b']\tAAAAAAAAAIAAAAAAAADw/w==\n`,
  })
  await expect(
    store.append({
      console: [{ experimentId, line: 0, timeMs: null, level: 'info', label: '', text: 'x' }],
    }),
  ).rejects.toMatchObject({ code: 'storage_full' })
  await store.close()
  server.close()
})
