/** Slurm's words and ours. Its text formats have been stable for a decade, its JSON changes with every release. Pure. */
import type { AttemptSpec, Exit, InstanceType, Observation } from '../backend.ts'

/** A line of `squeue`, which knows jobs for some minutes after their end. */
export type Job = {
  ref: string
  state: string
  reason: string
  node: string
  attemptId: string
  restarts: number
}

const fields = ['JobID', 'State', 'Reason', 'NodeList', 'Name', 'RestartCnt', 'Comment'] as const
const separator = '\u001f'
/** What follows `squeue -h -r -t all -O`. The width is a limit; the character after it ends a field. */
export const jobFormat = fields.map((field) => `${field}:200${separator}`).join(',')

/** @param comment the mark of our own jobs. */
export function readJobs(text: string, comment: string): Job[] {
  return text.split('\n').flatMap((line) => {
    const [ref, state, reason, node, name, restarts, mark] = line
      .split(separator)
      .map((field) => field.trim())
    const attemptId = /^grid-([0-9a-f-]{36})$/.exec(name ?? '')?.[1]
    if (!ref || !state || attemptId === undefined || mark !== comment) return []
    return [
      { ref, state, reason: reason ?? '', node: node ?? '', attemptId, restarts: Number(restarts) || 0 },
    ]
  })
}

const seenOf: Readonly<Record<string, Observation['seen']>> = {
  PENDING: 'queued',
  CONFIGURING: 'starting',
  REQUEUED: 'queued',
  REQUEUE_FED: 'queued',
  REQUEUE_HOLD: 'queued',
  SPECIAL_EXIT: 'queued',
  RESV_DEL_HOLD: 'queued',
  RUNNING: 'running',
  SUSPENDED: 'running',
  STOPPED: 'running',
  RESIZING: 'running',
  COMPLETING: 'stopping',
  STAGE_OUT: 'stopping',
  SIGNALING: 'stopping',
  COMPLETED: 'exited',
  FAILED: 'exited',
  CANCELLED: 'exited',
  TIMEOUT: 'exited',
  DEADLINE: 'exited',
  OUT_OF_MEMORY: 'exited',
  NODE_FAIL: 'lost',
  BOOT_FAIL: 'lost',
  PREEMPTED: 'preempted',
}

/** A state nobody knows yet says nothing. */
export function seenIn(state: string): Observation['seen'] {
  return seenOf[state] ?? 'unknown'
}

const causes: Readonly<Record<string, Exit['cause']>> = {
  CANCELLED: 'cancel',
  TIMEOUT: 'timeout',
  DEADLINE: 'timeout',
  OUT_OF_MEMORY: 'oom',
}

export function causeIn(state: string): Exit['cause'] {
  return causes[state] ?? 'exit'
}

/** Why a job waits, in a sentence for people, from the codes of squeue(1). */
export function reasonIn(reason: string): string | undefined {
  const code = reason.replace(/[()]/g, '')
  if (code === '' || code === 'None') return undefined
  const says: Readonly<Record<string, string>> = {
    Resources: 'Waits until the cluster has room for it.',
    Priority: 'Waits behind jobs of higher priority.',
    Dependency: 'Waits for another job.',
    BeginTime: 'Waits for its time to begin, as after a preemption.',
    PartitionConfig: 'No node of its partition has as much as it asks for.',
    BadConstraints: 'No node of its partition has what it asks for.',
    PartitionDown: 'Its partition is down.',
    PartitionNodeLimit: 'Asks for more nodes than its partition gives.',
    PartitionTimeLimit: 'Asks for more time than its partition gives.',
    ReqNodeNotAvail: 'The nodes it needs are down or reserved.',
    JobHeldAdmin: 'An administrator of the cluster holds it.',
    JobHeldUser: 'It is held.',
    AssocGrpCpuLimit: 'Waits for the share of processors of its account.',
    QOSMaxCpuPerUserLimit: 'Waits for the share of processors of its user.',
  }
  return `${says[code.split(',')[0]!] ?? 'Waits on the cluster.'} (Slurm: ${code})`
}

