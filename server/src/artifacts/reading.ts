/** Finding versions and fetching what is in them. What the actor may not read does not exist. */
import { GridError } from '@teamgrid/api'
import type { Actor, Guarded } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { readerOf } from '../lib/signed.ts'
import {
  checkType,
  md5HexPattern,
  type Membership,
  ownMembership,
  readVersionName,
  readVersionRef,
  type StoredArtifact,
  type StoredCollection,
} from './artifact.ts'
import * as contents from './content-store.ts'
import type { ArtifactsDeps } from './deps.ts'
import { contentOf, type Entry } from './manifest.ts'
import type { Permission } from './permission.ts'
import type { Registries } from './registries.ts'
import * as collectionStore from './collection-store.ts'
import * as linkStore from './link-store.ts'
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

export type Reading = ReturnType<typeof createReading>

export function createReading(
  deps: ArtifactsDeps,
  { seen, guardOf, downloadable }: Permission,
  registries: Pick<Registries, 'findRegistryProject'>,
) {
  const { db, access, teams, experiments, signed } = deps

  async function findById(actor: Actor, id: string): Promise<StoredArtifact | undefined> {
    return seen(actor, await store.findArtifact(db, id))
  }

  /** What the client called a version (then with it) or a collection before it knew our id. */
  async function findByClientId(
    actor: Actor,
    clientId: string,
  ): Promise<{ collectionId: string; artifact: StoredArtifact | undefined } | undefined> {
    for (const named of await collectionStore.findByClientId(db, clientId)) {
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
    const found = await seenCollection(actor, await collectionStore.findCollection(db, project.id, name))
    return type === undefined || found?.type === type ? found : undefined
  }

  async function findCollectionById(actor: Actor, id: string): Promise<StoredCollection | undefined> {
    return seenCollection(actor, await collectionStore.findCollectionById(db, id))
  }

  async function seenCollection(actor: Actor, found: StoredCollection | undefined) {
    if (found === undefined) return undefined
    return (await access.permits(actor, 'artifact:read', await guardOf(actor, found))) ? found : undefined
  }

  async function listCollections(
    actor: Actor,
    project: Project,
    page: collectionStore.CollectionPage = {},
  ): Promise<StoredCollection[]> {
    const [any] = await collectionStore.listCollections(db, [project.id], { limit: 1 })
    // All collections of a project have the same guard but for their names.
    if (!(await seenCollection(actor, any))) return []
    return collectionStore.listCollections(db, [project.id], page)
  }

  /** `name:v3`, `name:alias`, or `name` for the newest. */
  async function findMembership(
    actor: Actor,
    project: Project,
    name: string,
  ): Promise<Membership | undefined> {
    const { collection, version } = readVersionName(name)
    const found = await findCollection(actor, project, collection)
    return found && seenMembership(actor, await linkStore.findMembership(db, found, version))
  }

  async function findByName(
    actor: Actor,
    project: Project,
    name: string,
  ): Promise<StoredArtifact | undefined> {
    return (await findMembership(actor, project, name))?.artifact
  }

  /** A version of a collection by `v3` or an alias. */
  async function findInCollection(
    actor: Actor,
    collection: StoredCollection,
    version: string,
  ): Promise<Membership | undefined> {
    return seenMembership(actor, await linkStore.findMembership(db, collection, readVersionRef(version)))
  }

  async function seenMembership(actor: Actor, found: Membership | undefined) {
    return found && (await seen(actor, found.artifact)) ? found : undefined
  }

  /** Where a version is, as far as the actor may know: its own collection, then where it is linked to. */
  async function listMemberships(actor: Actor, artifact: StoredArtifact): Promise<Membership[]> {
    const found: Membership[] = []
    for (const [at, membership] of (await linkStore.listMemberships(db, artifact)).entries()) {
      if (at === 0 || (await seenCollection(actor, membership.collection))) found.push(membership)
    }
    return found
  }

  async function newestOf(actor: Actor, collection: StoredCollection): Promise<StoredArtifact | undefined> {
    return seen(actor, await store.newestVersion(db, collection.id))
  }

  /** Committed versions, newest first unless told; of a collection of links those that are linked. */
  async function listVersions(
    actor: Actor,
    collection: StoredCollection,
    page: store.VersionPage,
  ): Promise<{ memberships: Membership[]; total: number }> {
    if (!(await seenCollection(actor, collection))) return { memberships: [], total: 0 }
    if (collection.kind === 'portfolio') {
      const { memberships, total } = await linkStore.listLinks(
        db,
        { collectionId: collection.id },
        { offset: page.offset ?? 0, limit: page.limit, versions: page.filter, order: page.order },
      )
      const visible: Membership[] = []
      for (const each of memberships) if (await seen(actor, each.artifact)) visible.push(each)
      return { memberships: visible, total }
    }
    const where = { collectionId: collection.id, teamIds: [collection.teamId] }
    const { artifacts, total } = await store.listVersions(db, where, page)
    return { memberships: artifacts.map(ownMembership), total }
  }

  /** Every alias given in a collection, sorted. */
  async function listAliases(actor: Actor, collection: StoredCollection): Promise<string[]> {
    return (await seenCollection(actor, collection)) ? collectionStore.listAliases(db, collection.id) : []
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
    const teamId = await downloadable(actor, artifact)
    if (artifact.state !== 'committed') return []
    const limit = Math.min(page.limit, filesPerPageMax)
    return withUrls(actor, artifact, teamId, await contents.listEntries(db, artifact.id, { ...page, limit }))
  }

  async function countFiles(artifact: StoredArtifact, paths: string[] | undefined): Promise<number> {
    if (paths === undefined) return artifact.fileCount
    return (await contents.listEntries(db, artifact.id, { paths })).length
  }

  async function withUrls(
    actor: Actor,
    artifact: StoredArtifact,
    teamId: string,
    entries: Entry[],
  ): Promise<ArtifactFile[]> {
    const names = entries.flatMap((entry) => contentOf(entry) ?? [])
    const stored = await contents.findBlobs(db, artifact.collection.projectId, [...new Set(names)])
    return entries.map((entry) => {
      const mediaType = mediaTypeOf(entry.path)
      if (entry.ref !== null) return { ...entry, artifact, mediaType, url: entry.ref }
      const blob = stored.get(contentOf(entry)!)
      // Deleted in this moment, between one question and the next.
      if (!blob) throw new GridError('not_found', `${artifact.label} was deleted.`)
      return { ...entry, artifact, mediaType, url: linkTo(actor, teamId, artifact, blob.blobKey, entry.path) }
    })
  }

  /** Where a committed version's manifest is fetched without a key. @throws GridError policy_denied */
  async function manifestUrl(actor: Actor, artifact: StoredArtifact): Promise<string | undefined> {
    const teamId = await downloadable(actor, artifact)
    if (artifact.manifestKey === null) return undefined
    return linkTo(actor, teamId, artifact, artifact.manifestKey, 'wandb_manifest.json')
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
    // The address does not tell by which algorithm the digest was made.
    const names = [where.md5Hex, `x${where.md5Hex}`]
    for (const place of await placesOf(actor, where)) {
      const found = await contents.findPublished(db, {
        ...place,
        artifactId: where.artifactId,
        contents: names,
      })
      const artifact = found && (await findById(actor, found.artifactId))
      if (!artifact) continue
      const teamId = await downloadable(actor, artifact)
      return linkTo(actor, teamId, artifact, found.blobKey, where.fileName)
    }
    throw new GridError('not_found')
  }

  async function placesOf(
    actor: Actor,
    where: { team: string; project?: string; collection?: string; md5Hex: string },
  ): Promise<{ projectId: string; collectionId?: string }[]> {
    if (where.project === undefined) {
      const team = await access.allowed(actor, 'artifact:read', teams.teamGuard(where.team))
      const names = [where.md5Hex, `x${where.md5Hex}`]
      return (await contents.projectsWith(db, team.id, names)).map((projectId) => ({ projectId }))
    }
    const project = await findProject(actor, where.team, where.project)
    if (!project) throw new GridError('not_found')
    if (where.collection === undefined) return [{ projectId: project.id }]
    const collection = await findCollection(actor, project, where.collection)
    if (!collection) return []
    if (collection.kind === 'sequence') return [{ projectId: project.id, collectionId: collection.id }]
    // What a link leads to is stored with its own project, which may be any.
    const projectIds = await collectionStore.projectsLinkedIn(db, collection.id)
    return projectIds.map((projectId) => ({ projectId, collectionId: collection.id }))
  }

  /** A project of a team, or a registry of the organisation, that the actor may read. */
  async function findProject(actor: Actor, team: string, name: string): Promise<Project | undefined> {
    const found = await teams.findProjectGuard(team, name)
    if (!found) return await registries.findRegistryProject(actor, team, name)
    const isHidden = actor.kind !== 'anonymous' && !(await access.permits(actor, 'artifact:read', found))
    return isHidden ? undefined : await access.allowed(actor, 'artifact:read', found)
  }

  function linkTo(
    actor: Actor,
    teamId: string,
    artifact: StoredArtifact,
    blobKey: string,
    path: string,
  ): string {
    // What was read through a registry stays the organisation's to read.
    const of = teamId === artifact.teamId ? ({ kind: 'artifact', id: artifact.id } as const) : undefined
    const claim = {
      do: 'get',
      blobKey,
      mediaType: mediaTypeOf(path),
      ...readerOf(actor, teamId, of),
    } as const
    return actor.origin + signed.sign(claim, { fileName: path })
  }

  return {
    findById,
    findByClientId,
    findByName,
    findMembership,
    listMemberships,
    findProject,
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
