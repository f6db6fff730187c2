import { expect, test } from 'vitest'
import { newToken } from './secrets.ts'
import { createSealed } from './sealed.ts'

const secret = newToken()
const sealed = createSealed(secret)
const refused = expect.objectContaining({ code: 'unavailable' })

test('what was altered in any place does not open', () => {
  const text = sealed.seal('hunter2', 'webhook:1')
  for (let place = 3; place < text.length - 1; place++) {
    const altered = `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`
    expect(() => sealed.open(altered, 'webhook:1'), altered).toThrow(refused)
  }
})

test.each(['', 'v1', 'v1.', 'v1.AAAA', 'v2.AAAA', 'plain text'])('"%s" does not open', (text) => {
  expect(() => sealed.open(text, 'webhook:1')).toThrow(refused)
})

test('it opens in its own context and installation only', () => {
  const text = sealed.seal('hunter2', 'webhook:1')
  expect(() => sealed.open(text, 'webhook:2')).toThrow(refused)
  expect(() => createSealed(newToken()).open(text, 'webhook:1')).toThrow(refused)
  expect(createSealed(secret).open(text, 'webhook:1')).toBe('hunter2')
})

test.each(['', 'ключ 🔑', 'x'.repeat(100_000)])('any text comes back whole', (text) => {
  expect(sealed.open(sealed.seal(text, 'c'), 'c')).toBe(text)
})

test('neither the text nor its equality shows', () => {
  const [first, second] = [sealed.seal('hunter2', 'c'), sealed.seal('hunter2', 'c')]
  expect(first).not.toBe(second)
  expect(Buffer.from(first.slice(3), 'base64url').toString('latin1')).not.toContain('hunter2')
})
