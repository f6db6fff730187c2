import { expect, test } from 'vitest'
import { parseLoose } from './read-json.ts'

test('bare NaN and Infinity become null, quoted ones stay text', () => {
  expect(parseLoose('{"a": [NaN, -Infinity, 1, "NaN \\" Infinity"]}')).toEqual({
    a: [null, null, 1, 'NaN " Infinity'],
  })
})

test('what is no JSON at all is an error', () => {
  expect(() => parseLoose('{"a": ')).toThrow(SyntaxError)
})
