import { expect, test } from 'vitest'
import { filesOfValue } from './media.ts'

test('a single image, sound, film, page, table or plot is one file', () => {
  for (const type of [
    'image-file',
    'audio-file',
    'video-file',
    'html-file',
    'table-file',
    'plotly-file',
    'object3D-file',
  ])
    expect(filesOfValue({ _type: type, path: 'media/x/a', caption: 'c' })).toEqual([
      { path: 'media/x/a', caption: 'c' },
    ])
})

test('a list of images names its files, with captions in the same order', () => {
  const value = {
    _type: 'images/separated',
    count: 3,
    filenames: ['media/images/a_0.png', 'b.png', 'media/images/c.png'],
    captions: ['first', '', 'third'],
  }
  expect(filesOfValue(value)).toEqual([
    { path: 'media/images/a_0.png', caption: 'first' },
    { path: 'media/images/b.png', caption: null },
    { path: 'media/images/c.png', caption: 'third' },
  ])
})

test('lists of sounds, films and pages hold values with a path of their own', () => {
  const audio = {
    _type: 'audio',
    count: 2,
    audio: [{ _type: 'audio-file', path: 'a.wav' }, { path: 'b.wav' }],
    captions: ['x', 'y'],
  }
  expect(filesOfValue(audio)).toEqual([
    { path: 'a.wav', caption: 'x' },
    { path: 'b.wav', caption: 'y' },
  ])
  expect(filesOfValue([{ _type: 'html-file', path: 'p.html' }, 1, null])).toEqual([
    { path: 'p.html', caption: null },
  ])
})

test('values without files have none, however they nest', () => {
  let deep: unknown = { _type: 'image-file', path: 'x' }
  for (let level = 0; level < 100; level++) deep = [deep]
  for (const value of [
    1,
    'path',
    null,
    { path: 'not typed' },
    { _type: 'histogram', values: [1], bins: [1, 2] },
    deep,
  ])
    expect(filesOfValue(value)).toEqual([])
})
