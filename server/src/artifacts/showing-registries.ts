/** Registries as pages show them: shapes of the contract, found by the name that people use. */
import { GridError, type Registry, type RegistryDetails, type RegistryMemberInfo } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Permission } from './permission.ts'
import { type Registries, registryPrefix, type RegistryMember, type StoredRegistry } from './registries.ts'
import { refusalOf, shownCollection } from './showing.ts'
import * as registryStore from './registry-store.ts'
import * as collectionStore from './collection-store.ts'

type Settings = { description?: string; audience?: Registry['audience']; types?: string[] }

export function createShowingRegistries(
  { db }: Pick<ArtifactsDeps, 'db'>,
  { registryRoles }: Pick<Permission, 'registryRoles'>,
  registries: Registries,
) {
  async function listShownRegistries(
    actor: Actor,
  ): Promise<{ items: Registry[]; createRefusal: string | null }> {
    if (actor.kind !== 'operator' && actor.scope !== 'user')
      throw new GridError('forbidden', 'The key of a job reads its own experiment, and no registries.')
    const found = await registries.listRegistries(actor, { order: '+name' })
    return {
      items: await shown(actor, found),
      createRefusal: await refusalOf(async () => registries.proveMaker(actor)),
    }
  }

  async function shown(actor: Actor, found: StoredRegistry[]): Promise<Registry[]> {
    const ids = found.map(({ id }) => id)
    const [roles, collections, members] = await Promise.all([
      registryRoles(actor, ids),
      collectionStore.listCollections(db, ids, { kinds: ['portfolio'] }),
      registryStore.countMembers(db, ids),
    ])
    return found.map((registry) => ({
      id: registry.id,
      name: registry.name.slice(registryPrefix.length),
      team: registry.teamSlug,
      project: registry.name,
      description: registry.description,
      audience: registry.audience,
      types: registry.allTypes ? null : registry.types,
      collections: collections.filter(({ projectId }) => projectId === registry.id).length,
      members: members.get(registry.id) ?? 0,
      role: roles.get(registry.id) ?? null,
      createdAt: registry.createdAt.toISOString(),
      updatedAt: registry.updatedAt.toISOString(),
    }))
  }

  /** @throws GridError not_found, also for one that the actor may not see. */
  async function find(actor: Actor, name: string): Promise<StoredRegistry> {
    const full = name.toLowerCase().startsWith(registryPrefix) ? name : registryPrefix + name
    const found = await registries.findRegistry(actor, full)
    if (!found) throw new GridError('not_found', `There is no registry ${name}.`)
    return found
  }

  async function details(actor: Actor, registry: StoredRegistry): Promise<RegistryDetails> {
    const [summary] = await shown(actor, [registry])
    const collections = await collectionStore.listCollections(db, [registry.id], { kinds: ['portfolio'] })
    const counts = await collectionStore.countVersions(
      db,
      collections.map(({ id }) => id),
    )
    const members = await registries.listRegistryMembers(actor, registry)
    return {
      ...summary!,
      list: collections.map((collection) => shownCollection(collection, counts.get(collection.id))),
      memberList: members.map(shownMember),
      editRefusal: await refusalOf(() => registries.proveEditable(actor, registry)),
    }
  }

  async function showRegistry(actor: Actor, { registry }: { registry: string }): Promise<RegistryDetails> {
    return details(actor, await find(actor, registry))
  }

  async function makeRegistry(actor: Actor, { name, ...input }: Settings & { name: string }) {
    const made = await registries.createRegistry(actor, { ...input, name: registryPrefix + name })
    return details(actor, made)
  }

  async function editRegistry(actor: Actor, { registry, ...input }: Settings & { registry: string }) {
    const changed = await registries.changeRegistry(actor, await find(actor, registry), input)
    return details(actor, changed)
  }

  async function dropRegistry(actor: Actor, { registry }: { registry: string }): Promise<void> {
    await registries.deleteRegistry(actor, await find(actor, registry))
  }

  async function setShownMember(
    actor: Actor,
    input: { registry: string; kind: 'person' | 'team'; name: string; role: RegistryMember['role'] | null },
  ): Promise<RegistryDetails | null> {
    const registry = await find(actor, input.registry)
    const who =
      input.kind === 'team' ? { usernames: [], teams: [input.name] } : { usernames: [input.name], teams: [] }
    await registries.setRegistryMembers(actor, registry, who, input.role)
    // Who took themselves out of a restricted one sees it no more.
    return (await registries.findRegistryById(actor, registry.id)) ? details(actor, registry) : null
  }

  return { listShownRegistries, showRegistry, makeRegistry, editRegistry, dropRegistry, setShownMember }
}

function shownMember(member: RegistryMember): RegistryMemberInfo {
  const { role } = member
  return member.user === null
    ? { kind: 'team', name: member.team.slug, shown: member.team.name, role }
    : { kind: 'person', name: member.user.username, shown: member.user.name, role }
}
