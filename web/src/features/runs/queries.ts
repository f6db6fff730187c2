import { keepPreviousData } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'

export type RunRef = { team: string; run: string }

export const runsQuery = (team: string, archived = false) =>
  api.runs.list.queryOptions({
    input: { team, limit: 100, archived },
    placeholderData: keepPreviousData,
    meta: { live: { on: ['experiment.changed', 'project.changed'] } },
  })

export const runQuery = (ref: RunRef) =>
  api.runs.get.queryOptions({
    input: ref,
    meta: { live: { on: ['experiment.changed', 'project.changed'] } },
  })

export const clustersQuery = (team: string) => api.clusters.list.queryOptions({ input: { team } })

export const buildLogQuery = (ref: RunRef & { number: number }) =>
  api.runs.buildLog.queryOptions({
    input: ref,
    meta: { live: { on: ['experiment.changed', 'console.written'] } },
  })
