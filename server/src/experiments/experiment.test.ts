import { describe, expect, test } from 'vitest'
import { checkSlug, cleanPath, stateAfterExit } from './experiment.ts'

describe('paths of files', () => {
  test.each(['/etc/passwd', '../x', 'a/../../x', 'a\\b', 'a\0b', '', '.', './', 'x'.repeat(5000)])(
    '%j is refused',
    (path) => {
      expect(() => cleanPath(path)).toThrow(expect.objectContaining({ code: 'invalid' }))
    },
  )

  test.each([
    ['./test with_special-characters.txt', 'test with_special-characters.txt'],
    ['a//b/./c', 'a/b/c'],
    ['100% <done> é 日本 \u{1f600}.png', '100% <done> é 日本 \u{1f600}.png'],
    ['a/..b/c...d', 'a/..b/c...d'],
  ])('%j is %j', (path, clean) => {
    expect(cleanPath(path)).toBe(clean)
  })
})

test('an id keeps any characters but slashes, control characters and spaces around it', () => {
  for (const slug of ['', '/', 'a/b', '.', '..', ' a', 'a ', 'a\tb', 'x'.repeat(129), '\ud800'])
    expect(() => checkSlug(slug)).toThrow(expect.objectContaining({ code: 'invalid' }))
  for (const slug of ['a', '1', 'a b', 'läuft: 100 %', 'x'.repeat(128), '...'])
    expect(checkSlug(slug)).toBe(slug)
})

test('an exit code means what the script and the wish to stop make of it', () => {
  expect(stateAfterExit('running', 0, true)).toBe('finished')
  expect(stateAfterExit('running', 255, true)).toBe('killed')
  expect(stateAfterExit('running', 1, true)).toBe('killed')
  expect(stateAfterExit('running', 255, false)).toBe('failed')
  expect(stateAfterExit('preempting', 143, false)).toBe('preempted')
})
