/**
 * A Slurm cluster as a backend, by its own command line tools. The truth is the cluster's queue and the attempts'
 * folders, which lie where the nodes can reach them: opened again, the backend knows from these.
 */
import { attemptFiles, readExitRecord } from '@teamgrid/agent'
import { attemptFilesOf, type Delivery, quote } from '../attempt-files.ts'
import { type Backend, type Observation, type Ref, type Submission, unknownOf } from '../backend.ts'
import type { Transport } from '../transport.ts'
import {
  causeIn,
  isUnreachable,
  type Job,
  jobFormat,
  partitionFormat,
  readJobs,
  readPartitions,
  readShownJob,
  reasonIn,
  saidBy,
  sbatchOptions,
  seenIn,
} from './slurm-words.ts'

/** After the controller did not answer, it is left alone for so long: its tools block for seconds each. */
const silenceMs = 10_000
const submitsAtOnce = 4
/** More than Slurm needs to end by force what it has signalled: it looks every 30 seconds, and waits KillWait. */
const outlastSec = 40

export type SlurmBackendOptions = {
  id: string
  /** Marks our jobs among all others of the cluster; stays the same for as long as the server lives. */
  serverId: string
  transport: Transport
  /** A folder that the submitting host and the nodes share. */
  root: string
  /** The text of `grid-exec`. */
  gridExec: string
  delivery: Delivery
  /** Where jobs go that name no machine; the cluster's own choice if absent. */
  partition?: string
  account?: string
  qos?: string
  constraint?: string
  now?: () => number
}

class Unreachable extends Error {}

