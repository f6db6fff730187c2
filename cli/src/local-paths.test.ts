import { describe, expect, test } from 'vitest'
import { folderName, placeUnder } from './local-paths.ts'

describe('files land inside their folder', () => {
  test.each([
    '../x',
    'a/../../x',
    '/etc/passwd',
    '..',
    '.',
    '',
    'a//b',
    './x',
    'a/./b',
    'a/..',
    'a\u0000b',
    '/',
    'a/',
  ])('%j is refused', (path) => {
    expect(placeUnder('/downloads/run', path, 'linux')).toBeUndefined()
  })

  test.each(['..\\x', 'C:\\x', 'C:x', 'a\\b', 'nul', 'a/con.txt', 'x:stream', 'dot.'])(
    '%j is refused on Windows',
    (path) => {
      expect(placeUnder('/downloads/run', path, 'win32')).toBeUndefined()
    },
  )

  test.each([
    ['model.pt', '/downloads/run/model.pt'],
    ['media/images/wrong digits_5.png', '/downloads/run/media/images/wrong digits_5.png'],
    ['..hidden', '/downloads/run/..hidden'],
    ['a...b/%2e%2e/c', '/downloads/run/a...b/%2e%2e/c'],
    ['日本/é&%.txt', '/downloads/run/日本/é&%.txt'],
  ])('%j is fine', (path, place) => {
    expect(placeUnder('/downloads/run', path, 'linux')).toBe(place)
  })
})

test.each([
  ['..', '_.'],
  ['.', '_'],
  ['', '_'],
  ['../../etc', '_._.._etc'],
  ['a/b\\c', 'a_b_c'],
  ['.ssh', '_ssh'],
  ['brave-lynx-101', 'brave-lynx-101'],
])('the name %j becomes one folder', (name, folder) => {
  expect(folderName(name)).toBe(folder)
})

test('a very long name becomes one a disk can take', () => {
  expect(Buffer.byteLength(folderName('日'.repeat(500)))).toBeLessThanOrEqual(200)
})
