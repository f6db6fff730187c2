import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput, Slug } from './base.ts'
import { Person } from './teams.ts'

/** All digits would read as a version: `cats:2`. */
export const DatastoreName = z
  .string()
  .regex(
    /^(?!\d+$)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
    'A datastore’s name has 1 to 64 lower-case letters, digits, "-", "_" or ".", starts and ends with a letter or digit, and is not a number',
  )
export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'A SHA-256 is 64 hexadecimal digits')

/** `private` is its owner's and the admins' alone; `organisation` may be read and used by everybody here. */
export const DatastoreVisibility = z.enum(['private', 'team', 'organisation'])
export type DatastoreVisibility = z.infer<typeof DatastoreVisibility>

export const DatastoreVersion = z.object({
  number: z.number().int(),
  status: z.enum(['succeeded', 'deleted']),
  /** SHA-256 of its manifest: equal for equal trees. */
  digest: z.string(),
  /** Where it was uploaded from, as the uploader said. */
  source: z.string(),
  files: z.number(),
  /** Those whose stored bytes were found to be damaged: nobody gets them before somebody uploads them again. */
  damagedFiles: z.number(),
  sizeBytes: z.number(),
  createdBy: Person,
  createdAt: Instant,
  /** Of a deleted one: until then it can be restored. */
  restorableUntil: Instant.nullable(),
})
export type DatastoreVersion = z.infer<typeof DatastoreVersion>

export const Datastore = z.object({
  id: Id,
  team: z.string(),
  name: z.string(),
  owner: Person,
  description: z.string(),
  visibility: DatastoreVisibility,
  createdAt: Instant,
  /** Newest first. */
  versions: z.array(DatastoreVersion),
})
export type Datastore = z.infer<typeof Datastore>

export const DatastoreEntry = z.object({
  name: z.string(),
  kind: z.enum(['file', 'link', 'folder']),
  /** Of a folder: of everything in and below it. */
  sizeBytes: z.number(),
  files: z.number(),
  sha256Hex: z.string().nullable(),
  executable: z.boolean(),
  /** Where a link leads, relative to its folder. */
  linkTarget: z.string().nullable(),
})
export type DatastoreEntry = z.infer<typeof DatastoreEntry>

/** What the server fetches by itself: an upload that it fills in somebody's name. */
export const DatastoreImport = z.object({
  /** Of its upload. */
  id: Id,
  team: z.string(),
  name: z.string(),
  source: z.string(),
  state: z.enum(['waiting', 'fetching', 'unpacking', 'storing', 'done', 'failed']),
  /** Of what its state says. */
  doneBytes: z.number(),
  /** Null while nobody knows. */
  ofBytes: z.number().nullable(),
  files: z.number(),
  /** Why it failed, and what to do. */
  error: z.string().nullable(),
  datastoreId: Id.nullable(),
  version: z.number().int().nullable(),
  createdAt: Instant,
})
export type DatastoreImport = z.infer<typeof DatastoreImport>

export const DatastoreUpload = z.object({
  id: Id,
  team: z.string(),
  name: z.string(),
  source: z.string(),
  files: z.number().nullable(),
  sizeBytes: z.number().nullable(),
  /** Bytes that need not be sent again. */
  arrivedBytes: z.number(),
  createdAt: Instant,
  expiresAt: Instant,
  /** That the server fills it by itself. */
  importing: DatastoreImport.shape.state.nullable(),
})
export type DatastoreUpload = z.infer<typeof DatastoreUpload>

/** How the files of one version differ from those of another. */
export const DatastoreDifference = z.object({
  added: z.number(),
  removed: z.number(),
  changed: z.number(),
  same: z.number(),
  /** The first thousand, by path. */
  entries: z.array(
    z.object({
      path: z.string(),
      how: z.enum(['added', 'removed', 'changed']),
      sizeBefore: z.number().nullable(),
      sizeAfter: z.number().nullable(),
    }),
  ),
})
export type DatastoreDifference = z.infer<typeof DatastoreDifference>

