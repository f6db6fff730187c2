/** One place in the console where the search text stands. */
export type Hit = { line: number; start: number; end: number }

/** What to look for: plain text without regard to case, or `/…/` as a regular expression. Undefined when it cannot be read. */
export function searchPattern(text: string): RegExp | undefined {
  if (text === '') return undefined
  const written = /^\/(.+)\/$/.exec(text)
  try {
    return new RegExp(written?.[1] ?? text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`), 'gi')
  } catch {
    return undefined
  }
}

/** Ends of all matches within a text; empty matches are skipped. */
export function findIn(text: string, pattern: RegExp): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  for (const match of text.matchAll(pattern)) {
    if (match[0] !== '') found.push({ start: match.index, end: match.index + match[0].length })
  }
  return found
}

/** Cuts pieces of a line at the ends of the hits, so that each hit can be marked whatever its colours. */
export function cutAt<P extends { text: string }>(
  pieces: readonly P[],
  hits: readonly { start: number; end: number }[],
): (P & { hit: number })[] {
  const out: (P & { hit: number })[] = []
  let at = 0
  for (const piece of pieces) {
    let from = 0
    while (from < piece.text.length) {
      const place = at + from
      const inside = hits.findIndex((hit) => hit.start <= place && place < hit.end)
      const until =
        inside >= 0
          ? hits[inside]!.end
          : Math.min(...hits.filter((hit) => hit.start > place).map((hit) => hit.start), Infinity)
      const to = Math.min(piece.text.length, until - at)
      out.push({ ...piece, text: piece.text.slice(from, to), hit: inside })
      from = to
    }
    at += piece.text.length
  }
  return out
}
