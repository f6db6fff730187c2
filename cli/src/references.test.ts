import { describe, expect, test } from 'vitest'
import { parseReference } from './references.ts'

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
