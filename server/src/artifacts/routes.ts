import { os } from '../http/route.ts'
import type { Artifacts } from './service.ts'

const ok = { ok: true as const }

export function artifactRoutes(artifacts: Artifacts) {
  const on = os.artifacts
  return {
    collections: on.collections.handler(({ context, input }) =>
      artifacts.showCollections(context.actor, input),
    ),
    versions: on.versions.handler(({ context, input }) => artifacts.showVersions(context.actor, input)),
    get: on.get.handler(({ context, input }) => artifacts.showVersion(context.actor, input)),
    files: on.files.handler(({ context, input }) => artifacts.showFiles(context.actor, input)),
    lineage: on.lineage.handler(async ({ context, input }) => {
      const { artifact } = await artifacts.membershipOf(context.actor, input)
      return artifacts.lineageOf(context.actor, artifact)
    }),
    change: on.change.handler(({ context, input }) => artifacts.change(context.actor, input)),
    changeCollection: on.changeCollection.handler(({ context, input }) =>
      artifacts.changeNamedCollection(context.actor, input),
    ),
    previewDelete: on.previewDelete.handler(({ context, input }) =>
      artifacts.showDeletion(context.actor, input),
    ),
    delete: on.delete.handler(async ({ context, input }) => {
      await artifacts.remove(context.actor, input)
      return ok
    }),
    deleteCollection: on.deleteCollection.handler(async ({ context, input }) => {
      await artifacts.removeCollection(context.actor, input)
      return ok
    }),
    previewDeleteMade: on.previewDeleteMade.handler(({ context, input }) =>
      artifacts.showDeletionMade(context.actor, input),
    ),
    deleteMade: on.deleteMade.handler(({ context, input }) => artifacts.removeMade(context.actor, input)),
    teamTimeToLive: on.teamTimeToLive.handler(({ context, input }) =>
      artifacts.teamTimeToLive(context.actor, input),
    ),
    setTeamTimeToLive: on.setTeamTimeToLive.handler(({ context, input }) =>
      artifacts.setTeamTimeToLive(context.actor, input),
    ),
    ofExperiment: on.ofExperiment.handler(({ context, input }) =>
      artifacts.showOfExperiment(context.actor, input),
    ),
    reproduction: on.reproduction.handler(({ context, input }) =>
      artifacts.reproduction(context.actor, input),
    ),
  }
}

export function registryRoutes(artifacts: Artifacts) {
  const on = os.registries
  return {
    list: on.list.handler(({ context }) => artifacts.listShownRegistries(context.actor)),
    get: on.get.handler(({ context, input }) => artifacts.showRegistry(context.actor, input)),
    create: on.create.handler(({ context, input }) => artifacts.makeRegistry(context.actor, input)),
    change: on.change.handler(({ context, input }) => artifacts.editRegistry(context.actor, input)),
    delete: on.delete.handler(async ({ context, input }) => {
      await artifacts.dropRegistry(context.actor, input)
      return ok
    }),
    setMember: on.setMember.handler(({ context, input }) => artifacts.setShownMember(context.actor, input)),
  }
}
