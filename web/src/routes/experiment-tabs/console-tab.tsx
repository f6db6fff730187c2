import type { ConsoleLine, ExperimentDetails } from '@teamgrid/api'
import { endedStates } from '@teamgrid/api'
import { useQueries, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { saveFile } from '../../charts/export.ts'
import { plainText } from '../../features/console/ansi.ts'
import { ConsoleViewer } from '../../features/console/console-viewer.tsx'
import {
  consolePageQuery,
  consoleSearchQuery,
  consoleTotalQuery,
} from '../../features/experiments/queries.ts'
import { grid } from '../../lib/client.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { tellError } from '../../ui/toast.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/runs/$id')
const pageLines = 500
const downloadPage = 10_000

/** The console of an experiment, page by page as it comes into sight. */
export function ConsoleTab({ experiment }: { experiment: ExperimentDetails }) {
  const { line, find = '' } = route.useSearch()
  const navigate = route.useNavigate()
  const change = (next: { line?: number | undefined; find?: string | undefined }) =>
    void navigate({ search: (before) => present({ ...before, ...next }), replace: true })
  const ref = { team: experiment.team, project: experiment.project, experiment: experiment.slug }
  const [sight, setSight] = useState({ from: 0, to: 0 })
  const newest = useQuery(consoleTotalQuery(ref, experiment.id))
  const total = (newest.data?.lines.at(-1)?.line ?? -1) + 1
  const pages = useMemo(() => {
    const first = Math.floor(sight.from / pageLines)
    const last = Math.floor(Math.min(sight.to, Math.max(0, total - 1)) / pageLines)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  }, [sight, total])
  const loaded = useQueries({
    queries:
      total === 0
        ? []
        : pages.map((page) => consolePageQuery(ref, experiment.id, page * pageLines, pageLines)),
  })
  const lines = new Map<number, ConsoleLine>()
  for (const page of loaded) for (const each of page.data?.lines ?? []) lines.set(each.line, each)
  const search = useQuery(consoleSearchQuery(ref, experiment.id, find))
  const hits = useMemo(
    () => (find === '' ? undefined : search.data?.lines.map((each) => each.line)),
    [find, search.data],
  )
  const lineAt = (at: number): ConsoleLine | undefined => {
    const found = lines.get(at)
    if (found !== undefined) return found
    // A number that a loaded page does not hold was never written.
    const page = loaded[pages.indexOf(Math.floor(at / pageLines))]
    return page?.data === undefined || page.isFetching
      ? undefined
      : { line: at, time: null, level: 'info', label: '', text: '' }
  }

  if (newest.isError) return <Problem error={newest.error} retry={() => void newest.refetch()} />
  if (newest.isPending) return <SkeletonRows rows={12} />
  if (total === 0)
    return <EmptyState title="No console output" says="What the script prints appears here while it runs." />
  return (
    <ConsoleViewer
      total={total}
      lineAt={lineAt}
      onSight={(from, to) => setSight({ from, to })}
      find={find}
      onFind={(next) => change({ find: next === '' ? undefined : next })}
      hits={hits}
      line={line === undefined ? undefined : line - 1}
      onLine={(at) => change({ line: at === undefined ? undefined : at + 1 })}
      live={!endedStates.includes(experiment.state)}
      onDownload={() => {
        download(ref)
          .then((text) => saveFile(`${experiment.name}.log`, text))
          .catch(tellError)
      }}
    />
  )
}

async function download(ref: { team: string; project: string; experiment: string }): Promise<string> {
  const parts: string[] = []
  for (let from = 0; ;) {
    const { lines } = await grid.experiments.console({ ...ref, from, limit: downloadPage })
    parts.push(...lines.map((each) => plainText(each.text)))
    const last = lines.at(-1)
    if (last === undefined || lines.length < downloadPage) return parts.join('\n') + '\n'
    from = last.line + 1
  }
}
