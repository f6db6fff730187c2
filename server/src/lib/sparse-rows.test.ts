import { parquetReadObjects } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import { createColumns } from './sparse-rows.ts'

/** Through a file and back, as somebody who was handed it reads it. */
async function tableOf(rows: string[]) {
  const columns = createColumns()
  for (const row of rows) columns.see(row)
  const table = columns.rows()
  for (const [step, row] of rows.entries()) table.add(row, step)
  const made = table.columns()
  const file = parquetWriteBuffer({
    columnData: made.map(({ name, type, values }) => ({ name, type, nullable: true, data: values })),
  })
  return {
    types: Object.fromEntries(made.map(({ name, type }) => [name, type])),
    rows: await parquetReadObjects({ file }),
  }
}

test('keys that rows lack are empty, nested ones stand under their path', async () => {
  const { rows } = await tableOf(['{"loss":0.5}', '{"d":{"x":1,"deep":{"y":"z"}}}', '{}', '{"loss":null}'])
  expect(rows).toEqual([
    { _step: 0n, loss: 0.5, 'd.x': null, 'd.deep.y': null },
    { _step: 1n, loss: null, 'd.x': 1n, 'd.deep.y': 'z' },
    { _step: 2n, loss: null, 'd.x': null, 'd.deep.y': null },
    { _step: 3n, loss: null, 'd.x': null, 'd.deep.y': null },
  ])
})

test('a column is what all of its values are; kinds that do not fit together, lists and media become JSON', async () => {
  const { types, rows } = await tableOf([
    '{"_timestamp":1.5,"whole":1,"mixed":1,"number":1,"flag":true,"text":"a","list":[1,NaN],"big":9007199254740993}',
    '{"_step":99,"whole":-2,"mixed":"b","number":0.5,"flag":false,"text":"","list":[],"big":1}',
    '{"number":NaN,"image":{"_type":"image-file","path":"media/a.png"}}',
  ])
  expect(types).toEqual({
    _step: 'INT64',
    _timestamp: 'DOUBLE',
    whole: 'INT64',
    mixed: 'STRING',
    number: 'DOUBLE',
    flag: 'BOOLEAN',
    text: 'STRING',
    list: 'STRING',
    big: 'DOUBLE',
    image: 'STRING',
  })
  expect(rows).toMatchObject([
    { _step: 0n, whole: 1n, mixed: '1', number: 1, flag: true, text: 'a', list: '[1,"NaN"]', image: null },
    { _step: 1n, whole: -2n, mixed: '"b"', number: 0.5, flag: false, text: '', list: '[]' },
    { number: NaN, whole: null, flag: null, image: '{"_type":"image-file","path":"media/a.png"}' },
  ])
})

test('a line that is no object keeps its place and has nothing else', async () => {
  const { rows } = await tableOf(['{"loss":1}', 'torn', '{"loss":2}'])
  expect(rows).toEqual([
    { _step: 0n, loss: 1n },
    { _step: 1n, loss: null },
    { _step: 2n, loss: 2n },
  ])
})
