/** Reading the address bar: whatever stands there, a page opens. Each reader gives a value of its type or undefined. */

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined

export const number = (value: unknown): number | undefined => {
  const read = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof read === 'number' && Number.isFinite(read) ? read : undefined
}

export const flag = (value: unknown): true | undefined =>
  value === true || value === 'true' || value === 1 || value === '1' ? true : undefined

export const texts = (value: unknown): string[] | undefined => {
  if (!Array.isArray(value)) return undefined
  return value.filter((each): each is string => typeof each === 'string')
}

export const oneOf =
  <T extends string>(...choices: T[]) =>
  (value: unknown): T | undefined =>
    choices.find((choice) => choice === value)

/** `2026-03-31`. */
export const day = (value: unknown): string | undefined =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : undefined

/** Only addresses of this very app may be gone to after sign-in. */
export const ownPath = (value: unknown): string | undefined =>
  typeof value === 'string' && /^\/(?![/\\])/.test(value) ? value : undefined

/** How charts look; shared by the workspace and the experiment page. */
export type ChartSearch = {
  /** x axis: `step`, `runtime`, `timestamp` or a logged key. */
  x?: string
  logx?: true
  /** Smoothing, 0 … 0.999. */
  smooth?: number
  /** The zoomed part of the x axis. */
  from?: number
  to?: number
  /** Panels whose key matches this regular expression. */
  panels?: string
  /** Keys drawn on a logarithmic y axis. */
  logy?: string[]
  /** The key of the panel that fills the window. */
  panel?: string
}

export function chartSearch(search: Record<string, unknown>): ChartSearch {
  const smooth = number(search.smooth)
  return present({
    x: text(search.x),
    logx: flag(search.logx),
    smooth: smooth === undefined ? undefined : Math.max(0, Math.min(0.999, smooth)),
    from: number(search.from),
    to: number(search.to),
    panels: text(search.panels),
    logy: texts(search.logy),
    panel: text(search.panel),
  })
}

/** Which experiments, in which order. */
export type ListSearch = { q?: string; where?: string; sort?: string }

export function listSearch(search: Record<string, unknown>): ListSearch {
  return present({ q: text(search.q), where: text(search.where), sort: text(search.sort) })
}

/** Leaves out what is undefined, so that addresses stay short. */
export function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** The secret in the client's access tokens: `<id of the report>.<secret>`. */
export function sharedToken(accessToken: string): string {
  return accessToken.slice(accessToken.indexOf('.') + 1)
}
