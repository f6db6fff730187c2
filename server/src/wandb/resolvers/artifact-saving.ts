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

type AliasInput = { artifactCollectionName: string; alias: string }
type TagInput = { tagName: string }

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
type UseInput = {
  entityName: string
  projectName: string
  runName: string
  artifactID: string
  usedAs?: string | null
}
type UpdateInput = {
  artifactID: string
  description?: string | null
  metadata?: string | null
  aliases?: AliasInput[] | null
  ttlDurationSeconds?: number | null
  tagsToAdd?: TagInput[] | null
  tagsToDelete?: TagInput[] | null
}

type WithInput<Input> = { input: Input }

export function artifactSaving(artifacts: Artifacts): Record<string, Resolver> {
  return {
    async createArtifact(_, { input }: WithInput<CreateArtifactInput>, { actor }) {
      if (input.digestAlgorithm === 'MANIFEST_XXH128') {
        throw new GridError(
          'invalid',
          'This server keeps artifacts by MD5; leave out digest_algorithm="XXH128"',
        )
      }
      const collection = input.artifactCollectionName || input.artifactCollectionNames?.[0]
      if (!collection) throw new GridError('invalid', 'An artifact needs a name')
      const artifact = await artifacts.createArtifact(actor, {
        team: entityOf(actor, input.entityName),
        project: input.projectName,
        experiment: input.runName || null,
        collection,
        type: input.artifactTypeName,
        digest: input.digest,
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
      { input }: WithInput<{ artifactFiles: { artifactID: string; name: string; md5: string }[] }>,
      { actor },
    ) {
      const places = await artifacts.createFiles(
        actor,
        input.artifactFiles.map(({ artifactID, name, md5 }) => ({
          artifactId: knownId(artifactID),
          name,
          md5,
        })),
      )
      const edges = places.map((place) => ({ node: uploadNode(place) }))
      return { files: { edges, pageInfo: { endCursor: null, hasNextPage: false }, totalCount: edges.length } }
    },

    completeMultipartUploadArtifact() {
      throw new GridError('invalid', 'Files are sent whole to their uploadUrl; no upload in parts was begun')
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

    async addAliases(_, { input }: WithInput<{ artifactID: string; aliases: AliasInput[] }>, { actor }) {
      const { id, aliases } = await ownAliases(actor, input)
      await artifacts.addAliases(actor, id, aliases)
      return { success: true }
    },

    async deleteAliases(_, { input }: WithInput<{ artifactID: string; aliases: AliasInput[] }>, { actor }) {
      const { id, aliases } = await ownAliases(actor, input)
      await artifacts.deleteAliases(actor, id, aliases)
      return { success: true }
    },

    async updateArtifact(_, { input }: WithInput<UpdateInput>, { actor }) {
      const id = knownId(input.artifactID)
      const named = input.aliases
        ? await ownAliases(actor, { artifactID: input.artifactID, aliases: input.aliases })
        : null
      const artifact = await artifacts.changeArtifact(actor, id, {
        ...(input.description == null ? {} : { description: input.description }),
        ...(input.metadata == null ? {} : { metadata: parseObject(input.metadata, 'metadata') }),
        ...(input.ttlDurationSeconds == null ? {} : { ttlSeconds: input.ttlDurationSeconds }),
        ...(input.tagsToAdd ? { tagsToAdd: input.tagsToAdd.map(({ tagName }) => tagName) } : {}),
        ...(input.tagsToDelete ? { tagsToDelete: input.tagsToDelete.map(({ tagName }) => tagName) } : {}),
        ...(named ? { aliases: named.aliases } : {}),
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

  /** The client names the collection with each alias; all must be of the version's own. */
  async function ownAliases(
    actor: Parameters<Artifacts['findById']>[0],
    input: { artifactID: string; aliases: AliasInput[] },
  ) {
    const id = knownId(input.artifactID)
    const artifact = await artifacts.findById(actor, id)
    if (!artifact) throw new GridError('not_found')
    return { id, aliases: aliasesFor(artifact.collection.name, input.aliases) }
  }
}

/** The uuid in an artifact's id; undefined for anything that we did not make. */
export const artifactId = readArtifactId

function knownId(given: string): string {
  const id = readArtifactId(given)
  if (id === undefined) throw new GridError('not_found', 'There is no artifact with this id')
  return id
}

function aliasesFor(collection: string, aliases: AliasInput[] | null | undefined): string[] {
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

function uploadNode({ artifactId: id, name, storagePath, uploadUrl, birthArtifactId }: FilePlace) {
  return {
    id: idOf('ArtifactFile', id, hexOf(name)),
    name,
    displayName: name,
    storagePath,
    uploadUrl,
    uploadHeaders: [],
    uploadMultipartUrls: null,
    // Resolvers of `Artifact` read `id` from a stored version; this is the one field that is asked here.
    artifact: { id: birthArtifactId },
  }
}
