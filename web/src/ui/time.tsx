import { useSyncExternalStore } from 'react'
import { formatAgo, formatDuration, formatInstant } from '../lib/format.ts'

// One clock for the page: a thousand relative times tick together, and not at all while nobody looks.
const listeners = new Set<() => void>()
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    if (document.hidden) return
    now = Date.now()
    for (const each of listeners) each()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** Milliseconds since 1970, advancing once `everySeconds`. */
export function useNow(everySeconds: number): number {
  const grain = everySeconds * 1000
  return useSyncExternalStore(subscribe, () => {
    if (timer === undefined) now = Date.now()
    return Math.floor(now / grain) * grain
  })
}

/** How long ago, with the exact instant on hover. @param at an ISO instant. */
export function Ago({ at, className }: { at: string | null | undefined; className?: string }) {
  const current = useNow(10)
  if (at === null || at === undefined) return <span className={className}>–</span>
  const instant = Date.parse(at)
  return (
    <time dateTime={at} title={formatInstant(instant)} className={className}>
      {formatAgo(instant, current)}
    </time>
  )
}

/** A duration that ticks while `end` is open. @param start, end ISO instants. */
export function Elapsed({ start, end }: { start: string; end: string | null | undefined }) {
  const current = useNow(1)
  const until = end === null || end === undefined ? current : Date.parse(end)
  return (
    <span title={`since ${formatInstant(Date.parse(start))}`}>
      {formatDuration(Math.floor((until - Date.parse(start)) / 1000))}
    </span>
  )
}
