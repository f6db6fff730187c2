import { expect, test } from 'vitest'
import { findFlattened, possibleHeads, visitLeaves } from './flatten.ts'

const leaves = (nested: Record<string, unknown>) => {
  const found: [string, unknown][] = []
  visitLeaves(nested, (key, value) => found.push([key, value]))
  return found
}

test('nested dictionaries are joined with dots; keys may hold dots and slashes themselves', () => {
  expect(leaves({ 'val/acc': 1, d: { 'y.z': 2, e: { f: 'x' } } })).toEqual([
    ['val/acc', 1],
    ['d.y.z', 2],
    ['d.e.f', 'x'],
  ])
})

test('a dictionary with a _type, a list and an empty dictionary are one value', () => {
  const image = { _type: 'image-file', path: 'a.png' }
  expect(leaves({ image, list: [1, { a: 2 }], nothing: {} })).toEqual([
    ['image', image],
    ['list', [1, { a: 2 }]],
    ['nothing', {}],
  ])
})

test('very deep dictionaries end as one value instead of exhausting the stack', () => {
  let deep: Record<string, unknown> = { end: 1 }
  for (let level = 0; level < 100; level++) deep = { a: deep }
  const [[key]] = leaves(deep) as [[string, unknown]]
  expect(key.split('.')).toHaveLength(33)
})

test('a flattened key finds its value whichever way it was nested', () => {
  expect(findFlattened({ a: { b: { c: 1 } } }, 'a.b.c')).toBe(1)
  expect(findFlattened({ 'a.b': { c: 2 } }, 'a.b.c')).toBe(2)
  expect(findFlattened({ a: { x: 0 }, 'a.b': 3 }, 'a.b')).toBe(3)
  expect(findFlattened({ a: 1 }, 'a.b')).toBeUndefined()
  expect(findFlattened({}, 'constructor')).toBeUndefined()
  expect(findFlattened({ a: {} }, 'a.__proto__')).toBeUndefined()
  expect(possibleHeads('a.b.c')).toEqual(['a', 'a.b', 'a.b.c'])
})
