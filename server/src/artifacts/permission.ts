/** Who may see and write which version. Every use case of this slice passes through here. */
import { GridError } from '@teamgrid/api'
import type { Actor, Guarded } from '../actor.ts'
import type { StoredArtifact, StoredCollection } from './artifact.ts'
import type { ArtifactsDeps } from './deps.ts'
import * as registries from './registry-store.ts'
import * as linkStore from './link-store.ts'
import * as store from './store.ts'

export type Permission = ReturnType<typeof createPermission>

export function createPermission({ db, access }: Pick<ArtifactsDeps, 'db' | 'access'>) {
  /** A version that the actor may know about, else undefined. */
  async function seen(
    actor: Actor,
    artifact: StoredArtifact | undefined,
  ): Promise<StoredArtifact | undefined> {
    if (artifact === undefined || artifact.state === 'deleted') return undefined
    if (await access.permits(actor, 'artifact:read', artifact)) return artifact
    // The key of a job reaches nothing but its own experiment, and so what that makes.
    const isItsJob = actor.scope.startsWith('experiment:')
    if (isItsJob) return (await access.permits(actor, 'artifact:create', artifact)) ? artifact : undefined
    return (await registryWith(actor, artifact)) ? artifact : undefined
  }

  /** @throws GridError not_found, for what the actor may not know about as well. */
  async function visible(actor: Actor, id: string): Promise<StoredArtifact> {
    const artifact = await seen(actor, await store.findArtifact(db, id))
    if (artifact === undefined) throw new GridError('not_found')
    return artifact
  }

  /**
   * A version that the actor may still put content into: its maker or an admin; of one that several writers make
   * together, everybody who may make artifacts there.
   * @throws GridError not_found, forbidden
   */
  async function writable(actor: Actor, id: string): Promise<StoredArtifact> {
    const found = await store.findArtifact(db, id)
    const artifact = await access.allowed(
      actor,
      'artifact:create',
      found === undefined || found.state === 'deleted' ? undefined : found,
    )
    if (artifact.distributedId === null) await access.allowed(actor, 'experiment:log', artifact)
    return artifact
  }

  /**
   * Proves a download.
   * @returns the team whose member a link shall be good for: where the version was read through a registry, the
   *   organisation.
   * @throws GridError not_found, policy_denied
   */
  async function downloadable(actor: Actor, artifact: StoredArtifact): Promise<string> {
    if (await access.permits(actor, 'artifact:download', artifact)) return artifact.teamId
    const registry = await registryWith(actor, artifact)
    if (registry) {
      await access.allowed(actor, 'artifact:download', registry)
      return registry.teamId
    }
    await access.allowed(actor, 'artifact:download', artifact)
    return artifact.teamId
  }

  /** A registry that the actor may read and that links to the version: being linked there shows it. */
  async function registryWith(actor: Actor, artifact: StoredArtifact): Promise<Guarded | undefined> {
    if (artifact.linkCount === 0 || artifact.state !== 'committed' || actor.scope !== 'user') return undefined
    for (const { collection } of (await linkStore.listMemberships(db, artifact)).slice(1)) {
      if (!collection.inRegistry) continue
      const guard = await guardOf(actor, collection)
      if (await access.permits(actor, 'artifact:read', guard)) return guard
    }
    return undefined
  }

  /** What permission asks about a collection; roles in a registry are given for it alone. */
  async function guardOf(actor: Actor, collection: StoredCollection): Promise<Guarded> {
    const { teamId, visibility, keptById, name } = collection
    const guard = { teamId, ownerId: null, visibility, keptById, kind: 'artifact', label: name }
    if (!collection.inRegistry) return guard
    return { ...guard, registryRole: await registryRole(actor, collection.projectId) }
  }

  async function registryRole(actor: Actor, projectId: string): Promise<registries.RegistryRole | null> {
    return (await registryRoles(actor, [projectId])).get(projectId) ?? null
  }

  /** What the actor is in each of these registries. */
  async function registryRoles(actor: Actor, projectIds: string[]) {
    if (actor.scope !== 'user') return new Map<string, registries.RegistryRole>()
    const who = { userId: actor.userId, teamIds: [...actor.memberships.keys()] }
    return await registries.rolesIn(db, who, projectIds)
  }

  return { seen, visible, writable, downloadable, guardOf, registryRole, registryRoles }
}
