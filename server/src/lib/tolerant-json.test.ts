import { describe, expect, test } from 'vitest'
import {
  nestingMax,
  parseJsonObject,
  parseTolerantJson,
  storableText,
  toStrictJson,
} from './tolerant-json.ts'

describe('parsing', () => {
  test('bare NaN and Infinity are numbers wherever a number may stand', () => {
    expect(parseTolerantJson('{"a": NaN, "b":[Infinity,-Infinity, 1.5e3], "c": {"d": NaN}}')).toEqual({
      a: NaN,
      b: [Infinity, -Infinity, 1500],
      c: { d: NaN },
    })
    expect(parseTolerantJson(' NaN ')).toBeNaN()
  })

  test('inside strings and keys the words stay text', () => {
    const text = String.raw`{"NaN": "NaN, \"Infinity\" \\", "x": NaN, "é\n": "-Infinity"}`
    expect(parseTolerantJson(text)).toEqual({ NaN: 'NaN, "Infinity" \\', x: NaN, 'é\n': '-Infinity' })
  })

  test('the slow path reads what the engine reads', () => {
    const value = { a: [1, -0.5, 1e-7, true, false, null, '', '"\\', '\u2028'], b: {}, c: [], d: [[{}]] }
    const text = JSON.stringify({ ...value, last: 'bare' }).replace('"bare"', 'NaN')
    expect(parseTolerantJson(text)).toEqual({ ...value, last: NaN })
  })

  test.each([
    '',
    '{"a": NaN',
    '{NaN: 1}',
    '{"a": NaN,}',
    '[NaN NaN]',
    '{"a": Infinit}',
    '+Infinity',
    '{"a": NaN, "b": 01}',
    '"NaN',
    'nan',
    '{"a": NaN} {"b": 1}',
    '{"a": "line\nbreak", "b": NaN}',
  ])('%j is refused', (text) => {
    expect(() => parseTolerantJson(text)).toThrow(SyntaxError)
    expect(parseJsonObject(text)).toBeUndefined()
  })

  test('a key __proto__ is a key and changes no prototype', () => {
    for (const text of ['{"__proto__": {"polluted": 1}}', '{"__proto__": {"polluted": NaN}}']) {
      const value = parseTolerantJson(text) as object
      expect(Object.keys(value)).toEqual(['__proto__'])
      expect((value as { polluted?: unknown }).polluted).toBeUndefined()
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    }
  })

  test('nesting has a limit on both paths, so that nothing after it can overflow', () => {
    const nested = (levels: number, inner: string) => '['.repeat(levels) + inner + ']'.repeat(levels)
    expect(() => parseTolerantJson(nested(100_000, '1'))).toThrow(SyntaxError)
    expect(() => parseTolerantJson(nested(100_000, 'NaN'))).toThrow(SyntaxError)
    expect(() => parseTolerantJson(nested(nestingMax, 'NaN'))).not.toThrow()
    expect(() => parseTolerantJson(nested(nestingMax, '1'))).not.toThrow()
  })

  test('an object is wanted: lists, numbers and text are none', () => {
    for (const text of ['[1]', '1', '"a"', 'null', 'NaN']) expect(parseJsonObject(text)).toBeUndefined()
    expect(parseJsonObject('{"a":1}')).toEqual({ a: 1 })
  })
})

describe('writing', () => {
  test('non-finite numbers become strings', () => {
    expect(JSON.parse(toStrictJson({ a: NaN, b: [Infinity, -Infinity], c: 1 }))).toEqual({
      a: 'NaN',
      b: ['Infinity', '-Infinity'],
      c: 1,
    })
  })

  test('NUL and lone surrogates do not reach Postgres; text that only looks like them does', () => {
    const text = toStrictJson({ 'k\0ey': 'a\0b', lone: '\ud83d', pair: '😀', written: '\\u0000 \\ud800' })
    expect(text).not.toMatch(/(?<!\\)\\u0000/)
    expect(JSON.parse(text)).toEqual({ key: 'ab', lone: '\ufffd', pair: '😀', written: '\\u0000 \\ud800' })
    expect(storableText('a\0\ud800')).toBe('a\ufffd')
  })

  test('a key __proto__ survives cleaning', () => {
    const value = JSON.parse('{"__proto__": "a\\u0000", "b": 1}') as unknown
    expect(toStrictJson(value)).toBe('{"__proto__":"a","b":1}')
  })

  test('nothing is null', () => {
    expect(toStrictJson(undefined)).toBe('null')
  })
})
