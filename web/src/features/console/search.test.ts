import { expect, test } from 'vitest'
import { cutAt, findIn, searchPattern } from './search.ts'

test('text is searched as it stands, without regard to case', () => {
  expect(findIn('Loss (val) = 1; loss', searchPattern('loss (')!)).toEqual([{ start: 0, end: 6 }])
})

test('between slashes it is a regular expression, and a broken one finds nothing', () => {
  expect(findIn('a1 b22', searchPattern(String.raw`/\d+/`)!)).toEqual([
    { start: 1, end: 2 },
    { start: 4, end: 6 },
  ])
  expect(searchPattern('/(/')).toBeUndefined()
  expect(findIn('abc', searchPattern('/x*/')!)).toEqual([])
})

test('a hit over two colours is marked in both', () => {
  const cut = cutAt(
    [
      { text: 'ab', colour: 1 },
      { text: 'cd', colour: 2 },
    ],
    [{ start: 1, end: 3 }],
  )
  expect(cut).toEqual([
    { text: 'a', colour: 1, hit: -1 },
    { text: 'b', colour: 1, hit: 0 },
    { text: 'c', colour: 2, hit: 0 },
    { text: 'd', colour: 2, hit: -1 },
  ])
})
