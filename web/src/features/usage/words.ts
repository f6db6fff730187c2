/** How credits and days of use read on the page. Pure. */
import {
  type Balance,
  type LedgerEntry,
  type Usage,
  type UsageGroup,
  csvLine,
  microcreditsPerCredit,
} from '@teamgrid/api'

/**
 * Credits as people read them: two digits behind the point, three significant ones below a credit.
 *
 * @param microcredits what the server counts in.
 */
export function formatCredits(microcredits: number): string {
  const size = Math.abs(microcredits) / microcreditsPerCredit
  const digits = size >= 1 || size === 0 ? { maximumFractionDigits: 2 } : { maximumSignificantDigits: 3 }
  return (microcredits < 0 ? '−' : '') + size.toLocaleString('en-US', digits).replaceAll(',', '\u202f')
}

/** What a field of credits holds, in microcredits. @param typed as an input of numbers gives it; NaN when it is none. */
export function microcreditsOf(typed: string): number {
  return typed.trim() === '' ? NaN : Math.round(Number(typed) * microcreditsPerCredit)
}

export const stateWords: Record<Balance['state'], string> = {
  unlimited: 'Unlimited',
  enough: 'Enough',
  low: 'Few left',
  empty: 'None left',
}

export const endWords: Record<Balance['whenEmpty'], string> = {
  warn: 'Admins are told, and work goes on',
  pause: 'Sessions are paused and nothing new starts; experiments that run go on',
  stop: 'Sessions are paused, experiments are stopped, and nothing new starts',
}

export const groupWords: Record<UsageGroup, string> = {
  person: 'Person',
  project: 'Project',
  machine: 'Machine',
  kind: 'Kind',
  experiment: 'Experiment',
}

/** Percentages as typed, `80, 100`. @returns undefined when something in it is no percentage. */
export function percentsOf(typed: string): number[] | undefined {
  const words = typed.split(/[\s,;%]+/).filter((word) => word !== '')
  const percents = words.map(Number)
  return percents.every((each) => Number.isInteger(each) && each >= 1 && each <= 1000) &&
    percents.length <= 10
    ? percents.toSorted((a, b) => a - b)
    : undefined
}

const dayMs = 86_400_000
const dayOf = (instant: number): string => new Date(instant).toISOString().slice(0, 10)
const startOf = (day: string): number => Date.parse(`${day}T00:00:00Z`)

/** First and last day, both counted; days are those of UTC, as the books are kept. */
export type Days = { since?: string; until?: string }

/** Ranges to choose from, the months before this one among them. @param now milliseconds since 1970. */
export function presets(now: number): { id: string; label: string; days: Days }[] {
  const today = new Date(now)
  const first = (monthsBack: number) =>
    dayOf(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - monthsBack, 1))
  const months = Array.from({ length: 5 }, (_, i) => {
    const since = first(i + 1)
    return { id: since, label: since.slice(0, 7), days: { since, until: dayOf(startOf(first(i)) - dayMs) } }
  })
  return [
    { id: 'month', label: 'This month', days: {} },
    { id: '7', label: 'Last 7 days', days: { since: dayOf(now - 6 * dayMs) } },
    { id: '30', label: 'Last 30 days', days: { since: dayOf(now - 29 * dayMs) } },
    ...months,
    {
      id: 'year',
      label: `All of ${today.getUTCFullYear()}`,
      days: { since: `${today.getUTCFullYear()}-01-01` },
    },
  ]
}

/** What the server is asked for. Without a first day it is the first of the last day's month. */
export function rangeOf({ since, until }: Days): { from?: string; to?: string } {
  const first = since ?? (until === undefined ? undefined : `${until.slice(0, 7)}-01`)
  return {
    ...(first === undefined ? {} : { from: new Date(startOf(first)).toISOString() }),
    ...(until === undefined ? {} : { to: new Date(startOf(until) + dayMs).toISOString() }),
  }
}

export type Bar = { label: string; microcredits: number; seconds: number }

/** More than this many days are shown by month. */
const dayBarsMax = 92

/** One bar for every day or month of the range, those without use too. */
export function barsOf({ from, to, days }: Pick<Usage, 'from' | 'to' | 'days'>): Bar[] {
  const start = startOf(from.slice(0, 10))
  const count = Math.ceil((Date.parse(to) - start) / dayMs)
  const keep = count > dayBarsMax ? 7 : 10
  const bars = new Map<string, Bar>()
  for (let i = 0; i < count; i += 1) {
    const label = dayOf(start + i * dayMs).slice(0, keep)
    bars.set(label, { label, microcredits: 0, seconds: 0 })
  }
  for (const { day, microcredits, seconds } of days) {
    const bar = bars.get(day.slice(0, keep))
    if (bar === undefined) continue
    bar.microcredits += microcredits
    bar.seconds += seconds
  }
  return [...bars.values()]
}

/** The table for a spreadsheet: exact credits, and the range in every row so that months can be put below each other. */
export function usageCsv(team: string, by: UsageGroup, usage: Usage): string {
  return [
    ['team', 'from', 'to', by, 'stays', 'seconds', 'gpu_seconds', 'credits', 'estimate'],
    ...usage.rows.map((row) => [
      team,
      usage.from,
      usage.to,
      row.name,
      row.stays,
      row.seconds,
      row.gpuSeconds,
      row.microcredits / microcreditsPerCredit,
      row.isEstimate,
    ]),
  ]
    .map(csvLine)
    .join('')
}

/** Entries with charges that follow each other as one: machines are charged every minute. @param entries newest first */
export function foldCharges(
  entries: readonly LedgerEntry[],
): (LedgerEntry & { charges: number; since: string })[] {
  const lines: (LedgerEntry & { charges: number; since: string })[] = []
  for (const entry of entries) {
    const last = lines.at(-1)
    if (last?.reason === 'usage' && entry.reason === 'usage') {
      last.microcredits += entry.microcredits
      last.charges += 1
      last.since = entry.at
    } else lines.push({ ...entry, charges: 1, since: entry.at })
  }
  return lines
}
