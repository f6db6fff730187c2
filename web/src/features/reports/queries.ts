import type { Curve, ExperimentRow, ReportBlock, RunSet } from '@teamgrid/api'
import { runSetExperimentsMax } from '@teamgrid/api'
import { queryOptions } from '@tanstack/react-query'
import { api, grid } from '../../lib/client.ts'

export type Place = { team: string; project: string }
export type PanelData = { rows: ExperimentRow[]; curves: Curve[] }
type Grid = Extract<ReportBlock, { kind: 'panels' }>

const live = (place: Place) => ({ live: { on: ['project.changed'] as const, project: place } })

export const reportsQuery = (place: Place) =>
  api.reports.list.queryOptions({ input: place, meta: live(place) })

export const reportQuery = (reportId: string) =>
  api.reports.get.queryOptions({ input: { reportId }, meta: { live: { on: ['project.changed'] } } })

export const commentsQuery = (reportId: string) =>
  api.reports.comments.queryOptions({ input: { reportId }, meta: { live: { on: ['project.changed'] } } })

export const linksQuery = (reportId: string) => api.reports.links.queryOptions({ input: { reportId } })

/** What the panels of a block show, asked as the reader; again when the experiments log. */
export const panelsQuery = (block: Grid, own: Place) => {
  const { source: _, ...asked } = block
  return queryOptions({
    queryKey: ['report panels', own, asked],
    queryFn: () => panelData(block, own),
    meta: { live: { on: ['experiment.logged', 'experiment.changed'] } },
  })
}

/** The same by a share link. */
export const sharedPanelsQuery = (token: string, block: number) =>
  queryOptions({
    queryKey: ['shared panels', token, block],
    queryFn: () => grid.reports.sharedPanels({ token, block }),
  })

async function panelData(block: Grid, own: Place): Promise<PanelData> {
  const keys = [...new Set(block.panels.flatMap(({ metrics }) => metrics))].slice(0, 100)
  const answers = await Promise.all(
    block.runSets
      .filter(({ enabled }) => enabled)
      .map((set) => grid.experiments.query(questionOf(set, own, keys))),
  )
  const rows = [...new Map(answers.flatMap((answer) => answer.rows).map((row) => [row.id, row])).values()]
  const lines = block.panels.filter(({ kind }) => kind === 'line')
  const curves = await Promise.all(
    [...new Set(lines.map(({ x }) => x))].map(async (x) => {
      const wanted = [...new Set(lines.filter((line) => line.x === x).flatMap(({ metrics }) => metrics))]
      return rows.length === 0 || wanted.length === 0
        ? []
        : await grid.experiments.curves({
            experimentIds: rows.map(({ id }) => id),
            keys: wanted,
            x,
            pointsMax: 600,
          })
    }),
  )
  return { rows, curves: curves.flat() }
}

function questionOf(set: RunSet, own: Place, keys: readonly string[]) {
  return {
    team: set.team ?? own.team,
    project: set.project ?? own.project,
    search: set.search,
    filters: set.filters,
    sort: set.sort,
    columns: keys.map((key) => `summary.${key}`),
    limit: runSetExperimentsMax,
  }
}
