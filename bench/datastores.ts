/**
 * A datastore up and down again by the command line, beside `cp`, `rsync` and `rclone` (those that are installed) and
 * the floors of the same run: reading and hashing, writing and syncing.
 *
 *   node bench/datastores.ts            # one file of 1 GB, three rounds; docs/performance.md has 4 GB in one:
 *   BENCH_GIGABYTES=4 BENCH_ROUNDS=1 node bench/datastores.ts
 */
import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { httpSource, materialise } from '@teamgrid/agent'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootFolder } from '../tests/support/programs.ts'
import { benchServer, machine, median, rounded, team, timed } from './support/server.ts'

const gigabytes = Number(process.env['BENCH_GIGABYTES'] ?? 1)
const smallFiles = 10_000
const smallBytes = 40_000
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

const bench = await benchServer()
const folder = await mkdtemp(join(tmpdir(), 'teamgrid-bench-datastores-'))
const env = {
  ...process.env,
  GRID_URL: bench.server.url,
  GRID_API_KEY: bench.key,
  GRID_CONFIG_DIR: join(folder, 'config'),
  GRID_ENTITY: team,
}

async function grid(...argv: string[]): Promise<Record<string, number>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(rootFolder, 'cli/src/main.ts'), 'datastore', ...argv, '-o', 'json'],
    { env, maxBuffer: 64 * 1024 * 1024 },
  )
  const value = JSON.parse(stdout) as Record<string, number> | Record<string, number>[]
  return Array.isArray(value) ? value[0]! : value
}

