/** Artifacts as pages and the command line show them: shapes of the contract, found by names. */
import {
  type ArtifactCollectionInfo,
  type ArtifactDetails,
  type ArtifactFileInfo,
  type ArtifactVersion,
  type DeletePreview,
  type ExperimentName,
  GridError,
} from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { type Membership, ownMembership, type StoredCollection, versionName } from './artifact.ts'
import type { Changing } from './changing.ts'
import type { Deleting } from './deleting.ts'
import type { DeletingMade } from './deleting-made.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Linking } from './linking.ts'
import type { Permission } from './permission.ts'
import { contentOf } from './manifest.ts'
import type { ArtifactFile, Reading } from './reading.ts'
import * as collectionStore from './collection-store.ts'
import type * as store from './store.ts'
import { keptSeconds } from './time-to-live.ts'

export type CollectionRef = { team: string; project: string; collection: string }
export type VersionNameRef = CollectionRef & { version: string }
type ExperimentNames = { team: string; project: string; experiment: string }

const artifactsOfExperimentMax = 1000

export function createShowing(
  { db, access, experiments }: Pick<ArtifactsDeps, 'db' | 'access' | 'experiments'>,
  { guardOf, downloadable }: Pick<Permission, 'guardOf' | 'downloadable'>,
  reading: Reading,
  { changeArtifact, addAliases, deleteAliases }: Changing,
  { changeCollection, changeLinkAliases, unlinkArtifact }: Linking,
  deleting: Deleting,
  deletingMade: DeletingMade,
) {
  async function projectOf(actor: Actor, { team, project }: { team: string; project: string }) {
    const found = await reading.findProject(actor, team, project)
    if (!found) throw new GridError('not_found', `There is no project ${project} in ${team}.`)
    return found
  }

  async function collectionOf(actor: Actor, ref: CollectionRef): Promise<StoredCollection> {
    const found = await reading.findCollection(actor, await projectOf(actor, ref), ref.collection)
    if (!found) throw new GridError('not_found', `There is no artifact ${ref.collection} in ${ref.project}.`)
    return found
  }

  /** A version where it is named: its own collection, or one that it is linked into. */
  async function membershipOf(actor: Actor, ref: VersionNameRef): Promise<Membership> {
    const collection = await collectionOf(actor, ref)
    const found = await reading.findInCollection(actor, collection, ref.version)
    if (!found) throw new GridError('not_found', `${ref.collection} has no version ${ref.version}.`)
    return found
  }

  async function showCollections(
    actor: Actor,
    ref: { team: string; project: string },
  ): Promise<ArtifactCollectionInfo[]> {
    const collections = await reading.listCollections(actor, await projectOf(actor, ref))
    const counts = await collectionStore.countVersions(
      db,
      collections.map(({ id }) => id),
    )
    return collections.map((collection) => shownCollection(collection, counts.get(collection.id)))
  }

  async function showCollection(collection: StoredCollection): Promise<ArtifactCollectionInfo> {
    const counts = await collectionStore.countVersions(db, [collection.id])
    return shownCollection(collection, counts.get(collection.id))
  }

  async function showVersions(
    actor: Actor,
    { cursor, limit, ...ref }: CollectionRef & { limit: number; cursor?: string },
  ) {
    const collection = await collectionOf(actor, ref)
    const offset = readCursor(cursor)
    const { memberships, total } = await reading.listVersions(actor, collection, { offset, limit })
    return {
      collection: await showCollection(collection),
      items: memberships.map(shownVersion),
      nextCursor: offset + limit < total ? String(offset + limit) : null,
    }
  }

  async function showVersion(actor: Actor, ref: VersionNameRef): Promise<ArtifactDetails> {
    return details(actor, await membershipOf(actor, ref))
  }

  async function details(actor: Actor, membership: Membership): Promise<ArtifactDetails> {
    const { artifact, collection } = membership
    const links = await reading.listMemberships(actor, artifact)
    const madeBy = await reading.producerOf(actor, artifact)
    return {
      ...shownVersion(membership),
      metadata: artifact.metadata ?? {},
      links: links
        .filter((link) => link.collection.id !== collection.id && link.collection.kind === 'portfolio')
        .map((link) => ({
          team: link.collection.teamSlug,
          project: link.collection.projectName,
          collection: link.collection.name,
          version: `v${link.versionIndex}`,
          aliases: link.aliases,
          isRegistry: link.collection.inRegistry,
        })),
      madeBy: madeBy ? experimentName(madeBy) : null,
      usedBy: (await reading.usersOf(actor, artifact)).map(experimentName),
      downloadRefusal: await refusalOf(() => downloadable(actor, artifact)),
    }
  }

  async function showFiles(
    actor: Actor,
    { cursor, limit, ...ref }: VersionNameRef & { limit: number; cursor?: string },
  ): Promise<{ items: ArtifactFileInfo[]; nextCursor: string | null }> {
    const { artifact } = await membershipOf(actor, ref)
    const files = await reading.listFiles(actor, artifact, {
      limit: limit + 1,
      ...(cursor === undefined ? {} : { after: cursor }),
    })
    const items = files.slice(0, limit).map((file) => ({
      path: file.path,
      sizeBytes: file.sizeBytes,
      mediaType: file.mediaType,
      digest: file.digest,
      md5Hex: md5Of(file),
      reference: file.ref,
      // What a stranger's manifest points to may be anything, `javascript:` too.
      url: file.ref === null || /^https?:\/\//i.test(file.ref) ? file.url : '',
    }))
    return { items, nextCursor: files.length > limit ? (items.at(-1)?.path ?? null) : null }
  }

  async function change(
    actor: Actor,
    input: VersionNameRef & {
      description?: string
      tags?: string[]
      addAliases?: string[]
      removeAliases?: string[]
      ttlSeconds?: number
    },
  ): Promise<ArtifactDetails> {
    const found = await membershipOf(actor, input)
    const { artifact, collection } = found
    const { tags } = input
    if (input.description !== undefined || tags !== undefined || input.ttlSeconds !== undefined) {
      await changeArtifact(actor, artifact.id, {
        description: input.description,
        ttlSeconds: input.ttlSeconds,
        ...(tags === undefined
          ? {}
          : { tagsToAdd: tags, tagsToDelete: artifact.tags.filter((tag) => !tags.includes(tag)) }),
      })
    }
    const { addAliases: add = [], removeAliases: remove = [] } = input
    if (collection.kind === 'portfolio') {
      if (add.length + remove.length > 0)
        await changeLinkAliases(actor, collection, artifact.id, { add, remove })
    } else {
      if (remove.length > 0) await deleteAliases(actor, artifact.id, remove)
      if (add.length > 0) await addAliases(actor, artifact.id, add)
    }
    return showVersion(actor, { ...input, version: `v${found.versionIndex}` })
  }

  async function changeNamedCollection(
    actor: Actor,
    input: CollectionRef & { name?: string; description?: string; type?: string; tags?: string[] },
  ): Promise<ArtifactCollectionInfo> {
    const collection = await collectionOf(actor, input)
    const { tags } = input
    const changed = await changeCollection(actor, collection, {
      name: input.name,
      description: input.description,
      type: input.type,
      ...(tags === undefined
        ? {}
        : { tagsToAdd: tags, tagsToDelete: collection.tags.filter((tag) => !tags.includes(tag)) }),
    })
    return showCollection(changed)
  }

  async function showDeletion(
    actor: Actor,
    input: CollectionRef & { version?: string; aliases?: boolean },
  ): Promise<DeletePreview> {
    const withAliases = input.aliases ?? false
    if (input.version === undefined) {
      const collection = await collectionOf(actor, input)
      return shownDeletion(
        await deleting.previewDelete(actor, { collection }, { withAliases: true }),
        await reading.listAliases(actor, collection),
      )
    }
    const found = await membershipOf(actor, { ...input, version: input.version })
    if (found.collection.kind === 'portfolio') {
      const mayEdit = async () => access.allowed(actor, 'artifact:edit', guardOf(actor, found.collection))
      return {
        versions: [{ name: nameOf(found), sizeBytes: 0, usedBy: 0, links: 1 }],
        sizeBytes: 0,
        freedBytes: 0,
        freedFiles: 0,
        aliases: found.aliases,
        refusal: await refusalOf(mayEdit),
      }
    }
    const preview = await deleting.previewDelete(actor, { artifacts: [found.artifact] }, { withAliases })
    const everywhere = await reading.listMemberships(actor, found.artifact)
    return shownDeletion(preview, [...new Set(everywhere.flatMap(({ aliases }) => aliases))])
  }

  async function remove(actor: Actor, input: VersionNameRef & { aliases?: boolean }): Promise<void> {
    const { artifact, collection } = await membershipOf(actor, input)
    if (collection.kind === 'portfolio') await unlinkArtifact(actor, artifact.id, collection)
    else await deleting.deleteArtifact(actor, artifact.id, { withAliases: input.aliases ?? false })
  }

  async function removeCollection(actor: Actor, ref: CollectionRef): Promise<void> {
    await deleting.deleteCollection(actor, await collectionOf(actor, ref))
  }

  async function showDeletionMade(
    actor: Actor,
    { experimentIds }: { experimentIds: string[] },
  ): Promise<DeletePreview> {
    const preview = await deletingMade.previewDeleteMade(actor, experimentIds)
    return shownDeletion(preview, [...new Set(preview.versions.flatMap(({ artifact }) => artifact.aliases))])
  }

  async function removeMade(actor: Actor, ref: ExperimentNames): Promise<{ deleted: number }> {
    return { deleted: await deletingMade.deleteMade(actor, await experimentOf(actor, ref)) }
  }

  async function showOfExperiment(
    actor: Actor,
    ref: ExperimentNames,
  ): Promise<{ made: ArtifactVersion[]; used: ArtifactVersion[] }> {
    const experiment = await experimentOf(actor, ref)
    const page = { limit: artifactsOfExperimentMax }
    const [made, used] = await Promise.all([
      reading.listMade(actor, experiment, page),
      reading.listUsed(actor, experiment, page),
    ])
    const shown = ({ artifacts }: store.ListedVersions) =>
      artifacts.map((artifact) => shownVersion(ownMembership(artifact)))
    return { made: shown(made), used: shown(used) }
  }

  async function experimentOf(
    actor: Actor,
    { team, project, experiment: slug }: ExperimentNames,
  ): Promise<StoredExperiment> {
    return access.allowed(actor, 'experiment:read', experiments.find(actor, { team, project, slug }))
  }

  return {
    membershipOf,
    experimentOf,
    showCollections,
    showVersions,
    showVersion,
    showFiles,
    change,
    changeNamedCollection,
    showDeletion,
    remove,
    removeCollection,
    showDeletionMade,
    removeMade,
    showOfExperiment,
  }
}