export const StorageOfOwner = z.object({
  owner: Person,
  datastores: z.number(),
  versions: z.number(),
  /** As if every version were stored by itself. */
  sizeBytes: z.number(),
  /** What it takes: equal files count once. */
  storedBytes: z.number(),
})
export type StorageOfOwner = z.infer<typeof StorageOfOwner>

/** That a run, an experiment or a session uses a version, or did. */
export const DatastoreUse = z.object({
  kind: z.enum(['run', 'experiment', 'session']),
  id: z.string(),
  label: z.string(),
  team: z.string(),
  by: Person,
  datastore: z.object({ id: Id, owner: z.string(), name: z.string() }),
  version: z.number().int(),
  startedAt: Instant,
  /** While null, the version cannot be deleted. */
  endedAt: Instant.nullable(),
})
export type DatastoreUse = z.infer<typeof DatastoreUse>
/** `hidden`: how many more there are that the caller may not see. */
const Uses = z.object({ items: z.array(DatastoreUse), hidden: z.number().int() })

const One = z.object({ datastoreId: Id })
const OneVersion = One.extend({ version: z.coerce.number().int().min(1) })
/** No leading or trailing slash; empty for the top. */
const Folder = z.string().max(4096).default('')
const tags = ['datastores']

/** Digests asked about in one call. */
export const missingMax = 10_000

