/** What led to a version and what came of it: versions and experiments by turns, a few steps each way. */
import type { Lineage, LineageNode } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import type { StoredArtifact } from './artifact.ts'
import type { Reading } from './reading.ts'
import { experimentName } from './showing.ts'

/** Steps from the version in the middle, one way. */
const stepsMax = 6
const nodesMax = 150
/** Of one experiment: logging a table at every step makes thousands. */
const artifactsPerExperimentMax = 20

export function createLineage({ listMade, listUsed, producerOf, usersOf }: Reading) {
  /** Only what the actor may see; what is beyond that ends a line. */
  async function lineageOf(actor: Actor, artifact: StoredArtifact): Promise<Lineage> {
    const nodes = new Map<string, LineageNode>()
    const edges = new Map<string, { from: string; to: string }>()
    let isCut = false

    function add(node: LineageNode): boolean {
      if (nodes.has(node.id)) return false
      if (nodes.size >= nodesMax) {
        isCut = true
        return false
      }
      nodes.set(node.id, node)
      return true
    }
    function connect(from: string, to: string): void {
      if (nodes.has(from) && nodes.has(to)) edges.set(`${from} ${to}`, { from, to })
    }
    const page = { limit: artifactsPerExperimentMax }

    /** Backwards: who made it, and of what. */
    async function back(from: StoredArtifact, step: number): Promise<void> {
      const maker = await producerOf(actor, from)
      if (!maker) return
      const isNew = add(experimentNode(maker))
      connect(maker.id, from.id)
      if (!isNew || step >= stepsMax) return void (isCut ||= isNew)
      const { artifacts, total } = await listUsed(actor, maker, page)
      isCut ||= total > artifacts.length
      for (const used of artifacts) {
        const isFresh = add(artifactNode(used))
        connect(used.id, maker.id)
        if (isFresh) await back(used, step + 1)
      }
    }

    /** Forwards: who used it, and what they made. */
    async function on(from: StoredArtifact, step: number): Promise<void> {
      for (const user of await usersOf(actor, from)) {
        const isNew = add(experimentNode(user))
        connect(from.id, user.id)
        if (!isNew || step >= stepsMax) {
          isCut ||= isNew
          continue
        }
        const { artifacts, total } = await listMade(actor, user, page)
        isCut ||= total > artifacts.length
        for (const made of artifacts) {
          const isFresh = add(artifactNode(made))
          connect(user.id, made.id)
          if (isFresh) await on(made, step + 1)
        }
      }
    }

    add(artifactNode(artifact))
    await back(artifact, 1)
    await on(artifact, 1)
    return { nodes: [...nodes.values()], edges: [...edges.values()], isCut }
  }

  return { lineageOf }
}

function artifactNode({ id, label, collection, versionIndex }: StoredArtifact): LineageNode {
  return {
    kind: 'artifact',
    id,
    label,
    type: collection.type,
    team: collection.teamSlug,
    project: collection.projectName,
    collection: collection.name,
    version: `v${versionIndex}`,
  }
}

function experimentNode(experiment: StoredExperiment): LineageNode {
  return { kind: 'experiment', ...experimentName(experiment), label: experiment.name }
}
