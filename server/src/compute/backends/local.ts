/**
 * This machine as a backend. The truth is in the attempts' folders and in `/proc`: opened again after any death, it reads
 * them and goes on. The queue is ours, first come, first served, nothing overbooked.
 */
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attemptFiles, readExitRecord, readProcessIdentity } from '@teamgrid/agent'
import { attemptFilesOf, type Delivery } from '../attempt-files.ts'
import type { AttemptSpec, Backend, Exit, Observation, Ref, Submission } from '../backend.ts'
import {
  bootId,
  detectSlots,
  memoryBySession,
  processesWith,
  signal,
  type Slots,
  startTicks,
} from './machine.ts'

const stepMs = 250
/** How often the memory of what runs is added up: a walk through all processes. */
const memoryEveryMs = 2000
const exitStates = new Set(['exited', 'lost'])

export type LocalBackendOptions = {
  id?: string
  /** Where the attempts' folders are; nobody else writes here. */
  root: string
  /** The path of `grid-exec`. */
  gridExec: string
  delivery: Delivery
  /** What this machine's agent has to know. */
  nodeEnv?: Record<string, string>
  /** Absent: what the machine has. */
  slots?: Slots
  log: (text: string, error: unknown) => void
}

type Taken = { cpus: number; memMiB: number; gpus: string[] }

/** What we know of a folder; everything in it can be read again. */
type Held = {
  ref: Ref
  spec: AttemptSpec
  order: number
  seen: 'queued' | 'starting' | 'running' | 'stopping' | 'exited' | 'lost'
  taken: Taken | null
  sup?: number
  child?: number
  exit?: Exit
  startedAt?: Date
  reason?: string
}