export const datastores = {
  list: endpoint
    .route({ method: 'GET', path: '/datastores', summary: 'Datastores I may see', tags })
    .input(
      PageInput.extend({
        team: Slug.optional(),
        /** A username. */
        owner: z.string().max(256).optional(),
      }),
    )
    .output(page(Datastore)),
  resolve: endpoint
    .route({ method: 'GET', path: '/datastores/resolve', summary: 'What a reference means', tags })
    .input(z.object({ ref: z.string().min(1).max(512), team: Slug.optional() }))
    .output(z.object({ datastore: Datastore, version: DatastoreVersion })),
  get: endpoint
    .route({ method: 'GET', path: '/datastores/{datastoreId}', summary: 'One datastore', tags })
    .input(One)
    .output(Datastore),
  change: endpoint
    .route({
      method: 'PATCH',
      path: '/datastores/{datastoreId}',
      summary: 'Describe a datastore, or say who may see it',
      tags,
    })
    .input(
      One.extend({
        description: z.string().max(10_000).optional(),
        visibility: DatastoreVisibility.optional(),
      }),
    )
    .output(Datastore),
  files: endpoint
    .route({
      method: 'GET',
      path: '/datastores/{datastoreId}/versions/{version}/files',
      summary: 'What is in a folder of a version',
      tags,
    })
    .input(OneVersion.extend({ folder: Folder, ...PageInput.shape }))
    .output(page(DatastoreEntry)),
  file: endpoint
    .route({
      method: 'GET',
      path: '/datastores/{datastoreId}/versions/{version}/file',
      summary: 'One file of a version, with signed links to its bytes',
      tags,
    })
    .input(OneVersion.extend({ path: z.string().min(1).max(4096) }))
    .output(DatastoreEntry.extend({ mediaType: z.string(), url: z.string(), downloadUrl: z.string() })),
  manifest: endpoint
    .route({
      method: 'GET',
      path: '/datastores/{datastoreId}/versions/{version}/manifest',
      summary: 'A signed link to the list of all files of a version',
      tags,
    })
    .input(OneVersion)
    .output(z.object({ url: z.string(), digest: z.string() })),
  difference: endpoint
    .route({
      method: 'GET',
      path: '/datastores/{datastoreId}/versions/{version}/difference',
      summary: 'What changed since another version',
      tags,
    })
    .input(OneVersion.extend({ since: z.coerce.number().int().min(1) }))
    .output(DatastoreDifference),
  deletion: endpoint
    .route({
      method: 'GET',
      path: '/datastores/{datastoreId}/versions/{version}/deletion',
      summary: 'What deleting a version would free',
      tags,
    })
    .input(OneVersion)
    .output(z.object({ sizeBytes: z.number(), freesBytes: z.number(), restorableDays: z.number() })),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: '/datastores/{datastoreId}/versions/{version}',
      summary: 'Put a version into the trash',
      tags,
    })
    .input(OneVersion)
    .output(Ok),
  restore: endpoint
    .route({
      method: 'POST',
      path: '/datastores/{datastoreId}/versions/{version}/restore',
      summary: 'Take a version out of the trash',
      tags,
    })
    .input(OneVersion)
    .output(Ok),
  storage: endpoint
    .route({ method: 'GET', path: '/teams/{team}/datastore-storage', summary: 'Storage by owner', tags })
    .input(z.object({ team: Slug }))
    .output(z.array(StorageOfOwner)),

  uses: endpoint
    .route({ method: 'GET', path: '/datastores/{datastoreId}/uses', summary: 'What uses a datastore', tags })
    .input(One)
    .output(Uses),
  usedBy: endpoint
    .route({
      method: 'GET',
      path: '/datastore-uses',
      summary: 'The datastores that a run, an experiment or a session uses',
      tags,
    })
    .input(z.object({ kind: z.enum(['run', 'experiment', 'session']), id: z.string().min(1).max(128) }))
    .output(Uses),

  startUpload: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/datastore-uploads',
      summary: 'Begin a new version, of a datastore made if need be',
      tags,
    })
    .input(
      z.object({
        team: Slug,
        name: DatastoreName,
        /** Whose datastore of that name gets the version; the caller's own when absent. */
        owner: z.string().max(256).optional(),
        source: z.string().max(4096).default(''),
        /** Of a new datastore; `team` in a team and `private` in a personal one when absent. */
        visibility: DatastoreVisibility.optional(),
        files: z.number().int().min(0).optional(),
        sizeBytes: z.number().int().min(0).optional(),
      }),
    )
    .output(DatastoreUpload),
  startImport: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/datastore-imports',
      summary: 'Have the server fetch a new version: an archive, a file, a folder of an S3 store',
      tags,
    })
    .input(
      z.object({
        team: Slug,
        name: DatastoreName,
        owner: z.string().max(256).optional(),
        /** `https://…/data.tar.gz`, or `s3://bucket/prefix`. */
        source: z.string().min(1).max(4096),
        visibility: DatastoreVisibility.optional(),
        /** Of an S3 store that is not Amazon's. */
        endpoint: z.string().max(1024).optional(),
        region: z.string().max(64).optional(),
        /** Kept encrypted, and only until the version is made. Absent: what everybody may read. */
        accessKeyId: z.string().min(1).max(256).optional(),
        secretAccessKey: z.string().min(1).max(1024).optional(),
      }),
    )
    .output(DatastoreImport),
  import: endpoint
    .route({ method: 'GET', path: '/datastore-imports/{importId}', summary: 'How far an import is', tags })
    .input(z.object({ importId: Id }))
    .output(DatastoreImport),
  retryImport: endpoint
    .route({
      method: 'POST',
      path: '/datastore-imports/{importId}/retry',
      summary: 'Try a failed import again; what was fetched is used',
      tags,
    })
    .input(z.object({ importId: Id }))
    .output(DatastoreImport),
  uploads: endpoint
    .route({ method: 'GET', path: '/datastore-uploads', summary: 'My uploads that are not complete', tags })
    .input(z.object({}))
    .output(z.array(DatastoreUpload)),
  missing: endpoint
    .route({
      method: 'POST',
      path: '/datastore-uploads/{uploadId}/missing',
      summary: 'Which of these contents must be sent',
      tags,
    })
    .input(z.object({ uploadId: Id, sha256Hexes: z.array(Sha256Hex).max(missingMax) }))
    .output(
      z.object({
        missing: z.array(z.string()),
        /** Of large contents: the parts that arrived. */
        parts: z.array(z.object({ sha256Hex: z.string(), startByte: z.number(), sizeBytes: z.number() })),
      }),
    ),
  discardUpload: endpoint
    .route({
      method: 'DELETE',
      path: '/datastore-uploads/{uploadId}',
      summary: 'Give up an upload; what arrived is forgotten',
      tags,
    })
    .input(z.object({ uploadId: Id }))
    .output(Ok),
}
