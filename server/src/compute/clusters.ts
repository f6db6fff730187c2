/** Where attempts may run: this machine, and what teams have registered. */
import { type Cluster, GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { Backend, InstanceType, Probe } from './backend.ts'
import type { ComputeDeps } from './service.ts'

/** The row that the migration makes. */
export const localClusterId = '00000000-0000-7000-8000-000000000001'
const probeMs = 60_000

export function createClusters({ db, access, teams, clock }: ComputeDeps) {
  const backends = new Map<string, Backend>()
  const probes = new Map<string, { at: number; probe: Promise<Probe> }>()
  let isOpen = true

  async function rowsFor(teamId: string) {
    return await db
      .selectFrom('clusters')
      .leftJoin('users', 'users.id', 'clusters.created_by')
      .leftJoin('teams', 'teams.id', 'clusters.team_id')
      .select([
        'clusters.id',
        'clusters.name',
        'clusters.kind',
        'clusters.created_at',
        'clusters.team_id',
        'teams.slug as team_slug',
        'users.username',
        'users.name as person',
      ])
      .where('clusters.deleted_at', 'is', null)
      .where((where) =>
        where.or([where('clusters.team_id', 'is', null), where('clusters.team_id', '=', teamId)]),
      )
      .orderBy('clusters.created_at')
      .execute()
  }

  async function list(actor: Actor, team: string): Promise<Cluster[]> {
    const { id } = await access.allowed(actor, 'cluster:read', teams.teamGuard(team))
    return await Promise.all(
      (await rowsFor(id)).map(async (row): Promise<Cluster> => {
        const probe = await probeOf(row.id)
        return {
          id: row.id,
          team: row.team_slug,
          name: row.name,
          kind: row.kind,
          status: probe === undefined ? 'disabled' : probe.ok ? 'running' : 'failed',
          reason: probe === undefined ? 'It is switched off on this server.' : (probe.reason ?? null),
          createdBy: row.username === null ? null : { username: row.username, name: row.person ?? '' },
          createdAt: row.created_at.toISOString(),
          machines: (probe?.inventory ?? []).map(machineOf),
        }
      }),
    )
  }

  /** @returns undefined for one that is switched off. */
  async function probeOf(id: string): Promise<Probe | undefined> {
    const backend = backends.get(id)
    if (!backend) return undefined
    const known = probes.get(id)
    const now = clock.now().getTime()
    if (known && now - known.at < probeMs) return await known.probe
    const probe = backend.probe().catch((error: unknown): Probe => ({
      ok: false,
      reason: error instanceof Error ? error.message : String(error),
      inventory: [],
    }))
    probes.set(id, { at: now, probe })
    return await probe
  }

  /**
   * The cluster of this name that a team may use.
   * @throws GridError not_found naming what there is; unavailable for one that is switched off; invalid for a machine
   *   that it does not have.
   */
  async function choose(
    teamId: string,
    name: string | null,
    machineName: string | null,
  ): Promise<{ id: string; name: string; machine: InstanceType | null }> {
    const rows = await rowsFor(teamId)
    const row = rows.find((each) => each.name.toLowerCase() === (name ?? 'local').toLowerCase())
    if (!row)
      throw new GridError('not_found', `Cluster with name ${name} not found`, {
        hint: `There are: ${rows.map((each) => each.name).join(', ')}`,
      })
    const probe = await probeOf(row.id)
    if (probe === undefined)
      throw new GridError('unavailable', `Cluster ${row.name} is switched off on this server`, {
        hint: 'Name another one with --cluster; "grid clusters" lists them.',
      })
    if (machineName === null) return { id: row.id, name: row.name, machine: null }
    const machine = probe.inventory.find((each) => each.name === machineName)
    if (!machine && probe.ok)
      throw new GridError('invalid', `Cluster ${row.name} has no machine called ${machineName}`, {
        hint: `It has: ${probe.inventory.map((each) => each.name).join(', ')}`,
      })
    return { id: row.id, name: row.name, machine: machine ?? null }
  }

  async function names(ids: readonly string[]): Promise<Map<string, string>> {
    if (ids.length === 0) return new Map()
    const rows = await db
      .selectFrom('clusters')
      .select(['id', 'name'])
      .where('id', 'in', [...ids])
      .execute()
    return new Map(rows.map((row) => [row.id, row.name]))
  }

  return {
    list,
    choose,
    names,
    probeOf,
    backendOf: (id: string) => (isOpen ? backends.get(id) : undefined),
    isOpen: () => isOpen && backends.size > 0,
    add: (id: string, backend: Backend) => void backends.set(id, backend),
    stop: () => void (isOpen = false),
    close: async () => {
      for (const backend of backends.values()) await backend.close()
    },
  }
}

function machineOf({ name, cpus, memMiB, gpus, gpuType, preemptible, available }: InstanceType) {
  return { name, cpus, memoryMiB: memMiB, gpus, gpuType: gpuType ?? null, preemptible, available }
}
