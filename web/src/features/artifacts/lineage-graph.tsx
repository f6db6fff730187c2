import type { Lineage } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { layersOf, type PlacedNode } from './layers.ts'

const width = 210
const height = 46
const gapX = 56
const gapY = 16

/** What led to a version and what came of it, from left to right. Boxes are links, so it is walked by keyboard too. */
export function LineageGraph({ lineage, here }: { lineage: Lineage; here: string }) {
  const { placed, columns, rows } = layersOf(lineage)
  const places = new Map(placed.map((node) => [node.id, node]))
  const left = (node: PlacedNode) => node.column * (width + gapX)
  const top = (node: PlacedNode) => node.row * (height + gapY)
  const size = { width: columns * (width + gapX) - gapX, height: rows * (height + gapY) - gapY }
  return (
    <div className="scroll-quiet overflow-auto p-4" tabIndex={0} role="region" aria-label="Lineage">
      <div className="relative" style={size}>
        <svg aria-hidden className="absolute inset-0 text-line-strong" {...size}>
          {lineage.edges.map(({ from, to }) => {
            const [a, b] = [places.get(from), places.get(to)]
            if (a === undefined || b === undefined) return null
            const [x1, y1] = [left(a) + width, top(a) + height / 2]
            const [x2, y2] = [left(b), top(b) + height / 2]
            const bend = Math.max(24, (x2 - x1) / 2)
            return (
              <g key={`${from} ${to}`} fill="none" stroke="currentColor" strokeWidth="1.5">
                <path d={`M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 2} ${y2}`} />
                <path d={`m${x2 - 7} ${y2 - 4} 5 4 -5 4`} />
              </g>
            )
          })}
        </svg>
        {placed.map((node) => (
          <Box key={node.id} node={node} isHere={node.id === here} x={left(node)} y={top(node)} />
        ))}
      </div>
      {lineage.isCut && (
        <p className="pt-3 text-[13px] text-ink-faint">
          There is more than fits here; open a version further along to see on from there.
        </p>
      )}
    </div>
  )
}

function Box({ node, isHere, x, y }: { node: PlacedNode; isHere: boolean; x: number; y: number }) {
  const look = `absolute flex flex-col justify-center border px-3 text-[13px] hover:bg-hover ${
    isHere ? 'border-accent bg-accent-wash' : 'border-line-strong bg-surface'
  }`
  const style = { left: x, top: y, width, height }
  const inside = (kind: string) => (
    <>
      <span className="truncate font-medium" title={node.label}>
        {node.label}
      </span>
      <span className="truncate text-xs text-ink-faint">{kind}</span>
    </>
  )
  // The shape says what it is, beside the word.
  if (node.kind === 'experiment') {
    return (
      <Link
        to="/$team/$project/runs/$id"
        params={{ team: node.team, project: node.project, id: node.slug }}
        className={`${look} rounded-full px-5`}
        style={style}
      >
        {inside(`experiment, ${node.state}`)}
      </Link>
    )
  }
  return (
    <Link
      to="/$team/$project/artifacts/$type/$collection/$version"
      params={{
        team: node.team,
        project: node.project,
        type: node.type,
        collection: node.collection,
        version: node.version,
      }}
      search={{ view: 'lineage' }}
      aria-current={isHere ? 'page' : undefined}
      className={`${look} rounded-md`}
      style={style}
    >
      {inside(node.type)}
    </Link>
  )
}
