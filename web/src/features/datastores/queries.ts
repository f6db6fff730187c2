import { api } from '../../lib/client.ts'

const live = { live: { on: ['datastore.changed'] } } as const

/** As many as a page of the server; a team with more finds the rest by the command line's filters. */
const shownMax = 500

export const datastoresQuery = (team: string) =>
  api.datastores.list.queryOptions({ input: { team, limit: shownMax }, meta: live })

export const datastoreStorageQuery = (team: string) =>
  api.datastores.storage.queryOptions({ input: { team }, meta: live })

export const folderQuery = (at: { datastoreId: string; version: number; folder: string; cursor?: string }) =>
  api.datastores.files.queryOptions({ input: { ...at, limit: shownMax }, staleTime: Infinity })

export const fileQuery = (at: { datastoreId: string; version: number; path: string }) =>
  api.datastores.file.queryOptions({ input: at, staleTime: 60 * 60_000 })

export const differenceQuery = (at: { datastoreId: string; version: number; since: number }) =>
  api.datastores.difference.queryOptions({ input: at, staleTime: Infinity })

export const deletionQuery = (at: { datastoreId: string; version: number }) =>
  api.datastores.deletion.queryOptions({ input: at, staleTime: 0 })

export const usesQuery = (datastoreId: string) =>
  api.datastores.uses.queryOptions({ input: { datastoreId }, meta: live })

export const uploadsQuery = () => api.datastores.uploads.queryOptions({ input: {}, meta: live })
