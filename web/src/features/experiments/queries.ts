import type { ExperimentQuery, LiveMessage } from '@teamgrid/api'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'
import type { LiveMeta } from '../../lib/live.ts'

export type ProjectRef = { team: string; project: string }
export type ExperimentRef = ProjectRef & { experiment: string }

const changes: readonly LiveMessage['type'][] = ['experiment.changed', 'project.changed']
const any: readonly LiveMessage['type'][] = ['experiment.changed', 'experiment.logged', 'project.changed']

/** One page of a project's experiments. Lists that show summary values also hear of every logged point. */
export const rowsQuery = (ref: ProjectRef, query: ExperimentQuery) =>
  api.experiments.query.queryOptions({
    input: { ...ref, ...query },
    placeholderData: keepPreviousData,
    meta: {
      live: {
        on: (query.columns ?? []).some((column) => column.startsWith('summary.')) ? any : changes,
        project: ref,
      },
    },
  })

export const columnsQuery = (ref: ProjectRef) =>
  api.experiments.columns.queryOptions({
    input: { ...ref, limit: 5000 },
    staleTime: 30_000,
    meta: { live: { on: changes, project: ref } },
  })

/** One experiment with config and summary. */
export const experimentQuery = (ref: ExperimentRef) =>
  api.experiments.get.queryOptions({ input: ref, meta: { live: { on: any, self: true } } })

/** Which keys the experiments logged. */
export const keysQuery = (experimentIds: readonly string[], stream?: 'history' | 'system') =>
  api.experiments.keys.queryOptions({
    input: { experimentIds: [...experimentIds], ...(stream === undefined ? {} : { stream }) },
    enabled: experimentIds.length > 0,
    placeholderData: keepPreviousData,
    meta: { live: { on: ['experiment.logged'], experiments: experimentIds } },
  })

export const filesQuery = (ref: ExperimentRef, experimentId: string) =>
  api.experiments.files.queryOptions({ input: ref, meta: { live: live(['files.changed'], experimentId) } })

export const mediaQuery = (ref: ExperimentRef, experimentId: string, key: string, limit: number) =>
  api.experiments.media.queryOptions({
    input: { ...ref, keys: [key], limit },
    meta: { live: live(['experiment.logged', 'files.changed'], experimentId) },
  })

const live = (on: readonly LiveMessage['type'][], experimentId: string): LiveMeta => ({
  on,
  experiments: [experimentId],
})

/** The newest line number and how many lines there are. */
export const consoleTotalQuery = (ref: ExperimentRef, experimentId: string) =>
  api.experiments.console.queryOptions({
    input: { ...ref, last: true, limit: 1 },
    meta: { live: live(['console.written'], experimentId) },
  })

export const consolePageQuery = (ref: ExperimentRef, experimentId: string, from: number, limit: number) =>
  api.experiments.console.queryOptions({
    input: { ...ref, from, limit },
    meta: { live: live(['console.written'], experimentId) },
  })

export const consoleSearchQuery = (ref: ExperimentRef, experimentId: string, search: string) =>
  queryOptions({
    ...api.experiments.console.queryOptions({
      input: { ...ref, search, limit: 10_000 },
      meta: { live: live(['console.written'], experimentId) },
    }),
    enabled: search !== '',
    placeholderData: keepPreviousData,
  })
