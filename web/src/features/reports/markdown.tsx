import { lexer, type Token, type Tokens } from 'marked'
import { Fragment, type ReactNode, useMemo } from 'react'

/**
 * Markdown of anybody as elements of ours. No text is ever parsed as html: tags in it are shown as they are written,
 * links lead to the web or to pages here, and pictures come over https or from here, without telling where they are seen.
 */
export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => tokensOf(text), [text])
  return (
    <div className="report-text flex flex-col gap-3 leading-relaxed break-words [&>:first-child]:mt-0">
      {blocks(tokens)}
    </div>
  )
}

/** Beyond it nobody reads on; the parser's time grows with the text. */
const textMax = 200_000

function tokensOf(text: string): Token[] {
  try {
    return lexer(text.slice(0, textMax), { gfm: true, breaks: false })
  } catch {
    return [{ type: 'paragraph', raw: text, text, tokens: [{ type: 'text', raw: text, text }] }]
  }
}

function blocks(tokens: readonly Token[]): ReactNode {
  return tokens.map((token, i) => <Fragment key={i}>{block(token)}</Fragment>)
}

const headings = [
  'mt-4 text-2xl font-semibold tracking-tight',
  'mt-3 text-xl font-semibold tracking-tight',
  'mt-2 text-lg font-semibold',
  'mt-1 font-semibold',
  'font-semibold',
  'font-semibold text-ink-soft',
]

function block(token: Token): ReactNode {
  switch (token.type) {
    case 'heading': {
      const { depth, tokens } = token as Tokens.Heading
      // The page has one first heading: the title.
      const Heading = `h${Math.min(6, depth + 1)}` as 'h2'
      return <Heading className={headings[depth - 1]}>{inline(tokens)}</Heading>
    }
    case 'paragraph':
      return <p>{inline((token as Tokens.Paragraph).tokens ?? [])}</p>
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens ? inline(tokens) : decoded(text)
    }
    case 'blockquote':
      return (
        <blockquote className="flex flex-col gap-2 border-l-3 border-line-strong pl-3 text-ink-soft">
          {blocks((token as Tokens.Blockquote).tokens ?? [])}
        </blockquote>
      )
    case 'code':
      return (
        <pre className="scroll-quiet overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-[13px]">
          {(token as Tokens.Code).text}
        </pre>
      )
    case 'hr':
      return <hr className="border-line" />
    case 'list': {
      const { ordered, start, items } = token as Tokens.List
      const rows = items.map((item, i) => (
        <li key={i} className={item.task ? 'list-none' : ''}>
          {item.task && (
            <input
              type="checkbox"
              readOnly
              checked={item.checked === true}
              aria-label={item.checked ? 'Done' : 'Not done'}
              className="mr-1.5 -ml-5 align-middle"
            />
          )}
          {blocks(item.tokens.filter(({ type }) => type !== 'checkbox'))}
        </li>
      ))
      return ordered ? (
        <ol start={start === '' ? 1 : start} className="flex list-decimal flex-col gap-1 pl-6">
          {rows}
        </ol>
      ) : (
        <ul className="flex list-disc flex-col gap-1 pl-6">{rows}</ul>
      )
    }
    case 'table': {
      const { header, rows } = token as Tokens.Table
      return (
        <div className="scroll-quiet overflow-x-auto">
          <table className="border-collapse text-[13px] [&_td]:border [&_td]:border-line [&_td]:px-2 [&_td]:py-1 [&_th]:border [&_th]:border-line [&_th]:bg-sunken [&_th]:px-2 [&_th]:py-1 [&_th]:text-left">
            <thead>
              <tr>
                {header.map((cell, i) => (
                  <th key={i}>{inline(cell.tokens)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, i) => (
                <tr key={i}>
                  {row.map((cell, j) => (
                    <td key={j}>{inline(cell.tokens)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
    }
    case 'space':
    case 'def':
      return null
    case 'html':
      return <p>{token.raw}</p>
    default:
      return inline([token])
  }
}

function inline(tokens: readonly Token[]): ReactNode {
  return tokens.map((token, i) => <Fragment key={i}>{span(token)}</Fragment>)
}

function span(token: Token): ReactNode {
  const inner = () => inline((token as Tokens.Generic).tokens ?? [])
  switch (token.type) {
    case 'strong':
      return <strong>{inner()}</strong>
    case 'em':
      return <em>{inner()}</em>
    case 'del':
      return <del>{inner()}</del>
    case 'br':
      return <br />
    case 'codespan':
      return (
        <code className="rounded bg-sunken px-1 font-mono text-[0.9em]">
          {decoded((token as Tokens.Codespan).text)}
        </code>
      )
    case 'link': {
      const href = safeLink((token as Tokens.Link).href)
      return href === undefined ? (
        inner()
      ) : (
        <a
          href={href}
          rel="noopener noreferrer nofollow"
          className="text-accent underline-offset-2 hover:underline"
        >
          {inner()}
        </a>
      )
    }
    case 'image': {
      const { href, text } = token as Tokens.Image
      const source = safePicture(href)
      return source === undefined ? (
        <span className="text-ink-faint">[picture: {text || href}]</span>
      ) : (
        <img
          src={source}
          alt={text}
          loading="lazy"
          referrerPolicy="no-referrer"
          className="max-h-[70vh] max-w-full rounded"
        />
      )
    }
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens ? inline(tokens) : decoded(text)
    }
    case 'escape':
      return decoded((token as Tokens.Escape).text)
    default:
      // Tags among text, and whatever the parser learns later: as they are written.
      return token.raw
  }
}

/** The address if it leads to the web, to somebody's mail, or to a page here. */
export function safeLink(href: string): string | undefined {
  if (href.startsWith('#')) return href
  const url = URL.canParse(href, location.origin) ? new URL(href, location.origin) : undefined
  return url && ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined
}

function safePicture(href: string): string | undefined {
  const url = URL.canParse(href, location.origin) ? new URL(href, location.origin) : undefined
  return url && (url.protocol === 'https:' || url.origin === location.origin) ? url.href : undefined
}

const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}

/** The parser hands out some texts escaped for html; ours are escaped by React. */
function decoded(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity]!)
}
