import type { Usage } from '@teamgrid/api'
import { useState } from 'react'
import { formatDuration } from '../../lib/format.ts'
import { type Bar, barsOf, formatCredits } from './words.ts'

/** Cost by day; hours of machines where they cost nothing. */
export function UsageBars({ usage }: { usage: Usage }) {
  const bars = barsOf(usage)
  const [at, setAt] = useState<string>()
  const isCost = usage.total.microcredits > 0
  const valueOf = (bar: Bar) => (isCost ? bar.microcredits : bar.seconds)
  const says = (value: number) => (isCost ? `${formatCredits(value)} credits` : formatDuration(value))
  const max = Math.max(...bars.map(valueOf), 1)
  const shown = bars.find((bar) => bar.label === at)
  const unit = bars[0]?.label.length === 7 ? 'month' : 'day'
  const what = isCost ? `Cost by ${unit}` : `Time on machines by ${unit}`
  const best = bars.find((bar) => valueOf(bar) === max)
  return (
    <figure className="border-b border-line px-4 pt-3 pb-2">
      <figcaption className="mb-2 flex flex-wrap justify-between gap-x-4 text-[13px]">
        <span className="font-medium text-ink-soft">{what}</span>
        <span className="text-ink-faint tabular-nums">
          {shown === undefined ? `most: ${says(max)}` : `${shown.label}: ${says(valueOf(shown))}`}
        </span>
      </figcaption>
      <div
        role="img"
        aria-label={`${what}; the most on ${best?.label ?? ''}, ${says(max)}`}
        className="relative flex h-36 items-stretch gap-px border-b border-line-strong sm:gap-0.5"
        onPointerLeave={() => setAt(undefined)}
      >
        <span
          aria-hidden
          className="pointer-events-none absolute inset-x-0 top-0 border-t border-dashed border-line"
        />
        <span
          aria-hidden
          className="pointer-events-none absolute inset-x-0 top-1/2 border-t border-dashed border-line"
        />
        {bars.map((bar) => (
          <div
            key={bar.label}
            className="relative flex min-w-0 flex-1 items-end justify-center hover:bg-hover"
            onPointerEnter={() => setAt(bar.label)}
            onPointerDown={() => setAt(bar.label)}
          >
            <div
              className="w-full max-w-12 rounded-t-sm bg-accent"
              // What is there shows, however little beside the rest.
              style={{ height: `${(valueOf(bar) / max) * 100}%`, minHeight: valueOf(bar) > 0 ? 2 : 0 }}
            />
          </div>
        ))}
      </div>
      <div aria-hidden className="mt-1 flex justify-between text-xs text-ink-faint tabular-nums">
        <span>{bars[0]?.label}</span>
        {bars.length > 2 && <span>{bars.at(-1)?.label}</span>}
      </div>
    </figure>
  )
}
