/**
 * Regular expressions of users, in the words that both engines understand: the metric store matches with RE2, Postgres
 * with its own. An expression is read here, refused with a reason where one of them could not follow, and written out
 * for each so that it means the same: unanchored, `.` is any character but a line break, flags stand at the beginning.
 * Groups become plain ones and lazy repetition becomes greedy, for what is asked is only whether something matches; so
 * neither engine ever needs to step back, and a match takes linear time.
 *
 * Source: github.com/google/re2/wiki/Syntax; PostgreSQL documentation, 9.7.3.
 */
import { GridError } from '@teamgrid/api'

const lengthMax = 500
const depthMax = 50
/** Postgres counts no further; RE2 would count to 1000. */
const repeatMax = 255
/** Of repetitions inside each other, multiplied. Source: RE2's own bound. */
const repeatsMax = 1000

export type Expression = { re2: string; postgres: string }

/** How an engine writes what the two write differently. */
type Dialect = { dot: string; boundary: string; noBoundary: string }

/**
 * @param options further flags, any of `i`, `m`, `s`.
 * @throws GridError invalid, with what is not understood.
 */
export function readExpression(text: string, options = ''): Expression {
  if (text.length > lengthMax) throw refused(text, `it is longer than ${lengthMax} characters`)
  if (text.includes('\0')) throw refused(text, 'it has a character without a meaning')
  const [head = ''] = /^(?:\(\?[ims]+\))+/.exec(text) ?? []
  const flags = new Set(head + options)
  const written = (dialect: Dialect) => createReader(text, head.length, dialect).whole()
  const re2 = written({ dot: '.', boundary: '\\b', noBoundary: '\\B' })
  const dot = flags.has('s') ? '.' : '[^\\n]'
  return {
    // The metric store's own default lets `.` be a line break.
    re2: `(?${['i', 'm', 's'].filter((flag) => flags.has(flag)).join('')}${flags.has('s') ? '' : '-s'})${re2}`,
    // In its words: s, line breaks are nothing special; w, they are to ^ and $ alone.
    postgres: `(?${flags.has('i') ? 'i' : ''}${flags.has('m') ? 'w' : 's'})${written({ dot, boundary: '\\y', noBoundary: '\\Y' })}`,
  }
}

