/** The mutations of artifacts: each is translated, handed to the use case, and its answer translated back. */
import { GridError } from '@teamgrid/api'
import {
  type Artifacts,
  type FilePlace,
  type ManifestPlace,
  type ManifestType,
  readArtifactId,
} from '../../artifacts/service.ts'
import type { Resolver } from '../graphql.ts'
import { parseObject } from '../words.ts'
import { hexOf, idOf, readId } from './artifact-nodes.ts'
import { entityOf } from './places.ts'

export type AliasInput = { artifactCollectionName: string; alias: string }
export type TagInput = { tagName: string }

type CreateArtifactInput = {
  entityName: string
  projectName: string
  runName?: string | null
  artifactTypeName: string
  artifactCollectionName?: string | null
  artifactCollectionNames?: string[] | null
  digest: string
  digestAlgorithm?: string | null
  description?: string | null
  metadata?: string | null
  aliases?: AliasInput[] | null
  tags?: TagInput[] | null
  ttlDurationSeconds?: number | null
  historyStep?: number | null
  distributedID?: string | null
  clientID?: string | null
  sequenceClientID?: string | null
  enableDigestDeduplication?: boolean | null
}
type ManifestInput = {
  artifactID: string
  baseArtifactID?: string | null
  name: string
  digest: string
  type?: ManifestType | null
}
type UpdateManifestInput = {
  artifactManifestID: string
  digest?: string | null
  baseArtifactID?: string | null
}
type PartInput = { partNumber: number; hexMD5: string }
type FileSpec = {
  artifactID: string
  name: string
  md5: string
  digest?: string | null
  uploadPartsInput?: PartInput[] | null
}
type CompleteInput = { artifactID: string; storagePath: string; completedParts: PartInput[] }
type UseInput = {
  entityName: string
  projectName: string
  runName: string
  artifactID: string
  usedAs?: string | null
}

export type WithInput<Input> = { input: Input }

export function artifactSaving(artifacts: Artifacts): Record<string, Resolver> {
  return {
    async createArtifact(_, { input }: WithInput<CreateArtifactInput>, { actor }) {
      const collection = input.artifactCollectionName || input.artifactCollectionNames?.[0]
      if (!collection) throw new GridError('invalid', 'An artifact needs a name')
      const artifact = await artifacts.createArtifact(actor, {
        team: entityOf(actor, input.entityName),
        project: input.projectName,
        experiment: input.runName || null,
        collection,
        type: input.artifactTypeName,
        digest: input.digest,
        digestAlgorithm: algorithmOf(input.digestAlgorithm),
        description: input.description,
        metadata: input.metadata ? parseObject(input.metadata, 'metadata') : null,
        aliases: aliasesFor(collection, input.aliases),
        tags: input.tags?.map(({ tagName }) => tagName) ?? [],
        ttlSeconds: input.ttlDurationSeconds,
        historyStep: input.historyStep,
        distributedId: input.distributedID,
        clientId: input.clientID,
        collectionClientId: input.sequenceClientID,
        deduplicate: input.enableDigestDeduplication ?? false,
      })
      return { artifact }
    },

    async createArtifactManifest(_, { input }: WithInput<ManifestInput>, { actor }) {
      const place = await artifacts.createManifest(actor, {
        artifactId: knownId(input.artifactID),
        baseArtifactId: input.baseArtifactID ? knownId(input.baseArtifactID) : null,
        name: input.name,
        type: input.type ?? 'FULL',
        digest: input.digest,
      })
      return { artifactManifest: manifestNode(place) }
    },

    async updateArtifactManifest(_, { input }: WithInput<UpdateManifestInput>, { actor }) {
      const manifestId = readId('ArtifactManifest', input.artifactManifestID)
      if (manifestId === undefined) throw new GridError('not_found', 'There is no manifest with this id')
      const place = await artifacts.updateManifest(actor, {
        manifestId,
        digest: input.digest ?? null,
        baseArtifactId: input.baseArtifactID ? knownId(input.baseArtifactID) : null,
      })
      return { artifactManifest: manifestNode(place) }
    },

    async createArtifactFiles(
      _,
      { input }: WithInput<{ artifactFiles: FileSpec[]; digestAlgorithm?: string | null }>,
      { actor },
    ) {
      const places = await artifacts.createFiles(
        actor,
        input.artifactFiles.map(({ artifactID, name, md5, digest, uploadPartsInput }) => ({
          artifactId: knownId(artifactID),
          name,
          digest: digest || md5,
          algorithm: algorithmOf(input.digestAlgorithm),
          parts: uploadPartsInput?.map(({ partNumber, hexMD5 }) => ({ partNumber, md5Hex: hexMD5 })),
        })),
      )
      const edges = places.map((place) => ({ node: uploadNode(place) }))
      return { files: { edges, pageInfo: { endCursor: null, hasNextPage: false }, totalCount: edges.length } }
    },

    async completeMultipartUploadArtifact(_, { input }: WithInput<CompleteInput>, { actor }) {
      const digest = await artifacts.completeParts(actor, {
        artifactId: knownId(input.artifactID),
        storagePath: input.storagePath,
        parts: input.completedParts.map(({ partNumber, hexMD5 }) => ({ partNumber, md5Hex: hexMD5 })),
      })
      return { digest }
    },

    async commitArtifact(_, { input }: WithInput<{ artifactID: string }>, { actor }) {
      return { artifact: await artifacts.commitArtifact(actor, knownId(input.artifactID)) }
    },

    async useArtifact(_, { input }: WithInput<UseInput>, { actor }) {
      const artifact = await artifacts.useArtifact(actor, {
        experiment: {
          team: entityOf(actor, input.entityName),
          project: input.projectName,
          slug: input.runName,
        },
        artifactId: knownId(input.artifactID),
        usedAs: input.usedAs ?? null,
      })
      return { artifact }
    },

    async createArtifactType(
      _,
      { input }: WithInput<{ entityName: string; projectName: string; name: string }>,
      { actor },
    ) {
      const type = await artifacts.proveType(actor, {
        team: entityOf(actor, input.entityName),
        project: input.projectName,
        name: input.name,
      })
      return { artifactType: type }
    },
  }
}

