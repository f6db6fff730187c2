/** How numbers, times and sizes read everywhere. Pure; each returns short text, and callers put the exact value in a title. */

const siPrefixes = ['', 'k', 'M', 'G', 'T', 'P']

/**
 * A metric value in at most about six characters: `0.0312`, `1.25k`, `3.2e-7`, `NaN`, `∞`.
 *
 * @param value in the metric's own unit.
 */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '∞'
  if (value === -Infinity) return '−∞'
  const size = Math.abs(value)
  const sign = value < 0 ? '−' : ''
  if (size === 0) return '0'
  if (size < 1e-4) return sign + shortExponent(size)
  if (size < 1000) return sign + String(Number(size.toPrecision(4)))
  if (size >= 1e18) return sign + shortExponent(size)
  if (size < 10_000 && Number.isInteger(size)) return sign + String(size)
  let power = Math.min(siPrefixes.length - 1, Math.floor(Math.log10(size) / 3))
  let scaled = Number((size / 1000 ** power).toPrecision(4))
  if (scaled >= 1000 && power < siPrefixes.length - 1) {
    power += 1
    scaled /= 1000
  }
  return sign + String(scaled) + siPrefixes[power]
}

function shortExponent(size: number): string {
  return size
    .toExponential(2)
    .replace(/\.?0+e/, 'e')
    .replace('e+', 'e')
}

/** A whole number with thin grouping, for counts: `12 345`. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US').replaceAll(',', '\u202f')
}

/** `1h 04m`, `3m 07s`, `42s`, `0.4s`, `2d 03h`. @param seconds ≥ 0; negative clocks read as zero. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const total = Math.max(0, seconds)
  if (total < 10 && total % 1 !== 0) return `${Number(total.toFixed(1))}s`
  const whole = Math.floor(total)
  if (whole < 60) return `${whole}s`
  const two = (part: number) => String(part).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`
  return `${Math.floor(whole / 86_400)}d ${two(Math.floor((whole % 86_400) / 3600))}h`
}

/** Decimal sizes, as file managers and disks say them: `812 B`, `1.5 kB`, `3.27 GB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '–'
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = Math.abs(bytes)
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  const sign = bytes < 0 ? '−' : ''
  return `${sign}${unit === 0 ? Math.round(size) : Number(size.toPrecision(3))} ${units[unit]}`
}

/** `just now`, `2m ago`, `3h ago`, `5d ago`, then the date. @param then, now milliseconds since 1970. */
export function formatAgo(then: number, now: number): string {
  const seconds = Math.floor((now - then) / 1000)
  if (seconds < 0) return seconds > -60 ? 'just now' : formatDate(then)
  if (seconds < 10) return 'just now'
  if (seconds < 60) return `${seconds}s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`
  if (seconds < 30 * 86_400) return `${Math.floor(seconds / 86_400)}d ago`
  return formatDate(then)
}

/** `2026-08-14`, in the reader's time zone. */
export function formatDate(instant: number): string {
  const date = new Date(instant)
  const two = (part: number) => String(part).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** `2026-08-14 09:03:27`, in the reader's time zone. */
export function formatInstant(instant: number): string {
  const date = new Date(instant)
  const two = (part: number) => String(part).padStart(2, '0')
  return `${formatDate(instant)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Any config or summary value as one line of a table. */
export function formatValue(value: unknown): string {
  if (value === undefined) return ''
  if (value === null) return 'null'
  if (typeof value === 'number') return formatNumber(value)
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value === 'object' && '_type' in value && typeof value._type === 'string')
    return `‹${value._type}›`
  return JSON.stringify(value)
}

/** The exact form for a tooltip or the clipboard. */
export function exactValue(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  return JSON.stringify(value, null, 2) ?? ''
}

/** `1 experiment`, `3 experiments`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}
