/** Artifacts as the client reads and changes them. Parents are `StoredArtifact`s and `StoredCollection`s. */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import {
  printArtifactId,
  type Artifacts,
  type StoredArtifact,
  type StoredCollection,
} from '../../artifacts/service.ts'
import type { StoredExperiment } from '../../experiments/types.ts'
import type { Teams } from '../../teams/service.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import {
  type AliasNode,
  aliasesOf,
  fileConnection,
  hexOf,
  idOf,
  type MembershipNode,
  readId,
  readPathCursor,
  type TypeNode,
} from './artifact-nodes.ts'
import { artifactSaving, artifactId } from './artifact-saving.ts'
import { connectionOf, lengthOf, offsetOf, type PageArguments, pageOf } from './connections.ts'

export type ArtifactDeps = { artifacts: Artifacts; teams: Pick<Teams, 'findProject'> }

type ProjectParent = { id: string; teamId: string }
type FilesArguments = PageArguments & { names?: string[] | null }
type VersionsArguments = PageArguments & { filters?: string | null; order?: string | null }

const versionsPerPage = 50
const filesPerPage = 50

export function artifactResolvers({ artifacts, teams }: ArtifactDeps): Resolvers {
  async function files(artifact: StoredArtifact, args: FilesArguments, actor: Actor) {
    const limit = lengthOf(args.first, filesPerPage)
    const paths = args.names ?? undefined
    const after = readPathCursor(args.after)
    // One more than asked tells whether there is a next page.
    const found = await artifacts.listFiles(actor, artifact, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
      ...(paths === undefined ? {} : { paths }),
    })
    return fileConnection(found.slice(0, limit), {
      origin: actor.origin,
      hasNextPage: found.length > limit,
      totalCount: await artifacts.countFiles(artifact, paths),
    })
  }

  async function versions(
    args: VersionsArguments,
    list: (page: {
      offset: number
      limit: number
      oldestFirst: boolean
    }) => Promise<{ artifacts: StoredArtifact[]; total: number }>,
  ) {
    refuseFilters(args.filters)
    const offset = offsetOf(args.after)
    const limit = Math.min(lengthOf(args.first, versionsPerPage), artifacts.versionsPerPageMax)
    const page = await list({ offset, limit, oldestFirst: isOldestFirst(args.order) })
    const connection = connectionOf(page.artifacts, offset, offset + page.artifacts.length < page.total)
    return {
      ...connection,
      edges: connection.edges.map((edge) => ({ ...edge, version: versionOf(edge.node) })),
      totalCount: page.total,
    }
  }

  async function collections(project: ProjectParent, args: VersionsArguments, actor: Actor, type?: string) {
    refuseFilters(args.filters)
    const found = await artifacts.listCollections(actor, project, type)
    return pageOf(found, args)
  }

  async function types(project: ProjectParent, actor: Actor): Promise<TypeNode[]> {
    const byType = Map.groupBy(await artifacts.listCollections(actor, project), ({ type }) => type)
    return [...byType].map(([name, of]) => ({
      projectId: project.id,
      teamId: project.teamId,
      name,
      createdAt: new Date(Math.min(...of.map(({ createdAt }) => createdAt.getTime()))),
    }))
  }

  const membership = (artifact: StoredArtifact | undefined): MembershipNode | null =>
    artifact ? { artifact, collection: artifact.collection } : null

  const collectionFields = {
    id: ({ id }: StoredCollection) => idOf('ArtifactCollection', id),
    state: () => 'READY',
    project: ({ teamId, projectName }: StoredCollection) => teams.findProject(teamId, projectName),
    defaultArtifactType: ({ projectId, teamId, type, createdAt }: StoredCollection): TypeNode => ({
      projectId,
      teamId,
      name: type,
      createdAt,
    }),
    tags: (_: StoredCollection, page: PageArguments) => pageOf([], page),
    aliases: async (collection: StoredCollection, page: PageArguments, { actor }: WandbContext) => {
      const aliases = await artifacts.listAliases(actor, collection)
      return pageOf(
        aliases.map((alias): AliasNode => ({ alias, collection })),
        page,
      )
    },
    artifactMembership: async (
      collection: StoredCollection,
      { aliasName }: { aliasName: string },
      { actor }: WandbContext,
    ) => membership(await artifacts.findInCollection(actor, collection, aliasName)),
    artifacts: (collection: StoredCollection, args: VersionsArguments, { actor }: WandbContext) =>
      versions(args, (page) => artifacts.listVersions(actor, collection, page)),
  }

  const saving = artifactSaving(artifacts)

  return {
    Query: {
      artifact: async (_: unknown, { id }: { id: string }, { actor }) => {
        const ours = artifactId(id)
        return ours === undefined ? null : ((await artifacts.findById(actor, ours)) ?? null)
      },
      artifactCollection: async (_: unknown, { id }: { id: string }, { actor }) => {
        const ours = readId('ArtifactCollection', id)
        return ours === undefined ? null : ((await artifacts.findCollectionById(actor, ours)) ?? null)
      },
      async clientIDMapping(_: unknown, { clientID }: { clientID: string }, { actor }) {
        const found = await artifacts.findByClientId(actor, clientID)
        if (!found) return null
        const { artifact, collectionId } = found
        return {
          serverID: artifact ? printArtifactId(artifact.id) : idOf('ArtifactCollection', collectionId),
        }
      },
    },
    Mutation: saving,
    Project: {
      artifact: (project: ProjectParent, { name }: { name: string }, { actor }) =>
        artifacts.findByName(actor, project, name),
      artifactType: async (project: ProjectParent, { name }: { name: string }, { actor }) =>
        (await types(project, actor)).find((type) => type.name === name) ?? null,
      artifactTypes: async (project: ProjectParent, page: PageArguments, { actor }) =>
        pageOf(await types(project, actor), page),
      artifactCollection: (project: ProjectParent, { name }: { name: string }, { actor }) =>
        artifacts.findCollection(actor, project, name),
      artifactCollections: (project: ProjectParent, args: VersionsArguments, { actor }) =>
        collections(project, args, actor),
      artifactCollectionMembership: async (project: ProjectParent, { name }: { name: string }, { actor }) =>
        membership(await artifacts.findByName(actor, project, name)),
    },
    Run: {
      outputArtifacts: (run: StoredExperiment, args: PageArguments, { actor }) =>
        versions(args, (page) => artifacts.listMade(actor, run, page)),
      inputArtifacts: (run: StoredExperiment, args: PageArguments, { actor }) =>
        versions(args, (page) => artifacts.listUsed(actor, run, page)),
    },
    Artifact: {
      id: ({ id }: StoredArtifact) => printArtifactId(id),
      artifactSequence: ({ collection }: StoredArtifact) => collection,
      artifactType: ({ collection }: StoredArtifact) => collectionFields.defaultArtifactType(collection),
      state: ({ state }: StoredArtifact) => state.toUpperCase(),
      digestAlgorithm: () => 'MANIFEST_MD5',
      commitHash: ({ contentDigest }: StoredArtifact) => contentDigest,
      metadata: ({ metadata }: StoredArtifact) => (metadata === null ? null : JSON.stringify(metadata)),
      ttlDurationSeconds: ({ ttlSeconds }: StoredArtifact) => ttlSeconds || -2,
      ttlIsInherited: () => false,
      tags: ({ tags }: StoredArtifact) => tags.map((name) => ({ id: idOf('Tag', hexOf(name)), name })),
      aliases: aliasesOf,
      size: ({ sizeBytes }: StoredArtifact) => sizeBytes,
      updatedAt: ({ committedAt, createdAt }: StoredArtifact) => committedAt ?? createdAt,
      createdBy: async (artifact: StoredArtifact, _: unknown, { actor }) =>
        (await artifacts.producerOf(actor, artifact)) ?? artifact.createdBy,
      usedBy: async (artifact: StoredArtifact, page: PageArguments, { actor }) =>
        pageOf(await artifacts.usersOf(actor, artifact), page),
      artifactMemberships: (artifact: StoredArtifact, page: PageArguments) =>
        pageOf([membership(artifact)], page),
      async currentManifest(artifact: StoredArtifact, _: unknown, { actor }) {
        const url = await artifacts.manifestUrl(actor, artifact)
        if (url === undefined) return null
        const file = {
          id: idOf('ArtifactManifestFile', artifact.id),
          name: 'wandb_manifest.json',
          directUrl: url,
          url,
        }
        return { id: idOf('ArtifactManifest', artifact.id), digest: artifact.digest, type: 'FULL', file }
      },
      files: (artifact: StoredArtifact, args: FilesArguments, { actor }) => files(artifact, args, actor),
      filesByManifestEntries: (
        artifact: StoredArtifact,
        { entries, ...page }: PageArguments & { entries?: { name: string }[] | null },
        { actor },
      ) => {
        const names = entries?.map(({ name }) => name) ?? []
        return files(artifact, { first: names.length, ...withoutNulls(page), names }, actor)
      },
    },
    ArtifactCreator: {
      __resolveType: (creator: object) => ('slug' in creator ? 'Run' : 'User'),
    },
    ArtifactAlias: {
      id: ({ alias, collection }: AliasNode) => idOf('ArtifactAlias', collection.id, hexOf(alias)),
      artifactCollection: ({ collection }: AliasNode) => collection,
      artifactCollectionName: ({ collection }: AliasNode) => collection.name,
    },
    ArtifactCollection: {
      __resolveType: ({ kind }: StoredCollection) =>
        kind === 'sequence' ? 'ArtifactSequence' : 'ArtifactPortfolio',
    },
    ArtifactSequence: {
      ...collectionFields,
      latestArtifact: async (collection: StoredCollection, _: unknown, { actor }) =>
        (await artifacts.newestOf(actor, collection)) ?? null,
      digestAlgorithm: () => 'MANIFEST_MD5',
    },
    ArtifactPortfolio: collectionFields,
    ArtifactCollectionMembership: {
      id: ({ artifact, collection }: MembershipNode) =>
        idOf('ArtifactMembership', collection.id, artifact.id),
      versionIndex: ({ artifact }: MembershipNode) => artifact.versionIndex,
      aliases: ({ artifact }: MembershipNode) => aliasesOf(artifact),
      artifactCollection: ({ collection }: MembershipNode) => collection,
      createdAt: ({ artifact }: MembershipNode) => artifact.committedAt ?? artifact.createdAt,
      files: ({ artifact }: MembershipNode, args: FilesArguments, { actor }) => files(artifact, args, actor),
    },
    ArtifactType: {
      id: ({ projectId, name }: TypeNode) => idOf('ArtifactType', projectId, hexOf(name)),
      description: () => null,
      artifact: async (type: TypeNode, { name }: { name: string }, { actor }) => {
        const found = await artifacts.findByName(actor, projectOf(type), name)
        return found?.collection.type === type.name ? found : null
      },
      artifactCollection: (type: TypeNode, { name }: { name: string }, { actor }) =>
        artifacts.findCollection(actor, projectOf(type), name, type.name),
      artifactCollections: (type: TypeNode, args: VersionsArguments, { actor }) =>
        collections(projectOf(type), args, actor, type.name),
    },
  }
}

const projectOf = ({ projectId, teamId }: TypeNode): ProjectParent => ({ id: projectId, teamId })

function versionOf({ versionIndex }: StoredArtifact): string {
  return `v${versionIndex}`
}

/** Versions that are listed are committed ones, which is the one filter that clients send unasked. */
function refuseFilters(filters: string | null | undefined): void {
  if (!filters) return
  const text = filters.replaceAll(/\s/g, '')
  if (text !== '{}' && text !== '{"state":"COMMITTED"}') {
    throw new GridError('invalid', 'Filters on artifacts are not understood yet')
  }
}

/** `-createdAt`, `+createdAt`, `createdAt` or the same of the version's number. */
function isOldestFirst(order: string | null | undefined): boolean {
  const [, sign, key] = /^([+-]?)(\w+)$/.exec(order || '-createdAt') ?? []
  if (!['createdAt', 'created_at', 'versionIndex', 'version_index'].includes(key ?? '')) {
    throw new GridError('invalid', `Artifacts are not sorted by ${order}`)
  }
  return sign !== '-'
}

function withoutNulls<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as Partial<Values>
}
