/** What experiments made, deleted with them: every version, with its aliases and links. */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import type { StoredArtifact } from './artifact.ts'
import type { Deleting, DeletePreview } from './deleting.ts'
import type { ArtifactsDeps } from './deps.ts'
import * as store from './store.ts'

export type DeletingMade = ReturnType<typeof createDeletingMade>

const versionsAtOnceMax = 10_000

export function createDeletingMade(
  { db, access, experiments }: Pick<ArtifactsDeps, 'db' | 'access' | 'experiments'>,
  { deleteArtifact, previewDelete }: Deleting,
) {
  async function madeBy({ id, teamId, name }: StoredExperiment): Promise<StoredArtifact[]> {
    const page = { limit: versionsAtOnceMax }
    const { artifacts, total } = await store.listVersions(db, { producerId: id, teamIds: [teamId] }, page)
    if (total <= versionsAtOnceMax) return artifacts
    throw new GridError('too_large', `${name} made more than ${versionsAtOnceMax} versions.`, {
      hint: 'Delete their collections first.',
    })
  }

  /** What deleting all that these experiments made would take away and free, together. */
  async function previewDeleteMade(actor: Actor, experimentIds: string[]): Promise<DeletePreview> {
    const artifacts: StoredArtifact[] = []
    for (const id of new Set(experimentIds)) {
      const experiment = await access.allowed(actor, 'experiment:read', experiments.findById(actor, id))
      artifacts.push(...(await madeBy(experiment)))
    }
    const sum: DeletePreview = { versions: [], sizeBytes: 0, freedBytes: 0, freedFiles: 0, refusal: null }
    // Content is shared within a project and never beyond it.
    for (const group of Map.groupBy(artifacts, ({ collection }) => collection.projectId).values()) {
      const preview = await previewDelete(actor, { artifacts: group }, { withAliases: true })
      sum.versions.push(...preview.versions)
      sum.sizeBytes += preview.sizeBytes
      sum.freedBytes += preview.freedBytes
      sum.freedFiles += preview.freedFiles
      sum.refusal ??= preview.refusal
    }
    return sum
  }

  /**
   * Deletes every version that an experiment made, or, when one of them may not be deleted, none.
   * @returns how many.
   * @throws GridError forbidden, policy_denied, too_large
   */
  async function deleteMade(actor: Actor, experiment: StoredExperiment): Promise<number> {
    await access.allowed(actor, 'artifact:delete', experiment)
    const artifacts = await madeBy(experiment)
    for (const artifact of artifacts) await access.allowed(actor, 'artifact:delete', artifact)
    for (const { id } of artifacts) await deleteArtifact(actor, id, { withAliases: true })
    return artifacts.length
  }

  return { previewDeleteMade, deleteMade }
}