/** What of `scontrol show job` tells how it ended: `ExitCode=code:signal`. */
export function readShownJob(text: string): { state: string; exit: Exit } | undefined {
  const state = /\bJobState=(\w+)/.exec(text)?.[1]
  const [, code, signal] = /\bExitCode=(\d+):(\d+)/.exec(text) ?? []
  if (state === undefined) return undefined
  const exit: Exit = { cause: causeIn(state) }
  if (Number(signal) > 0) exit.signal = Number(signal)
  else if (code !== undefined && state !== 'CANCELLED') exit.code = Number(code)
  if (exit.signal !== undefined) exit.code = 128 + exit.signal
  return { state, exit }
}

/** What follows `sinfo -h -o`. */
export const partitionFormat = '%P|%a|%D|%c|%m|%G|%t'

/** Machines to ask for: each partition, and each with GPUs by their count. Lines of one partition differ by their nodes. */
export function readPartitions(text: string): InstanceType[] {
  const found = new Map<string, InstanceType>()
  for (const line of text.split('\n')) {
    const [partition, up, , cpus, memory, gres, state] = line.trim().split('|')
    if (!partition || state === undefined) continue
    const name = partition.replace(/\*$/, '')
    const [, gpuType, gpus] = /gpu:(?:([A-Za-z][^:(,]*):)?(\d+)/.exec(gres ?? '') ?? []
    const available = up === 'up' && !/^(?:down|drain|fail|unk|maint|boot)/.test(state)
    const machine: InstanceType = {
      name,
      cpus: Number.parseInt(cpus!, 10) || 1,
      memMiB: Number.parseInt(memory!, 10) || 0,
      gpus: Number(gpus ?? 0),
      ...(gpuType ? { gpuType } : {}),
      preemptible: false,
      available,
    }
    const known = found.get(name)
    // The largest node of a partition is what one may ask for.
    if (!known || machine.cpus * 1e6 + machine.memMiB > known.cpus * 1e6 + known.memMiB)
      found.set(name, { ...machine, available: available || (known?.available ?? false) })
    else if (available) known.available = true
  }
  return [...found.values()]
}

/** Whether it was the controller that did not answer, and not the request that was wrong. */
export function isUnreachable(stderr: string): boolean {
  return /Unable to contact slurm controller|Socket timed out|Connection refused|Zero Bytes were transmitted|Unable to establish configuration source|slurm_load_jobs error: (?!Invalid job id)|backup controller|Slurm backup|Unexpected message received|Communication connection failure|Protocol authentication error|Munged? |DNS SRV lookup failed/i.test(
    stderr,
  )
}

/** Slurm's own words, without the program's name before each line. */
export function saidBy(stderr: string): string {
  return stderr.replace(/^\w+: (?:error: )?/gm, '').trim()
}

/** `sbatch`'s options for an attempt. Processors, memory and time are always said: without them a job takes a whole node. */
export function sbatchOptions(
  spec: AttemptSpec,
  {
    folder,
    comment,
    account,
    qos,
    constraint,
    partition,
  }: {
    folder: string
    comment: string
    account?: string
    qos?: string
    constraint?: string
    partition?: string
  },
): string[] {
  const { cpus, memMiB, gpus, gpuType, timeLimitSec } = spec.resources
  const chosen = spec.instanceType ?? partition
  return [
    '--parsable',
    `--job-name=grid-${spec.attemptId}`,
    `--comment=${comment}`,
    `--chdir=${folder}`,
    `--output=${folder}/slurm.out`,
    '--open-mode=append',
    '--nodes=1',
    `--cpus-per-task=${Math.max(1, cpus)}`,
    `--mem=${memMiB > 0 ? memMiB : Math.max(1, cpus) * 1024}M`,
    ...(chosen ? [`--partition=${chosen}`] : []),
    ...(account ? [`--account=${account}`] : []),
    ...(qos ? [`--qos=${qos}`] : []),
    ...(constraint ? [`--constraint=${constraint}`] : []),
    ...(gpus > 0 ? [`--gpus=${gpuType ? `${gpuType}:` : ''}${gpus}`] : []),
    ...(timeLimitSec
      ? [
          `--time=0:${Math.max(60, timeLimitSec + spec.graceSec)}`,
          `--signal=B:TERM@${Math.max(1, spec.graceSec)}`,
        ]
      : []),
    // Only what may be interrupted is begun anew; everything else ends once.
    spec.preemptible ? '--requeue' : '--no-requeue',
  ]
}