/** One expression from left to right, written out in one dialect. */
function createReader(text: string, start: number, dialect: Dialect) {
  let at = start

  function whole(): string {
    const { written } = alternatives(0)
    if (at < text.length) throw refused(text, 'a ) closes nothing')
    return written
  }

  /** @returns what was read, and how often its innermost part may be repeated. */
  function alternatives(depth: number): { written: string; repeats: number } {
    if (depth > depthMax) throw refused(text, `groups nest more than ${depthMax} deep`)
    let written = ''
    let repeats = 1
    while (at < text.length && text[at] !== ')') {
      if (text[at] === '|') {
        written += text[at++]
        continue
      }
      const part = one(depth)
      const times = repetition(part.isEmpty)
      written += part.written + times.written
      if (part.repeats * times.count > repeatsMax) throw refused(text, 'it repeats repetitions too often')
      repeats = Math.max(repeats, part.repeats * times.count)
    }
    return { written, repeats }
  }

  function one(depth: number): { written: string; repeats: number; isEmpty?: boolean } {
    const char = text[at]!
    if (char === '(') return group(depth)
    if (char === '[') return { written: set(), repeats: 1 }
    if (char === '\\') {
      const isEmpty = /^\\[bB]/.test(text.slice(at))
      return { written: escape(false), repeats: 1, isEmpty }
    }
    if ('*+?'.includes(char)) throw refused(text, `there is nothing that ${char} could repeat`)
    at += 1
    if (char === '^' || char === '$') return { written: char, repeats: 1, isEmpty: true }
    if (char === '.') return { written: dialect.dot, repeats: 1 }
    if ('{}]'.includes(char)) return { written: `\\${char}`, repeats: 1 }
    return { written: char, repeats: 1 }
  }

  function group(depth: number): { written: string; repeats: number } {
    const [opening] = /^\((?:\?:|\?P?<[A-Za-z_]\w*>)?/.exec(text.slice(at))!
    if (opening === '(' && text[at + 1] === '?')
      throw refused(
        text,
        /^\(\?<?[=!]/.test(text.slice(at))
          ? 'it looks ahead or behind, which no search here does'
          : 'flags stand at its beginning, as in (?i)',
      )
    at += opening.length
    const { written, repeats } = alternatives(depth + 1)
    if (text[at] !== ')') throw refused(text, 'a ( is not closed')
    at += 1
    return { written: `(?:${written})`, repeats }
  }

  function repetition(isEmpty = false): { written: string; count: number } {
    const [given, sign, from, comma, to] =
      /^(?:([*+?])|\{(\d{1,6})(,?)(\d{0,6})\})\??/.exec(text.slice(at)) ?? []
    if (given === undefined) return { written: '', count: 1 }
    if (isEmpty) throw refused(text, 'a place (^, $, \\b) cannot be repeated')
    at += given.length
    if (/^(?:[*+?]|\{\d+,?\d*\})/.test(text.slice(at))) throw refused(text, 'a repetition is repeated')
    if (sign !== undefined) return { written: sign, count: 1 }
    const [least, most] = [Number(from), to ? Number(to) : Number(from)]
    if (most < least) throw refused(text, 'a repetition ends before it begins')
    if (most > repeatMax) throw refused(text, `it repeats more than ${repeatMax} times`)
    return { written: `{${from}${comma}${to}}`, count: Math.max(1, most) }
  }

  /** `[a-z_]`: characters, ranges of them and classes. */
  function set(): string {
    at += 1
    let written = '['
    if (text[at] === '^') written += text[at++]
    for (let first = true; first || text[at] !== ']'; first = false) {
      if (at >= text.length) throw refused(text, 'a [ is not closed')
      const from = member()
      if (text[at] !== '-' || text[at + 1] === ']' || from.point === undefined) {
        written += from.written
        continue
      }
      at += 1
      if (at >= text.length) throw refused(text, 'a [ is not closed')
      const to = member()
      if (to.point === undefined || to.point < from.point) throw refused(text, 'a range runs backwards')
      written += `${from.written}-${to.written}`
    }
    at += 1
    return `${written}]`
  }

  function member(): { written: string; point?: number } {
    const [posix] = /^\[:(?:alpha|digit|alnum|upper|lower|space|punct|xdigit):\]/.exec(text.slice(at)) ?? []
    if (posix !== undefined) {
      at += posix.length
      return { written: posix }
    }
    if (text[at] === '\\') {
      const written = escape(true)
      return /^\\[dsw]$/.test(written) ? { written } : { written, point: pointOf(written) }
    }
    const char = String.fromCodePoint(text.codePointAt(at)!)
    at += char.length
    // A bare bracket inside brackets means other things to Postgres.
    return { written: /[[\]\-^]/.test(char) ? `\\${char}` : char, point: char.codePointAt(0)! }
  }

  function escape(inSet: boolean): string {
    const rest = text.slice(at + 1)
    const [char = ''] = rest
    at += 1 + char.length
    if (char === '') throw refused(text, 'it ends with a \\')
    if (/[dsw]/.test(char) || (!inSet && /[DSW]/.test(char))) return `\\${char}`
    if (!inSet && char === 'b') return dialect.boundary
    if (!inSet && char === 'B') return dialect.noBoundary
    if (char === 'x' || char === 'u') {
      const [given, wide, plain] =
        (char === 'x'
          ? /^(?:\{([\da-f]{1,6})\}|([\da-f]{2}))/i
          : /^(?:\{([\da-f]{1,6})\}|([\da-f]{4}))/i
        ).exec(rest.slice(1)) ?? []
      const point = Number.parseInt(wide ?? plain ?? '', 16)
      if (given === undefined || !(point > 0 && point <= 0x10ffff) || (point >= 0xd800 && point <= 0xdfff))
        throw refused(text, `\\${char} names no character`)
      at += given.length
      return literal(String.fromCodePoint(point))
    }
    const control = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v' }[char]
    if (control !== undefined) return control
    if (/[1-9k]/.test(char)) throw refused(text, 'it refers back to a group, which no search here does')
    if (/[\p{L}\p{N}]/u.test(char))
      throw refused(text, `there is no \\${char}${inSet && /[DSWbB]/.test(char) ? ' inside [ ]' : ''}`)
    return literal(char)
  }

  return { whole }
}

/** A character that stands for itself, in a set or outside. */
function literal(char: string): string {
  return /[\\^$.|?*+()[\]{}-]/.test(char) ? `\\${char}` : char
}

function pointOf(written: string): number {
  return (written.length > 1 && written.startsWith('\\') ? written.slice(1) : written).codePointAt(0)!
}

function refused(text: string, reason: string): GridError {
  return new GridError(
    'invalid',
    `"${text.slice(0, 100)}" is no regular expression that can be searched by: ${reason}.`,
    {
      hint: 'Expressions have groups, | , [ ] , * + ? { } , ^ $ . and \\d \\s \\w \\b; (?i) at the beginning ignores case.',
    },
  )
}
