import type { Curve } from '@teamgrid/api'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'

/** Curves are asked per panel and fetched per screen: what panels ask within a few milliseconds goes out as one request. */

export type CurveQuestion = {
  experimentIds: readonly string[]
  stream: 'history' | 'system'
  /** `step`, `runtime`, `timestamp` or a logged key. */
  x: string
  from: number | null
  to: number | null
  /** Even. */
  pointsMax: number
}

export const curveQuery = (question: CurveQuestion, key: string) =>
  queryOptions({
    queryKey: ['curves', question, key],
    queryFn: ({ signal }) => ask(question, key, signal),
    enabled: question.experimentIds.length > 0,
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    meta: { live: { on: ['experiment.logged'], experiments: question.experimentIds } },
  })

const gatherMs = 8
/** So many curves in one answer; more would hold up the first panel for the last. */
const curvesPerRequest = 160

type Waiting = {
  key: string
  signal: AbortSignal
  resolve: (curves: Curve[]) => void
  reject: (problem: unknown) => void
}
const gathering = new Map<string, { question: CurveQuestion; waiting: Waiting[] }>()

function ask(question: CurveQuestion, key: string, signal: AbortSignal): Promise<Curve[]> {
  return new Promise((resolve, reject) => {
    const name = JSON.stringify(question)
    let group = gathering.get(name)
    if (group === undefined) {
      group = { question, waiting: [] }
      gathering.set(name, group)
      setTimeout(() => send(name), gatherMs)
    }
    group.waiting.push({ key, signal, resolve, reject })
  })
}

function send(name: string): void {
  const group = gathering.get(name)
  gathering.delete(name)
  if (group === undefined) return
  const { question } = group
  const keysPerRequest = Math.max(
    1,
    Math.min(200, Math.floor(curvesPerRequest / question.experimentIds.length)),
  )
  // Panels that left the sight meanwhile are not asked for.
  const wanted = group.waiting.filter((each) => !each.signal.aborted)
  for (let i = 0; i < wanted.length; i += keysPerRequest) {
    const some = wanted.slice(i, i + keysPerRequest)
    grid.experiments
      .curves({
        ...question,
        experimentIds: [...question.experimentIds],
        keys: [...new Set(some.map((each) => each.key))],
      })
      .then(
        (curves) => {
          for (const each of some) each.resolve(curves.filter((curve) => curve.key === each.key))
        },
        (problem: unknown) => {
          for (const each of some) each.reject(problem)
        },
      )
  }
}
