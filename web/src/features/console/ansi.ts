/**
 * Turns a console line with ANSI escape sequences into pieces of plain text with a look. Only colours and weight (SGR) are
 * kept; cursor movement, titles and links mean nothing in a page and are dropped.
 * Source: ECMA-48 (5th edition), section 8.3.117, and xterm's 256-colour extension.
 */

export type Piece = {
  text: string
  /** 0 … 15 of the terminal's palette, or a CSS colour. */
  colour?: number | string
  background?: number | string
  bold?: boolean
  faint?: boolean
  italic?: boolean
  underline?: boolean
}

type Look = Omit<Piece, 'text'>

const sequence =
  // oxlint-disable-next-line no-control-regex
  /\u001b(?:\[([0-9;:?]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()][0-9A-Za-z]|[=>78cDEHMNOZ])|\u009b([0-9;:]*)([@-~])/g
// oxlint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g

/** Pieces in order; their texts joined are `plainText(line)`. */
export function parseAnsi(line: string): Piece[] {
  if (!line.includes('\u001b') && !line.includes('\u009b')) return [{ text: clean(line) }]
  const pieces: Piece[] = []
  let look: Look = {}
  let from = 0
  const push = (text: string) => {
    const printable = clean(text)
    if (printable !== '') pieces.push({ ...look, text: printable })
  }
  for (const match of line.matchAll(sequence)) {
    push(line.slice(from, match.index))
    from = match.index + match[0].length
    const final = match[2] ?? match[4]
    if (final === 'm') look = applySgr(look, match[1] ?? match[3] ?? '')
  }
  push(line.slice(from))
  return pieces.length === 0 ? [{ text: '' }] : pieces
}

/** The line as a person reads it, for search and download. */
export function plainText(line: string): string {
  return clean(line.replaceAll(sequence, ''))
}

function clean(text: string): string {
  // A carriage return that survived the server's folding starts the line anew.
  const last = text.replace(/\r+$/, '').split('\r').at(-1) ?? ''
  return last.replaceAll(unprintable, '').replaceAll('\u001b', '')
}

function applySgr(before: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map((part) => (part === '' ? 0 : Number(part)))
  let look = before
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i]!
    if (code === 0) look = {}
    else if (code === 1) look = { ...look, bold: true }
    else if (code === 2) look = { ...look, faint: true }
    else if (code === 3) look = { ...look, italic: true }
    else if (code === 4) look = { ...look, underline: true }
    else if (code === 22) look = without(look, 'bold', 'faint')
    else if (code === 23) look = without(look, 'italic')
    else if (code === 24) look = without(look, 'underline')
    else if (code >= 30 && code <= 37) look = { ...look, colour: code - 30 }
    else if (code >= 90 && code <= 97) look = { ...look, colour: code - 82 }
    else if (code === 39) look = without(look, 'colour')
    else if (code >= 40 && code <= 47) look = { ...look, background: code - 40 }
    else if (code >= 100 && code <= 107) look = { ...look, background: code - 92 }
    else if (code === 49) look = without(look, 'background')
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes, i + 1)
      if (colour !== undefined) look = code === 38 ? { ...look, colour } : { ...look, background: colour }
      i += used
    }
  }
  return look
}

function without(look: Look, ...keys: (keyof Look)[]): Look {
  const rest = { ...look }
  for (const key of keys) delete rest[key]
  return rest
}

/** `5;n` or `2;r;g;b` after 38 or 48. @returns the colour and how many codes it took. */
function extendedColour(codes: number[], at: number): [number | string | undefined, number] {
  const byte = (value: number | undefined) => Math.max(0, Math.min(255, Math.trunc(value ?? 0) || 0))
  if (codes[at] === 2) return [`rgb(${byte(codes[at + 1])} ${byte(codes[at + 2])} ${byte(codes[at + 3])})`, 4]
  if (codes[at] !== 5) return [undefined, 0]
  const n = byte(codes[at + 1])
  if (n < 16) return [n, 2]
  if (n >= 232) return [`rgb(${8 + (n - 232) * 10} ${8 + (n - 232) * 10} ${8 + (n - 232) * 10})`, 2]
  const level = (part: number) => (part === 0 ? 0 : 55 + part * 40)
  const cube = n - 16
  return [`rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`, 2]
}
