import { describe, expect, test } from 'vitest'
import { parseDatastoreReference } from './datastore-reference.ts'

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
