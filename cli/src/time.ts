import { GridError } from '@teamgrid/api'

/** Seconds as Grid writes them: `0d-04:05:23`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0))
  const two = (value: number) => String(value).padStart(2, '0')
  const days = Math.floor(whole / 86_400)
  return `${days}d-${two(Math.floor(whole / 3600) % 24)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

/** An instant for a table, in the reader's time zone: `2026-11-22 07:05`. */
export function minute(instant: string | Date): string {
  const at = new Date(instant)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${day(at)} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** The day of an instant, in the reader's time zone: `2026-11-22`. */
export function day(instant: string | Date): string {
  const at = new Date(instant)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

/** An instant as log lines carry it: ISO 8601 with the offset written out. */
export function logTime(instant: string): string {
  return new Date(instant).toISOString().replace('Z', '+00:00')
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/**
 * What `--since` means: `30s`, `10m`, `2h`, `1d`, or an instant.
 *
 * @throws GridError invalid, if it is neither.
 */
export function since(text: string, now: Date): Date {
  const relative = /^(\d+(?:\.\d+)?)\s*([smhdw])$/i.exec(text.trim())
  if (relative) {
    return new Date(now.getTime() - Number(relative[1]) * unitSeconds[relative[2]!.toLowerCase()]! * 1000)
  }
  const at = new Date(text)
  if (/^\d{4}-\d{2}-\d{2}/.test(text.trim()) && !Number.isNaN(at.getTime())) return at
  throw new GridError('invalid', `"${text}" is not a time`, {
    hint: 'Say 30s, 10m, 2h, 1d or an instant such as 2026-01-31T12:00:00Z.',
  })
}

/**
 * A span of time in seconds: `90s`, `10m`, `2h`, `1d`, or `0`.
 *
 * @throws GridError invalid, if it is none.
 */
export function seconds(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\s*([smhdw])$/i.exec(text.trim()) ?? []
  if (count !== undefined) return Math.round(Number(count) * unitSeconds[unit!.toLowerCase()]!)
  if (text.trim() === '0') return 0
  throw new GridError('invalid', `"${text}" is not a span of time`, { hint: 'Say 90s, 10m, 2h or 1d.' })
}

/** Bytes for people, in powers of 1024. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`
}
