import type { KeyInfo } from '@teamgrid/api'

/** Which panels a page shows, in which sections. Pure. */

export type PanelSection = { name: string; keys: string[] }

/**
 * Keys under the part before their first slash; keys without one come first, under "Charts". Keys of the client's own
 * bookkeeping (`_step`, `_runtime` …) are axes, not panels.
 *
 * @param pattern a regular expression that keys must match; one that cannot be read is taken as plain text.
 */
export function panelSections(keys: readonly KeyInfo[], pattern = ''): PanelSection[] {
  const matches = matcher(pattern)
  const sections = new Map<string, string[]>()
  for (const { key } of keys) {
    if (isBookkeeping(key) || !matches(key)) continue
    const name = sectionOf(key)
    sections.set(name, [...(sections.get(name) ?? []), key])
  }
  return [...sections]
    .map(([name, all]) => ({ name, keys: [...new Set(all)].toSorted(byName) }))
    .toSorted(
      (a, b) => Number(b.name === looseSection) - Number(a.name === looseSection) || byName(a.name, b.name),
    )
}

function sectionOf(key: string): string {
  // The client names system metrics with dots: `system.gpu.0.temp`.
  const system = /^system\.([a-z]+)/i.exec(key)
  if (system !== null) return system[1]!
  const slash = key.indexOf('/')
  return slash > 0 ? key.slice(0, slash) : looseSection
}

export const looseSection = 'Charts'

export function isBookkeeping(key: string): boolean {
  return /^_(?:step|runtime|timestamp|wandb)/.test(key)
}

/** Names with numbers in human order: `layer2` before `layer10`. */
export function byName(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

export function matcher(pattern: string): (text: string) => boolean {
  if (pattern === '') return () => true
  try {
    const expression = new RegExp(pattern, 'i')
    return (text) => expression.test(text)
  } catch {
    const plain = pattern.toLowerCase()
    return (text) => text.toLowerCase().includes(plain)
  }
}

/**
 * Which experiments a workspace draws: those named, or the first ten of the list.
 *
 * @param show slugs from the address, separated by commas; `-` alone means none.
 */
export function shownSlugs(show: string | undefined, listed: readonly string[]): string[] {
  if (show === '-') return []
  if (show === undefined) return listed.slice(0, shownByDefault)
  return show
    .split(',')
    .filter((slug) => slug !== '')
    .slice(0, shownMax)
}

export const shownByDefault = 10
/** More lines than this in one chart cannot be told apart, and the server is asked for up to 200 at once. */
export const shownMax = 60

/** The address value after one experiment was shown or hidden. */
export function toggleShown(shown: readonly string[], slug: string): string {
  const next = shown.includes(slug) ? shown.filter((each) => each !== slug) : [...shown, slug]
  return next.length === 0 ? '-' : next.slice(-shownMax).join(',')
}

/**
 * The x axis a key asked for with `define_metric`, by exact key first, then by the longest glob that fits.
 *
 * @param definitions `key` or `glob` (only `*`) with the key of its axis.
 */
export function stepKeyOf(
  key: string,
  definitions: readonly { key: string | null; glob: string | null; stepKey: string | null }[],
): string | undefined {
  const exact = definitions.find((each) => each.key === key && each.stepKey !== null)
  if (exact !== undefined) return exact.stepKey ?? undefined
  const fitting = definitions
    .filter((each) => each.glob !== null && each.stepKey !== null && globFits(each.glob, key))
    .toSorted((a, b) => b.glob!.length - a.glob!.length)
  return fitting[0]?.stepKey ?? undefined
}

function globFits(glob: string, key: string): boolean {
  const pattern = glob.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${pattern.join('.*')}$`).test(key)
}
