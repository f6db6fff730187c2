import { createChanging } from './changing.ts'
import { createCommitting } from './committing.ts'
import { createCreating } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import { createNews } from './news.ts'
import { createPermission } from './permission.ts'
import { createDeleting } from './deleting.ts'
import { createDeletingMade } from './deleting-made.ts'
import { createLineage } from './lineage.ts'
import { createLinking } from './linking.ts'
import { createParts } from './parts.ts'
import { createReading, versionsPerPageMax } from './reading.ts'
import { createReceiving } from './receiving.ts'
import { createRegistries } from './registries.ts'
import { createReproducing } from './reproducing.ts'
import { createShowing } from './showing.ts'
import { createShowingRegistries } from './showing-registries.ts'
import { createTimeToLive } from './time-to-live.ts'
import { createStraying } from './straying.ts'

export { keptSeconds } from './time-to-live.ts'
export { ownMembership, printArtifactId, readArtifactId, versionName } from './artifact.ts'
export type { Membership, StoredArtifact, StoredCollection } from './artifact.ts'
export type { ManifestType } from './content-store.ts'
export type { FilePart, FilePlace, ManifestPlace, NewArtifact } from './creating.ts'
export { type Filter, type Order, readOrder } from './filters.ts'
export type { ArtifactFile } from './reading.ts'
export type { ArtifactEvent, ArtifactNews, ArtifactNewsListener } from './news.ts'
export type { RegistryMember, RegistryRole, StoredRegistry } from './registries.ts'

export type Artifacts = ReturnType<typeof createArtifacts>

/**
 * Versioned file trees that experiments make and use. Content is stored once per project and digest; a version is a
 * manifest over it. Saving one: `createArtifact`, `createManifest`, `createFiles`, the bytes through `storeBlob` (or in
 * parts) and `storeManifest`, `commitArtifact`. Until the last step nothing is visible, and every step may be repeated.
 */
export function createArtifacts(deps: ArtifactsDeps) {
  const permission = createPermission(deps)
  const news = createNews()
  const straying = createStraying(deps)
  const registries = createRegistries(deps, permission)
  deps.teams.onProjectDelete(async (_trx, projectId) => async () => {
    const keys = []
    for await (const { key } of deps.blobs.list(`artifacts/${projectId}/`)) keys.push(key)
    await deps.blobs.remove(keys)
  })
  const reading = createReading(deps, permission, registries)
  const changing = createChanging(deps, permission, news)
  const linking = createLinking(deps, permission, news)
  const deleting = createDeleting(deps, permission, straying)
  const deletingMade = createDeletingMade(deps, deleting)
  const showing = createShowing(deps, permission, reading, changing, linking, deleting, deletingMade)
  return {
    ...createCreating(deps, permission, news),
    ...createReceiving(deps, straying),
    ...createParts(deps, permission, straying),
    ...createCommitting(deps, permission, straying, news),
    ...reading,
    ...changing,
    ...linking,
    ...deleting,
    ...deletingMade,
    ...registries,
    ...showing,
    ...createLineage(reading),
    ...createShowingRegistries(deps, permission, registries),
    ...createTimeToLive(deps),
    ...createReproducing(deps, permission, reading, showing),
    onNews: news.listen,
    versionsPerPageMax,
  }
}
