import { GridError } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { chunkOf } from './file-stream.ts'

test('an empty body is a sign of life', () => {
  expect(chunkOf({}, undefined)).toEqual({})
})

test('every stream keeps its offset and its lines as they came', () => {
  const body = {
    files: {
      'wandb-history.jsonl': { offset: 3, content: ['{"_step":3,"x":NaN}', '{"_step":4}'] },
      'wandb-events.jsonl': { offset: 0, content: ['{"system.cpu":1}'] },
      'output.log': { offset: 7, content: ['{"ts":"2026-11-22T03:14:18.051126","content":"hi"}'] },
    },
  }
  expect(chunkOf(body, undefined)).toEqual({
    history: { offset: 3, lines: ['{"_step":3,"x":NaN}', '{"_step":4}'] },
    system: { offset: 0, lines: ['{"system.cpu":1}'] },
    console: {
      offset: 7,
      lines: [{ timeMs: Date.parse('2026-11-22T03:14:18.051Z'), level: 'info', label: '', text: 'hi' }],
    },
  })
})

test('the newest summary of a chunk is taken, whatever its offset', () => {
  const body = { files: { 'wandb-summary.json': { offset: 5, content: ['{"a":1}', '{"a":Infinity}'] } } }
  expect(chunkOf(body, undefined)).toEqual({ summary: { a: Infinity } })
})

test('a summary that cannot be read costs nothing else', () => {
  const body = {
    files: {
      'wandb-summary.json': { content: ['{'] },
      'wandb-history.jsonl': { offset: 0, content: ['{}'] },
    },
  }
  expect(chunkOf(body, undefined)).toEqual({ history: { offset: 0, lines: ['{}'] } })
})

test('the end comes with its exit code, zero when none is told', () => {
  expect(chunkOf({ complete: true, exitcode: 3 }, undefined)).toEqual({ complete: { exitCode: 3 } })
  expect(chunkOf({ complete: true, exitcode: null }, undefined)).toEqual({ complete: { exitCode: 0 } })
  expect(chunkOf({ complete: false, exitcode: 1 }, undefined)).toEqual({})
  expect(chunkOf({ preempting: true }, undefined)).toEqual({ preempting: true })
})

test('one of several writers is named', () => {
  expect(chunkOf({}, 'writer-1')).toEqual({ sharedWriter: 'writer-1' })
})

test('parts of unknown form are left out, never refused', () => {
  const body = {
    files: {
      'wandb-history.jsonl': { offset: 'x', content: [{ _step: 1 }] },
      'wandb-events.jsonl': null,
      'output.log': { offset: 1, content: 'text' },
      'other.txt': { offset: 0, content: ['x'] },
    },
    dropped: 3,
    uploaded: ['a'],
  }
  expect(chunkOf(body, undefined)).toEqual({ history: { offset: 0, lines: ['{"_step":1}'] } })
  expect(chunkOf({ files: [] }, undefined)).toEqual({})
})

test('only a body that is no object is refused', () => {
  for (const body of [null, [], 'text', 3]) expect(() => chunkOf(body, undefined)).toThrow(GridError)
})
