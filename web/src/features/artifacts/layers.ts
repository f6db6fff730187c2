import type { Lineage, LineageNode } from '@teamgrid/api'

export type PlacedNode = LineageNode & { column: number; row: number }

/**
 * Puts a graph into columns from left to right, so that every arrow points right: a node stands one column after the
 * last of those that lead to it. Rows follow those of what leads there, which keeps most lines from crossing.
 *
 * @returns nodes with their places, and how many columns and rows there are. Cycles, which lineage cannot have, end.
 */
export function layersOf({ nodes, edges }: Pick<Lineage, 'nodes' | 'edges'>): {
  placed: PlacedNode[]
  columns: number
  rows: number
} {
  const before = Map.groupBy(edges, ({ to }) => to)
  const columns = new Map<string, number>()
  const columnOf = (id: string, path: ReadonlySet<string>): number => {
    const known = columns.get(id)
    if (known !== undefined) return known
    const next = new Set([...path, id])
    const from = (before.get(id) ?? []).filter(({ from }) => !next.has(from))
    const column = from.reduce((most, each) => Math.max(most, columnOf(each.from, next) + 1), 0)
    columns.set(id, column)
    return column
  }
  for (const { id } of nodes) columnOf(id, new Set())
  const rows = new Map<string, number>()
  const placed: PlacedNode[] = []
  const byColumn = Map.groupBy(nodes, ({ id }) => columns.get(id)!)
  let most = 0
  for (const column of [...byColumn.keys()].toSorted((a, b) => a - b)) {
    const weight = ({ id }: LineageNode) => {
      const leading = (before.get(id) ?? []).flatMap(({ from }) => rows.get(from) ?? [])
      return leading.length === 0 ? 0 : leading.reduce((sum, row) => sum + row, 0) / leading.length
    }
    const ordered = byColumn.get(column)!.toSorted((a, b) => weight(a) - weight(b))
    for (const [row, node] of ordered.entries()) {
      rows.set(node.id, row)
      placed.push({ ...node, column, row })
    }
    most = Math.max(most, ordered.length)
  }
  return { placed, columns: byColumn.size, rows: most }
}