/** Milliseconds, or null when the program is not installed. */
async function program(command: string, argv: string[]): Promise<number | null> {
  let isThere = true
  const elapsed = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(command, argv, { stdio: 'ignore' })
        child.once('error', () => {
          isThere = false
          resolve()
        })
        child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command}: ${code}`))))
      }),
  )
  return isThere ? elapsed : null
}

const sync = () => program('sync', ['-f', folder])
/** As a node makes the tree of the newest version, in a cache of its own. */
async function tree(name: string): Promise<number> {
  const { datastore, version } = await bench.grid.datastores.resolve({ ref: name, team })
  const cache = await target()
  const source = httpSource({
    url: bench.server.url,
    path: `/datastores/${datastore.id}/versions/${version.number}`,
    headers: { authorization: `Bearer ${bench.key}` },
  })
  const wanted = { source, cache, digest: version.digest, pin: 'bench' }
  const elapsed = await timed(() => materialise(wanted))
  again.push(await timed(() => materialise(wanted)))
  await promisify(execFile)('chmod', ['-R', 'u+w', cache])
  await rm(cache, { recursive: true })
  return elapsed
}
/** Milliseconds until a second job has a tree that is there. */
const again: number[] = []

const target = () => mkdtemp(join(folder, 'out-'))

/** The same source copied by others, each with what it takes until the bytes are on the disk. */
async function peers(source: string) {
  const copy = async (command: string, argvOf: (to: string) => string[]) => {
    const to = await target()
    const copied = await program(command, argvOf(to))
    const synced = await sync()
    await rm(to, { recursive: true })
    return copied === null ? null : copied + (synced ?? 0)
  }
  return {
    cp: await copy('cp', (to) => ['-r', source, to]),
    rsync: await copy('rsync', (to) => ['-a', source, to]),
    rclone: await copy('rclone', (to) => ['copy', source, to]),
  }
}

async function hashFile(path: string): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  hash.digest()
}

const block = randomBytes(1 << 20)
async function writeRandom(path: string, bytes: number, seed: number): Promise<void> {
  const file = await open(path, 'w')
  for (let at = 0; at < bytes; at += block.length) {
    block.writeUInt32LE(seed, 0)
    block.writeDoubleLE(at, 8)
    await file.write(block, 0, Math.min(block.length, bytes - at))
  }
  await file.close()
}

/** One large file. */
const largeFolder = join(folder, 'large')
const large = join(largeFolder, 'data.bin')
const largeBytes = gigabytes * 1_000_000_000
await mkdir(largeFolder)
const rate = (elapsed: number | null) => (elapsed === null ? null : Math.round(largeBytes / 1000 / elapsed))
const uploads: number[] = []
const downloads: number[] = []
const trees: number[] = []
const hashes: number[] = []
const writes: number[] = []
let largePeers
for (let round = 0; round < rounds; round += 1) {
  await writeRandom(large, largeBytes, round)
  await sync()
  hashes.push(await timed(() => hashFile(large)))
  const to = await target()
  const { cp } = { cp: (await program('cp', [large, to]))! + (await sync())! }
  writes.push(cp)
  await rm(to, { recursive: true })
  uploads.push(await timed(() => grid('create', largeFolder, '--name', 'large')))
  const down = await target()
  downloads.push(await timed(() => grid('download', 'large', down)))
  await rm(down, { recursive: true })
  trees.push(await tree('large'))
  largePeers = await peers(largeFolder)
}
await rm(large)

/** Many small files, then the same with one in a hundred changed. */
const small = join(folder, 'small')
const firsts: number[] = []
const seconds: number[] = []
const smallDowns: number[] = []
const smallTrees: number[] = []
let unchanged: Record<string, number> = {}
const unchangedTimes: number[] = []
let sentShare = 0
let smallPeers
for (let round = 0; round < rounds; round += 1) {
  await rm(small, { recursive: true, force: true })
  for (let each = 0; each < smallFiles; each += 1) {
    const place = join(small, String(each % 100))
    if (each < 100) await mkdir(place, { recursive: true })
    await writeFile(join(place, `${each}.bin`), randomBytes(smallBytes))
  }
  await sync()
  firsts.push(await timed(() => grid('create', small, '--name', 'small')))
  for (let each = 0; each < smallFiles; each += 100)
    await writeFile(join(small, String(each % 100), `${each}.bin`), randomBytes(smallBytes))
  let second: Record<string, number> = {}
  seconds.push(await timed(async () => (second = await grid('create', small, '--name', 'small'))))
  unchangedTimes.push(await timed(async () => (unchanged = await grid('create', small, '--name', 'small'))))
  sentShare = second['sent_bytes']! / (smallFiles * smallBytes)
  const down = await target()
  smallDowns.push(await timed(() => grid('download', 'small', down)))
  await rm(down, { recursive: true })
  smallTrees.push(await tree('small'))
  smallPeers = await peers(small)
}

const perSecond = (elapsed: number | null) =>
  elapsed === null ? null : Math.round((smallFiles / elapsed) * 1000)
const floor = median(hashes) + median(writes)
console.log(
  JSON.stringify(
    {
      ...machine(),
      large: {
        gigabytes,
        hashMegabytesPerSecond: rate(median(hashes)),
        cpAndSyncMegabytesPerSecond: rate(median(writes)),
        uploadMegabytesPerSecond: rate(median(uploads)),
        uploadShareOfHashingAndDisk: rounded((100 * floor) / median(uploads)) / 100,
        downloadMegabytesPerSecond: rate(median(downloads)),
        treeMegabytesPerSecond: rate(median(trees)),
        peersMegabytesPerSecond: {
          cp: rate(largePeers!.cp),
          rsync: rate(largePeers!.rsync),
          rclone: rate(largePeers!.rclone),
        },
      },
      small: {
        files: smallFiles,
        bytesEach: smallBytes,
        uploadFilesPerSecond: perSecond(median(firsts)),
        secondVersionMilliseconds: Math.round(median(seconds)),
        secondVersionShareOfBytes: Math.round(sentShare * 10_000) / 10_000,
        unchangedMilliseconds: Math.round(median(unchangedTimes)),
        unchangedSentFiles: unchanged['sent_files'],
        downloadFilesPerSecond: perSecond(median(smallDowns)),
        treeFilesPerSecond: perSecond(median(smallTrees)),
        treeAgainMilliseconds: Math.round(median(again)),
        peersFilesPerSecond: {
          cp: perSecond(smallPeers!.cp),
          rsync: perSecond(smallPeers!.rsync),
          rclone: perSecond(smallPeers!.rclone),
        },
      },
    },
    null,
    2,
  ),
)
await bench.server.stop()
await rm(folder, { recursive: true, force: true })
