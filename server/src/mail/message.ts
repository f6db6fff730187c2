/** One description of a mail becomes its plain text and its html, so the two never tell different things. */

export type Message = {
  subject: string
  /** One paragraph each. */
  paragraphs: string[]
  /** Terms and their values, such as `Experiment  swift-otter-12`. */
  facts?: [term: string, value: string][]
  /** The one thing to do; the text version shows its address. */
  button?: { label: string; url: string }
  /** Small print at the end: why this came, and how to have no more of it. */
  footer?: string[]
}

export type RenderedMessage = { subject: string; text: string; html: string }

const subjectMax = 200

/**
 * Everything in it counts as plain text from strangers: html is escaped, line ends cannot leave the subject, and a
 * button leads to http(s) only.
 */
export function renderMessage(message: Message): RenderedMessage {
  const { paragraphs, facts = [], button, footer = [] } = message
  if (button && !/^https?:\/\//.test(button.url)) throw new Error('A button in a mail leads to http(s)')
  const text = [
    ...paragraphs,
    facts.map(([term, value]) => `${term}: ${value}`).join('\n'),
    button ? `${button.label}: ${button.url}` : '',
    footer.length > 0 ? `-- \n${footer.join('\n')}` : '',
  ]
  return {
    subject: oneLine(message.subject).slice(0, subjectMax),
    text: `${text.filter(Boolean).join('\n\n')}\n`,
    html: htmlOf(message),
  }
}

function htmlOf({ subject, paragraphs, facts = [], button, footer = [] }: Message): string {
  const rows = facts.map(
    ([term, value]) =>
      `<tr><td style="padding:2px 16px 2px 0;color:#5b6472">${escaped(term)}</td><td>${withBreaks(value)}</td></tr>`,
  )
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">',
    `<title>${escaped(oneLine(subject))}</title></head>`,
    '<body style="margin:0;padding:24px;font:15px/1.5 system-ui,-apple-system,Segoe UI,sans-serif">',
    '<div style="max-width:560px;margin:0 auto">',
    ...paragraphs.map((paragraph) => `<p style="margin:0 0 14px">${withBreaks(paragraph)}</p>`),
    rows.length > 0
      ? `<table style="border-collapse:collapse;margin:0 0 14px;font-size:14px">${rows.join('')}</table>`
      : '',
    button
      ? `<p style="margin:20px 0"><a href="${escaped(button.url)}" style="display:inline-block;padding:9px 16px;border-radius:6px;background:#2456e6;color:#ffffff;text-decoration:none">${escaped(button.label)}</a></p>` +
        `<p style="margin:0 0 14px;font-size:12px;color:#5b6472">Or open ${escaped(button.url)}</p>`
      : '',
    footer.length > 0
      ? `<p style="margin:24px 0 0;padding-top:12px;border-top:1px solid #8884;font-size:12px;color:#5b6472">${footer.map(escaped).join('<br>')}</p>`
      : '',
    '</div></body></html>',
  ].join('')
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!)
}

function withBreaks(text: string): string {
  return escaped(text).replace(/\r?\n/g, '<br>')
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim()
}
