/** Where the pointer is on one chart, told to all charts of the same page so that they show the same moment. */
export type Hover = {
  x: number
  /** The chart under the pointer. */
  source: symbol
  /** The line nearest to the pointer there; the other charts name the same one. */
  lineId: string | null
}

export type HoverSync = {
  publish: (hover: Hover | null) => void
  subscribe: (listener: (hover: Hover | null) => void) => () => void
}

/** One per page. Listeners run once per frame at most, whatever the mouse reports. */
export function createHoverSync(): HoverSync {
  const listeners = new Set<(hover: Hover | null) => void>()
  let latest: Hover | null = null
  let frame = 0
  return {
    publish(hover) {
      latest = hover
      if (frame !== 0) return
      frame = requestAnimationFrame(() => {
        frame = 0
        for (const listener of listeners) listener(latest)
      })
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
