/** What a stay on a machine costs. Pure. */

const secondMs = 1000
const hourMs = 3_600_000

/** How long and how much of a stay falls into one hour. */
export type HourOfUse = { hour: Date; seconds: number; microcredits: number }

/** Whole seconds of a stay: a second counts when it is over. */
export function secondsBetween(start: Date, until: Date): number {
  return Math.max(0, Math.floor((until.getTime() - start.getTime()) / secondMs))
}

/** What a stay of so many seconds costs altogether, rounded down to whole microcredits. */
export function costOf(seconds: number, microcreditsPerHour: number): number {
  // The product may pass 2^53.
  return Number((BigInt(seconds) * BigInt(microcreditsPerHour)) / 3600n)
}

/**
 * What came to a stay between two looks at it, by hours. Each hour's part is the difference of the whole cost at its two
 * ends, so that however often somebody looks, the parts add up to `costOf` the whole stay, and nothing is lost to rounding.
 *
 * @param from up to where it was charged before.
 */
export function usageBetween(start: Date, from: Date, until: Date, microcreditsPerHour: number): HourOfUse[] {
  const parts: HourOfUse[] = []
  let before = secondsBetween(start, from)
  for (let at = from.getTime(); at < until.getTime();) {
    const hour = Math.floor(at / hourMs) * hourMs
    const end = Math.min(hour + hourMs, until.getTime())
    const after = secondsBetween(start, new Date(end))
    if (after > before) {
      parts.push({
        hour: new Date(hour),
        seconds: after - before,
        microcredits: costOf(after, microcreditsPerHour) - costOf(before, microcreditsPerHour),
      })
    }
    before = after
    at = end
  }
  return parts
}

export type Period = 'month' | 'quarter' | 'none'

/** Periods are those of UTC, so that everybody means the same day. */
export function periodOf(period: Period, at: Date): { name: string; start: Date; end: Date | null } {
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()]
  if (period === 'none') return { name: 'always', start: new Date(0), end: null }
  const length = period === 'month' ? 1 : 3
  const first = month - (month % length)
  return {
    name: period === 'month' ? `${year}-${String(month + 1).padStart(2, '0')}` : `${year}-Q${first / 3 + 1}`,
    start: new Date(Date.UTC(year, first)),
    end: new Date(Date.UTC(year, first + length)),
  }
}
