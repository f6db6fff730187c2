import { join } from 'node:path'
import { GridError } from '@teamgrid/api'
import { localClusterId } from './compute/clusters.ts'
import { openLocalMachine, probeIsolation } from './compute/local-machine.ts'
import type { Compute } from './compute/service.ts'
import { type Config, configHelp, readConfig } from './config.ts'
import { startDemo } from './demo/demo.ts'
import { ensureInstance } from './instance.ts'
import { systemClock } from './lib/clock.ts'
import { lockDataDir, prepareDataDir } from './lock.ts'
import { ensureOperatorToken } from './operator-token.ts'
import { listenSentence } from './start-errors.ts'
import { openBlobStore } from './stores/blob/open.ts'
import { createMetricStore } from './stores/clickhouse/metric-store.ts'
import { openClickHouse } from './stores/clickhouse/open.ts'
import { migrate } from './stores/postgres/migrate.ts'
import { openPostgres } from './stores/postgres/open.ts'
import type { Database } from './stores/postgres/schema.ts'
import { version } from './version.ts'
import { tickMs } from './usage/service.ts'
import { wire } from './wiring.ts'

/** How soon lines of the audit log get their place in the hash chain. */
const sealMs = 1000
/** How often abandoned artifacts, those whose time is over and stray files are cleared. */
const artifactSweepMs = 30_000
/** How often attempts are looked at. */
const computeStepMs = 1000
/** How often experiments without a sign of life are looked for. */
const crashSweepMs = 30_000
/** How often mail and alerts that wait for another try are looked for. */
const mailStepMs = 10_000
/** How often what no datastore holds any more is cleared away. */
const clearMs = 60 * 60 * 1000

/** How often a share of what datastores hold is read again; all of it in a year. */
const scrubMs = 60 * 60 * 1000
/** How often sources that wait to be fetched are looked for; those that are asked for begin at once. */
const importStepMs = 30_000

/** Opened things, closed in reverse when the server ends or a later step of the start fails. */
const closers: (() => Promise<unknown>)[] = []

async function start(): Promise<void> {
  if (process.argv.includes('--help')) return void process.stdout.write(configHelp)
  const config = readConfig(process.env, process.argv.slice(2))
  await prepareDataDir(config.dataDir)
  const lock = await lockDataDir(config.dataDir)
  closers.push(lock.release)

  const postgres = await openPostgres<Database>({
    databaseUrl: config.databaseUrl,
    dataDir: config.dataDir,
    log,
  })
  closers.push(postgres.close)
  await migrate(postgres.pool)
  const { db } = postgres

  const clickhouse = await openClickHouse({
    url: config.clickhouseUrl,
    path: join(config.dataDir, 'metrics'),
    warn: log.warn,
  })
  const metrics = createMetricStore(clickhouse)
  closers.push(() => metrics.close())

  const blobs = await openBlobStore(config)
  closers.push(() => blobs.close())

  const logError = (text: string, error: unknown) =>
    log.error(`${text}: ${error instanceof Error ? error.stack : String(error)}`)
  const { app, alerts, artifacts, compute, mailer, teams, experiments, sweeps, datastores, runs } =
    await wire(
      {
        db,
        metrics,
        blobs,
        ready: async () => {
          await postgres.ping()
          await clickhouse.client.query({ query: 'SELECT 1' })
        },
      },
      {
        secret: await ensureInstance(db),
        operatorToken: await ensureOperatorToken(config.dataDir),
        publicUrl: config.publicUrlIsSet ? config.publicUrl : null,
        sso: config.sso,
        trustedProxies: config.trustedProxies,
        mail: config.mail,
        privateWebhooks: config.privateWebhooks,
        privateSources: config.privateSources,
        scratch: join(config.dataDir, 'imports'),
        linkOrigin: config.publicUrl,
        clock: systemClock,
        log: logError,
      },
    )
  closers.push(() => mailer.close())
  closers.push(() => app.close())
  const address = await app.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw listenSentence(error, config)
  })
  const origin = config.publicUrlIsSet ? config.publicUrl : `http://localhost:${new URL(address).port}`
  await lock.announce(origin)
  /** Repeats some work, one at a time, until the server closes. */
  function every(milliseconds: number, work: () => Promise<unknown>, failure: string): void {
    let working: Promise<unknown> | undefined
    const timer = setInterval(() => {
      working ??= work()
        .catch((error: unknown) => logError(failure, error))
        .finally(() => (working = undefined))
    }, milliseconds)
    closers.push(async () => {
      clearInterval(timer)
      await working
    })
  }
  await openThisMachine(config, compute, address, logError)
  closers.push(() => compute.close())
  every(computeStepMs, () => compute.step(), 'Looking after attempts failed')
  every(crashSweepMs, () => experiments.sweepCrashed(), 'Looking for crashed experiments failed')
  every(crashSweepMs, () => sweeps.tendSweeps(), 'Tending sweeps failed')
  every(artifactSweepMs, () => artifacts.sweep(), 'Clearing artifacts failed')
  every(mailStepMs, async () => mailer.wake(), 'Sending mail failed')
  every(sealMs, () => teams.sealAudit(), 'Sealing the audit log failed')
  every(clearMs, () => datastores.clear(), 'Clearing away what no datastore holds failed')
  every(scrubMs, () => datastores.scrub(), 'Reading stored data again failed')
  every(importStepMs, () => datastores.stepImports(), 'Fetching datastores failed')
  closers.push(() => datastores.closeImports())
  every(tickMs, () => runs.charge(), 'Keeping the books of usage failed')
  every(mailStepMs, () => alerts.step(), 'Looking after alerts failed')
  closers.push(() => alerts.settled())

  const demo = config.demo ? await startDemo({ teams, experiments, origin, log: logError }) : undefined
  if (demo) closers.push(demo.stop)
  welcome(origin, await teams.newSetupToken(), demo)
}

