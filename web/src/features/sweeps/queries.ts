import { keepPreviousData } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'

export type ProjectRef = { team: string; project: string }
export type SweepRef = ProjectRef & { sweep: string }

/** The sweeps of a project, newest first. */
export const sweepsQuery = (ref: ProjectRef, search: string | undefined) =>
  api.sweeps.list.queryOptions({
    input: { ...ref, limit: 100, ...(search === undefined ? {} : { search }) },
    placeholderData: keepPreviousData,
    meta: { live: { on: ['sweep.changed', 'experiment.changed'], project: ref } },
  })

export const sweepQuery = (ref: SweepRef) =>
  api.sweeps.get.queryOptions({
    input: ref,
    meta: { live: { on: ['sweep.changed', 'experiment.changed'], project: ref } },
  })

/** What was tried and which parameters mattered. Learning that costs the server something, so not at every logged line. */
export const analysisQuery = (ref: SweepRef) =>
  api.sweeps.analysis.queryOptions({
    input: { ...ref, limit: 1000 },
    placeholderData: keepPreviousData,
    meta: { live: { on: ['sweep.changed', 'experiment.changed'], project: ref } },
  })
