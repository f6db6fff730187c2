/**
 * Tells the server what an attempt does: what it writes, by offset; that it lives; and how it ended. It only reads the
 * attempt's folder, so that it may die at any moment: the next one goes on where the server says that this one was.
 */
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { attemptFiles, readExitRecord, readProcessIdentity, startTicksIn } from './attempt-dir.ts'
import { pushArtifacts } from './artifacts.ts'
import { unpin } from './datastores/cache.ts'
import { createServer, Refused, type Server } from './http.ts'

const stepMs = 500
const beatEveryMs = 10_000
const artifactsEveryMs = 60_000
const idleMs = 5 * 60_000
const chunkMax = 1024 * 1024

type Offsets = Record<string, number>

/** Until the end of one attempt is told. */
export async function attend(folder: string): Promise<void> {
  while (!(await hasToken(folder))) {
    // It ended before it was anybody: there is nobody to speak for, and its backend sees the end.
    if (existsSync(join(folder, attemptFiles.exit)) || !existsSync(folder)) return
    await wait(stepMs)
  }
  const { url, token, attemptId } = await whereTo(folder)
  const server = createServer(async () => ({ url: (await addressBeside(folder)) ?? url, token }))
  const base = `/agent/v1/attempts/${attemptId}`
  const offsets: Offsets = {}
  let beatAt = 0
  let beatPhase = ''
  let artifactsAt = Date.now()
  let commands: string[] = []
  try {
    for (;;) {
      // Looked for before the streams are read: what was written before the end is then pushed before it is told.
      const exit = readExitRecord(await textOf(folder, attemptFiles.exit))
      const phase = exit ? 'syncing' : (await textOf(folder, attemptFiles.phase)).trim()
      // Its parent is gone without having written an end: there is no sign of life to give, and no end to tell.
      const isDead = exit === undefined && !(await isAlive(folder))
      if (!isDead && (phase !== beatPhase || Date.now() - beatAt >= beatEveryMs)) {
        beatAt = Date.now()
        beatPhase = phase
        const answer = (await server.ask('POST', `${base}/beat`, {
          json: { phase, node: hostname() },
        })) as { commands?: string[] }
        commands = answer.commands ?? []
      }
      for (const [stream, file] of [
        ['build', attemptFiles.build],
        ['output', attemptFiles.output],
      ] as const)
        await push(
          server,
          `${base}/streams/${stream}`,
          join(folder, file),
          stream,
          offsets,
          exit !== undefined,
        )
      if (isDead) {
        await pushArtifacts(server, base, folder, true)
        break
      }
      if (exit) {
        await pushArtifacts(server, base, folder, true)
        const failure = (await textOf(folder, attemptFiles.failure)).trim()
        await server.ask('POST', `${base}/exit`, {
          json: {
            code: exit.code,
            stopRequested: exit.stopRequested,
            at: exit.at.toISOString(),
            ...(failure ? { failure } : {}),
          },
        })
        break
      }
      if (Date.now() - artifactsAt >= artifactsEveryMs || commands.includes('sync-artifacts')) {
        artifactsAt = Date.now()
        commands = []
        await pushArtifacts(server, base, folder, false)
      }
      await wait(stepMs)
    }
  } catch (error) {
    // The server knows of an end already, or does not know the attempt: there is nothing left to say.
    if (!(error instanceof Refused)) throw error
  }
  await unpinTrees(folder)
  await writeFile(join(folder, attemptFiles.agentState), JSON.stringify({ done: true }))
}

/** What it mounted is no longer kept for it. */
async function unpinTrees(folder: string): Promise<void> {
  const cache = process.env['GRID_CACHE']
  const spec = JSON.parse((await textOf(folder, attemptFiles.spec)) || '{}') as {
    attemptId?: string
    datastores?: { digest: string }[]
  }
  if (cache === undefined || spec.attemptId === undefined) return
  for (const { digest } of spec.datastores ?? []) await unpin(cache, digest, spec.attemptId)
}

/** Whether `grid-exec` is there, or has not begun, or has just written its record. */
async function isAlive(folder: string): Promise<boolean> {
  const sup = readProcessIdentity(await textOf(folder, attemptFiles.supervisor))
  if (sup === undefined) return true
  const text = await readFile(`/proc/${sup.pid}/stat`, 'utf8').catch(() => '')
  const isSame = startTicksIn(text) === sup.startTicks
  return isSame || existsSync(join(folder, attemptFiles.exit))
}

