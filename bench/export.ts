/**
 * How much memory taking a large team out, and putting it into another server, costs: the server's resident memory before
 * and at its highest, while gigabytes go through.
 *
 *   node bench/export.ts                # 2 GB; BENCH_GIGABYTES=8 for more
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootFolder } from '../tests/support/programs.ts'
import { type TestServer, startServer } from '../tests/support/server.ts'
import { begin, benchServer, machine, rounded, send, team } from './support/server.ts'

const gigabytes = Number(process.env['BENCH_GIGABYTES'] ?? 2)
const files = 4
const lines = 20_000

const folder = await mkdtemp(join(tmpdir(), 'teamgrid-bench-export-'))
const bench = await benchServer()
const env = {
  ...process.env,
  GRID_URL: bench.server.url,
  GRID_API_KEY: bench.key,
  GRID_CONFIG_DIR: join(folder, 'config'),
  GRID_ENTITY: team,
}
const cli = (entry: string, argv: string[], more: Record<string, string> = {}) =>
  promisify(execFile)(process.execPath, [join(rootFolder, entry), ...argv], {
    env: { ...env, ...more },
    maxBuffer: 64 * 1024 * 1024,
  })

/** In MB, of the server's process, as the kernel counts. */
async function resident({ pid }: TestServer): Promise<{ now: number; highest: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) / 1024
  return { now: Math.round(of('VmRSS')), highest: Math.round(of('VmHWM')) }
}

/** Does something to a server. @returns seconds, and its memory before and at its highest meanwhile. */
async function watched(server: TestServer, act: () => Promise<unknown>) {
  // Forgets the peak of what was done before. Source: proc(5), clear_refs.
  await writeFile(`/proc/${server.pid}/clear_refs`, '5')
  const before = await resident(server)
  const begunAt = performance.now()
  await act()
  const seconds = (performance.now() - begunAt) / 1000
  const { highest } = await resident(server)
  return { seconds: rounded(seconds), residentBeforeMb: before.now, residentHighestMb: highest }
}

const source = join(folder, 'data')
for (let number = 0; number < files; number += 1) {
  const path = join(folder, `file-${number}`)
  const file = await open(path, 'w')
  const block = randomBytes(8 * 1024 * 1024)
  for (let left = (gigabytes * 1e9) / files; left > 0; left -= block.length) {
    block.writeUInt32LE(left >>> 0)
    await file.write(block.subarray(0, Math.min(left, block.length)))
  }
  await file.close()
  await cli('cli/src/main.ts', ['datastore', 'create', path, '--name', `large-${number}`])
  await rm(path)
}
await begin(bench, 'one')
for (let from = 0; from < lines; from += 2000)
  await send(
    bench,
    'one',
    JSON.stringify({
      files: {
        'wandb-history.jsonl': {
          offset: from,
          content: Array.from(
            { length: 2000 },
            (_, line) =>
              `{"_step":${from + line},"_runtime":1,"_timestamp":1700000000,"loss":${Math.random()}}`,
          ),
        },
      },
    }),
  )

const exported = await watched(bench.server, () => cli('cli/src/main.ts', ['export', team, '--into', source]))
const target = await startServer()
const imported = await watched(target, () =>
  cli('cli/src/admin/main.ts', ['import', source], { TEAMGRID_DATA: target.dataDir }),
)
process.stdout.write(
  `${JSON.stringify({ machine: machine(), gigabytes, lines, exported, imported }, null, 2)}\n`,
)
await bench.server.stop()
await target.stop()
await rm(folder, { recursive: true, force: true })
