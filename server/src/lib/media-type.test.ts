import { expect, test } from 'vitest'
import { mediaTypeOf } from './media-type.ts'

test('the end of the name tells the type, in any case; nothing else does', () => {
  expect(mediaTypeOf('media/images/a.b.PNG')).toBe('image/png')
  expect(mediaTypeOf('wandb-metadata.json')).toBe('application/json')
  for (const path of ['model.pt', 'README', 'a.png/b', '.', '', 'x.constructor', 'x.__proto__'])
    expect(mediaTypeOf(path)).toBe('application/octet-stream')
})
