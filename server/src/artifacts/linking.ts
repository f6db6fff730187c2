/** Collections, what may be changed about them, and links: versions put into collections of other projects. */
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import {
  checkAlias,
  checkCollectionName,
  checkTag,
  checkType,
  type Membership,
  newestAlias,
  type StoredArtifact,
  type StoredCollection,
  versionName,
} from './artifact.ts'
import { checkDescription } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { News } from './news.ts'
import type { Permission } from './permission.ts'
import * as registryStore from './registry-store.ts'
import * as collectionStore from './collection-store.ts'
import * as linkStore from './link-store.ts'
import * as store from './store.ts'

/** Absent leaves alone. */
export type CollectionChange = {
  name?: string
  description?: string | null
  /** Of a collection of versions only. */
  type?: string
  tagsToAdd?: string[]
  tagsToDelete?: string[]
}

const tagsMax = 100
const aliasesMax = 100

export type Linking = ReturnType<typeof createLinking>

export function createLinking(
  deps: ArtifactsDeps,
  { visible, guardOf, registryRole }: Permission,
  news: News,
) {
  const { db, access, teams, events, clock } = deps

  /**
   * Links a version into a collection of links, which is made if it is missing, and its project too. Linking again is
   * fine: it only adds the aliases.
   *
   * @param target names of team (or organisation), project and collection.
   * @throws GridError not_found, forbidden, invalid when the collection is not one of links or takes another type.
   */
  async function linkArtifact(
    actor: Actor,
    artifactId: string,
    target: { team: string; project: string; collection: string; aliases?: string[] },
  ): Promise<Membership> {
    // Who links shows the content to those who may read there, so it takes what a download takes.
    const artifact = await access.allowed(actor, 'artifact:download', visible(actor, artifactId))
    const name = checkCollectionName(target.collection)
    const aliases = [...new Set(target.aliases ?? [])].map(checkAlias)
    if (aliases.length > aliasesMax)
      throw new GridError('invalid', `A link has at most ${aliasesMax} aliases.`)
    const place = await placeOf(actor, target)
    if (place.registry) checkTypeIn(place.registry, artifact)
    const { collection, index } = await db.transaction().execute(async (trx) => {
      const projectId =
        place.projectId ?? (await teams.ensureProject(trx, actor, place.team, target.project)).project.id
      const collection = await collectionStore.lockCollection(
        trx,
        { id: newId(), projectId, name, type: artifact.collection.type, kind: 'portfolio' },
        clock.now(),
      )
      if (collection.kind !== 'portfolio') throw notOfLinks(collection)
      if (collection.type !== artifact.collection.type) throw otherType(collection, artifact)
      const locked = await store.lockArtifact(trx, artifact.id)
      if (locked?.state === 'deleted' || locked === undefined) throw new GridError('not_found')
      const index = await linkStore.insertLink(trx, {
        collectionId: collection.id,
        artifactId: artifact.id,
        linkedBy: actor.attributedTo?.userId ?? actor.userId,
        now: clock.now(),
      })
      await collectionStore.giveAliases(trx, collection.id, artifact.id, [newestAlias, ...aliases])
      await record(trx, actor, 'artifact:create', {
        teamId: place.team.id,
        kind: 'artifact',
        id: artifact.id,
        details: { link: versionName(name, index), of: artifact.label },
      })
      const linked = { collection, artifact: { id: artifact.id, name, versionIndex: index } }
      const given = [newestAlias, ...aliases]
      await news.tell(trx, actor, { event: 'linked', ...linked, aliases: given, tags: artifact.tags })
      await news.tell(trx, actor, { event: 'alias-added', ...linked, aliases: given })
      return { collection, index }
    })
    events.publish({
      type: 'project.changed',
      teamId: collection.teamId,
      projectId: collection.projectId,
    })
    news.committed()
    const linked = (await store.findArtifact(db, artifact.id))!
    const made = await linkStore.findMembership(db, collection, { index })
    // A version that is still being saved is shown in the collection once it is committed.
    return (
      made ?? {
        artifact: linked,
        collection,
        versionIndex: index,
        aliases: [newestAlias, ...aliases],
        createdAt: clock.now(),
      }
    )
  }

  async function placeOf(actor: Actor, target: { team: string; project: string }) {
    const registry = await findRegistryOf(target)
    if (registry) {
      const registryGuard = {
        teamId: registry.teamId,
        ownerId: null,
        kind: 'registry',
        label: registry.name,
        registryRole: await registryRole(actor, registry.id),
      }
      await access.allowed(actor, 'artifact:create', registryGuard)
      return { projectId: registry.id, team: { id: registry.teamId, slug: registry.teamSlug }, registry }
    }
    const team = await access.allowed(actor, 'artifact:create', teams.teamGuard(target.team))
    const project = await teams.findProjectGuard(target.team, target.project)
    if (project) await access.allowed(actor, 'artifact:read', project)
    return { projectId: project?.id, team: { id: team.id, slug: team.slug }, registry: undefined }
  }

  async function findRegistryOf({ team, project }: { team: string; project: string }) {
    const organisation = await registryStore.findOrganisation(db)
    if (organisation.slug.toLowerCase() !== team.toLowerCase()) return undefined
    const registry = await registryStore.findRegistry(db, project)
    if (!registry) {
      throw new GridError('not_found', `There is no registry ${project}.`, {
        hint: 'Make it first: wandb.Api().create_registry(…).',
      })
    }
    return registry
  }

  /** Takes a version out of a collection of links; itself it stays. */
  async function unlinkArtifact(actor: Actor, artifactId: string, collection: StoredCollection) {
    if (collection.kind !== 'portfolio') throw notOfLinks(collection)
    const guard = await access.allowed(actor, 'artifact:edit', guardOf(actor, collection))
    const gone = await db.transaction().execute(async (trx) => {
      await collectionStore.lockCollection(trx, collection, clock.now())
      const gone = await linkStore.deleteLink(trx, collection.id, artifactId)
      if (gone) {
        const [newest] = await linkStore.linkRows(trx, collection.id)
        const hasNewest = (await collectionStore.listAliases(trx, collection.id)).includes(newestAlias)
        if (newest && !hasNewest)
          await collectionStore.giveAliases(trx, collection.id, newest.artifact.id, [newestAlias])
        await record(trx, actor, 'artifact:edit', {
          teamId: guard.teamId,
          kind: 'artifact',
          id: artifactId,
          details: { unlinkedFrom: collection.name },
        })
        const artifact = { id: artifactId, name: collection.name, versionIndex: null }
        await news.tell(trx, actor, { event: 'unlinked', collection, artifact })
      }
      return gone
    })
    news.committed()
    if (!gone) throw new GridError('not_found', `That version is not linked into ${collection.name}.`)
    events.publish({ type: 'project.changed', teamId: collection.teamId, projectId: collection.projectId })
  }

  /** @throws GridError conflict when another collection of the project has the name. */
  async function changeCollection(
    actor: Actor,
    collection: StoredCollection,
    change: CollectionChange,
  ): Promise<StoredCollection> {
    await access.allowed(actor, 'artifact:edit', guardOf(actor, collection))
    const name = change.name === undefined ? undefined : checkCollectionName(change.name)
    const type = change.type === undefined ? undefined : checkType(change.type)
    const added = (change.tagsToAdd ?? []).map(checkTag)
    if (type !== undefined && type !== collection.type && collection.kind === 'portfolio') {
      throw new GridError('invalid', `${collection.name} holds links, so its type is that of the versions.`)
    }
    await db.transaction().execute(async (trx) => {
      const now = await collectionStore.lockCollection(trx, collection, clock.now())
      const tags = now.tags.filter((tag) => !change.tagsToDelete?.includes(tag))
      const wanted = [...new Set([...tags, ...added])]
      if (wanted.length > tagsMax) throw new GridError('invalid', `A collection has at most ${tagsMax} tags.`)
      if (
        name !== undefined &&
        name !== now.name &&
        (await collectionStore.findCollection(trx, now.projectId, name))
      ) {
        throw new GridError('conflict', `There is a collection ${name} in ${now.projectName} already.`)
      }
      if (type !== undefined && type !== now.type) await moveLinks(trx, now, type)
      await collectionStore.changeCollection(
        trx,
        collection.id,
        {
          ...(name === undefined ? {} : { name }),
          ...(type === undefined ? {} : { type }),
          ...(change.description === undefined
            ? {}
            : { description: change.description && checkDescription(change.description) }),
          tags: wanted,
        },
        clock.now(),
      )
      await record(trx, actor, 'artifact:edit', {
        teamId: collection.teamId,
        kind: 'artifact',
        id: collection.id,
        details: { collection: collection.name, changed: Object.keys(change) },
      })
      const [more, fewer] = [wanted, now.tags].map((these, index, both) =>
        these.filter((tag) => !both[1 - index]!.includes(tag)),
      )
      const told = { collection, artifact: null }
      if (more!.length > 0)
        await news.tell(trx, actor, { event: 'collection-tag-added', ...told, tags: more! })
      if (fewer!.length > 0)
        await news.tell(trx, actor, { event: 'collection-tag-removed', ...told, tags: fewer! })
    })
    events.publish({ type: 'project.changed', teamId: collection.teamId, projectId: collection.projectId })
    news.committed()
    return (await collectionStore.findCollectionById(db, collection.id))!
  }

  /** A collection of links holds one type, so those that lead here alone follow; others keep the type as it is. */
  async function moveLinks(trx: store.Db, { id, name }: StoredCollection, type: string): Promise<void> {
    for (const linked of await collectionStore.collectionsLinking(trx, id)) {
      if (linked.hasOthers) {
        throw new GridError(
          'conflict',
          `${name} is linked into ${linked.name} together with artifacts of the same type, so its type stays.`,
          { hint: 'Unlink it there first.' },
        )
      }
      await collectionStore.changeCollection(trx, linked.id, { type }, clock.now())
    }
  }

  /** Gives or takes aliases that a version has in a collection of links. */
  async function changeLinkAliases(
    actor: Actor,
    collection: StoredCollection,
    artifactId: string,
    change: { add?: string[]; remove?: string[] },
  ): Promise<void> {
    const guard = await access.allowed(actor, 'artifact:edit', guardOf(actor, collection))
    const added = (change.add ?? []).map(checkAlias)
    await db.transaction().execute(async (trx) => {
      await collectionStore.lockCollection(trx, collection, clock.now())
      const links = await linkStore.linkRows(trx, collection.id, (query) =>
        query.where('l.artifact_id', '=', artifactId),
      )
      if (links.length === 0) {
        throw new GridError(
          'invalid',
          `The artifact is not in ${collection.name}, so it has no aliases there`,
        )
      }
      await collectionStore.takeAliases(trx, collection.id, artifactId, change.remove ?? [])
      await collectionStore.giveAliases(trx, collection.id, artifactId, added)
      await record(trx, actor, 'artifact:edit', {
        teamId: guard.teamId,
        kind: 'artifact',
        id: artifactId,
        details: { collection: collection.name, aliases: added, withoutAliases: change.remove ?? [] },
      })
      if (added.length > 0) {
        const artifact = { id: artifactId, name: collection.name, versionIndex: links[0]!.versionIndex }
        await news.tell(trx, actor, { event: 'alias-added', collection, artifact, aliases: added })
      }
    })
    events.publish({ type: 'project.changed', teamId: collection.teamId, projectId: collection.projectId })
    news.committed()
  }

  return { linkArtifact, unlinkArtifact, changeCollection, changeLinkAliases }
}

function checkTypeIn(registry: registryStore.StoredRegistry, { collection }: StoredArtifact): void {
  if (registry.allTypes || registry.types.includes(collection.type)) return
  throw new GridError(
    'invalid',
    `The registry ${registry.name} takes artifacts of type ${registry.types.join(', ')}; ${collection.name} is of type ${collection.type}.`,
  )
}

function notOfLinks(collection: StoredCollection): GridError {
  return new GridError(
    'invalid',
    `${collection.name} holds versions of its own, so nothing is linked into it.`,
  )
}

function otherType(collection: StoredCollection, artifact: StoredArtifact): GridError {
  return new GridError(
    'invalid',
    `${collection.name} holds links to artifacts of type "${collection.type}"; ${artifact.label} is of type "${artifact.collection.type}".`,
  )
}
