/**
 * Registries: projects of the whole organisation that hold nothing but collections of links. Who is in one is told
 * for it alone (people or whole teams, each with a role), and being linked there shows a version to those who are.
 * The actions are those of the permission table, asked with the role in the registry.
 */
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { checkType, type Membership, type StoredCollection } from './artifact.ts'
import { checkDescription } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import { type Filter, type Order, readOrder } from './filters.ts'
import type { Permission } from './permission.ts'
import * as registryStore from './registry-store.ts'
import type { RegistryMember, RegistryRole, StoredRegistry } from './registry-store.ts'
import * as collectionStore from './collection-store.ts'
import * as linkStore from './link-store.ts'
import type * as store from './store.ts'

export type Registries = ReturnType<typeof createRegistries>
export type { RegistryMember, RegistryRole, StoredRegistry } from './registry-store.ts'

export const registryPrefix = 'wandb-registry-'
const registryName = /^wandb-registry-[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/
const typesMax = 100

export type RegistryChange = {
  description?: string
  audience?: StoredRegistry['audience']
  /** Only ever added to. */
  types?: string[]
  allTypes?: boolean
}

export function createRegistries(
  deps: ArtifactsDeps,
  { seen, registryRole, registryRoles }: Pick<Permission, 'seen' | 'registryRole' | 'registryRoles'>,
) {
  const { db, access, events, clock } = deps

  async function guardOf(actor: Actor, registry: StoredRegistry) {
    return {
      teamId: registry.teamId,
      ownerId: null,
      kind: 'registry',
      label: registry.name,
      registryRole: await registryRole(actor, registry.id),
    }
  }

  /** The registry, if the actor may do that in it; undefined when there is none. @throws GridError */
  async function proven(
    actor: Actor,
    action: 'project:read' | 'privacy:edit' | 'member:edit' | 'project:delete',
    found: StoredRegistry | undefined,
  ): Promise<StoredRegistry> {
    await access.allowed(actor, action, found && (await guardOf(actor, found)))
    return found!
  }

  /** Name of the organisation, and the slug under which its registries are addressed. Told to whoever is signed in. */
  async function findOrganisation(actor: Actor, name?: string) {
    if (actor.kind === 'anonymous') return undefined
    const found = await registryStore.findOrganisation(db)
    const isIt = name === undefined || [found.name, found.slug].some((each) => same(each, name))
    return isIt ? found : undefined
  }

  async function findRegistry(actor: Actor, name: string): Promise<StoredRegistry | undefined> {
    return seenRegistry(actor, await registryStore.findRegistry(db, name))
  }

  async function findRegistryById(actor: Actor, id: string): Promise<StoredRegistry | undefined> {
    return seenRegistry(actor, await registryStore.findRegistryById(db, id))
  }

  async function seenRegistry(actor: Actor, found: StoredRegistry | undefined) {
    if (found === undefined) return undefined
    return (await access.permits(actor, 'project:read', await guardOf(actor, found))) ? found : undefined
  }

  /** A registry as the project that it is: for callers that know teams and projects by name. */
  async function findRegistryProject(
    actor: Actor,
    team: string,
    name: string,
  ): Promise<StoredRegistry | undefined> {
    if (!name.toLowerCase().startsWith(registryPrefix)) return undefined
    const organisation = await registryStore.findOrganisation(db)
    return same(organisation.slug, team) ? findRegistry(actor, name) : undefined
  }

  /** Those that the actor may see, as `filter` and `order` choose. */
  async function listRegistries(
    actor: Actor,
    page: { filter?: Filter; order?: string | null } = {},
  ): Promise<StoredRegistry[]> {
    const all = await registryStore.listRegistries(db, {
      filter: page.filter,
      order: page.order ? readOrder(page.order) : undefined,
    })
    const roles = await registryRoles(
      actor,
      all.map(({ id }) => id),
    )
    const found: StoredRegistry[] = []
    for (const registry of all) {
      const guard = {
        teamId: registry.teamId,
        ownerId: null,
        kind: 'registry',
        label: registry.name,
        registryRole: roles.get(registry.id) ?? null,
      }
      if (await access.permits(actor, 'project:read', guard)) found.push(registry)
    }
    return found
  }

  /** Collections of the registries that a filter chooses. */
  async function listRegistryCollections(
    actor: Actor,
    page: { registries?: Filter; collections?: Filter; order?: Order; offset: number; limit: number },
  ): Promise<{ collections: StoredCollection[]; total: number }> {
    const ids = (await listRegistries(actor, { filter: page.registries })).map(({ id }) => id)
    const all = await collectionStore.listCollections(db, ids, {
      filter: page.collections,
      order: page.order,
      kinds: ['portfolio'],
    })
    return { collections: all.slice(page.offset, page.offset + page.limit), total: all.length }
  }

  /** Links in the registries and collections that filters choose. */
  async function listRegistryVersions(
    actor: Actor,
    page: {
      registries?: Filter
      collections?: Filter
      versions?: Filter
      order?: Order
      offset: number
      limit: number
    },
  ): Promise<{ memberships: Membership[]; total: number }> {
    const projectIds = (await listRegistries(actor, { filter: page.registries })).map(({ id }) => id)
    const { memberships, total } = await linkStore.listLinks(db, { projectIds }, page)
    const visible: Membership[] = []
    for (const each of memberships) if (await seen(actor, each.artifact)) visible.push(each)
    return { memberships: visible, total }
  }

  /**
   * Makes a registry; who makes it is its admin. Everybody who works in a team may.
   * @throws GridError conflict when there is one of that name; invalid, forbidden.
   */
  async function createRegistry(
    actor: Actor,
    input: { name: string } & RegistryChange,
  ): Promise<StoredRegistry> {
    proveMaker(actor)
    const name = checkRegistryName(input.name)
    const types = checkTypes(input.types)
    const organisation = await registryStore.findOrganisation(db)
    const id = newId()
    const createdBy = actor.attributedTo?.userId ?? actor.userId
    await db.transaction().execute(async (trx) => {
      const made = await registryStore.insertRegistry(trx, {
        id,
        teamId: organisation.id,
        name,
        description: input.description ? checkDescription(input.description) : '',
        audience: input.audience ?? 'organisation',
        types,
        allTypes: input.allTypes ?? types.length === 0,
        createdBy,
        now: clock.now(),
      })
      if (!made) throw new GridError('conflict', `There is a registry ${name} already.`)
      if (createdBy !== null) await registryStore.setMember(trx, id, { userId: createdBy }, 'admin')
      await noteActivity(trx, actor, 'project:create', organisation.id, id, { registry: name })
    })
    changed(organisation.id, id)
    return (await registryStore.findRegistryById(db, id))!
  }

  async function changeRegistry(
    actor: Actor,
    found: StoredRegistry | undefined,
    change: RegistryChange & { name?: string },
  ): Promise<StoredRegistry> {
    const registry = await proven(actor, 'privacy:edit', found)
    const name = change.name === undefined ? undefined : checkRegistryName(change.name)
    const added = checkTypes(change.types)
    await db.transaction().execute(async (trx) => {
      if (name !== undefined && !same(name, registry.name)) {
        if (await registryStore.findRegistry(trx, name))
          throw new GridError('conflict', `There is a registry ${name} already.`)
      }
      await registryStore.changeRegistry(
        trx,
        registry.id,
        {
          ...(name === undefined ? {} : { name }),
          ...(change.description === undefined ? {} : { description: checkDescription(change.description) }),
          ...(change.audience === undefined ? {} : { audience: change.audience }),
          ...(change.allTypes === undefined ? {} : { allTypes: change.allTypes }),
          ...(added.length === 0 ? {} : { types: [...new Set([...registry.types, ...added])] }),
        },
        clock.now(),
      )
      await noteActivity(trx, actor, 'project:edit', registry.teamId, registry.id, {
        registry: registry.name,
        changed: Object.keys(change),
      })
    })
    changed(registry.teamId, registry.id)
    return (await registryStore.findRegistryById(db, registry.id))!
  }

  /** With its collections of links; the versions themselves stay where they are. */
  async function deleteRegistry(actor: Actor, found: StoredRegistry | undefined): Promise<void> {
    const registry = await proven(actor, 'project:delete', found)
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom('projects').where('id', '=', registry.id).execute()
      await noteActivity(trx, actor, 'project:delete', registry.teamId, registry.id, {
        registry: registry.name,
      })
    })
    changed(registry.teamId, registry.id)
  }

  async function listRegistryMembers(actor: Actor, registry: StoredRegistry): Promise<RegistryMember[]> {
    await proven(actor, 'project:read', registry)
    return registryStore.listMembers(db, registry.id)
  }

  /** Gives people or whole teams a role, those that are in already too. Null takes them out. */
  async function setRegistryMembers(
    actor: Actor,
    found: StoredRegistry | undefined,
    members: { usernames: string[]; teams: string[] },
    role: RegistryRole | null,
  ): Promise<void> {
    const registry = await proven(actor, 'member:edit', found)
    const who = await registryStore.findMembers(db, members)
    if (who.length < members.usernames.length + members.teams.length) {
      throw new GridError('not_found', 'There is no such person or team.')
    }
    await db.transaction().execute(async (trx) => {
      for (const each of who) {
        if (role === null) await registryStore.removeMember(trx, registry.id, each)
        else await registryStore.setMember(trx, registry.id, each, role)
      }
      const all = await registryStore.listMembers(trx, registry.id)
      if (!all.some((member) => member.role === 'admin')) {
        throw new GridError('conflict', `${registry.name} would be without an admin.`, {
          hint: 'Make somebody else its admin first.',
        })
      }
      await noteActivity(trx, actor, 'member:edit', registry.teamId, registry.id, { ...members, role })
    })
    changed(registry.teamId, registry.id)
  }

  function noteActivity(
    trx: store.Db,
    actor: Actor,
    action: string,
    teamId: string,
    id: string,
    details: object,
  ): Promise<void> {
    return record(trx, actor, action, { teamId, kind: 'registry', id, details })
  }

  function changed(teamId: string, projectId: string): void {
    events.publish({ type: 'project.changed', teamId, projectId })
  }

  /** @throws GridError as changing it would. */
  async function proveEditable(actor: Actor, registry: StoredRegistry): Promise<void> {
    await proven(actor, 'privacy:edit', registry)
  }

  return {
    proveMaker,
    proveEditable,
    findOrganisation,
    findRegistry,
    findRegistryById,
    findRegistryProject,
    listRegistries,
    listRegistryCollections,
    listRegistryVersions,
    createRegistry,
    changeRegistry,
    deleteRegistry,
    listRegistryMembers,
    setRegistryMembers,
  }
}

/** Who works in a team may make registries: view-only members and strangers may not. */
function proveMaker(actor: Actor): void {
  const works = [...actor.memberships.values()].some(({ kind, role }) => kind === 'team' && role !== 'viewer')
  const isAdmin = actor.kind === 'operator' || actor.organisationRole === 'admin'
  if (actor.scope === 'user' && (works || isAdmin)) return
  if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
  throw new GridError('forbidden', 'Registries are made by people who are a member or an admin of a team.')
}

function checkRegistryName(name: string): string {
  if (registryName.test(name)) return name
  throw new GridError(
    'invalid',
    `A registry is called "${registryPrefix}" and 1 to 101 letters, digits, "-", "_" or "."; "${name.slice(0, 60)}" is not.`,
  )
}

function checkTypes(types: string[] | undefined): string[] {
  if ((types?.length ?? 0) > typesMax)
    throw new GridError('invalid', `A registry names at most ${typesMax} types.`)
  return [...new Set((types ?? []).map(checkType))]
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
