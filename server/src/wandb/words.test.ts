import { GridError } from '@teamgrid/api'
import { describe, expect, test } from 'vitest'
import { newId } from '../lib/ids.ts'
import { consoleText, fileId, readFileId, readStorageId, storageId, upsertFrom, wandbPart } from './words.ts'

describe('storage ids', () => {
  test('lead back to the id they were made of', () => {
    const id = newId()
    expect(readStorageId('Run', storageId('Run', id))).toBe(id)
  })

  test('of another kind, or made by somebody else, are not read', () => {
    const id = newId()
    expect(readStorageId('Run', storageId('Project', id))).toBeUndefined()
    expect(readStorageId('Run', 'abc')).toBeUndefined()
    expect(readStorageId('Run', '')).toBeUndefined()
    expect(readStorageId('Run', Buffer.from(`Run:v1:${id}'; drop`).toString('base64'))).toBeUndefined()
  })

  test('are canonical padded base64 that adds no segment to a url', () => {
    for (let round = 0; round < 200; round++) {
      const id = storageId('Run', newId())
      expect(id).toMatch(/^[A-Za-z0-9]+={0,2}$/)
      expect(Buffer.from(id, 'base64').toString('base64')).toBe(id)
    }
  })

  test('of files keep any path', () => {
    for (const path of ['a.txt', 'media/ü~?>/HT%3ML _0.html', 'x'.repeat(300)]) {
      const experimentId = newId()
      const id = fileId(experimentId, path)
      expect(id).not.toMatch(/[+/]/)
      expect(readFileId(id)).toEqual({ experimentId, path })
    }
  })
})

describe('upsertBucket', () => {
  test('null leaves alone, and an empty list of tags is a list', () => {
    expect(
      upsertFrom({ name: 'abc', tags: null, notes: null, config: null, groupName: null }, { shared: false }),
    ).toEqual({
      slug: 'abc',
    })
    expect(upsertFrom({ tags: [], notes: '' }, { shared: false })).toEqual({ tags: [], notes: '' })
  })

  test('takes a config with bare NaN', () => {
    const { config } = upsertFrom(
      { config: '{"lr": {"value": NaN}, "s": {"value": "NaN"}}' },
      { shared: false },
    )
    expect(config).toEqual({ lr: { value: NaN }, s: { value: 'NaN' } })
  })

  test('refuses a config that is no object, an id that is not ours, a state nobody may set', () => {
    const upsert = (input: Parameters<typeof upsertFrom>[0]) => () => upsertFrom(input, { shared: false })
    expect(upsert({ config: '[1]' })).toThrow(GridError)
    expect(upsert({ config: '{' })).toThrow('config is not JSON')
    for (const point of ['{"run_id":"a"}', '{"run_id":"a","step":-1}', '{"run_id":7,"step":1}', '"a"'])
      expect(upsert({ config: `{"_wandb":{"value":{"branch_point":${point}}}}` })).toThrow('fork_from=')
    expect(upsert({ config: '{"_wandb":{"value":{"branch_point":null}}}' })).not.toThrow()
    expect(upsert({ id: 'Zm9v' })).toThrow(expect.objectContaining({ code: 'not_found' }))
    expect(upsert({ state: 'finished' })).toThrow('invalid state transition')
  })
})

test('what the client keeps for itself is found with and without "value" around it', () => {
  expect(wandbPart({ _wandb: { value: { t: { 1: [] } } } })).toEqual({ t: { 1: [] } })
  expect(wandbPart({ _wandb: { t: 1 } })).toEqual({ t: 1 })
  expect(wandbPart({ lr: { value: 1 } })).toEqual({})
})

describe('a console line', () => {
  const timeMs = Date.UTC(2026, 10, 22, 3, 14, 18, 51)

  test('in structured form has its level, time in UTC, label and text', () => {
    const line = JSON.stringify({
      level: 'error',
      ts: '2026-11-22T03:14:18.051126',
      label: 'gpu0',
      content: 'boom {"a":1}',
    })
    expect(consoleText(line)).toEqual({ timeMs, level: 'error', label: 'gpu0', text: 'boom {"a":1}' })
  })

  test('in structured form may be empty and keeps its colours', () => {
    const line = JSON.stringify({ ts: '2026-11-22T03:14:18.051126', content: '\u001b[31mred\u001b[0m' })
    expect(consoleText(line)).toMatchObject({ level: 'info', label: '', text: '\u001b[31mred\u001b[0m' })
    expect(consoleText('{"content":""}')).toEqual({ timeMs: null, level: 'info', label: '', text: '' })
  })

  test('in legacy form is told by its time, with ERROR before it for stderr', () => {
    expect(consoleText('2026-11-22T03:14:18.051126 epoch 1')).toEqual({
      timeMs,
      level: 'info',
      label: '',
      text: 'epoch 1',
    })
    expect(consoleText('ERROR 2026-11-22T03:14:18.051126 Traceback')).toMatchObject({
      level: 'error',
      text: 'Traceback',
    })
    expect(consoleText('2026-11-22T03:14:18.051126 {"content":"json of the script"}')).toMatchObject({
      text: '{"content":"json of the script"}',
    })
    expect(consoleText('2026-11-22T03:14:18.051126 ')).toMatchObject({ text: '' })
  })

  test('of no known form is kept whole', () => {
    for (const text of ['plain', '', '{"a": 1}', '{broken', 'ERROR not a time', '[label] text']) {
      expect(consoleText(text)).toEqual({ timeMs: null, level: 'info', label: '', text })
    }
  })
})
