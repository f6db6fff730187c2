/** What this machine has to share out, and its processes as `/proc` tells of them. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { startTicksIn } from '@teamgrid/agent'

const run = promisify(execFile)
const mebibyte = 1024 * 1024
/** The server and the system keep this share of the memory. */
const ownShare = 0.1

export type Slots = { cpus: number; memMiB: number; gpus: Gpu[] }
export type Gpu = { uuid: string; name: string }

/** @throws never: what cannot be found out is not there. */
export async function detectSlots(): Promise<Slots> {
  return {
    cpus: availableParallelism(),
    memMiB: Math.floor((totalmem() / mebibyte) * (1 - ownShare)),
    gpus: await detectGpus(),
  }
}

async function detectGpus(): Promise<Gpu[]> {
  try {
    const { stdout } = await run('nvidia-smi', ['--query-gpu=uuid,name', '--format=csv,noheader'], {
      timeout: 5000,
    })
    return stdout
      .split('\n')
      .map((line) => line.split(',').map((part) => part.trim()))
      .flatMap(([uuid, name]) => (uuid?.startsWith('GPU-') ? [{ uuid, name: name ?? '' }] : []))
  } catch {
    return []
  }
}

export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** @returns when it started, in ticks since this boot; undefined when there is no such process (any more). */
export async function startTicks(pid: number): Promise<string | undefined> {
  try {
    return startTicksIn(await readFile(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

/** @param pid of a process, or minus the number of a group. @returns whether somebody was there to hear it. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}

/** Processes that carry this setting in their environment: the ones that left their group are found by it. */
export async function processesWith(setting: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const environment = await readFile(`/proc/${name}/environ`, 'latin1')
      if (environment.split('\0').includes(setting)) found.push(Number(name))
    } catch {
      // It has ended, or is somebody else's.
    }
  }
  return found
}

/** Resident memory of every process of some sessions, in MiB, by session. One walk through `/proc` for all. */
export async function memoryBySession(sessions: ReadonlySet<number>): Promise<Map<number, number>> {
  const used = new Map<number, number>()
  if (sessions.size === 0) return used
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = await readFile(`/proc/${name}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const session = Number(fields[3])
      // Field 24 of proc(5): pages in memory.
      if (sessions.has(session))
        used.set(session, (used.get(session) ?? 0) + (Number(fields[21]) * 4096) / mebibyte)
    } catch {
      // It has ended.
    }
  }
  return used
}
