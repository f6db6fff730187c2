/** Finding versions and fetching what is in them. What the actor may not read does not exist. */
import { GridError } from '@teamgrid/api'
import type { Actor, Guarded } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import {
  checkType,
  md5HexOf,
  md5HexPattern,
  readVersionName,
  readVersionRef,
  type StoredArtifact,
  type StoredCollection,
} from './artifact.ts'
import * as contents from './content-store.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Entry } from './manifest.ts'
import type { Permission } from './permission.ts'
import * as store from './store.ts'

/** A project that the actor has been proven to read. */
type Project = { id: string; teamId: string } & Pick<Guarded, 'visibility' | 'keptById'>

/** A file of a version, with the link to fetch it. */
export type ArtifactFile = Entry & {
  artifact: StoredArtifact
  mediaType: string
  /** Absolute, signed; of a reference the address that it points to. */
  url: string
}

export const filesPerPageMax = 10_000
export const versionsPerPageMax = 1000

export function createReading(deps: ArtifactsDeps, { seen }: Permission) {
  const { db, access, teams, experiments, signed } = deps

  async function findById(actor: Actor, id: string): Promise<StoredArtifact | undefined> {
    return seen(actor, await store.findArtifact(db, id))
  }

  /** What the client called a version (then with it) or a collection before it knew our id. */
  async function findByClientId(
    actor: Actor,
    clientId: string,
  ): Promise<{ collectionId: string; artifact: StoredArtifact | undefined } | undefined> {
    for (const named of await store.findByClientId(db, clientId)) {
      if (named.artifactId !== null) {
        const artifact = await findById(actor, named.artifactId)
        if (artifact) return { collectionId: named.collectionId, artifact }
        continue
      }
      if (await findCollectionById(actor, named.collectionId)) {
        return { collectionId: named.collectionId, artifact: undefined }
      }
    }
    return undefined
  }

  async function findCollection(
    actor: Actor,
    project: Project,
    name: string,
    type?: string,
  ): Promise<StoredCollection | undefined> {
    const found = await seenCollection(actor, await store.findCollection(db, project.id, name))
    return type === undefined || found?.type === type ? found : undefined
  }

  async function findCollectionById(actor: Actor, id: string): Promise<StoredCollection | undefined> {
    return seenCollection(actor, await store.findCollectionById(db, id))
  }

  async function seenCollection(actor: Actor, found: StoredCollection | undefined) {
    return found && (await access.permits(actor, 'artifact:read', guardOf(found))) ? found : undefined
  }

  async function listCollections(actor: Actor, project: Project, type?: string): Promise<StoredCollection[]> {
    const guard = {
      teamId: project.teamId,
      ownerId: null,
      visibility: project.visibility ?? ('team' as const),
      keptById: project.keptById ?? null,
      kind: 'project',
      label: '',
    }
    if (!(await access.permits(actor, 'artifact:read', guard))) return []
    return store.listCollections(db, project.id, type)
  }

  /** `name:v3`, `name:alias`, or `name` for the newest. */
  async function findByName(
    actor: Actor,
    project: Project,
    name: string,
  ): Promise<StoredArtifact | undefined> {
    const { collection, version } = readVersionName(name)
    const found = await findCollection(actor, project, collection)
    return found && seen(actor, await store.findVersion(db, found.id, version))
  }

  /** A version of a collection by `v3` or an alias. */
  async function findInCollection(
    actor: Actor,
    collection: StoredCollection,
    version: string,
  ): Promise<StoredArtifact | undefined> {
    return seen(actor, await store.findVersion(db, collection.id, readVersionRef(version)))
  }

  async function newestOf(actor: Actor, collection: StoredCollection): Promise<StoredArtifact | undefined> {
    return seen(actor, await store.newestVersion(db, collection.id))
  }

  /** Committed versions, newest first. */
  async function listVersions(
    actor: Actor,
    collection: StoredCollection,
    page: store.VersionPage,
  ): Promise<store.ListedVersions> {
    if (!(await seenCollection(actor, collection))) return { artifacts: [], total: 0 }
    return store.listVersions(db, { collectionId: collection.id, teamIds: [collection.teamId] }, page)
  }

  /** Every alias given in a collection, sorted. */
  async function listAliases(actor: Actor, collection: StoredCollection): Promise<string[]> {
    return (await seenCollection(actor, collection)) ? store.listAliases(db, collection.id) : []
  }

  /**
   * A type exists with its first artifact, so for those who ask to make one there is nothing to do but to say whether
   * they might.
   */
  async function proveType(actor: Actor, input: { team: string; project: string; name: string }) {
    const project = await access.allowed(
      actor,
      'artifact:create',
      teams.findProjectGuard(input.team, input.project),
    )
    return {
      projectId: project.id,
      teamId: project.teamId,
      name: checkType(input.name),
      createdAt: project.createdAt,
    }
  }

  async function listMade(
    actor: Actor,
    experiment: StoredExperiment,
    page: store.VersionPage,
  ): Promise<store.ListedVersions> {
    return store.listVersions(
      db,
      {
        producerId: experiment.id,
        teamIds: await access.contentTeamIds(actor),
        projects: await access.visibleProjects(actor),
      },
      page,
    )
  }

  async function listUsed(
    actor: Actor,
    experiment: StoredExperiment,
    page: store.VersionPage,
  ): Promise<store.ListedVersions> {
    return store.listVersions(
      db,
      {
        usedBy: experiment.id,
        teamIds: await access.contentTeamIds(actor),
        projects: await access.visibleProjects(actor),
      },
      page,
    )
  }

  async function producerOf(actor: Actor, artifact: StoredArtifact): Promise<StoredExperiment | undefined> {
    return artifact.producerId === null ? undefined : experiments.findById(actor, artifact.producerId)
  }

  async function usersOf(actor: Actor, artifact: StoredArtifact): Promise<StoredExperiment[]> {
    const ids = await store.listUsers(db, artifact.id)
    const found = await Promise.all(ids.map((id) => experiments.findById(actor, id)))
    return found.filter((experiment) => experiment !== undefined)
  }

  /**
   * Files of a committed version in the order of their paths' bytes; `after` is the path of the last one seen.
   * @throws GridError policy_denied where viewers may not download.
   */
  async function listFiles(
    actor: Actor,
    artifact: StoredArtifact,
    page: { limit: number; after?: string; paths?: string[] },
  ): Promise<ArtifactFile[]> {
    await access.allowed(actor, 'artifact:download', artifact)
    if (artifact.state !== 'committed') return []
    const limit = Math.min(page.limit, filesPerPageMax)
    return withUrls(actor, artifact, await contents.listEntries(db, artifact.id, { ...page, limit }))
  }

  async function countFiles(artifact: StoredArtifact, paths: string[] | undefined): Promise<number> {
    if (paths === undefined) return artifact.fileCount
    return (await contents.listEntries(db, artifact.id, { paths })).length
  }

  async function withUrls(actor: Actor, artifact: StoredArtifact, entries: Entry[]): Promise<ArtifactFile[]> {
    const md5Hexes = entries.flatMap((entry) => (entry.ref === null ? (md5HexOf(entry.digest) ?? []) : []))
    const stored = await contents.findBlobs(db, artifact.collection.projectId, [...new Set(md5Hexes)])
    return entries.map((entry) => {
      const mediaType = mediaTypeOf(entry.path)
      if (entry.ref !== null) return { ...entry, artifact, mediaType, url: entry.ref }
      const blob = stored.get(md5HexOf(entry.digest)!)
      if (!blob) throw new Error(`The content of ${artifact.id} ${entry.path} is gone`)
      return { ...entry, artifact, mediaType, url: linkTo(actor, artifact.teamId, blob.blobKey, entry.path) }
    })
  }

  /** Where a committed version's manifest is fetched without a key. @throws GridError policy_denied */
  async function manifestUrl(actor: Actor, artifact: StoredArtifact): Promise<string | undefined> {
    await access.allowed(actor, 'artifact:download', artifact)
    if (artifact.manifestKey === null) return undefined
    return linkTo(actor, artifact.teamId, artifact.manifestKey, 'wandb_manifest.json')
  }

  /**
   * One content by its digest, as clients ask for it when they have no link.
   * @param where names of team, project and collection; without a project, anywhere in the team.
   * @throws GridError not_found, also when the content is stored but not in a committed version.
   */
  async function contentUrl(
    actor: Actor,
    where: {
      team: string
      project?: string
      collection?: string
      artifactId?: string
      md5Hex: string
      fileName: string
    },
  ): Promise<string> {
    if (!md5HexPattern.test(where.md5Hex)) throw new GridError('not_found')
    const digest = Buffer.from(where.md5Hex, 'hex').toString('base64')
    for (const place of await placesOf(actor, where)) {
      const found = await contents.findPublished(db, {
        ...place,
        artifactId: where.artifactId,
        digest,
        md5Hex: where.md5Hex,
      })
      const artifact = found && (await findById(actor, found.artifactId))
      if (!artifact) continue
      await access.allowed(actor, 'artifact:download', artifact)
      return linkTo(actor, artifact.teamId, found.blobKey, where.fileName)
    }
    throw new GridError('not_found')
  }

  async function placesOf(
    actor: Actor,
    where: { team: string; project?: string; collection?: string; md5Hex: string },
  ): Promise<{ projectId: string; collectionId?: string }[]> {
    if (where.project === undefined) {
      const team = await access.allowed(actor, 'artifact:read', teams.teamGuard(where.team))
      return (await contents.projectsWith(db, team.id, where.md5Hex)).map((projectId) => ({ projectId }))
    }
    const project = await access.allowed(
      actor,
      'artifact:read',
      teams.findProjectGuard(where.team, where.project),
    )
    if (where.collection === undefined) return [{ projectId: project.id }]
    const collection = await findCollection(actor, project, where.collection)
    return collection ? [{ projectId: project.id, collectionId: collection.id }] : []
  }

  function linkTo(actor: Actor, teamId: string, blobKey: string, path: string): string {
    const { userId } = actor
    const claim = {
      do: 'get',
      blobKey,
      mediaType: mediaTypeOf(path),
      ...(userId === null ? {} : { reader: { userId, teamId } }),
    } as const
    return actor.origin + signed.sign(claim, { fileName: path })
  }

  return {
    findById,
    findByClientId,
    findByName,
    findCollection,
    findCollectionById,
    listCollections,
    findInCollection,
    newestOf,
    listVersions,
    listAliases,
    proveType,
    listMade,
    listUsed,
    producerOf,
    usersOf,
    listFiles,
    countFiles,
    manifestUrl,
    contentUrl,
  }
}

export function guardOf(collection: StoredCollection) {
  const { teamId, visibility, keptById, name } = collection
  return { teamId, ownerId: null, visibility, keptById, kind: 'artifact', label: name }
}
