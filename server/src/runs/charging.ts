/** What attempts cost: they are metered from the moment they have their machine until they give it back. */
import type { Attempt } from '../compute/service.ts'
import { isFinal } from '../compute/service.ts'
import type { RunsDeps } from './service.ts'
import { type Db, runOfExperiment } from './store.ts'

export function createCharging({ db, compute, usage }: RunsDeps) {
  compute.onAttempt(async (trx, { attempt, from, to, at }) => {
    if (attempt.kind !== 'experiment' || from === to) return
    if (isFinal(to)) await usage.endStays(trx, [attempt.id], attempt.endedAt ?? at)
    // Noted again with each step of a stay: the same stay again is once.
    else if (attempt.startedAt !== null && to !== 'queued') await begin(trx, attempt, attempt.startedAt)
  })

  async function begin(trx: Db, attempt: Attempt, startedAt: Date): Promise<void> {
    const found = await runOfExperiment(trx, attempt.ownerId)
    const cluster = await trx
      .selectFrom('clusters')
      .select('name')
      .where('id', '=', attempt.clusterId)
      .executeTakeFirst()
    if (!found || !cluster) return
    const { resources, preemptible, label } = attempt.spec
    await usage.startStays(trx, [
      {
        attemptId: attempt.id,
        kind: 'experiment',
        teamId: attempt.teamId,
        userId: found.run.createdBy.id,
        projectId: found.run.projectId,
        subjectId: attempt.ownerId,
        subjectName: label,
        cluster: cluster.name,
        machine: machineOf(attempt.spec, cluster.name),
        isSpot: preemptible,
        cpus: resources.cpus,
        gpus: resources.gpus,
        startedAt,
      },
    ])
  }

  /** Charges what is open, and stops what nobody pays for any more. One step of a loop. */
  async function charge(): Promise<void> {
    for (const { kind, subjectId, reason } of await usage.tick())
      if (kind === 'experiment') await compute.requestStop(db, [subjectId], reason)
  }

  return { charge }
}

/** The name under which a machine stands in the rate card, also where none was asked for. */
export function machineOf(
  { instanceType, resources }: { instanceType: string | null; resources: { gpus: number } },
  cluster: string,
): string {
  return instanceType ?? `${cluster}.${resources.gpus > 0 ? `${resources.gpus}gpu` : 'cpu'}`
}
