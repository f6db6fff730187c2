import { createChanging } from './changing.ts'
import { createClearing } from './clearing.ts'
import type { DatastoresDeps } from './deps.ts'
import { createReading } from './reading.ts'
import { createUploads } from './uploads.ts'
import { createUses } from './uses.ts'

export type { Mountable, Pinning, UseBy } from './uses.ts'

export type Datastores = ReturnType<typeof createDatastores>

/**
 * Versioned data that people bring. Content is stored once, by its SHA-256; a version is an immutable manifest over it.
 * Making one: `startUpload`, `missing`, the bytes (`storePack`, `storeContent`, `storePart` and `joinParts`), `commit`.
 * Until the last step nothing is visible, and every step may be repeated, from any machine.
 */
export function createDatastores(deps: DatastoresDeps) {
  const clearing = createClearing(deps)
  const reading = createReading(deps, clearing.verify)
  const uses = createUses(deps, reading)
  return {
    ...reading,
    ...uses,
    ...createUploads(deps),
    ...createChanging(deps, reading, uses),
    ...clearing,
  }
}
