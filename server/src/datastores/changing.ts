import type { Datastore, DatastoreVisibility } from '@teamgrid/api'
import { GridError } from '@teamgrid/api'
import { pathOf, record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { DatastoresDeps } from './deps.ts'
import type { Reading } from './reading.ts'
import * as store from './store.ts'
import type { createUses } from './uses.ts'

export function createChanging(
  { db, access, events, deeds, clock }: DatastoresDeps,
  reading: Reading,
  uses: Pick<ReturnType<typeof createUses>, 'refuseWhileUsed'>,
) {
  async function change(
    actor: Actor,
    datastoreId: string,
    {
      description,
      visibility,
    }: { description?: string | undefined; visibility?: DatastoreVisibility | undefined },
  ): Promise<Datastore> {
    const datastore = await access.allowed(actor, 'datastore:edit', store.findDatastore(db, datastoreId))
    const changes = {
      ...(description === undefined ? {} : { description }),
      ...(visibility === undefined ? {} : { visibility }),
    }
    if (Object.keys(changes).length > 0) {
      await db.transaction().execute(async (trx) => {
        await store.changeDatastore(trx, datastore.id, changes)
        await record(trx, actor, 'datastore:edit', {
          teamId: datastore.teamId,
          kind: 'datastore',
          id: datastore.id,
          details: { name: datastore.name, ...(visibility === undefined ? {} : { visibility }) },
        })
      })
      publish(datastore)
    }
    return reading.get(actor, datastore.id)
  }

  /** Into the trash, where it keeps its bytes until it is purged. @throws GridError conflict while it is used */
  async function remove(actor: Actor, datastoreId: string, number: number): Promise<void> {
    const { datastore, version } = await deletable(actor, datastoreId, number)
    if (version.deletedAt) return
    await setDeleted(actor, datastore, version, 'datastore:delete')
  }

  async function restore(actor: Actor, datastoreId: string, number: number): Promise<void> {
    const { datastore, version } = await deletable(actor, datastoreId, number)
    if (!version.deletedAt) return
    await setDeleted(actor, datastore, version, 'datastore:restore')
  }

  async function deletable(actor: Actor, datastoreId: string, number: number) {
    const datastore = await access.allowed(actor, 'datastore:delete', store.findDatastore(db, datastoreId))
    const version = await store.findVersion(db, datastore.id, number)
    if (!version || version.purgedAt)
      throw new GridError('not_found', `${datastore.name} has no version ${number}`)
    return { datastore, version }
  }

  async function setDeleted(
    actor: Actor,
    datastore: store.StoredDatastore,
    version: store.StoredVersion,
    action: 'datastore:delete' | 'datastore:restore',
  ): Promise<void> {
    await db.transaction().execute(async (trx) => {
      if (action === 'datastore:delete') await uses.refuseWhileUsed(trx, actor, datastore, version)
      const deleted = action === 'datastore:delete' ? { at: clock.now(), by: actor.userId } : null
      await store.setDeleted(trx, version.id, deleted)
      await record(trx, actor, action, {
        teamId: datastore.teamId,
        kind: 'datastore',
        id: datastore.id,
        details: { name: datastore.name, version: version.number },
      })
      const isDeleted = action === 'datastore:delete'
      const title = `${actor.username} ${isDeleted ? 'deleted' : 'restored'} ${datastore.name}:${version.number}`
      const { teamId, ownerId, createdById, teamSlug, owner, name } = datastore
      await deeds.told(trx, actor, {
        teamId,
        ownerId,
        createdById: createdById ?? null,
        title,
        text: isDeleted
          ? `${title}, a version of your datastore. It is in the trash, from which it can be restored.`
          : `${title}, a version of your datastore, from the trash.`,
        link: pathOf(teamSlug, 'datastores', owner.username, name),
      })
    })
    deeds.committed()
    publish(datastore)
  }

  function publish({ teamId, id }: store.StoredDatastore): void {
    events.publish({ type: 'datastore.changed', teamId, datastoreId: id })
  }

  return { change, remove, restore }
}
