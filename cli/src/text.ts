/**
 * Text that came from other people goes to a terminal here, and a terminal obeys what it reads: an experiment named with
 * escape sequences could rewrite the screen. So names are shown without control characters, and log lines keep colours
 * and nothing else.
 */

// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f]/g
// CSI, OSC (ended by BEL or ST), and other two-character escapes.
// oxlint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
// oxlint-disable-next-line no-control-regex
const colour = /^\u001b\[[0-9;:]*m$/

/** A name or value for one cell or one line of output. */
export function shown(value: string): string {
  return value
    .replace(escapes, '')
    .replace(/[\n\r\t]+/g, ' ')
    .replace(controls, '\ufffd')
}

/**
 * A console line of a script: colours stay if `color`, everything else a terminal would obey goes; tabs stay.
 */
export function shownLogLine(text: string, color: boolean): string {
  const kept: string[] = []
  const marked = text.replace(escapes, (sequence) => {
    if (!color || !colour.test(sequence)) return ''
    kept.push(sequence)
    return '\u0000'
  })
  const clean = marked.replace(controls, (character) =>
    character === '\t' || character === '\u0000' ? character : '',
  )
  let next = 0
  // A NUL that came in the text itself has no colour kept for it and vanishes.
  const restored = clean.replaceAll('\u0000', () => kept[next++] ?? '')
  return kept.length > 0 ? `${restored}\u001b[0m` : restored
}

const wide =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const graphemes = new Intl.Segmenter()

/** Cells of a terminal that `text` covers. */
export function displayWidth(text: string): number {
  // oxlint-disable-next-line no-control-regex
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    if (!invisible.test(segment)) width += wide.test(segment) ? 2 : 1
  }
  return width
}

/** `text` in lines of at most `width` cells, broken at spaces where there are some. */
export function fold(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`
    if (displayWidth(joined) <= width) {
      line = joined
      continue
    }
    if (line !== '') lines.push(line)
    line = ''
    for (const { segment } of graphemes.segment(word)) {
      if (line !== '' && displayWidth(line + segment) > width) {
        lines.push(line)
        line = ''
      }
      line += segment
    }
  }
  return [...lines, line]
}
