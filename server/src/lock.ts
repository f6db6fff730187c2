/**
 * One server per data directory. The lock is the kernel's own (`flock`), held by an open file, so it ends with the
 * process however that ends and is never stale; the file's text only says who holds it. Where there is no `flock`
 * program (macOS), the text itself is the lock: a process that is alive and is still the same one holds it.
 */
import { spawn } from 'node:child_process'
import { chmod, mkdir, open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { GridError } from '@teamgrid/api'
import { fileSentence } from './start-errors.ts'

export type DataDirLock = {
  /** Tells a second server where this one answers. */
  announce: (address: string) => Promise<void>
  release: () => Promise<void>
}

type Holder = {
  pid: number
  /** When the process started, in clock ticks since boot, so that a reused process id is not mistaken for it. */
  startTicks: string | null
  address: string | null
}

/** Something to write while looking whether there is room, larger than what a full disk still takes inline. */
const probeBytes = 64 * 1024

/**
 * Makes the data directory if needed and proves that it can be written.
 *
 * @throws GridError unavailable or storage_full, one sentence.
 */
export async function prepareDataDir(dataDir: string): Promise<void> {
  // From here on, whatever this process makes is closed to other users, also what the engines make below root's open
  // data directory. Workers (of tests) may not set it.
  if (isMainThread) process.umask(0o077)
  try {
    const made = await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const isNew = made !== undefined || (await readdir(dataDir)).length === 0
    // Others may not look inside; but when root starts us, Postgres runs as a system user that must pass through to its
    // own folder. A directory with something in it keeps its mode: it might be anything, even /tmp.
    if (isNew) await chmod(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700)
    const probe = join(dataDir, `.probe-${process.pid}`)
    try {
      const file = await open(probe, 'w', 0o600)
      try {
        // Random, as some file systems store zeros without needing room.
        await file.writeFile(randomBytes(probeBytes))
        await file.sync()
      } finally {
        await file.close()
      }
    } finally {
      await rm(probe, { force: true })
    }
  } catch (error) {
    throw fileSentence(error, dataDir)
  }
}

/**
 * Takes the data directory for this process.
 *
 * @param flock the program to use; tests name one that does not exist.
 * @throws GridError conflict, naming process and address of the server that has it.
 */
export async function lockDataDir(dataDir: string, flock = 'flock'): Promise<DataDirLock> {
  const path = join(dataDir, 'server.lock')
  const file = await open(path, 'a+', 0o600).catch((error: unknown) => {
    throw fileSentence(error, dataDir)
  })
  try {
    const taken = await takeKernelLock(file, flock)
    if (taken === 'held') throw refusal(dataDir, await readHolder(path))
    if (taken === 'unsupported') {
      const holder = await readHolder(path)
      if (holder && (await isStillRunning(holder))) throw refusal(dataDir, holder)
    }
    await writeHolder(file, null, dataDir)
  } catch (error) {
    await file.close()
    throw error
  }
  return {
    announce: (address) => writeHolder(file, address, dataDir),
    async release() {
      await file.truncate(0).catch(() => {})
      await file.close()
    },
  }
}

/**
 * Runs `flock` on our open file: a lock belongs to the open file and not to the process that asked, so it stays with
 * us when that program has ended. Source: flock(2), "Locks created by flock() are associated with an open file
 * description".
 */
function takeKernelLock(file: FileHandle, flock: string): Promise<'taken' | 'held' | 'unsupported'> {
  return new Promise((resolve) => {
    const child = spawn(flock, ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] })
    child.once('error', () => resolve('unsupported'))
    child.once('exit', (code) => resolve(code === 0 ? 'taken' : code === 1 ? 'held' : 'unsupported'))
  })
}

async function writeHolder(file: FileHandle, address: string | null, dataDir: string): Promise<void> {
  const holder: Holder = { pid: process.pid, startTicks: await startTicksOf(process.pid), address }
  try {
    await file.truncate(0)
    await file.write(`${JSON.stringify(holder)}\n`, 0)
  } catch (error) {
    throw fileSentence(error, dataDir)
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

async function isStillRunning(holder: Holder): Promise<boolean> {
  if (!Number.isInteger(holder.pid) || holder.pid <= 0 || holder.pid === process.pid) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await startTicksOf(holder.pid)) === holder.startTicks
}

/** @returns null where there is no /proc. Source: proc_pid_stat(5), field 22, counted after the name's parenthesis. */
async function startTicksOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

function refusal(dataDir: string, holder: Holder | undefined): GridError {
  const who = holder ? ` (process ${holder.pid}${holder.address ? `, ${holder.address}` : ''})` : ''
  return new GridError(
    'conflict',
    `Another Teamgrid server${who} already uses the data directory ${dataDir}.`,
    {
      hint: 'Use that server, stop it, or choose another directory with TEAMGRID_DATA.',
    },
  )
}
