import { expect, test } from 'vitest'
import { renderMessage } from './message.ts'

const attack = '<script>alert(1)</script>"\'&'

test('nothing that somebody else wrote becomes markup', () => {
  const { html } = renderMessage({
    subject: attack,
    paragraphs: [attack],
    facts: [[attack, attack]],
    button: { label: attack, url: `https://example.org/?${attack}` },
    footer: [attack],
  })
  expect(html).not.toMatch(/<script|"'&(?!#39|quot|amp|lt|gt)/)
  expect(html.match(/&lt;script&gt;/g)).toHaveLength(8)
})

test('a subject cannot begin another header', () => {
  const { subject } = renderMessage({ subject: 'Hello\r\nBcc: eve@example.org', paragraphs: [] })
  expect(subject).toBe('Hello Bcc: eve@example.org')
})

test('a button leads to the web only', () => {
  const button = { label: 'Open', url: 'javascript:alert(1)' }
  expect(() => renderMessage({ subject: 's', paragraphs: [], button })).toThrow('http(s)')
})

test('text and html tell the same', () => {
  const { text, html } = renderMessage({
    subject: 'Join',
    paragraphs: ['Ada invites you.\nCome in.'],
    facts: [['Team', 'vision']],
    button: { label: 'Join vision', url: 'https://grid.example.org/invite/abc?x=1&y=2' },
    footer: ['You were invited.'],
  })
  expect(text).toBe(
    'Ada invites you.\nCome in.\n\nTeam: vision\n\nJoin vision: https://grid.example.org/invite/abc?x=1&y=2\n\n-- \nYou were invited.\n',
  )
  expect(html).toContain('href="https://grid.example.org/invite/abc?x=1&amp;y=2"')
  expect(html).toContain('Ada invites you.<br>Come in.')
})
