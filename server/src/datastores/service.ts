import { createAdopting } from './adopting.ts'
import { createChanging } from './changing.ts'
import type { Actor } from '../actor.ts'
import { createClearing } from './clearing.ts'
import { createDamage } from './damage.ts'
import type { DatastoresDeps } from './deps.ts'
import { createImports } from './imports.ts'
import { createReading } from './reading.ts'
import { createUploads } from './uploads.ts'
import { createUses } from './uses.ts'

export type { Adoption } from './adopting.ts'
export type { Mountable, Pinning, UseBy } from './uses.ts'

export type Datastores = ReturnType<typeof createDatastores>

/**
 * Versioned data that people bring. Content is stored once, by its SHA-256; a version is an immutable manifest over it.
 * Making one: `startUpload`, `missing`, the bytes (`storePack`, `storeContent`, `storePart` and `joinParts`), `commit`.
 * Until the last step nothing is visible, and every step may be repeated, from any machine.
 */
export function createDatastores(deps: DatastoresDeps) {
  const damage = createDamage(deps)
  const reading = createReading(deps, damage.verify)
  const uses = createUses(deps, reading)
  const uploads = createUploads(deps)
  const imports = createImports(deps, uploads)
  const clearing = createClearing(deps)
  return {
    ...reading,
    ...uses,
    ...damage,
    ...uploads,
    ...imports,
    ...createChanging(deps, reading, uses),
    async discardUpload(actor: Actor, uploadId: string): Promise<void> {
      await uploads.discardUpload(actor, uploadId)
      await imports.forgetImport(uploadId)
    },
    async clear(): Promise<void> {
      await clearing.clear()
      await imports.clearImports()
    },
    ...createAdopting(deps),
  }
}
