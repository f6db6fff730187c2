import { useQuery } from '@tanstack/react-query'
import { seriesColours } from '../../charts/colours.ts'
import { formatNumber } from '../../lib/format.ts'
import { useTheme } from '../../lib/theme.ts'
import { Problem, Skeleton } from '../../ui/feedback.tsx'
import { readJson } from './read-json.ts'
import { type Trace, tracesOf } from './values.ts'

/** A plotly figure of lines, dots and bars, drawn here; of any other kind, its data. */
export function LoggedPlot({ url, label }: { url: string; label: string }) {
  const content = useQuery({
    queryKey: ['plot', url],
    queryFn: ({ signal }) => readJson(url, signal),
    staleTime: Infinity,
  })
  const theme = useTheme()
  if (content.isError) return <Problem error={content.error} retry={() => void content.refetch()} />
  if (content.isPending) return <Skeleton className="m-3 h-56" />
  const plot = tracesOf(content.data)
  if (plot === undefined) {
    return (
      <div className="p-3">
        <p className="mb-2 text-[13px] text-ink-faint">This kind of figure is not drawn here; its data:</p>
        <pre className="scroll-quiet max-h-80 overflow-auto rounded bg-sunken p-2 font-mono text-xs whitespace-pre-wrap">
          {JSON.stringify(content.data, null, 1).slice(0, 20_000)}
        </pre>
      </div>
    )
  }
  return <Drawing title={plot.title || label} traces={plot.traces} colours={seriesColours[theme]} />
}

const width = 640
const height = 260
const margin = { left: 52, right: 12, top: 10, bottom: 24 }

function Drawing({
  title,
  traces,
  colours,
}: {
  title: string
  traces: readonly Trace[]
  colours: readonly string[]
}) {
  const xs = traces.flatMap((trace) => trace.x).filter(Number.isFinite)
  const ys = traces.flatMap((trace) => trace.y).filter(Number.isFinite)
  const hasBars = traces.some((trace) => trace.kind === 'bars')
  const [x0, x1] = extent(xs, hasBars ? 0.6 : 0)
  const [y0, y1] = extent(hasBars ? [...ys, 0] : ys, 0)
  const toX = (x: number) => margin.left + ((x - x0) / (x1 - x0)) * (width - margin.left - margin.right)
  const toY = (y: number) =>
    height - margin.bottom - ((y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom)
  const labels = traces.find((trace) => trace.labels !== undefined)?.labels
  const barWidth = hasBars
    ? ((toX(1) - toX(0)) * 0.8) / traces.filter((trace) => trace.kind === 'bars').length
    : 0
  return (
    <div className="p-3">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={title} className="w-full text-[11px]">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => {
          const y = y0 + (y1 - y0) * part
          return (
            <g key={part}>
              <line
                x1={margin.left}
                x2={width - margin.right}
                y1={toY(y)}
                y2={toY(y)}
                className="stroke-line"
              />
              <text x={margin.left - 6} y={toY(y) + 4} textAnchor="end" className="fill-ink-faint">
                {formatNumber(Number(y.toPrecision(3)))}
              </text>
            </g>
          )
        })}
        {labels === undefined
          ? [x0, (x0 + x1) / 2, x1].map((x, i) => (
              <text
                key={i}
                x={toX(x)}
                y={height - 6}
                textAnchor={i === 0 ? 'start' : i === 1 ? 'middle' : 'end'}
                className="fill-ink-faint"
              >
                {formatNumber(Number(x.toPrecision(4)))}
              </text>
            ))
          : labels.slice(0, 24).map((text, i) => (
              <text key={i} x={toX(i)} y={height - 6} textAnchor="middle" className="fill-ink-faint">
                {text.slice(0, 10)}
              </text>
            ))}
        {traces.map((trace, t) => {
          const colour = colours[t % colours.length]!
          if (trace.kind === 'line')
            return (
              <polyline
                key={t}
                fill="none"
                stroke={colour}
                strokeWidth="1.5"
                points={trace.x.map((x, i) => `${toX(x)},${toY(trace.y[i]!)}`).join(' ')}
              />
            )
          if (trace.kind === 'dots')
            return trace.x.map((x, i) => (
              <circle key={`${t}/${i}`} cx={toX(x)} cy={toY(trace.y[i]!)} r="2.5" fill={colour} />
            ))
          return trace.x.map((x, i) => {
            const y = toY(trace.y[i]!)
            return (
              <rect
                key={`${t}/${i}`}
                x={toX(x) - barWidth / 2}
                y={Math.min(y, toY(0))}
                width={Math.max(1, barWidth)}
                height={Math.abs(toY(0) - y)}
                fill={colour}
              />
            )
          })
        })}
      </svg>
      <p className="flex flex-wrap gap-x-3 text-xs text-ink-soft">
        {traces.length > 1 &&
          traces.map((trace, i) => (
            <span key={i} className="inline-flex items-center gap-1">
              <span className="size-2 rounded-full" style={{ background: colours[i % colours.length] }} />{' '}
              {trace.name}
            </span>
          ))}
      </p>
    </div>
  )
}

function extent(values: readonly number[], air: number): [number, number] {
  const low = Math.min(...values.slice(0, 100_000))
  const high = Math.max(...values.slice(0, 100_000))
  return low === high ? [low - 1, high + 1] : [low - air, high + air]
}