async function hasToken(folder: string): Promise<boolean> {
  return (
    (await textOf(folder, attemptFiles.token)).trim() !== '' && existsSync(join(folder, attemptFiles.phase))
  )
}

async function whereTo(folder: string): Promise<{ url: string; token: string; attemptId: string }> {
  const [, url = ''] = (await textOf(folder, attemptFiles.boot)).split('\n')
  const { attemptId } = JSON.parse(await textOf(folder, attemptFiles.spec)) as { attemptId: string }
  return { url: url.trim(), token: (await textOf(folder, attemptFiles.token)).trim(), attemptId }
}

/** Where the server is now, if it keeps telling so beside the attempts' folders. */
async function addressBeside(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, '..', '.server'), 'utf8').catch(() => '')
  return text.trim() || undefined
}

async function textOf(folder: string, name: string): Promise<string> {
  return await readFile(join(folder, name), 'utf8').catch(() => '')
}

/** Everything beyond what the server has; it says where that is whenever we are wrong. */
async function push(
  server: Server,
  path: string,
  file: string,
  stream: string,
  offsets: Offsets,
  isLast: boolean,
): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined) return
  let from = offsets[stream]
  while (from === undefined || from < size || (isLast && from === size)) {
    const start = from ?? 0
    const chunk = await read(file, start, Math.min(chunkMax, size - start))
    const isEnd = isLast && start + chunk.length >= size
    try {
      const answer = (await server.ask('PUT', `${path}?offset=${start}${isEnd ? '&final=1' : ''}`, {
        bytes: () => new Uint8Array(chunk),
      })) as { next: number }
      from = answer.next
    } catch (error) {
      const next = error instanceof Refused && error.status === 409 ? nextIn(error.body) : undefined
      if (next === undefined) throw error
      from = next
      continue
    } finally {
      offsets[stream] = from ?? 0
    }
    if (isEnd || chunk.length === 0) break
  }
}

function nextIn(body: unknown): number | undefined {
  const { next } = (body ?? {}) as { next?: unknown }
  return typeof next === 'number' ? next : undefined
}

async function read(file: string, start: number, length: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** Every attempt below a folder, for as long as this machine is up. A second one for the same folder goes away. */
export async function serve(root: string): Promise<void> {
  if (!(await isAlone(root))) return
  const attended = new Map<string, Promise<void>>()
  let busyAt = Date.now()
  for (;;) {
    for (const name of await readdir(root).catch(() => [])) {
      const folder = join(root, name)
      if (name.startsWith('.') || attended.has(name)) continue
      if (!existsSync(join(folder, attemptFiles.boot)) || existsSync(join(folder, attemptFiles.agentState)))
        continue
      const work = attend(folder)
        .catch((error: unknown) => process.stderr.write(`agent: ${name}: ${String(error)}\n`))
        .then(() => void attended.delete(name))
      attended.set(name, work)
    }
    if (attended.size > 0) busyAt = Date.now()
    // The folder is gone, and with it the server that we work for; or there is nothing to do, and it will call again.
    if (!existsSync(root) || Date.now() - busyAt > idleMs) return
    await wait(stepMs)
  }
}

/** One process per folder: a folder of a name can be made once, and tells whose it is. */
async function isAlone(root: string): Promise<boolean> {
  const lock = join(root, '.agent')
  const me = `${process.pid} ${startTicksIn(await readFile('/proc/self/stat', 'utf8'))}`
  for (let round = 0; round < 5; round++) {
    try {
      await mkdir(lock)
      await writeFile(join(lock, 'pid.new'), me)
      await rename(join(lock, 'pid.new'), join(lock, 'pid'))
      return true
    } catch {
      const [pid = '', ticks] = (await textOf(lock, 'pid')).split(' ')
      const stat = await readFile(`/proc/${pid || 'none'}/stat`, 'utf8').catch(() => '')
      if (pid !== '' && startTicksIn(stat) === ticks) return false
      // Whoever made it may not have said its name yet.
      if (pid === '' && round < 3) await wait(200)
      else await rm(lock, { recursive: true, force: true })
    }
  }
  return false
}
