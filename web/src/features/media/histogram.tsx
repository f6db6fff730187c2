import { formatNumber } from '../../lib/format.ts'
import { binsOf } from './values.ts'

/** Counts as bars; the exact bin on hover. */
export function Histogram({ value }: { value: unknown }) {
  const bins = binsOf(value)
  if (bins === undefined)
    return <p className="p-3 text-[13px] text-ink-faint">This histogram cannot be read.</p>
  const { edges, counts } = bins
  const top = Math.max(...counts, 1)
  const low = edges[0]!
  const span = edges.at(-1)! - low || 1
  const total = counts.reduce((sum, count) => sum + count, 0)
  return (
    <div className="p-3">
      <svg
        viewBox="0 0 100 40"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Histogram of ${formatNumber(total)} values`}
        className="h-40 w-full"
      >
        {counts.map((count, i) => {
          const x = ((edges[i]! - low) / span) * 100
          const width = ((edges[i + 1]! - edges[i]!) / span) * 100
          const height = (count / top) * 39
          return (
            <rect
              key={i}
              x={x}
              y={40 - height}
              width={Math.max(0.2, width * 0.94)}
              height={height}
              className="fill-accent/75 hover:fill-accent"
            >
              <title>
                {formatNumber(count)} between {formatNumber(edges[i]!)} and {formatNumber(edges[i + 1]!)}
              </title>
            </rect>
          )
        })}
      </svg>
      <div className="mt-1 flex justify-between border-t border-line pt-1 text-xs text-ink-faint">
        <span>{formatNumber(low)}</span>
        <span>most in a bin: {formatNumber(top)}</span>
        <span>{formatNumber(edges.at(-1)!)}</span>
      </div>
    </div>
  )
}
