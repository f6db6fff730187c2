import { type RefObject, useEffect, useState } from 'react'

/** Whether an element is on the screen or less than `marginPx` away from it. */
export function useInSight(ref: RefObject<Element | null>, marginPx = 200): boolean {
  const [inSight, setInSight] = useState(false)
  useEffect(() => {
    const element = ref.current
    if (element === null) return
    const observer = new IntersectionObserver(
      (entries) => setInSight(entries.at(-1)?.isIntersecting ?? false),
      {
        rootMargin: `${marginPx}px`,
      },
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [ref, marginPx])
  return inSight
}

/** An element's content box in CSS pixels, rounded down; zero until measured. */
export function useSize(ref: RefObject<Element | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 })
  useEffect(() => {
    const element = ref.current
    if (element === null) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined) return
      const width = Math.floor(entry.contentRect.width)
      const height = Math.floor(entry.contentRect.height)
      setSize((old) => (old.width === width && old.height === height ? old : { width, height }))
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [ref])
  return size
}
