/** The mutations of what is there already: aliases, tags, collections, links, deletion. */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import type { Artifacts, StoredCollection } from '../../artifacts/service.ts'
import type { Resolver } from '../graphql.ts'
import { parseObject } from '../words.ts'
import { hexOf, idOf, readId } from './artifact-nodes.ts'
import { type AliasInput, knownId, type TagInput, type WithInput } from './artifact-saving.ts'
import { entityOf } from './places.ts'

type CollectionAliasInput = AliasInput & { entityName?: string; projectName?: string }
type AliasesInput = { artifactID: string; aliases: CollectionAliasInput[] }
type UpdateInput = {
  artifactID: string
  description?: string | null
  metadata?: string | null
  aliases?: AliasInput[] | null
  ttlDurationSeconds?: number | null
  tagsToAdd?: TagInput[] | null
  tagsToDelete?: TagInput[] | null
}
type LinkInput = {
  artifactID?: string | null
  clientID?: string | null
  artifactPortfolioName?: string | null
  artifactPortfolioID?: string | null
  entityName?: string | null
  projectName?: string | null
  aliases?: AliasInput[] | null
}
type TagsInput = {
  entityName: string
  projectName: string
  artifactCollectionName: string
  tags: TagInput[]
}
type ChangeInput = { name?: string | null; description?: string | null }

