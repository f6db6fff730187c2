/** Artifacts as the client reads and changes them. Parents are `StoredArtifact`s and `StoredCollection`s. */
import type { Actor } from '../../actor.ts'
import {
  type Artifacts,
  type Filter,
  keptSeconds,
  type Membership,
  type Order,
  ownMembership,
  printArtifactId,
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
  filterOf,
  hexOf,
  idOf,
  type MembershipNode,
  orderOf,
  readId,
  readPathCursor,
  type TypeNode,
} from './artifact-nodes.ts'
import { artifactChanging } from './artifact-changing.ts'
import { artifactId, artifactSaving } from './artifact-saving.ts'
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
      filter?: Filter
      order?: Order
    }) => Promise<{ memberships: Membership[]; total: number }>,
  ) {
    const offset = offsetOf(args.after)
    const limit = Math.min(lengthOf(args.first, versionsPerPage), artifacts.versionsPerPageMax)
    const { memberships, total } = await list({
      offset,
      limit,
      filter: filterOf(args.filters),
      order: orderOf(args.order),
    })
    const connection = connectionOf(memberships, offset, offset + limit < total)
    return {
      ...connection,
      edges: connection.edges.map(({ node, cursor }) => ({
        cursor,
        node: node.artifact,
        version: `v${node.versionIndex}`,
      })),
      totalCount: total,
    }
  }

  const owned = async (list: Promise<{ artifacts: StoredArtifact[]; total: number }>) => {
    const { artifacts: found, total } = await list
    return { memberships: found.map(ownMembership), total }
  }

  async function collections(project: ProjectParent, args: VersionsArguments, actor: Actor, type?: string) {
    const found = await artifacts.listCollections(actor, project, {
      type,
      filter: filterOf(args.filters),
      order: orderOf(args.order),
    })
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

  const collectionFields = {
    id: ({ id }: StoredCollection) => idOf('ArtifactCollection', id),
    state: ({ isDeleted }: { isDeleted?: boolean }) => (isDeleted ? 'DELETED' : 'READY'),
    project: (
      { inRegistry, projectId, teamId, projectName }: StoredCollection,
      _: unknown,
      { actor }: WandbContext,
    ) => (inRegistry ? artifacts.findRegistryById(actor, projectId) : teams.findProject(teamId, projectName)),
    defaultArtifactType: ({ projectId, teamId, type, createdAt }: StoredCollection): TypeNode => ({
      projectId,
      teamId,
      name: type,
      createdAt,
    }),
    tags: ({ tags }: StoredCollection, page: PageArguments) => pageOf(tags.map(tagNode), page),
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
    ) => (await artifacts.findInCollection(actor, collection, aliasName)) ?? null,
    artifacts: (collection: StoredCollection, args: VersionsArguments, { actor }: WandbContext) =>
      versions(args, (page) => artifacts.listVersions(actor, collection, page)),
  }

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
    Mutation: { ...artifactSaving(artifacts), ...artifactChanging(artifacts) },
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
        (await artifacts.findMembership(actor, project, name)) ?? null,
    },
    Run: {
      outputArtifacts: (run: StoredExperiment, args: PageArguments, { actor }) =>
        versions(args, (page) => owned(artifacts.listMade(actor, run, page))),
      inputArtifacts: (run: StoredExperiment, args: PageArguments, { actor }) =>
        versions(args, (page) => owned(artifacts.listUsed(actor, run, page))),
    },
    Artifact: {
      id: ({ id }: StoredArtifact) => printArtifactId(id),
      artifactSequence: ({ collection }: StoredArtifact) => collection,
      artifactType: ({ collection }: StoredArtifact) => collectionFields.defaultArtifactType(collection),
      state: ({ state }: StoredArtifact) => state.toUpperCase(),
      digestAlgorithm: ({ digestAlgorithm }: StoredArtifact) => `MANIFEST_${digestAlgorithm.toUpperCase()}`,
      commitHash: ({ contentDigest }: StoredArtifact) => contentDigest,
      metadata: ({ metadata }: StoredArtifact) => (metadata === null ? null : JSON.stringify(metadata)),
      ttlDurationSeconds: (artifact: StoredArtifact) => keptSeconds(artifact) ?? -2,
      ttlIsInherited: ({ ttlSeconds }: StoredArtifact) => ttlSeconds === null,
      tags: ({ tags }: StoredArtifact) => tags.map(tagNode),
      aliases: async (artifact: StoredArtifact, _: unknown, { actor }) =>
        (await artifacts.listMemberships(actor, artifact)).flatMap(aliasesOf),
      size: ({ sizeBytes }: StoredArtifact) => sizeBytes,
      updatedAt: ({ committedAt, createdAt }: StoredArtifact) => committedAt ?? createdAt,
      createdBy: async (artifact: StoredArtifact, _: unknown, { actor }) =>
        (await artifacts.producerOf(actor, artifact)) ?? artifact.createdBy,
      usedBy: async (artifact: StoredArtifact, page: PageArguments, { actor }) =>
        pageOf(await artifacts.usersOf(actor, artifact), page),
      artifactMemberships: async (artifact: StoredArtifact, page: PageArguments, { actor }) =>
        pageOf(await artifacts.listMemberships(actor, artifact), page),
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
      digestAlgorithm: async (collection: StoredCollection, _: unknown, { actor }) => {
        const newest = await artifacts.newestOf(actor, collection)
        return `MANIFEST_${(newest?.digestAlgorithm ?? 'md5').toUpperCase()}`
      },
    },
    ArtifactPortfolio: collectionFields,
    ArtifactCollectionMembership: {
      id: ({ artifact, collection }: MembershipNode) =>
        idOf('ArtifactMembership', collection.id, artifact.id),
      aliases: aliasesOf,
      artifactCollection: ({ collection }: MembershipNode) => collection,
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
      artifactSequence: async (type: TypeNode, { name }: { name: string }, { actor }) => {
        const found = await artifacts.findCollection(actor, projectOf(type), name, type.name)
        return found?.kind === 'sequence' ? found : null
      },
      artifactCollections: (type: TypeNode, args: VersionsArguments, { actor }) =>
        collections(projectOf(type), args, actor, type.name),
    },
  }
}

const projectOf = ({ projectId, teamId }: TypeNode): ProjectParent => ({ id: projectId, teamId })

const tagNode = (name: string) => ({ id: idOf('Tag', hexOf(name)), name, tagCategoryName: null })

function withoutNulls<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as Partial<Values>
}
