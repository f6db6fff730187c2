import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { ExperimentState, Json } from './experiments.ts'
import { Person } from './teams.ts'

/** Where a version is, beside the collection that it was made in. */
export const ArtifactLink = z.object({
  team: z.string(),
  project: z.string(),
  collection: z.string(),
  version: z.string(),
  aliases: z.array(z.string()),
  /** A registry of the organisation. */
  isRegistry: z.boolean(),
})

/** An experiment, as far as an artifact's page names it. */
export const ExperimentName = z.object({
  id: Id,
  team: z.string(),
  project: z.string(),
  slug: z.string(),
  name: z.string(),
  state: ExperimentState,
})
export type ExperimentName = z.infer<typeof ExperimentName>

/** A version, where it is looked at: in its own collection, or in one of links. */
export const ArtifactVersion = z.object({
  id: Id,
  /** The place it was found in. */
  team: z.string(),
  project: z.string(),
  collection: z.string(),
  /** `v3` */
  version: z.string(),
  type: z.string(),
  description: z.string().nullable(),
  aliases: z.array(z.string()),
  tags: z.array(z.string()),
  sizeBytes: z.number(),
  fileCount: z.number(),
  /** As the client named the content. */
  digest: z.string(),
  createdBy: Person,
  createdAt: Instant,
  /** When it is deleted by itself; null: never. */
  expiresAt: Instant.nullable(),
  /** It says nothing itself, so what the team says counts. */
  expiryIsInherited: z.boolean(),
  /** `team/project/collection:v0`, where it was made; the same as above unless this is a link. */
  source: z.string(),
})
export type ArtifactVersion = z.infer<typeof ArtifactVersion>

export const ArtifactDetails = ArtifactVersion.extend({
  metadata: z.record(z.string(), Json),
  links: z.array(ArtifactLink),
  madeBy: ExperimentName.nullable(),
  usedBy: z.array(ExperimentName),
  /** Why this caller gets no files, or null. */
  downloadRefusal: z.string().nullable(),
})
export type ArtifactDetails = z.infer<typeof ArtifactDetails>

export const ArtifactCollectionInfo = z.object({
  id: Id,
  name: z.string(),
  type: z.string(),
  /** Holds links to versions of other collections. */
  isLinks: z.boolean(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  versions: z.number(),
  /** Of all versions, shared content counted each time. */
  sizeBytes: z.number(),
  latest: z.object({ version: z.string(), createdAt: Instant, createdBy: Person }).nullable(),
  createdAt: Instant,
  updatedAt: Instant,
})
export type ArtifactCollectionInfo = z.infer<typeof ArtifactCollectionInfo>

export const ArtifactFileInfo = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  mediaType: z.string(),
  /** Base64. */
  digest: z.string(),
  /** Empty for references and for what is named by XXH128. */
  md5Hex: z.string(),
  /** Where a reference points to; null for a stored file. */
  reference: z.string().nullable(),
  /** Signed, for a day; empty for references that no browser opens. */
  url: z.string(),
})
export type ArtifactFileInfo = z.infer<typeof ArtifactFileInfo>

export const LineageNode = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('artifact'),
    id: z.string(),
    label: z.string(),
    type: z.string(),
    team: z.string(),
    project: z.string(),
    collection: z.string(),
    version: z.string(),
  }),
  z.object({ kind: z.literal('experiment'), ...ExperimentName.shape, label: z.string() }),
])
export type LineageNode = z.infer<typeof LineageNode>

/** What led to a version, and what came of it. Arrows go the way of time. */
export const Lineage = z.object({
  nodes: z.array(LineageNode),
  edges: z.array(z.object({ from: z.string(), to: z.string() })),
  /** There is more than is shown. */
  isCut: z.boolean(),
})
export type Lineage = z.infer<typeof Lineage>

export const DeletePreview = z.object({
  versions: z.array(
    z.object({ name: z.string(), sizeBytes: z.number(), usedBy: z.number(), links: z.number() }),
  ),
  sizeBytes: z.number(),
  /** Bytes that nothing else keeps. */
  freedBytes: z.number(),
  freedFiles: z.number(),
  aliases: z.array(z.string()),
  /** Why it would be refused, or null. */
  refusal: z.string().nullable(),
})
export type DeletePreview = z.infer<typeof DeletePreview>

/** How long a team keeps versions that say nothing themselves. */
export const TeamTimeToLive = z.object({
  /** Null: for ever. */
  seconds: z.number().nullable(),
  /** Versions that inherit it. */
  inheriting: z.number(),
  /** Those of them that would be deleted within a minute. */
  overNow: z.number(),
})
export type TeamTimeToLive = z.infer<typeof TeamTimeToLive>

const LinkedFile = z.object({ path: z.string(), sizeBytes: z.number(), url: z.string() })

/** What it takes to run an experiment again, as far as it was saved. */
export const Reproduction = z.object({
  experiment: ExperimentName,
  /** As it was started, quoted for a shell; null when the client did not tell. */
  command: z.string().nullable(),
  /** The same, word by word. */
  words: z.array(z.string()),
  python: z.string().nullable(),
  git: z
    .object({
      remote: z.string().nullable(),
      commit: z.string().nullable(),
      /** What differed from that commit: `git apply` takes it. */
      patch: LinkedFile.nullable(),
    })
    .nullable(),
  requirements: LinkedFile.nullable(),
  /** Source files that were saved, with their paths in the working folder. */
  code: z.object({
    /** The artifact that they are in; null when the experiment saved them as its files. */
    artifact: z.string().nullable(),
    files: z.array(LinkedFile),
  }),
  used: z.array(ArtifactVersion),
  /** What would be needed and is not there, as sentences. */
  missing: z.array(z.string()),
})
export type Reproduction = z.infer<typeof Reproduction>