export function artifactChanging(artifacts: Artifacts): Record<string, Resolver> {
  return {
    async addAliases(_, { input }: WithInput<AliasesInput>, { actor }) {
      await changeAliases(actor, input, 'add')
      return { success: true }
    },

    async deleteAliases(_, { input }: WithInput<AliasesInput>, { actor }) {
      await changeAliases(actor, input, 'remove')
      return { success: true }
    },

    async updateArtifact(_, { input }: WithInput<UpdateInput>, { actor }) {
      const id = knownId(input.artifactID)
      const aliases = input.aliases ? await ownAliases(actor, id, input.aliases) : undefined
      const artifact = await artifacts.changeArtifact(actor, id, {
        ...(input.description == null ? {} : { description: input.description }),
        ...(input.metadata == null ? {} : { metadata: parseObject(input.metadata, 'metadata') }),
        ...(input.ttlDurationSeconds == null ? {} : { ttlSeconds: input.ttlDurationSeconds }),
        ...(input.tagsToAdd ? { tagsToAdd: namesOf(input.tagsToAdd) } : {}),
        ...(input.tagsToDelete ? { tagsToDelete: namesOf(input.tagsToDelete) } : {}),
        ...(aliases === undefined ? {} : { aliases }),
      })
      return { artifact }
    },

    async deleteArtifact(
      _,
      { input }: WithInput<{ artifactID: string; deleteAliases?: boolean | null }>,
      { actor },
    ) {
      const artifact = await artifacts.deleteArtifact(actor, knownId(input.artifactID), {
        withAliases: input.deleteAliases ?? false,
      })
      return { artifact: { ...artifact, state: 'deleted' } }
    },

    deleteArtifactSequence: (_, { input }: WithInput<{ artifactSequenceID: string }>, { actor }) =>
      removeCollection(actor, input.artifactSequenceID),
    deleteArtifactPortfolio: (_, { input }: WithInput<{ artifactPortfolioID: string }>, { actor }) =>
      removeCollection(actor, input.artifactPortfolioID),

    updateArtifactSequence: (
      _,
      { input: { artifactSequenceID, ...change } }: WithInput<ChangeInput & { artifactSequenceID: string }>,
      { actor },
    ) => rename(actor, artifactSequenceID, change),
    updateArtifactPortfolio: (
      _,
      { input: { artifactPortfolioID, ...change } }: WithInput<ChangeInput & { artifactPortfolioID: string }>,
      { actor },
    ) => rename(actor, artifactPortfolioID, change),

    async moveArtifactSequence(
      _,
      { input }: WithInput<{ artifactSequenceID: string; destinationArtifactTypeName: string }>,
      { actor },
    ) {
      const collection = await collectionOf(actor, input.artifactSequenceID)
      const type = input.destinationArtifactTypeName
      return { artifactCollection: await artifacts.changeCollection(actor, collection, { type }) }
    },

    async createArtifactCollectionTagAssignments(_, { input }: WithInput<TagsInput>, { actor }) {
      const { tags } = await changeTags(actor, input, { tagsToAdd: namesOf(input.tags) })
      return { tags: tags.map((name) => ({ id: idOf('Tag', hexOf(name)), name, tagCategoryName: null })) }
    },
    async deleteArtifactCollectionTagAssignments(_, { input }: WithInput<TagsInput>, { actor }) {
      await changeTags(actor, input, { tagsToDelete: namesOf(input.tags) })
      return { success: true }
    },

    async linkArtifact(_, { input }: WithInput<LinkInput>, { actor }) {
      const target = await targetOf(actor, input)
      const membership = await artifacts.linkArtifact(actor, await linkedId(actor, input), {
        ...target,
        aliases: input.aliases?.map(({ alias }) => alias),
      })
      return { versionIndex: membership.versionIndex, artifactMembership: membership }
    },

    async unlinkArtifact(
      _,
      { input }: WithInput<{ artifactID: string; artifactPortfolioID: string }>,
      { actor },
    ) {
      const collection = await collectionOf(actor, input.artifactPortfolioID)
      await artifacts.unlinkArtifact(actor, knownId(input.artifactID), collection)
      return { artifactID: input.artifactID, success: true }
    },
  }

  /** The client names the collection with each alias: the version's own, or one that it is linked into. */
  async function changeAliases(actor: Actor, input: AliasesInput, how: 'add' | 'remove'): Promise<void> {
    const id = knownId(input.artifactID)
    const artifact = await artifacts.findById(actor, id)
    if (!artifact) throw new GridError('not_found')
    const memberships = await artifacts.listMemberships(actor, artifact)
    for (const [, group] of Map.groupBy(input.aliases, placeOf)) {
      const [named] = group
      const membership = memberships.find(({ collection }) => isMeant(collection, named!))
      if (!membership) throw elsewhere(named!.artifactCollectionName)
      const aliases = group.map(({ alias }) => alias)
      if (membership.collection.kind === 'portfolio') {
        await artifacts.changeLinkAliases(actor, membership.collection, id, { [how]: aliases })
      } else if (how === 'add') await artifacts.addAliases(actor, id, aliases)
      else await artifacts.deleteAliases(actor, id, aliases)
    }
  }

  async function ownAliases(actor: Actor, id: string, aliases: AliasInput[]): Promise<string[]> {
    const artifact = await artifacts.findById(actor, id)
    if (!artifact) throw new GridError('not_found')
    const other = aliases.find((each) => each.artifactCollectionName !== artifact.collection.name)
    if (other) throw elsewhere(other.artifactCollectionName)
    return aliases.map(({ alias }) => alias)
  }

  async function removeCollection(actor: Actor, given: string) {
    const collection = await collectionOf(actor, given)
    await artifacts.deleteCollection(actor, collection)
    return { artifactCollection: { ...collection, isDeleted: true } }
  }

  async function rename(actor: Actor, given: string, { name, description }: ChangeInput) {
    const collection = await collectionOf(actor, given)
    const changed = await artifacts.changeCollection(actor, collection, {
      ...(name == null ? {} : { name }),
      ...(description === undefined ? {} : { description }),
    })
    return { artifactCollection: changed }
  }

  async function changeTags(
    actor: Actor,
    input: TagsInput,
    change: { tagsToAdd?: string[]; tagsToDelete?: string[] },
  ) {
    const project = await artifacts.findProject(actor, entityOf(actor, input.entityName), input.projectName)
    const collection =
      project && (await artifacts.findCollection(actor, project, input.artifactCollectionName))
    if (!collection) throw new GridError('not_found')
    return artifacts.changeCollection(actor, collection, change)
  }

  async function collectionOf(actor: Actor, given: string): Promise<StoredCollection> {
    const id = readId('ArtifactCollection', given)
    const found = id === undefined ? undefined : await artifacts.findCollectionById(actor, id)
    if (!found) throw new GridError('not_found', 'There is no such collection')
    return found
  }

  /** Names of the place that a link goes to. */
  async function targetOf(actor: Actor, input: LinkInput) {
    if (input.artifactPortfolioID) {
      const { teamSlug, projectName, name } = await collectionOf(actor, input.artifactPortfolioID)
      return { team: teamSlug, project: projectName, collection: name }
    }
    if (!input.artifactPortfolioName || !input.projectName)
      throw new GridError('invalid', 'Name the project and the collection to link to')
    return {
      team: entityOf(actor, input.entityName),
      project: input.projectName,
      collection: input.artifactPortfolioName,
    }
  }

  /** The version to link, by our id or by the client's own name for it. */
  async function linkedId(actor: Actor, { artifactID, clientID }: LinkInput): Promise<string> {
    if (artifactID) return knownId(artifactID)
    const found = clientID ? await artifacts.findByClientId(actor, clientID) : undefined
    if (!found?.artifact) throw new GridError('not_found', 'There is no artifact with this id')
    return found.artifact.id
  }
}

const namesOf = (tags: TagInput[]): string[] => tags.map(({ tagName }) => tagName)

function placeOf({ entityName, projectName, artifactCollectionName }: CollectionAliasInput): string {
  return [entityName, projectName, artifactCollectionName].join('\0').toLowerCase()
}

function isMeant(collection: StoredCollection, named: CollectionAliasInput): boolean {
  const same = (ours: string, given: string | undefined) =>
    given === undefined || ours.toLowerCase() === given.toLowerCase()
  return (
    collection.name === named.artifactCollectionName &&
    same(collection.projectName, named.projectName) &&
    same(collection.teamSlug, named.entityName)
  )
}

function elsewhere(collection: string): GridError {
  return new GridError('invalid', `The artifact is not in ${collection}, so it has no aliases there`)
}
