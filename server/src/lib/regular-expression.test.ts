import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClickHouse } from '../stores/clickhouse/open.ts'
import { testDatabase } from '../stores/postgres/testing.ts'
import { readExpression } from './regular-expression.ts'

let folder: string
let postgres: Awaited<ReturnType<typeof testDatabase>>
let clickhouse: Awaited<ReturnType<typeof openClickHouse>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-expressions-'))
  postgres = await testDatabase()
  clickhouse = await openClickHouse({ url: null, path: folder })
})
afterAll(async () => {
  await postgres.close()
  await clickhouse.close()
  await rm(folder, { recursive: true, force: true })
})

test.each([
  ['(', 'not closed'],
  ['a)', 'closes nothing'],
  ['[a', 'not closed'],
  ['*a', 'nothing'],
  ['a**', 'repeated'],
  ['a{2}{3}', 'repeated'],
  ['^*', 'cannot be repeated'],
  ['a{3,2}', 'before it begins'],
  ['a{256}', '255'],
  ['(a{100}){100}', 'too often'],
  ['(?=a)b', 'ahead or behind'],
  ['(?<!a)b', 'ahead or behind'],
  ['a(?i)b', 'beginning'],
  ['(a)\\1', 'back to a group'],
  ['\\k<a>', 'back to a group'],
  ['\\p{L}', 'no \\p'],
  ['\\Aa', 'no \\A'],
  ['[\\D]', 'inside'],
  ['[z-a]', 'backwards'],
  ['\\x{110000}', 'names no character'],
  ['a\0', 'without a meaning'],
  ['a\\', 'ends with'],
  ['a'.repeat(501), '500'],
  ['('.repeat(60) + ')'.repeat(60), 'nest'],
])('%s is refused with a reason', (text, reason) => {
  expect(() => readExpression(text)).toThrow(reason)
})

const texts = [
  '',
  'alpha',
  'Alpha-1',
  'run-99',
  'run_9',
  'a.b',
  'axb',
  'a\nb',
  'tab\there',
  '[x]',
  'a-b^c]',
  'back\\slash',
  '{1}',
  'grüße',
  'aaa',
  'x$',
]

describe('means the same to both engines', () => {
  test.each([
    ['^alpha$', ['alpha']],
    ['^ALPHA', []],
    ['(?i)^ALPHA', ['alpha', 'Alpha-1']],
    ['(?i)(?s)^ALPHA$', ['alpha']],
    ['a.b', ['a.b', 'axb', 'a-b^c]']],
    ['(?s)a.b', ['a.b', 'axb', 'a\nb', 'a-b^c]']],
    ['^b', ['back\\slash']],
    ['(?m)^b', ['a\nb', 'back\\slash']],
    ['(?m)a$', ['alpha', 'a\nb', 'aaa']],
    ['(?ms)a$.b', ['a\nb']],
    ['a\\.b', ['a.b']],
    ['run.\\d{2,}', ['run-99']],
    ['^run(-|_)9{1,2}?$', ['run-99', 'run_9']],
    ['^(?P<kind>run|tab)(?:-|\\t)\\w+$', ['run-99', 'tab\there']],
    ['\\brun\\b', ['run-99']],
    ['un\\B', ['run_9']],
    ['\\\\slash', ['back\\slash']],
    ['\\\\b', []],
    ['[[]x[]]', ['[x]']],
    ['[^a-z]b', ['a.b', 'a\nb', 'a-b^c]']],
    ['[-^]c', ['a-b^c]']],
    ['[]x]$', ['[x]', 'a-b^c]']],
    ['{1}', ['{1}']],
    ['^a{3}$', ['aaa']],
    ['[[:digit:]]', ['Alpha-1', 'run-99', 'run_9', '{1}']],
    ['^[\\w-]+\\d$', ['Alpha-1', 'run-99', 'run_9']],
    ['gr\\xfc\\u00dfe', ['grüße']],
    ['\\$$', ['x$']],
    ['^(|x\\$)$', ['', 'x$']],
    ['(((a)|b)*c){2}', []],
  ])('%s', async (text, matching) => {
    const { re2, postgres: inPostgres } = readExpression(text)
    const { rows } = await postgres.pool.query<{ text: string }>(
      'select text from unnest($1::text[]) text where text ~ $2',
      [texts, inPostgres],
    )
    const found = await clickhouse.client.query({
      query: 'SELECT arrayJoin({texts:Array(String)}) AS text WHERE match(text, {re2:String})',
      query_params: { texts, re2 },
      format: 'JSONCompactEachRow',
    })
    expect({ postgres: rows.map((row) => row.text), metrics: (await found.json<[string]>()).flat() }).toEqual(
      {
        postgres: matching,
        metrics: matching,
      },
    )
  })
})
