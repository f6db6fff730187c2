import type { LiveMessage } from '@teamgrid/api'
import { keepPreviousData } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'

export type ProjectRef = { team: string; project: string }
export type CollectionRef = ProjectRef & { collection: string }
export type VersionRef = CollectionRef & { version: string }
export type ExperimentRef = ProjectRef & { experiment: string }

const changed: readonly LiveMessage['type'][] = ['project.changed']
const live = ({ team, project }: ProjectRef) => ({ live: { on: changed, project: { team, project } } })

export const collectionsQuery = ({ team, project }: ProjectRef) =>
  api.artifacts.collections.queryOptions({ input: { team, project }, meta: live({ team, project }) })

export const versionsQuery = (ref: CollectionRef, limit: number) =>
  api.artifacts.versions.queryOptions({
    input: { ...ref, limit },
    placeholderData: keepPreviousData,
    meta: live(ref),
  })

export const versionQuery = (ref: VersionRef) =>
  api.artifacts.get.queryOptions({ input: ref, meta: live(ref) })

/** Content of a version never changes, so it is asked once. */
export const artifactFilesQuery = (ref: VersionRef, limit: number) =>
  api.artifacts.files.queryOptions({ input: { ...ref, limit }, staleTime: 10 * 60_000 })

export const lineageQuery = (ref: VersionRef) =>
  api.artifacts.lineage.queryOptions({ input: ref, meta: live(ref) })

export const deletionQuery = (ref: CollectionRef & { version?: string }) =>
  api.artifacts.previewDelete.queryOptions({ input: { ...ref, aliases: true }, staleTime: 0, gcTime: 0 })

export const ofExperimentQuery = (ref: ExperimentRef) =>
  api.artifacts.ofExperiment.queryOptions({ input: ref, meta: live(ref) })

export const reproductionQuery = (ref: ExperimentRef) =>
  api.artifacts.reproduction.queryOptions({ input: ref, meta: live(ref) })

export const registriesQuery = () => api.registries.list.queryOptions()

export const registryQuery = (registry: string) => api.registries.get.queryOptions({ input: { registry } })
