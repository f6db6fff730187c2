import { displayWidth, fold, shown } from './text.ts'

/** A column: its title as people read it, and how a row's cell reads. The first is left aligned, the others right. */
export type Column<Row> = { title: string; cell: (row: Row) => string | number }

export type TableStyle = { boxes: boolean; color: boolean; columns: number }

/** Columns are not folded to less than this. */
const narrowest = 8

/**
 * Rows under titles. With `boxes` a heavy box around the titles and light lines around the rows, as Grid drew them;
 * without, plain columns two spaces apart, for files and pipes, where nothing is ever cut.
 *
 * @param empty what the one dim row says when there are no rows.
 * @returns text ending in a newline.
 */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  style: TableStyle,
  empty = 'None Active.',
): string {
  const cells = rows.map((row) => columns.map((column) => shown(String(column.cell(row)))))
  if (rows.length === 0) cells.push(columns.map((_, index) => (index === 0 ? empty : '')))
  const titles = columns.map((column) => column.title)
  const widths = titles.map((title, index) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[index]!))),
  )
  return style.boxes ? boxed(titles, cells, widths, style, rows.length === 0) : plain(titles, cells, widths)
}

function plain(titles: string[], rows: string[][], widths: number[]): string {
  return [titles, ...rows]
    .map((row) =>
      row
        .map((cell, index) => align(cell, widths[index]!, index))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

function boxed(
  titles: string[],
  rows: string[][],
  wanted: number[],
  style: TableStyle,
  isEmpty: boolean,
): string {
  const widths = fitted(wanted, titles, style.columns)
  const line = (left: string, fill: string, cross: string, right: string) =>
    left + widths.map((width) => fill.repeat(width + 2)).join(cross) + right
  const row = (cells: string[], wall: string, paint: (cell: string, index: number) => string) => {
    const folded = cells.map((cell, index) => fold(cell, widths[index]!))
    const height = Math.max(...folded.map((lines) => lines.length))
    return Array.from({ length: height }, (_, at) => {
      const parts = folded.map((lines, index) => paint(align(lines[at] ?? '', widths[index]!, index), index))
      return `${wall} ${parts.join(` ${wall} `)} ${wall}`
    }).join('\n')
  }
  const painted = (code: number, text: string) => (style.color ? `\u001b[${code}m${text}\u001b[0m` : text)
  return [
    line('┏', '━', '┳', '┓'),
    row(titles, '┃', (cell) => painted(32, cell)),
    line('┡', '━', '╇', '┩'),
    ...rows.map((cells) =>
      row(cells, '│', (cell, index) => (index === 0 || isEmpty ? painted(2, cell) : cell)),
    ),
    line('└', '─', '┴', '┘'),
  ]
    .map((text) => `${text}\n`)
    .join('')
}

/**
 * Takes width from the widest columns until the box fits the terminal. Where even the narrowest columns do not fit,
 * nothing is folded: a terminal that wraps whole lines reads better than towers of single letters.
 */
function fitted(wanted: readonly number[], titles: readonly string[], columns: number): number[] {
  const least = wanted.map((width, index) =>
    Math.min(width, Math.max(narrowest, ...titles[index]!.split(' ').map(displayWidth))),
  )
  const room = columns - (wanted.length * 3 + 1)
  const sum = (widths: readonly number[]) => widths.reduce((total, width) => total + width, 0)
  if (sum(wanted) <= room || sum(least) > room) return [...wanted]
  const widths = [...wanted]
  while (sum(widths) > room) {
    const spare = widths.map((width, index) => (width > least[index]! ? width : 0))
    widths[spare.indexOf(Math.max(...spare))]! -= 1
  }
  return widths
}

function align(cell: string, width: number, index: number): string {
  const padding = ' '.repeat(Math.max(0, width - displayWidth(cell)))
  return index === 0 ? cell + padding : padding + cell
}