export function shownVersion({ artifact, collection, ...membership }: Membership): ArtifactVersion {
  const { committedAt } = artifact
  const seconds = keptSeconds(artifact)
  const own = artifact.collection
  return {
    id: artifact.id,
    team: collection.teamSlug,
    project: collection.projectName,
    collection: collection.name,
    version: `v${membership.versionIndex}`,
    type: own.type,
    description: artifact.description,
    aliases: membership.aliases,
    tags: artifact.tags,
    sizeBytes: artifact.sizeBytes,
    fileCount: artifact.fileCount,
    digest: artifact.digest,
    createdBy: { username: artifact.createdBy.username, name: artifact.createdBy.name },
    createdAt: artifact.createdAt.toISOString(),
    expiresAt: committedAt && seconds ? new Date(committedAt.getTime() + seconds * 1000).toISOString() : null,
    expiryIsInherited: artifact.ttlSeconds === null,
    source: `${own.teamSlug}/${own.projectName}/${versionName(own.name, artifact.versionIndex)}`,
  }
}

export function experimentName(experiment: StoredExperiment): ExperimentName {
  const { id, teamSlug, projectName, slug, name, state } = experiment
  return { id, team: teamSlug, project: projectName, slug, name, state }
}

export function shownCollection(
  collection: StoredCollection,
  count: collectionStore.VersionCount | undefined,
): ArtifactCollectionInfo {
  return {
    id: collection.id,
    name: collection.name,
    type: collection.type,
    isLinks: collection.kind === 'portfolio',
    description: collection.description,
    tags: collection.tags,
    versions: count?.versions ?? 0,
    sizeBytes: count?.sizeBytes ?? 0,
    latest:
      (count && {
        version: `v${count.newest.versionIndex}`,
        createdAt: count.newest.createdAt.toISOString(),
        createdBy: { username: count.newest.username, name: count.newest.name },
      }) ||
      null,
    createdAt: collection.createdAt.toISOString(),
    updatedAt: collection.updatedAt.toISOString(),
  }
}

type Preview = Awaited<ReturnType<Deleting['previewDelete']>>

function shownDeletion(preview: Preview, aliases: string[]): DeletePreview {
  const { sizeBytes, freedBytes, freedFiles, refusal } = preview
  const versions = preview.versions.slice(0, 1000).map(({ artifact, usedBy, links }) => ({
    name: artifact.label,
    sizeBytes: artifact.sizeBytes,
    usedBy,
    links,
  }))
  return { versions, sizeBytes, freedBytes, freedFiles, aliases, refusal }
}

const nameOf = ({ collection, versionIndex }: Membership): string =>
  versionName(collection.name, versionIndex)

/** Its content's name, where that is an MD5. */
function md5Of(file: ArtifactFile): string {
  const content = contentOf(file)
  return content === null || content.startsWith('x') ? '' : content
}

/** The sentence of a refusal; null when there is none. */
export async function refusalOf(prove: () => Promise<unknown>): Promise<string | null> {
  try {
    await prove()
    return null
  } catch (error) {
    if (error instanceof GridError) return error.message
    throw error
  }
}

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor)
  throw new GridError('invalid', 'This cursor is not one of ours.')
}
