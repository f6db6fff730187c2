import { expect, test } from 'vitest'
import { globPattern } from './glob.ts'

test('stars stay within a folder, two stars cross them', () => {
  expect(globPattern('*.pt').test('model.pt')).toBe(true)
  expect(globPattern('*.pt').test('out/model.pt')).toBe(false)
  expect(globPattern('out/**').test('out/a/b')).toBe(true)
  expect(globPattern('**/*.pt').test('model.pt')).toBe(true)
  expect(globPattern('**/*.pt').test('a/b/model.pt')).toBe(true)
  expect(globPattern('?.{png,jpg}').test('a.jpg')).toBe(true)
  expect(globPattern('?.{png,jpg}').test('ab.jpg')).toBe(false)
})

test('everything else is meant as it is', () => {
  expect(globPattern('a.b+c').test('a.b+c')).toBe(true)
  expect(globPattern('a.b').test('axb')).toBe(false)
  expect(globPattern('(x|y)-[1]').test('(x|y)-[1]')).toBe(true)
})