/** The server's own machine as a cluster, where that is wanted and safe. */
async function openThisMachine(
  config: Config,
  compute: Compute,
  address: string,
  logError: (text: string, error: unknown) => void,
): Promise<void> {
  const wanted = config.local.isolation
  if (wanted === 'off') return
  const isolation = wanted === 'none' ? 'none' : await probeIsolation()
  if (isolation === null) {
    const why =
      'Runs cannot be kept apart from this server: bubblewrap (bwrap) is missing, or may not be used here.'
    if (wanted === 'bwrap')
      throw new GridError('unavailable', why, { hint: 'Install it, or set TEAMGRID_LOCAL to none or off.' })
    return log.info(`${why} This machine takes none; install it, or set TEAMGRID_LOCAL=none.`)
  }
  // Programs here reach us by the loopback address, whatever people call this server.
  const url = new URL(address)
  const host = url.hostname === '0.0.0.0' || url.hostname === '[::]' ? '127.0.0.1' : url.hostname
  const origin = `http://${host}:${url.port}`
  const { dataDir } = config
  compute.addBackend(localClusterId, await openLocalMachine({ dataDir, origin, isolation, log: logError }))
}

type Demo = Awaited<ReturnType<typeof startDemo>>

function welcome(origin: string, setupToken: string | undefined, demo: Demo | undefined): void {
  const lines = ['', `Teamgrid ${version} is ready at ${origin}`, '']
  if (setupToken) {
    lines.push(
      'Nobody is here yet. Open this link once, to become the admin of this organisation:',
      `  ${origin}/signup?token=${setupToken}`,
      '',
    )
  }
  if (demo) {
    lines.push(`The demonstration is team ${demo.team}; sign in as one of`)
    for (const { role, email, password } of demo.people)
      lines.push(`  ${role.padEnd(8)} ${email.padEnd(18)} ${password}`)
    lines.push('')
  }
  lines.push(
    'Point a training script at it:',
    `  export WANDB_BASE_URL=${origin}`,
    demo
      ? `  export WANDB_API_KEY=${demo.apiKey}`
      : `  export WANDB_API_KEY=…        # make one at ${origin}/authorize`,
    '  wandb login',
    '',
  )
  process.stdout.write(`${lines.join('\n')}\n`)
}

let closing: Promise<void> | undefined
function close(): Promise<void> {
  closing ??= (async () => {
    for (const closer of closers.reverse()) await closer().catch((error: unknown) => log.error(String(error)))
  })()
  return closing
}

const stamp = () => new Date().toISOString()
const log = {
  info: (text: string) => void process.stderr.write(`${stamp()} ${text}\n`),
  warn: (text: string) => void process.stderr.write(`${stamp()} warning: ${text}\n`),
  error: (text: string) => void process.stderr.write(`${stamp()} error: ${text}\n`),
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void close().then(() => process.exit(0))
  })
}
process.on('unhandledRejection', (error) =>
  log.error(`Unhandled: ${error instanceof Error ? error.stack : String(error)}`),
)

try {
  await start()
} catch (error) {
  if (error instanceof GridError) {
    process.stderr.write(
      `teamgrid: ${error.message}${error.details.hint ? `\n  ${error.details.hint}` : ''}\n`,
    )
  } else {
    process.stderr.write(`teamgrid: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
  await close()
  process.exit(1)
}
