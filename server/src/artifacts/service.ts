import { createChanging } from './changing.ts'
import { createCommitting } from './committing.ts'
import { createCreating } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import { createPermission } from './permission.ts'
import { createReading, versionsPerPageMax } from './reading.ts'
import { createReceiving } from './receiving.ts'

export { printArtifactId, readArtifactId } from './artifact.ts'
export type { StoredArtifact, StoredCollection } from './artifact.ts'
export type { ManifestType } from './content-store.ts'
export type { FilePlace, ManifestPlace, NewArtifact } from './creating.ts'
export type { ArtifactFile } from './reading.ts'

export type Artifacts = ReturnType<typeof createArtifacts>

/**
 * Versioned file trees that experiments make and use. Content is stored once per project and digest; a version is a
 * manifest over it. Saving one: `createArtifact`, `createManifest`, `createFiles`, the bytes through `storeBlob` and
 * `storeManifest`, `commitArtifact`. Until the last step nothing is visible, and every step may be repeated.
 */
export function createArtifacts(deps: ArtifactsDeps) {
  const permission = createPermission(deps)
  deps.teams.onProjectDelete(async (_trx, projectId) => async () => {
    const keys = []
    for await (const { key } of deps.blobs.list(`artifacts/${projectId}/`)) keys.push(key)
    await deps.blobs.remove(keys)
  })
  return {
    ...createCreating(deps, permission),
    ...createReceiving(deps),
    ...createCommitting(deps, permission),
    ...createReading(deps, permission),
    ...createChanging(deps, permission),
    versionsPerPageMax,
  }
}
