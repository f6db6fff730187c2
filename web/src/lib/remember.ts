import { useState } from 'react'

/** A small choice kept in this browser: collapsed sections, chosen columns. Never anything secret. */
export function useRemembered<T>(key: string, initial: T): [T, (value: T) => void] {
  const storageKey = `teamgrid.${key}`
  const [held, setHeld] = useState<{ key: string; value: T }>(() => ({
    key: storageKey,
    value: read(storageKey, initial),
  }))
  const value = held.key === storageKey ? held.value : read(storageKey, initial)
  return [
    value,
    (next) => {
      setHeld({ key: storageKey, value: next })
      try {
        localStorage.setItem(storageKey, JSON.stringify(next))
      } catch {
        // Storage may be full or forbidden; the choice then lasts until the page is closed.
      }
    },
  ]
}

function read<T>(key: string, initial: T): T {
  try {
    const text = localStorage.getItem(key)
    return text === null ? initial : (JSON.parse(text) as T)
  } catch {
    return initial
  }
}