/** Opens the attempts of a folder: what ran when the last server died is found again. */
export async function openLocalBackend(options: LocalBackendOptions): Promise<Backend> {
  const { root, gridExec, delivery, log, id = 'local' } = options
  await mkdir(root, { recursive: true, mode: 0o700 })
  const slots = options.slots ?? (await detectSlots())
  const boot = await bootId()
  const held = new Map<Ref, Held>()
  const listeners = new Set<(ref: Ref) => void>()
  let order = 0
  let memoryAt = 0
  const folder = (ref: Ref) => join(root, ref)
  const note = (ref: Ref, name: string) => readFile(join(folder(ref), name), 'utf8').catch(() => '')
  const isNoted = (ref: Ref, name: string) =>
    stat(join(folder(ref), name)).then(
      () => true,
      () => false,
    )

  async function write(ref: Ref, name: string, text: string, mode = 0o600): Promise<void> {
    const path = join(folder(ref), name)
    await writeFile(`${path}.new`, text, { mode })
    await rename(`${path}.new`, path)
  }

  /** One thing at a time: every look and every change of what is held goes through here. */
  let turn: Promise<unknown> = Promise.resolve()
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = turn.then(work)
    turn = next.catch(() => undefined)
    return next
  }

  async function adopt(): Promise<void> {
    for (const ref of await readdir(root)) {
      if (ref.startsWith('.')) continue
      const text = await note(ref, attemptFiles.spec)
      const queued = await note(ref, 'queued')
      // Without its number in the queue it was not submitted to the end, and will be again.
      if (text === '' || queued === '') continue
      const spec = JSON.parse(text) as AttemptSpec
      const taken = await note(ref, 'slots')
      order = Math.max(order, Number(queued) + 1)
      held.set(ref, {
        ref,
        spec,
        order: Number(queued),
        seen: taken === '' ? 'queued' : 'starting',
        taken: taken === '' ? null : (JSON.parse(taken) as Taken),
      })
    }
    for (const each of held.values()) if (each.seen === 'starting') await look(each, true)
  }

  /** Reads where a started attempt stands. */
  async function look(each: Held, isAdopted = false): Promise<void> {
    const { ref } = each
    if (exitStates.has(each.seen) || each.seen === 'queued') return
    const record = readExitRecord(await note(ref, attemptFiles.exit))
    if (record) return await ended(each, await exitOf(ref, record.code, record.stopRequested, record.at))
    const sup = readProcessIdentity(await note(ref, attemptFiles.supervisor))
    if (sup === undefined) {
      // Between its start and its first line; nobody but us starts it, so an adopted one without a process never began.
      if (isAdopted && (await processesWith(`GRID_EXEC_REF=${ref}`)).length === 0) await vanished(each)
      return
    }
    each.sup = sup.pid
    const child = /^(\d+) \d+/.exec(await note(ref, attemptFiles.child))?.[1]
    if (child !== undefined) each.child = Number(child)
    if (sup.bootId !== boot || (await startTicks(sup.pid)) !== sup.startTicks) {
      // It may have written its record after we looked for it.
      const late = readExitRecord(await note(ref, attemptFiles.exit))
      return late
        ? await ended(each, await exitOf(ref, late.code, late.stopRequested, late.at))
        : await vanished(each)
    }
    each.startedAt ??= (await stat(join(folder(ref), attemptFiles.supervisor))).mtime
    each.seen = (await isNoted(ref, 'stopping')) ? 'stopping' : 'running'
  }

  /** What preparing said when it gave up, in a sentence for people. */
  async function failureOf(each: Held): Promise<void> {
    const failure = (await note(each.ref, attemptFiles.failure)).trim()
    if (failure) each.reason = failure
  }

  async function exitOf(ref: Ref, code: number, stopRequested: boolean, at?: Date): Promise<Exit> {
    const cause = (await isNoted(ref, 'oom'))
      ? 'oom'
      : (await isNoted(ref, 'timeout'))
        ? 'timeout'
        : stopRequested || (await isNoted(ref, 'stopping'))
          ? 'cancel'
          : 'exit'
    return { code, cause, ...(at ? { at } : {}) }
  }

  /** Its slots are free only when every process of it is gone, also those that left its group. */
  async function ended(each: Held, exit: Exit): Promise<void> {
    if (each.child !== undefined) signal(-each.child, 'SIGKILL')
    for (const pid of await processesWith(`GRID_EXEC_REF=${each.ref}`)) signal(pid, 'SIGKILL')
    await failureOf(each)
    each.exit = exit
    each.seen = 'exited'
    each.taken = null
    for (const listener of listeners) listener(each.ref)
  }

  async function vanished(each: Held): Promise<void> {
    const child = Number(/^(\d+) /.exec(await note(each.ref, attemptFiles.child))?.[1] ?? 0)
    for (const pid of await processesWith(`GRID_EXEC_REF=${each.ref}`)) signal(pid, 'SIGKILL')
    if (child > 0) each.child = child
    each.seen = 'lost'
    each.taken = null
    each.reason =
      'Its process was gone without a word: this machine was restarted, or it was ended from outside.'
    for (const listener of listeners) listener(each.ref)
  }

  function free(): { cpus: number; memMiB: number; gpus: string[] } {
    const left = { cpus: slots.cpus, memMiB: slots.memMiB, gpus: slots.gpus.map((gpu) => gpu.uuid) }
    for (const { taken } of held.values()) {
      if (taken === null) continue
      left.cpus -= taken.cpus
      left.memMiB -= taken.memMiB
      left.gpus = left.gpus.filter((gpu) => !taken.gpus.includes(gpu))
    }
    return left
  }

  const wanted = ({ resources }: AttemptSpec) => ({
    cpus: resources.cpus || slots.cpus,
    memMiB: resources.memMiB || Math.floor((slots.memMiB * (resources.cpus || slots.cpus)) / slots.cpus),
    gpus: resources.gpus,
  })

  async function schedule(): Promise<void> {
    const waiting = [...held.values()].filter(({ seen }) => seen === 'queued')
    for (const each of waiting.toSorted((a, b) => a.order - b.order)) {
      const left = free()
      const need = wanted(each.spec)
      const short = [
        need.cpus > left.cpus
          ? `${need.cpus} processor${need.cpus === 1 ? '' : 's'} (${left.cpus} free)`
          : '',
        need.memMiB > left.memMiB ? `${need.memMiB} MiB of memory (${left.memMiB} free)` : '',
        need.gpus > left.gpus.length ? `${need.gpus} GPUs (${left.gpus.length} free)` : '',
      ].filter(Boolean)
      // First come, first served: a small one does not overtake, or a large one might wait for ever.
      if (short.length > 0) {
        each.reason = `Waits for ${short.join(' and ')} on this machine.`
        for (const later of waiting)
          if (later.order > each.order) later.reason = 'Waits behind others on this machine.'
        return
      }
      await start(each, { ...need, gpus: left.gpus.slice(0, need.gpus) })
    }
  }

  async function start(each: Held, taken: Taken): Promise<void> {
    const { ref, spec } = each
    each.taken = taken
    each.seen = 'starting'
    delete each.reason
    // Written before the start: what has slots is never started again by a server that comes after us.
    await write(ref, 'slots', JSON.stringify(taken))
    const gpus = taken.gpus.join(',')
    const child = spawn('sh', [gridExec, folder(ref)], {
      detached: true,
      stdio: 'ignore',
      cwd: folder(ref),
      // Nothing of our own environment: it may hold passwords.
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: process.env['HOME'] ?? '/',
        LANG: process.env['LANG'] ?? 'C.UTF-8',
        GRID_GRACE: String(spec.graceSec),
        GRID_EXEC_REF: ref,
        CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
        CUDA_VISIBLE_DEVICES: gpus,
        NVIDIA_VISIBLE_DEVICES: gpus || 'none',
        OMP_NUM_THREADS: String(taken.cpus),
        MKL_NUM_THREADS: String(taken.cpus),
        ...options.nodeEnv,
      },
    })
    child.on('error', (error) => {
      log(`Starting attempt ${ref} failed`, error)
      void inTurn(() => vanished(each))
    })
    child.on('exit', () => void inTurn(() => step()))
    child.unref()
  }

  async function submitOne({ spec, bootToken }: Submission): Promise<{ ref: Ref } | { rejected: string }> {
    const ref = spec.attemptId
    if (held.has(ref)) return { ref }
    const { cpus, memMiB, gpus } = wanted(spec)
    const tooMuch =
      (cpus > slots.cpus && `${cpus} processors were asked for; this machine shares out ${slots.cpus}.`) ||
      (memMiB > slots.memMiB &&
        `${memMiB} MiB of memory were asked for; this machine shares out ${slots.memMiB}.`) ||
      (gpus > slots.gpus.length && `${gpus} GPUs were asked for; this machine has ${slots.gpus.length}.`)
    if (tooMuch) return { rejected: tooMuch }
    if (spec.image !== null) return { rejected: 'This machine runs no container images.' }
    await mkdir(join(folder(ref), attemptFiles.work), { recursive: true, mode: 0o700 })
    for (const { path, text, mode } of attemptFilesOf({ spec, bootToken }, delivery))
      await write(ref, path, text, mode)
    const each: Held = { ref, spec, order: order++, seen: 'queued', taken: null }
    await write(ref, 'queued', String(each.order))
    held.set(ref, each)
    return { ref }
  }

  async function stopOne(ref: Ref, graceSec: number): Promise<void> {
    const each = held.get(ref)
    if (!each || exitStates.has(each.seen)) return
    if (each.seen === 'queued') {
      await write(ref, attemptFiles.exit, `143 1 ${Math.floor(Date.now() / 1000)}\n`)
      await write(ref, 'slots', JSON.stringify({ cpus: 0, memMiB: 0, gpus: [] }))
      each.exit = { cause: 'cancel' }
      each.seen = 'exited'
      return
    }
    // Once: two in a row can hide the program's own code.
    if (await isNoted(ref, 'stopping')) return
    await write(ref, 'grace', String(Math.max(1, Math.round(graceSec))))
    await write(ref, 'stopping', '')
    each.seen = 'stopping'
    await terminate(each)
  }

  /** TERM to `grid-exec`, as soon as it is there to hear it. @returns whether it was sent. */
  async function terminate(each: Held): Promise<boolean> {
    const sup = readProcessIdentity(await note(each.ref, attemptFiles.supervisor))
    if (!sup || sup.bootId !== boot || (await startTicks(sup.pid)) !== sup.startTicks) return false
    if (await isNoted(each.ref, 'terminated')) return true
    await write(each.ref, 'terminated', '')
    return signal(sup.pid, 'SIGTERM')
  }

  async function killOne(ref: Ref): Promise<void> {
    const each = held.get(ref)
    if (!each || exitStates.has(each.seen)) return
    if (each.seen === 'queued') return await stopOne(ref, 1)
    await look(each)
    if (each.child !== undefined) signal(-each.child, 'SIGKILL')
    // Not begun yet: it is ended as soon as it has.
    else await stopOne(ref, 1)
  }

  /** Long ones and large ones are ended here, as nothing below us does it. */
  async function guard(): Promise<void> {
    const now = Date.now()
    const live = [...held.values()].filter(({ seen }) => seen === 'running' || seen === 'stopping')
    for (const each of live) {
      const limit = each.spec.resources.timeLimitSec
      if (!limit || !each.startedAt || now < each.startedAt.getTime() + limit * 1000) continue
      if (await isNoted(each.ref, 'timeout')) continue
      await write(each.ref, 'timeout', '')
      await stopOne(each.ref, each.spec.graceSec)
    }
    if (now - memoryAt < memoryEveryMs) return
    memoryAt = now
    const used = await memoryBySession(
      new Set(live.flatMap(({ child }) => (child === undefined ? [] : [child]))),
    )
    for (const each of live) {
      const most = each.taken?.memMiB
      if (!each.child || !most || (used.get(each.child) ?? 0) <= most) continue
      await write(each.ref, 'oom', '')
      signal(-each.child, 'SIGKILL')
    }
  }

  async function step(): Promise<void> {
    for (const each of held.values()) {
      await look(each)
      if (each.seen === 'stopping') await terminate(each)
    }
    await guard()
    await schedule()
  }

  function observationOf(ref: Ref): Observation {
    const each = held.get(ref)
    if (!each) return { ref, seen: 'absent' }
    const { seen, exit, reason, startedAt } = each
    return {
      ref,
      seen,
      ...(exit ? { exit } : {}),
      ...(reason ? { reason } : {}),
      ...(startedAt ? { startedAt } : {}),
    }
  }

  await adopt()
  const timer = setInterval(() => {
    void inTurn(step).catch((error: unknown) => log('Looking after this machine’s attempts failed', error))
  }, stepMs)
  timer.unref()

  return {
    id,
    kind: 'local',
    capabilities: () => ({
      images: false,
      preemptible: false,
      mount: 'bind',
      grace: true,
      maxBatch: 100,
      observeEveryMs: 1000,
    }),
    async probe() {
      const machine = { preemptible: false, available: true }
      const one = { name: 'local.cpu', cpus: slots.cpus, memMiB: slots.memMiB, gpus: 0, ...machine }
      const withGpus = slots.gpus.map((gpu, index) => ({
        ...one,
        name: `local.${index + 1}gpu`,
        gpus: index + 1,
        gpuType: gpu.name,
      }))
      return { ok: true, inventory: [one, ...withGpus] }
    },
    submit: (submissions) =>
      inTurn(async () => {
        const answers = []
        for (const submission of submissions) answers.push(await submitOne(submission))
        await schedule()
        return answers
      }),
    observe: (query) =>
      inTurn(async () => {
        const refs = 'all' in query ? [...held.keys()] : query.refs
        for (const ref of refs) {
          const each = held.get(ref)
          if (each) await look(each)
        }
        return refs.map(observationOf)
      }),
    find: async (attemptIds) =>
      new Map(attemptIds.flatMap((ref) => (held.has(ref) ? [[ref, ref] as const] : []))),
    stop: (ref, { graceSec }) => inTurn(() => stopOne(ref, graceSec)),
    kill: (ref) => inTurn(() => killOne(ref)),
    forget: (ref) =>
      inTurn(async () => {
        const each = held.get(ref)
        if (!each || !exitStates.has(each.seen)) return
        held.delete(ref)
        await rm(folder(ref), { recursive: true, force: true })
      }),
    watch(changed) {
      listeners.add(changed)
      return { [Symbol.dispose]: () => void listeners.delete(changed) }
    },
    async close() {
      clearInterval(timer)
      await turn
    },
  }
}
