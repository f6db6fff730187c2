/**
 * The categorical colours of experiments: 24 for each theme, chosen by greedy farthest-point selection in OKLab so that
 * any two differ by ≥ 0.085, with ≥ 3:1 contrast on the page. Index i has nearly the same hue in both themes, so an
 * experiment stays "the orange one" when the light goes out.
 */
export const seriesColours = {
  light: [
    '#2d69de',
    '#fe5a05',
    '#01a622',
    '#b20d8f',
    '#683b01',
    '#0c7972',
    '#be241f',
    '#be68fe',
    '#8f7905',
    '#f94b9d',
    '#37466e',
    '#0596c3',
    '#5804ab',
    '#ab788e',
    '#00580d',
    '#850044',
    '#765998',
    '#8c31c7',
    '#032ebb',
    '#8d5a4f',
    '#297d0f',
    '#867bd3',
    '#63977b',
    '#d91d6b',
  ],
  dark: [
    '#6496f4',
    '#e6300f',
    '#9ff440',
    '#ff7bfd',
    '#dbac8c',
    '#01967e',
    '#fe6f7f',
    '#ab4adc',
    '#a19507',
    '#d92d8e',
    '#6d65fe',
    '#53dfff',
    '#e5cbff',
    '#a16f85',
    '#02c650',
    '#f494c6',
    '#bb88f5',
    '#886ec4',
    '#9cb5f8',
    '#d3754c',
    '#c0e3b8',
    '#898ebd',
    '#7bb399',
    '#cd4f66',
  ],
} as const

export const seriesColourCount = seriesColours.light.length

/** FNV-1a, 32 bit: small, stable over releases, and spreads ids that differ in one character. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** The colour an experiment wants, from its id alone: the same on every page and for every reader. */
export function preferredColour(id: string): number {
  return hash(id) % seriesColourCount
}

/**
 * Gives each id its preferred colour, or the next free one when an earlier id holds it, so that up to 24 neighbours all
 * differ. Ids in order of age keep their colours when younger ones join.
 *
 * @returns index into `seriesColours` by id.
 */
export function assignColours(idsOldestFirst: readonly string[]): Map<string, number> {
  const colours = new Map<string, number>()
  let taken = new Set<number>()
  for (const id of idsOldestFirst) {
    if (colours.has(id)) continue
    if (taken.size === seriesColourCount) taken = new Set()
    let colour = preferredColour(id)
    while (taken.has(colour)) colour = (colour + 1) % seriesColourCount
    taken.add(colour)
    colours.set(id, colour)
  }
  return colours
}
