import { os } from '../http/route.ts'
import type { Datastores } from './service.ts'

const ok = { ok: true } as const

/** Endpoint → use case. */
export const datastoreRoutes = (datastores: Datastores) => ({
  list: os.datastores.list.handler(({ context, input }) => datastores.list(context.actor, input)),
  resolve: os.datastores.resolve.handler(({ context, input }) =>
    datastores.resolve(context.actor, input.ref, input.team),
  ),
  get: os.datastores.get.handler(({ context, input }) => datastores.get(context.actor, input.datastoreId)),
  change: os.datastores.change.handler(({ context, input: { datastoreId, ...change } }) =>
    datastores.change(context.actor, datastoreId, change),
  ),
  files: os.datastores.files.handler(({ context, input }) => datastores.files(context.actor, input)),
  file: os.datastores.file.handler(({ context, input }) =>
    datastores.file(context.actor, input.datastoreId, input.version, input.path),
  ),
  manifest: os.datastores.manifest.handler(({ context, input }) =>
    datastores.manifest(context.actor, input.datastoreId, input.version),
  ),
  difference: os.datastores.difference.handler(({ context, input }) =>
    datastores.difference(context.actor, input.datastoreId, input.version, input.since),
  ),
  deletion: os.datastores.deletion.handler(({ context, input }) =>
    datastores.deletion(context.actor, input.datastoreId, input.version),
  ),
  delete: os.datastores.delete.handler(async ({ context, input }) => {
    await datastores.remove(context.actor, input.datastoreId, input.version)
    return ok
  }),
  restore: os.datastores.restore.handler(async ({ context, input }) => {
    await datastores.restore(context.actor, input.datastoreId, input.version)
    return ok
  }),
  storage: os.datastores.storage.handler(({ context, input }) =>
    datastores.storage(context.actor, input.team),
  ),
  uses: os.datastores.uses.handler(({ context, input }) =>
    datastores.usesOf(context.actor, input.datastoreId),
  ),
  usedBy: os.datastores.usedBy.handler(({ context, input }) => datastores.usedBy(context.actor, input)),
  startUpload: os.datastores.startUpload.handler(({ context, input }) =>
    datastores.startUpload(context.actor, input),
  ),
  startImport: os.datastores.startImport.handler(({ context, input }) =>
    datastores.startImport(context.actor, input),
  ),
  import: os.datastores.import.handler(({ context, input }) =>
    datastores.getImport(context.actor, input.importId),
  ),
  retryImport: os.datastores.retryImport.handler(({ context, input }) =>
    datastores.retryImport(context.actor, input.importId),
  ),
  uploads: os.datastores.uploads.handler(({ context }) => datastores.listUploads(context.actor)),
  missing: os.datastores.missing.handler(({ context, input }) =>
    datastores.missing(context.actor, input.uploadId, input.sha256Hexes),
  ),
  discardUpload: os.datastores.discardUpload.handler(async ({ context, input }) => {
    await datastores.discardUpload(context.actor, input.uploadId)
    return ok
  }),
})
