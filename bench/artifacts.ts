/**
 * One large file through the real wandb client: saved as an artifact (from 2 GiB on the client sends parts), fetched
 * again and compared; how long it took and how much memory the server held.
 *
 *   node bench/artifacts.ts                       # 2.1 GiB into files
 *   BENCH_STORE=s3 node bench/artifacts.ts        # into S3, a SeaweedFS beside it; BENCH_GIBIBYTES, BENCH_CLIENT
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EnvironmentName, venv } from '../tests/support/python.ts'
import { startSeaweed } from '../tests/support/seaweed.ts'
import { run } from '../tests/support/programs.ts'
import { benchServer, machine, rounded, team, timed } from './support/server.ts'

const mebibyte = 1024 * 1024
const gibibytes = Number(process.env['BENCH_GIBIBYTES'] ?? 2.1)
const store = process.env['BENCH_STORE'] ?? 'files'
const client = (process.env['BENCH_CLIENT'] ?? 'wandb-latest') as EnvironmentName

const seaweed = store === 's3' ? await startSeaweed() : undefined
const s3 = seaweed && {
  S3_ENDPOINT: seaweed.config.endpoint!,
  S3_REGION: seaweed.config.region,
  S3_BUCKET: seaweed.config.bucket,
  S3_ACCESS_KEY_ID: seaweed.config.accessKeyId,
  S3_SECRET_ACCESS_KEY: seaweed.config.secretAccessKey,
  S3_FORCE_PATH_STYLE: 'true',
}
const bench = await benchServer(s3 ?? {})
const folder = await mkdtemp(join(tmpdir(), 'teamgrid-bench-artifacts-'))
const big = join(folder, 'big.bin')

async function fill(): Promise<void> {
  const file = await open(big, 'w')
  for (let at = 0; at < gibibytes * 1024; at += 16) await file.write(randomBytes(16 * mebibyte))
  await file.close()
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** The most memory the server has held, in MiB; the mark is set back by the system when asked. Linux alone. */
async function peakMebibytes(): Promise<number | null> {
  const text = await readFile(`/proc/${bench.server.pid}/status`, 'utf8').catch(() => '')
  const kibibytes = /VmHWM:\s+(\d+)/.exec(text)?.[1]
  return kibibytes === undefined ? null : Math.round(Number(kibibytes) / 1024)
}

async function script(code: string): Promise<string> {
  const {
    code: exit,
    stdout,
    stderr,
  } = await run(await venv(client), ['-c', code], {
    cwd: folder,
    secondsMax: 1200,
    env: {
      ...process.env,
      WANDB_BASE_URL: bench.server.url,
      WANDB_API_KEY: bench.key,
      WANDB_DIR: folder,
      WANDB_CACHE_DIR: join(folder, 'cache'),
      WANDB_DATA_DIR: join(folder, 'staging'),
      WANDB_CONFIG_DIR: join(folder, 'config'),
      WANDB_SILENT: 'true',
    },
  })
  if (exit !== 0) throw new Error(`${stdout}\n${stderr}\n${bench.server.output().slice(-4000)}`)
  return stdout
}

try {
  await fill()
  await mkdir(join(folder, 'out'))
  const before = await peakMebibytes()
  const up = await timed(() =>
    script(`
import wandb
with wandb.init(project="big", entity="${team}") as run:
    art = wandb.Artifact("big", "dataset")
    art.add_file("${big}", skip_cache=True, policy="immutable")
    run.log_artifact(art).wait()
`),
  )
  const after = await peakMebibytes()
  const down = await timed(() =>
    script(`
import wandb
wandb.Api().artifact("${team}/big/big:v0").download(root="out", skip_cache=True)
`),
  )
  const [name] = await readdir(join(folder, 'out'))
  const isSame = (await sha256(big)) === (await sha256(join(folder, 'out', name!)))
  console.log(
    JSON.stringify(
      {
        ...machine(),
        client,
        store,
        gibibytes,
        upSeconds: rounded(up / 1000),
        downSeconds: rounded(down / 1000),
        isSame,
        serverPeakMebibytes: { before, afterUpload: after, atTheEnd: await peakMebibytes() },
      },
      null,
      2,
    ),
  )
} finally {
  await bench.server.stop()
  await seaweed?.stop()
  await rm(folder, { recursive: true, force: true })
}
