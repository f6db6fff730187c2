import { describe, expect, test } from 'vitest'
import { parseDatastoreReference, parseReference } from './references.ts'

describe('references to runs and experiments', () => {
  test.each([
    ['brave-lynx-101', null, 'brave-lynx-101'],
    ['bob:brave-lynx-101-exp0', 'bob', 'brave-lynx-101-exp0'],
    ['bob@example.com:x', 'bob@example.com', 'x'],
    ['me:x', 'me', 'x'],
    ['vision/digits/a1b2c3d4', null, 'vision/digits/a1b2c3d4'],
    ['vision/digits/lr:0.1', null, 'vision/digits/lr:0.1'],
    ['resnet [v2]', null, 'resnet [v2]'],
    ['note: better', null, 'note: better'],
    ['  padded  ', null, 'padded'],
  ])('%s', (text, owner, target) => {
    expect(parseReference(text)).toEqual({ owner, target })
  })

  test.each(['[name]', '<username>:x', 'bob:[name]', 'bob:<experiment_name>', 'team/<project>/x'])(
    '%s still holds a placeholder of the documentation',
    (text) => {
      expect(() => parseReference(text)).toThrow(/placeholder/)
      try {
        parseReference(text)
      } catch (error) {
        expect(error).toMatchObject({
          code: 'invalid',
          details: { hint: expect.stringContaining('without brackets') },
        })
      }
    },
  )

  test.each(['', '   ', ':x', 'bob:'])('%j names nothing', (text) => {
    expect(() => parseReference(text)).toThrow()
  })
})

describe('references to datastores', () => {
  test.each([
    ['cats', null, 'cats', null],
    ['cats:2', null, 'cats', 2],
    ['bob:cats', 'bob', 'cats', null],
    ['bob:cats:1', 'bob', 'cats', 1],
    ['bob:/datastores/cats/1', 'bob', 'cats', 1],
    ['bob:/datastores/cats', 'bob', 'cats', null],
    ['/datastores/cats/2', null, 'cats', 2],
    ['grid:cats:3', null, 'cats', 3],
  ])('%s', (text, owner, name, version) => {
    expect(parseDatastoreReference(text)).toEqual({ owner, name, version })
  })

  test.each(['bob:/datastores/[name]/[version]', '<username>:<datastorename>', '[name]'])(
    '%s still holds a placeholder',
    (text) => {
      expect(() => parseDatastoreReference(text)).toThrow(/placeholder/)
    },
  )

  test.each(['', 'a:b:c:d', 'cats:0', 'bob:cats:two', 'bob:/datastores/cats/one', 'a b'])(
    '%j is refused',
    (text) => {
      expect(() => parseDatastoreReference(text)).toThrow()
    },
  )
})
