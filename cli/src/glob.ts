/** A glob as a regular expression over the whole path: `*` and `?` within a folder, `**` across folders, `{a,b}`. */
export function globPattern(glob: string): RegExp {
  const source = glob.replaceAll(/\*\*\/|\*\*|\*|\?|\{[^{}]*\}|[^*?{]+|\{/g, (piece) => {
    if (piece === '**/') return '(?:.*/)?'
    if (piece === '**') return '.*'
    if (piece === '*') return '[^/]*'
    if (piece === '?') return '[^/]'
    if (piece.startsWith('{') && piece.endsWith('}'))
      return `(?:${piece.slice(1, -1).split(',').map(escaped).join('|')})`
    return escaped(piece)
  })
  return new RegExp(`^${source}$`, 'u')
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