export function openSlurmBackend(options: SlurmBackendOptions): Backend {
  const { id, transport, root, gridExec, delivery, serverId, now = Date.now } = options
  if (!root.startsWith('/')) throw new Error('The folder on the cluster must be an absolute path')
  const comment = `grid:${serverId}`
  const folder = (attemptId: string) => `${root}/${attemptId}`
  const attemptOf = new Map<Ref, string>()
  const endings = new Map<Ref, Observation>()
  /** The cluster goes on to list them for some minutes. */
  const forgotten = new Set<Ref>()
  const submitting = new Map<string, Promise<{ ref: Ref } | { rejected: string }>>()
  let silentUntil = 0

  async function command(argv: readonly string[], input?: string) {
    const wait = silentUntil - now()
    if (wait > 0) throw new Unreachable('The cluster did not answer a moment ago')
    try {
      return await transport.run(argv, input === undefined ? {} : { input })
    } catch (error) {
      silentUntil = now() + silenceMs
      throw new Unreachable(error instanceof Error ? error.message : String(error))
    }
  }

  /** @throws Unreachable when the controller does not answer, Error with its own words when it says no. */
  async function slurm(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await command(argv)
    if (code === 0) return stdout
    if (!isUnreachable(stderr)) throw new Error(saidBy(stderr) || `${argv[0]} ended with ${code}`)
    silentUntil = now() + silenceMs
    throw new Unreachable(saidBy(stderr))
  }

  /** Runs a few lines of sh beside the attempts' folders. @throws when they fail. */
  async function shell(script: string): Promise<string> {
    const { code, stdout, stderr } = await command(['sh', '-eu', '-s'], script)
    if (code !== 0) throw new Error(`${root} on the cluster: ${stderr.trim() || `code ${code}`}`)
    return stdout
  }

  async function queue(): Promise<Map<Ref, Job>> {
    const jobs = readJobs(await slurm('squeue', '-h', '-r', '-t', 'all', '--me', '-O', jobFormat), comment)
    const known = jobs.filter((job) => !forgotten.has(job.ref))
    for (const job of known) attemptOf.set(job.ref, job.attemptId)
    return new Map(known.map((job) => [job.ref, job]))
  }

  /** Writes the folders of attempts, and hands out the number each was given before, if it was. */
  async function prepare(submissions: readonly Submission[]): Promise<void> {
    const parts = submissions.map((submission) => {
      const at = quote(folder(submission.spec.attemptId))
      const files = [
        ...attemptFilesOf(submission, delivery),
        { path: 'grid-exec', text: gridExec, mode: 0o700 },
      ].map(({ path, text, mode }) => {
        const target = `${at}/${quote(path)}`
        return `printf %s ${quote(text)} > ${target}; chmod ${mode.toString(8)} ${target}`
      })
      return [`mkdir -p ${at}/${attemptFiles.work}`, ...files].join('\n')
    })
    await shell(['umask 077', ...parts, ''].join('\n'))
  }

  async function submitOne(submission: Submission): Promise<{ ref: Ref } | { rejected: string }> {
    const { spec } = submission
    if (spec.image !== null) return { rejected: 'This cluster runs no container images.' }
    const at = folder(spec.attemptId)
    const argv = ['sbatch', ...sbatchOptions(spec, { ...options, folder: at, comment })]
    const { code, stdout, stderr } = await command(argv, jobScript(at, spec.graceSec))
    if (code !== 0) {
      if (!isUnreachable(stderr)) return { rejected: saidBy(stderr) }
      silentUntil = now() + silenceMs
      throw new Unreachable(saidBy(stderr))
    }
    const ref = /^\d+/.exec(stdout.trim())?.[0]
    if (ref === undefined) throw new Error(`sbatch answered "${stdout.trim()}"`)
    attemptOf.set(ref, spec.attemptId)
    await shell(`printf %s ${ref} > ${quote(`${at}/job`)}; mkdir -p ${quote(`${root}/.jobs`)}
      printf %s ${spec.attemptId} > ${quote(`${root}/.jobs/${ref}`)}`)
    return { ref }
  }

  /** The script is read back by anybody who may look at the job: nothing secret is in it. */
  function jobScript(at: string, graceSec: number): string {
    return `#!/bin/sh
d=${quote(at)}
printf %s "$SLURM_JOB_ID" > "$d/job"
n=\${SLURM_RESTART_COUNT:-0}
if [ "$n" -gt 0 ]; then
  # Begun anew by the cluster: the same folder, the next try.
  [ ! -e "$d/exit" ] || mv "$d/exit" "$d/exit.$((n - 1))"
  rm -rf "$d/.started" "$d/sup" "$d/child"
fi
# Slurm signals this script; grid-exec is told once and leaves time to save.
told=
trap 'told=1; kill -TERM "$w" 2>/dev/null' TERM
GRID_GRACE=${Math.max(1, Math.round(graceSec))} GRID_RESTART_COUNT=$n sh "$d/grid-exec" "$d" &
w=$!
wait "$w"
rc=$?
# The signal interrupts the first wait, which then tells of it.
while kill -0 "$w" 2>/dev/null; do wait "$w"; rc=$?; done
# The cluster wants the place back: it ends this script itself, and begins the job anew only if it had to. A script that
# is quicker than that counts as one that has ended by itself.
i=0
while [ -n "$told" ] && [ ! -e "$d/stopping" ] && [ $i -lt ${outlastSec} ]; do sleep 1; i=$((i + 1)); done
[ ! -s "$d/exit" ] || rc=$(cut -d' ' -f1 "$d/exit")
exit "$rc"
`
  }

  async function submit(submissions: Submission[]): Promise<({ ref: Ref } | { rejected: string })[]> {
    const fresh = submissions.filter(({ spec }) => !submitting.has(spec.attemptId))
    if (fresh.length > 0) {
      const batch = submitBatch(fresh)
      for (const { spec } of fresh) {
        const answer = batch.then((answers) => answers.get(spec.attemptId)!)
        submitting.set(spec.attemptId, answer)
        answer.catch(() => {}).finally(() => submitting.delete(spec.attemptId))
      }
    }
    return await Promise.all(submissions.map(({ spec }) => submitting.get(spec.attemptId)!))
  }

  async function submitBatch(submissions: readonly Submission[]) {
    const answers = new Map<string, { ref: Ref } | { rejected: string }>()
    const known = await find(submissions.map(({ spec }) => spec.attemptId))
    for (const [attemptId, ref] of known) answers.set(attemptId, { ref })
    const waiting = submissions.filter(({ spec }) => !known.has(spec.attemptId))
    if (waiting.length > 0) await prepare(waiting)
    const work = waiting.values()
    const worker = async () => {
      for (const submission of work) answers.set(submission.spec.attemptId, await submitOne(submission))
    }
    await Promise.all(Array.from({ length: submitsAtOnce }, worker))
    return answers
  }

  /** By the queue, and by the number that the folder holds: the queue forgets jobs minutes after their end. */
  async function find(attemptIds: readonly string[]): Promise<Map<string, Ref>> {
    if (attemptIds.length === 0) return new Map()
    const jobs = await queue()
    const wanted = new Set(attemptIds)
    const found = new Map<string, Ref>()
    for (const job of jobs.values()) if (wanted.has(job.attemptId)) found.set(job.attemptId, job.ref)
    const noted = await records(attemptIds, ['job'])
    for (const [attemptId, { job }] of noted) {
      if (!job || found.has(attemptId)) continue
      found.set(attemptId, job.trim())
      attemptOf.set(job.trim(), attemptId)
    }
    return found
  }

  /** Small files of attempts, all in one go; what is not there is left out. */
  async function records<Name extends string>(
    attemptIds: readonly string[],
    names: readonly Name[],
  ): Promise<Map<string, Partial<Record<Name, string>>>> {
    if (attemptIds.length === 0) return new Map()
    const text = await shell(`cd ${quote(root)} 2>/dev/null || exit 0
      for a in ${attemptIds.map(quote).join(' ')}; do for n in ${names.map(quote).join(' ')}; do
        if [ -e "$a/$n" ]; then printf '%s %s ' "$a" "$n"; head -c 200 "$a/$n" | tr '\\n' ' '; echo; fi
      done; done`)
    const found = new Map<string, Partial<Record<Name, string>>>()
    for (const line of text.split('\n')) {
      const [attemptId, name, ...rest] = line.split(' ')
      if (!attemptId || name === undefined) continue
      const record: Partial<Record<Name, string>> = found.get(attemptId) ?? {}
      record[name as Name] = rest.join(' ')
      found.set(attemptId, record)
    }
    return found
  }

  async function attemptsOf(refs: readonly Ref[]): Promise<void> {
    const strange = refs.filter((ref) => !attemptOf.has(ref) && /^\d+$/.test(ref))
    if (strange.length === 0) return
    const text = await shell(`cd ${quote(`${root}/.jobs`)} 2>/dev/null || exit 0
      for j in ${strange.join(' ')}; do if [ -e "$j" ]; then echo "$j $(cat "$j")"; fi; done`)
    for (const line of text.split('\n')) {
      const [ref, attemptId] = line.split(' ')
      if (ref && attemptId) attemptOf.set(ref, attemptId)
    }
  }

  async function observe(query: { refs: Ref[] } | { all: true }): Promise<Observation[]> {
    try {
      const jobs = await queue()
      const refs = 'all' in query ? [...jobs.keys()] : query.refs
      await attemptsOf(refs)
      // A job that is begun anew looks ended for a moment.
      for (const ref of refs) if (!isOver(jobs.get(ref))) endings.delete(ref)
      const over = refs.filter((ref) => !endings.has(ref) && isOver(jobs.get(ref)) && attemptOf.has(ref))
      const noted = await records(
        over.map((ref) => attemptOf.get(ref)!),
        ['exit', 'stopping'],
      )
      for (const ref of over) {
        const found = await ending(ref, jobs.get(ref), noted.get(attemptOf.get(ref)!))
        if (found) endings.set(ref, found)
      }
      return refs.map((ref) => present(ref, jobs.get(ref)))
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      const refs = 'all' in query ? [...attemptOf.keys()] : query.refs
      return refs.map((ref) => endings.get(ref) ?? unknownOf(ref, error.message))
    }
  }

  const isOver = (job: Job | undefined) =>
    job === undefined || ['exited', 'lost', 'preempted'].includes(seenIn(job.state))

  function present(ref: Ref, job: Job | undefined): Observation {
    const over = endings.get(ref)
    if (over) return over
    if (!job) return { ref, seen: 'absent' }
    const seen = seenIn(job.state)
    const reason = seen === 'queued' ? reasonIn(job.reason) : undefined
    return {
      ref,
      seen,
      restarts: job.restarts,
      ...(job.node ? { node: job.node } : {}),
      ...(reason ? { reason } : {}),
    }
  }

  /**
   * How it ended: our own record before the cluster's word, which knows nothing of codes after a signal. Undefined while
   * nothing tells of an end: a controller that died may have forgotten a job that goes on running.
   */
  async function ending(
    ref: Ref,
    job: Job | undefined,
    noted: { exit?: string; stopping?: string } | undefined,
  ): Promise<Observation | undefined> {
    const shown = job && (await show(ref))
    const state = job?.state ?? shown?.state ?? ''
    const about = { ref, restarts: job?.restarts ?? 0, ...(job?.node ? { node: job.node } : {}) }
    const record = noted?.exit === undefined ? undefined : readExitRecord(noted.exit)
    const seen = job === undefined ? 'exited' : seenIn(job.state)
    if (seen === 'preempted' || (seen === 'lost' && !record)) {
      const reason = seen === 'lost' ? 'Its node failed.' : 'The cluster gave its place to another job.'
      return { ...about, seen, reason }
    }
    const wasStopped = noted?.stopping !== undefined
    if (record) {
      const said = causeIn(state)
      // Nobody signalled it: it ended by itself, whatever the cluster made of that.
      const own = record.stopRequested || said === 'oom' || said === 'timeout' ? said : 'exit'
      // A signal that was not ours and is no cancellation came before its time limit.
      const cause = wasStopped ? 'cancel' : record.stopRequested && own === 'exit' ? 'timeout' : own
      return { ...about, seen: 'exited', exit: { code: record.code, cause, at: record.at } }
    }
    if (job === undefined) return undefined
    const exit = shown?.exit ?? { cause: causeIn(state) }
    return { ...about, seen: 'exited', exit: wasStopped ? { ...exit, cause: 'cancel' } : exit }
  }

  async function show(ref: Ref) {
    try {
      return readShownJob(await slurm('scontrol', 'show', 'job', ref))
    } catch (error) {
      if (error instanceof Unreachable) throw error
      // Forgotten already.
      return undefined
    }
  }

  /** Notes the request first, so that whoever comes after us tells a stop from an end of its own, and sends it once. */
  async function stop(ref: Ref, { graceSec }: { graceSec: number }): Promise<void> {
    const job = (await queue()).get(ref)
    if (!job || isOver(job)) return
    const at = quote(folder(job.attemptId))
    const grace = Math.max(1, Math.round(graceSec))
    const isFirst = await shell(
      `cd ${at}; [ ! -e stopping ] || exit 0; printf %s ${grace} > grace; : > stopping; echo yes`,
    )
    if (isFirst.trim() !== 'yes' && seenIn(job.state) !== 'queued') return
    if (seenIn(job.state) === 'queued') {
      await slurm('scancel', ref)
      // Between our look and the cancellation it may have begun: then that was its signal.
      return
    }
    await slurm('scancel', '--batch', '--signal=TERM', ref)
  }

  async function kill(ref: Ref): Promise<void> {
    const job = (await queue()).get(ref)
    if (!job || isOver(job)) return
    if (seenIn(job.state) !== 'queued') {
      await slurm('scancel', '--full', '--signal=KILL', ref).catch((error: unknown) => {
        if (error instanceof Unreachable) throw error
      })
    }
    await slurm('scancel', ref)
  }

  async function forget(ref: Ref): Promise<void> {
    await attemptsOf([ref])
    const attemptId = attemptOf.get(ref)
    if (attemptId === undefined) return
    const jobs = await queue()
    if (!isOver(jobs.get(ref))) return
    await shell(`rm -rf ${quote(folder(attemptId))} ${quote(`${root}/.jobs/${ref}`)}`)
    attemptOf.delete(ref)
    endings.delete(ref)
    forgotten.add(ref)
  }

  return {
    id,
    kind: 'slurm',
    capabilities: () => ({
      images: false,
      preemptible: true,
      mount: 'path',
      grace: true,
      maxBatch: 50,
      observeEveryMs: 10_000,
    }),
    async probe() {
      try {
        const inventory = readPartitions(await slurm('sinfo', '-h', '-o', partitionFormat))
        return { ok: true, inventory }
      } catch (error) {
        return { ok: false, reason: error instanceof Error ? error.message : String(error), inventory: [] }
      }
    },
    submit,
    observe,
    find,
    stop,
    kill,
    async requeueNow(ref) {
      // It may have begun by itself meanwhile.
      await slurm('scontrol', 'update', `JobId=${ref}`, 'StartTime=now').catch((error: unknown) => {
        if (error instanceof Unreachable) throw error
      })
    },
    forget,
    async close() {},
  }
}
