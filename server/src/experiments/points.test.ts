import { expect, test } from 'vitest'
import { pointsOf } from './points.ts'

const points = (raw: string, line = 7) => pointsOf('id', 'history', line, raw)
const plain = (value: object) => ({ ...value })

test.each([
  '',
  'not json',
  '[1, 2]',
  '"text"',
  'NaN',
  '{"a": 1',
  '{"a":'.repeat(1000) + '1' + '}'.repeat(1000),
])('%.20j is kept as it came and has no points', (raw) => {
  expect(points(raw)).toMatchObject({ raw, line: 7, step: 7, runtimeSeconds: NaN, timestampSeconds: NaN })
  expect(plain(points(raw).numbers)).toEqual({})
  expect(plain(points(raw).objects)).toEqual({})
})

test('numbers, booleans and non-finite numbers become points under flattened keys', () => {
  const { numbers } = points(
    '{"a": 1e-3, "b": {"c": NaN, "d.e": -Infinity}, "yes": true, "no": false, "val/acc": 2}',
  )
  expect(plain(numbers)).toEqual({ a: 0.001, 'b.c': NaN, 'b.d.e': -Infinity, yes: 1, no: 0, 'val/acc': 2 })
})

test('step, runtime and time say where the line stands and are no points', () => {
  const line = points(
    '{"_step": 41, "_runtime": 1.5, "_timestamp": 1.79e+09, "_wandb": {"runtime": 1}, "_mine": 3}',
  )
  expect(line).toMatchObject({ step: 41, runtimeSeconds: 1.5, timestampSeconds: 1.79e9 })
  expect(plain(line.numbers)).toEqual({ _mine: 3 })
})

test('a step that is no whole number never costs the line', () => {
  expect(points('{"_step": 3.9}').step).toBe(3)
  for (const step of ['"3"', 'NaN', 'Infinity', '1e300', 'null'])
    expect(points(`{"_step": ${step}}`).step).toBe(7)
})

test('system rows are placed by their line, whatever they say', () => {
  expect(pointsOf('id', 'system', 3, '{"_step": 9, "system.cpu": 1}')).toMatchObject({ step: 3, line: 3 })
})

test('media, text, lists and empty dictionaries are objects; null is nothing', () => {
  const { objects } = points(
    '{"img": {"_type": "image-file", "path": "a.png"}, "t": "x", "l": [1, NaN], "e": {}, "n": null, "odd": {"_type": 5}}',
  )
  expect(plain(objects)).toEqual({
    img: { type: 'image-file', json: '{"_type":"image-file","path":"a.png"}' },
    t: { type: 'string', json: '"x"' },
    l: { type: 'list', json: '[1,"NaN"]' },
    e: { type: 'map', json: '{}' },
  })
  expect(plain(points('{"odd": {"_type": 5}}').numbers)).toEqual({ 'odd._type': 5 })
})

test('keys like __proto__ are keys', () => {
  const { numbers } = points('{"__proto__": 1, "constructor": 2, "a": {"__proto__": {"b": 3}}}')
  expect(Object.keys(numbers)).toEqual(['__proto__', 'constructor', 'a.__proto__.b'])
  expect(({} as { b?: number }).b).toBeUndefined()
})
