/** What may change about a version once it is there: its aliases, tags, description, metadata, and who uses it. */
import { GridError } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { ExperimentRef } from '../experiments/types.ts'
import { checkAlias, checkTag, type StoredArtifact } from './artifact.ts'
import { checkDescription, checkMetadata, readTtl } from './creating.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { News } from './news.ts'
import type { Permission } from './permission.ts'
import * as collectionStore from './collection-store.ts'
import * as store from './store.ts'

/** Absent leaves alone. */
export type ArtifactChange = {
  description?: string
  metadata?: Record<string, unknown>
  /** −1: as the team says; zero and −2: kept for ever. */
  ttlSeconds?: number
  tagsToAdd?: string[]
  tagsToDelete?: string[]
  /** All it shall have; those of other versions are taken from them. */
  aliases?: string[]
}

export type Changing = ReturnType<typeof createChanging>

export function createChanging(deps: ArtifactsDeps, { visible }: Permission, news: News) {
  const { db, access, experiments, events, clock } = deps

  /** Gives a version aliases, taking them from other versions of its collection. */
  async function addAliases(actor: Actor, id: string, aliases: string[]): Promise<StoredArtifact> {
    const wanted = aliases.map(checkAlias)
    return await edit(actor, id, { aliases: wanted }, (trx, { collection }) =>
      collectionStore.giveAliases(trx, collection.id, id, wanted),
    )
  }

  /** Takes aliases from a version; those that it does not have are left alone. */
  async function deleteAliases(actor: Actor, id: string, aliases: string[]): Promise<StoredArtifact> {
    return await edit(actor, id, { withoutAliases: aliases }, (trx, { collection }) =>
      collectionStore.takeAliases(trx, collection.id, id, aliases),
    )
  }

  /** @throws GridError invalid for names that cannot be. */
  async function changeArtifact(actor: Actor, id: string, change: ArtifactChange): Promise<StoredArtifact> {
    const row = {
      ...(change.description === undefined ? {} : { description: checkDescription(change.description) }),
      ...(change.metadata === undefined ? {} : { metadata: checkMetadata(change.metadata) }),
      ...(change.ttlSeconds === undefined ? {} : { ttlSeconds: readTtl(change.ttlSeconds) }),
    }
    const added = (change.tagsToAdd ?? []).map(checkTag)
    const aliases = change.aliases?.map(checkAlias)
    return await edit(actor, id, { changed: Object.keys(change) }, async (trx, artifact) => {
      const kept = artifact.tags.filter((tag) => !change.tagsToDelete?.includes(tag))
      await store.changeArtifact(trx, id, { ...row, tags: [...new Set([...kept, ...added])] })
      if (aliases === undefined) return
      const dropped = artifact.aliases.filter((alias) => !aliases.includes(alias))
      await collectionStore.takeAliases(trx, artifact.collection.id, id, dropped)
      await collectionStore.giveAliases(trx, artifact.collection.id, id, aliases)
    })
  }

  async function edit(
    actor: Actor,
    id: string,
    details: object,
    write: (trx: store.Db, artifact: StoredArtifact) => Promise<void>,
  ): Promise<StoredArtifact> {
    const artifact = await access.allowed(actor, 'artifact:edit', visible(actor, id))
    const { projectId, teamId } = artifact.collection
    await db.transaction().execute(async (trx) => {
      await collectionStore.lockCollection(trx, artifact.collection, clock.now())
      // Read again under the lock: what two people change at once both stays.
      const before = (await store.findArtifact(trx, id))!
      await write(trx, before)
      await record(trx, actor, 'artifact:edit', { teamId, kind: 'artifact', id, details })
      await news.tellOfChange(trx, actor, before, (await store.findArtifact(trx, id))!)
    })
    news.committed()
    events.publish({ type: 'project.changed', teamId, projectId })
    return await visible(actor, id)
  }

  /** Notes that an experiment uses a version. Noting it twice is fine. */
  async function useArtifact(
    actor: Actor,
    input: { experiment: ExperimentRef; artifactId: string; usedAs: string | null },
  ): Promise<StoredArtifact> {
    const experiment = await access.allowed(
      actor,
      'experiment:log',
      experiments.find(actor, input.experiment),
    )
    const artifact = await visible(actor, input.artifactId)
    if (artifact.state !== 'committed') {
      throw new GridError('invalid', `${artifact.label} is not committed yet, so it cannot be used.`)
    }
    await store.insertUse(db, {
      experimentId: experiment.id,
      artifactId: artifact.id,
      usedAs: input.usedAs,
      now: clock.now(),
    })
    return artifact
  }

  return { addAliases, deleteAliases, changeArtifact, useArtifact }
}
