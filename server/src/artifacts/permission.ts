/** Who may see and write which version. Every use case of this slice passes through here. */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { StoredArtifact } from './artifact.ts'
import type { ArtifactsDeps } from './deps.ts'
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
    return isItsJob && (await access.permits(actor, 'artifact:create', artifact)) ? artifact : undefined
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

  return { seen, visible, writable }
}
