import type { LiveMessage } from '@teamgrid/api'

/** Something changed; only who may see the team hears of it. Nothing is correct because of an event. */
export type Event = LiveMessage & {
  teamId: string
  /** Only these people hear of it, if given. */
  userIds?: readonly string[]
}

export type Events = {
  publish(event: Event): void
  subscribe(listener: (event: Event) => void): () => void
}

export function createEvents(): Events {
  const listeners = new Set<(event: Event) => void>()
  return {
    publish(event) {
      for (const listener of listeners) listener(event)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