function algorithmOf(given: string | null | undefined): 'md5' | 'xxh128' {
  return given === 'MANIFEST_XXH128' ? 'xxh128' : 'md5'
}

/** The uuid in an artifact's id; undefined for anything that we did not make. */
export const artifactId = readArtifactId

export function knownId(given: string): string {
  const id = readArtifactId(given)
  if (id === undefined) throw new GridError('not_found', 'There is no artifact with this id')
  return id
}

export function aliasesFor(collection: string, aliases: AliasInput[] | null | undefined): string[] {
  const other = aliases?.find((each) => each.artifactCollectionName !== collection)
  if (other) {
    throw new GridError(
      'invalid',
      `The artifact is not in ${other.artifactCollectionName}, so it has no aliases there`,
    )
  }
  return aliases?.map(({ alias }) => alias) ?? []
}

function manifestNode({ manifest, uploadUrl }: ManifestPlace) {
  return {
    id: idOf('ArtifactManifest', manifest.id),
    digest: manifest.digest,
    type: manifest.type,
    file: {
      id: idOf('ArtifactManifestFile', manifest.id),
      name: manifest.name,
      displayName: manifest.name,
      uploadUrl,
      uploadHeaders: [],
    },
  }
}

function uploadNode({ artifactId: id, name, storagePath, uploadUrl, partUrls, birthArtifactId }: FilePlace) {
  return {
    id: idOf('ArtifactFile', id, hexOf(name)),
    name,
    displayName: name,
    storagePath,
    uploadUrl,
    uploadHeaders: [],
    uploadMultipartUrls: partUrls && {
      uploadID: idOf('ArtifactUpload', hexOf(storagePath)),
      uploadUrlParts: partUrls.map(({ partNumber, url }) => ({ partNumber, uploadUrl: url })),
    },
    // Resolvers of `Artifact` read `id` from a stored version; this is the one field that is asked here.
    artifact: { id: birthArtifactId },
  }
}
