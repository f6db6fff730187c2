/** Reading the client's logged values, which may hold anything. */

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function numbersOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map(Number) : []
}

/** Counts between edges: `edges` has one more entry than `counts`. */
export type Bins = { edges: number[]; counts: number[] }

/**
 * The client sends edges as a list, or as `packedBins` when they are evenly spaced.
 * Source: wandb data type Histogram, `to_json`.
 */
export function binsOf(value: unknown): Bins | undefined {
  if (!isRecord(value)) return undefined
  const counts = numbersOf(value.values)
  const packed = value.packedBins
  const edges = isRecord(packed)
    ? Array.from({ length: Number(packed.count) + 1 }, (_, i) => Number(packed.min) + i * Number(packed.size))
    : numbersOf(value.bins)
  return counts.length > 0 &&
    edges.length === counts.length + 1 &&
    [...counts, ...edges].every(Number.isFinite)
    ? { edges, counts }
    : undefined
}

/** A logged table's file. Source: wandb data type Table, `_to_table_json`. */
export function tableOf(content: unknown): { columns: string[]; rows: unknown[][] } | undefined {
  if (!isRecord(content) || !Array.isArray(content.columns) || !Array.isArray(content.data)) return undefined
  return {
    columns: content.columns.map(String),
    rows: content.data.filter((row): row is unknown[] => Array.isArray(row)),
  }
}

export type Trace = {
  kind: 'line' | 'dots' | 'bars'
  name: string
  x: number[]
  y: number[]
  labels: string[] | undefined
}

/** The traces of a plotly figure that this page can draw itself; undefined when there is any other. */
export function tracesOf(figure: unknown): { title: string; traces: Trace[] } | undefined {
  if (!isRecord(figure) || !Array.isArray(figure.data)) return undefined
  const traces: Trace[] = []
  for (const [i, each] of figure.data.entries()) {
    if (!isRecord(each)) return undefined
    const type = each.type ?? 'scatter'
    if (type !== 'scatter' && type !== 'scattergl' && type !== 'bar') return undefined
    const y = numbersOf(each.y)
    const labels =
      Array.isArray(each.x) && each.x.some((x) => !Number.isFinite(Number(x)))
        ? each.x.map(String)
        : undefined
    const x = labels !== undefined || !Array.isArray(each.x) ? y.map((_, at) => at) : each.x.map(Number)
    if (y.length === 0 || x.length !== y.length) return undefined
    const mode = typeof each.mode === 'string' ? each.mode : y.length > 20 ? 'lines' : 'lines+markers'
    traces.push({
      kind: type === 'bar' ? 'bars' : mode.includes('lines') ? 'line' : 'dots',
      name: typeof each.name === 'string' ? each.name : `trace ${i}`,
      x,
      y,
      labels,
    })
  }
  const layout = isRecord(figure.layout) ? figure.layout : {}
  const title = isRecord(layout.title) ? layout.title.text : layout.title
  return traces.length === 0 ? undefined : { title: typeof title === 'string' ? title : '', traces }
}
