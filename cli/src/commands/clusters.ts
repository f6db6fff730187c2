import type { Command } from 'commander'
import type { Cluster } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { minute } from '../time.ts'

type Options = { team?: string; cluster?: string }

export function addClusters(program: Command, io: Io): void {
  program
    .command('clusters')
    .alias('cluster')
    .option('--team <team>', 'that this team may use')
    .description('Where runs may go.')
    .action(handle(io, listClusters))
  program
    .command('instance-types')
    .option('--team <team>', 'that this team may use')
    .option('--cluster <cluster>', 'only of this cluster')
    .description('Machines that a run may ask for.')
    .action(handle(io, listMachines))
}

async function clustersOf(context: Context, options: Options): Promise<Cluster[]> {
  const { client } = await context.connection()
  const team = options.team ?? context.io.env['GRID_ENTITY'] ?? (await context.me()).defaultTeam
  return await client.clusters.list({ team })
}

async function listClusters(context: Context, options: Options): Promise<void> {
  context.printRows({
    columns: [
      { title: 'id', cell: (row) => row.id },
      { title: 'name', cell: (row) => row.name },
      { title: 'type', cell: (row) => row.kind },
      { title: 'status', cell: (row) => row.status },
      { title: 'created', cell: (row) => minute(row.createdAt) },
    ],
    rows: await clustersOf(context, options),
    json: (row) => ({
      id: row.id,
      name: row.name,
      type: row.kind,
      status: row.status,
      created: row.createdAt,
      reason: row.reason,
      team: row.team,
    }),
  })
}

async function listMachines(context: Context, options: Options): Promise<void> {
  const clusters = (await clustersOf(context, options)).filter(
    (each) => options.cluster === undefined || each.name === options.cluster,
  )
  context.printRows({
    columns: [
      { title: 'Name', cell: (row) => row.name },
      { title: 'On-demand Cost', cell: () => '-' },
      { title: 'Spot Cost', cell: () => '-' },
      { title: 'CPU', cell: (row) => row.cpus },
      { title: 'GPU', cell: (row) => (row.gpus > 0 ? `${row.gpus} ${row.gpuType ?? ''}`.trim() : '0') },
      { title: 'Memory', cell: (row) => `${Math.round(row.memoryMiB / 1024)} GB` },
    ],
    rows: clusters.flatMap((cluster) =>
      cluster.machines.map((machine) => ({ ...machine, cluster: cluster.name })),
    ),
    json: (row) => ({
      name: row.name,
      on_demand_cost: null,
      spot_cost: null,
      cpu: row.cpus,
      gpu: row.gpus,
      gpu_type: row.gpuType,
      memory_mib: row.memoryMiB,
      cluster: row.cluster,
      available: row.available,
    }),
  })
}