const project = z.object({ team: z.string(), project: z.string() })
const collection = project.extend({ collection: z.string() })
/** `v3` or an alias. */
const version = collection.extend({ version: z.string() })
const experiment = project.extend({ experiment: z.string() })
const path = '/teams/{team}/projects/{project}/artifacts'
const tags = ['artifacts']
const Tag = z.string().trim().min(1).max(128)
const flag = z.stringbool().or(z.boolean()).optional()

export const artifacts = {
  collections: endpoint
    .route({ method: 'GET', path, summary: 'Collections of artifacts', tags })
    .input(project)
    .output(z.array(ArtifactCollectionInfo)),
  versions: endpoint
    .route({ method: 'GET', path: `${path}/{collection}`, summary: 'Versions, newest first', tags })
    .input(collection.extend(PageInput.shape))
    .output(page(ArtifactVersion).extend({ collection: ArtifactCollectionInfo })),
  get: endpoint
    .route({ method: 'GET', path: `${path}/{collection}/{version}`, summary: 'One version', tags })
    .input(version)
    .output(ArtifactDetails),
  files: endpoint
    .route({
      method: 'GET',
      path: `${path}/{collection}/{version}/files`,
      summary: 'Files with signed urls',
      tags,
    })
    .input(
      version.extend({
        limit: z.coerce.number().int().min(1).max(5000).default(1000),
        /** Path of the last one seen. */
        cursor: z.string().optional(),
      }),
    )
    .output(page(ArtifactFileInfo)),
  lineage: endpoint
    .route({
      method: 'GET',
      path: `${path}/{collection}/{version}/lineage`,
      summary: 'What led to a version and what came of it',
      tags,
    })
    .input(version)
    .output(Lineage),
  change: endpoint
    .route({
      method: 'PATCH',
      path: `${path}/{collection}/{version}`,
      summary: 'Change description, tags, aliases, time to live',
      tags,
    })
    .input(
      version.extend({
        description: z.string().max(100_000).optional(),
        tags: z.array(Tag).max(100).optional(),
        addAliases: z.array(Tag).max(100).optional(),
        removeAliases: z.array(Tag).max(100).optional(),
        /** 0: kept for ever; -1: as the team says. */
        ttlSeconds: z.number().int().min(-1).optional(),
      }),
    )
    .output(ArtifactDetails),
  changeCollection: endpoint
    .route({
      method: 'PATCH',
      path: `${path}/{collection}`,
      summary: 'Rename, describe, tag a collection, change its type',
      tags,
    })
    .input(
      collection.extend({
        name: Tag.optional(),
        description: z.string().max(100_000).optional(),
        type: Tag.optional(),
        tags: z.array(Tag).max(100).optional(),
      }),
    )
    .output(ArtifactCollectionInfo),
  previewDelete: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/projects/{project}/artifact-deletion/{collection}',
      summary: 'What deleting would take away and free',
      tags,
    })
    .input(collection.extend({ version: z.string().optional(), aliases: flag }))
    .output(DeletePreview),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: `${path}/{collection}/{version}`,
      summary: 'Delete a version; of a link, the link',
      tags,
    })
    .input(
      version.extend({
        /** Also when it has aliases. */
        aliases: flag,
      }),
    )
    .output(Ok),
  deleteCollection: endpoint
    .route({
      method: 'DELETE',
      path: `${path}/{collection}`,
      summary: 'Delete a collection with all versions',
      tags,
    })
    .input(collection)
    .output(Ok),
  previewDeleteMade: endpoint
    .route({
      method: 'POST',
      path: '/artifact-deletion',
      summary: 'What deleting all that some experiments made would take away and free',
      tags,
    })
    .input(z.object({ experimentIds: z.array(Id).min(1).max(1000) }))
    .output(DeletePreview),
  deleteMade: endpoint
    .route({
      method: 'DELETE',
      path: '/teams/{team}/projects/{project}/experiments/{experiment}/artifacts',
      summary: 'Delete all versions that an experiment made',
      tags,
    })
    .input(experiment)
    .output(z.object({ deleted: z.number() })),
  teamTimeToLive: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/artifact-time-to-live',
      summary: 'How long a team keeps artifacts',
      tags,
    })
    .input(
      z.object({
        team: z.string(),
        /** Count for this instead. */
        seconds: z.coerce.number().int().positive().optional(),
      }),
    )
    .output(TeamTimeToLive),
  setTeamTimeToLive: endpoint
    .route({
      method: 'PUT',
      path: '/teams/{team}/artifact-time-to-live',
      summary: 'Change how long a team keeps artifacts; those that say so themselves stay as they are',
      tags,
    })
    .input(z.object({ team: z.string(), seconds: z.number().int().positive().nullable() }))
    .output(TeamTimeToLive),
  ofExperiment: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/projects/{project}/experiments/{experiment}/artifacts',
      summary: 'What an experiment made and used',
      tags,
    })
    .input(experiment)
    .output(z.object({ made: z.array(ArtifactVersion), used: z.array(ArtifactVersion) })),
  reproduction: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/projects/{project}/experiments/{experiment}/reproduction',
      summary: 'What it takes to run an experiment again',
      tags,
    })
    .input(experiment)
    .output(Reproduction),
}
