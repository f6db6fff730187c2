/**
 * What a place that runs processes can do for us: this machine, a Slurm cluster, later Kubernetes. The unit is the
 * attempt: one try of one experiment (or session, or service).
 *
 * The contract, checked by `backend.contract.ts` on every implementation:
 * - every operation may be asked twice and then does nothing more;
 * - a backend holds no truth of its own and never touches the database: opened again, it knows from what it finds;
 * - one attempt is never run twice, whatever is asked or dies in between;
 * - what cannot be seen is `unknown`, which never ends an attempt.
 */

/** How the backend calls what it runs: a job number, an attempt id. Opaque. */
export type Ref = string

export type Resources = {
  /** 0: everything the machine has. */
  cpus: number
  /** 0: the machine's share for these processors. */
  memMiB: number
  gpus: number
  gpuType?: string
  diskGiB?: number
  /** Absent: no limit. */
  timeLimitSec?: number
}

/** A machine one may ask for by name. */
export type InstanceType = {
  name: string
  cpus: number
  memMiB: number
  gpus: number
  gpuType?: string
  preemptible: boolean
  /** Whether what it runs on answers now. */
  available: boolean
}

export type DatastoreMount = {
  datastoreId: string
  version: number
  /** Of its manifest: names the tree on the node. */
  digest: string
  name: string
  /** As the script sees it, `/datastores/<name>` unless asked for otherwise. */
  mountPath: string
}

/** Everything about an attempt but its secrets, which the node gets with the boot token. Also what `spec.json` holds. */
export type AttemptSpec = {
  attemptId: string
  kind: 'experiment' | 'session' | 'service'
  /** The experiment, session or service it is a try of. */
  ownerId: string
  /** 0 for the first try. */
  number: number
  /** How people call it; part of a job's name on a cluster. */
  label: string
  /** The program and its arguments; no shell in between. */
  argv: string[]
  /** Where it runs, relative to the unpacked code. */
  cwd: string
  /** Nothing secret: this is written down on the node. */
  env: Record<string, string>
  code: { sha256: string; sizeBytes: number } | null
  environment: EnvironmentSpec | null
  image: string | null
  datastores: DatastoreMount[]
  /** Run by `sh -e` around the program, in the same sandbox. */
  actions: { build: string[]; start: string[]; end: string[] }
  resources: Resources
  /** The machine that was asked for; a partition on a cluster. Null: the backend's own choice. */
  instanceType: string | null
  preemptible: boolean
  /** Between the request to stop and the end by force. */
  graceSec: number
}

/** What to install before the program starts, and what the cache calls it. */
export type EnvironmentSpec = {
  kind: 'pip' | 'pyproject' | 'conda'
  /** Relative to the code. */
  file: string
  /** Sees the packages of the node's own Python too. */
  inheritSite?: boolean
}

/** With the attempt's single-use token, which goes to the node in a file of mode 0600 and nowhere else. */
export type Submission = { spec: AttemptSpec; bootToken: string }

export type Exit = {
  /** 0 to 255; above 128 it may stand for a signal. */
  code?: number
  signal?: number
  cause: 'exit' | 'oom' | 'timeout' | 'cancel' | 'node'
  at?: Date
}

export type Observation = {
  ref: Ref
  seen:
    | 'queued'
    | 'starting'
    | 'running'
    | 'stopping'
    | 'exited'
    | 'preempted'
    | 'lost'
    /** The backend answers and does not know it. */
    | 'absent'
    /** The backend does not answer. */
    | 'unknown'
  exit?: Exit
  node?: string
  /** Why it waits, or how it ended, in a sentence for people. */
  reason?: string
  /** How often the backend itself began it anew. */
  restarts?: number
  /** When it began, if the backend knows better than who looks every few seconds. */
  startedAt?: Date
}

export type Capabilities = {
  /** Container images. */
  images: boolean
  preemptible: boolean
  /** How a datastore gets to its path: bound there, by its real path put into the arguments, or as a volume. */
  mount: 'bind' | 'path' | 'volume'
  /** Whether a stop leaves time to save. */
  grace: boolean
  maxBatch: number
  /** How long between two looks, in milliseconds. */
  observeEveryMs: number
}

export type Probe = { ok: boolean; reason?: string; inventory: InstanceType[] }

export type Backend = {
  readonly id: string
  readonly kind: 'local' | 'slurm' | 'kubernetes' | 'fake'
  capabilities(): Capabilities
  /** Asked every minute; what the choice of machines shows. */
  probe(): Promise<Probe>
  /**
   * Idempotent by attempt id: what was submitted before answers with the same ref. Answers in the order asked.
   * `rejected` is the backend's own reason, shown word for word; it is final.
   *
   * @throws when the backend does not answer: nothing is known then, and `find` is asked before the next try.
   */
  submit(submissions: Submission[]): Promise<({ ref: Ref } | { rejected: string })[]>
  /** One cheap call for everything asked, or for all that is ours. A ref nobody knows is seen as `absent`. */
  observe(query: { refs: Ref[] } | { all: true }): Promise<Observation[]>
  /** After a crash between `submit` and writing down its answer. Attempts that were never submitted are missing. */
  find(attemptIds: string[]): Promise<Map<string, Ref>>
  /** TERM to the experiment, `graceSec` to save, then the end by force. What waits ends without having run. */
  stop(ref: Ref, options: { graceSec: number; reason: string }): Promise<void>
  /** At once. Fine if it is gone. */
  kill(ref: Ref): Promise<void>
  /** After a preemption by the backend itself: do not wait for its own delay. */
  requeueNow?(ref: Ref): Promise<void>
  /** Clears away what is left of an ended attempt. */
  forget(ref: Ref): Promise<void>
  /** Hints that something may have changed; `observe` stays the truth. */
  watch?(changed: (ref: Ref) => void): Disposable
  /** Lets go of timers and files. What runs goes on running. */
  close(): Promise<void>
}

/** Everybody may have been away, or nothing is certain: the one observation that changes nothing. */
export function unknownOf(ref: Ref, reason: string): Observation {
  return { ref, seen: 'unknown', reason }
}
