/**
 * A cluster that exists in memory only, and behaves as badly as asked: for tests of what uses backends, and for
 * measuring it with thousands of jobs. The world outlives the backends that are opened over it.
 */
import {
  type Backend,
  type Exit,
  type InstanceType,
  type Observation,
  type Ref,
  type Submission,
  unknownOf,
} from '../backend.ts'

export type FakeJob = {
  ref: Ref
  submission: Submission
  seen: Observation['seen']
  exit?: Exit
  starts: number
  restarts: number
  stopRequested: boolean
  output: string
}

export type Faults = {
  /** `observe` sees nothing: everything is unknown. */
  unreachable?: boolean
  /** `submit` accepts and then fails, as when the connection breaks before the answer. */
  loseSubmitAnswers?: boolean
  /** Every observation comes twice, in no order, and now and then an old one. */
  unruly?: boolean
}

/** @param cpus that it shares out, first come, first served. */
export function createFakeCluster({ cpus = 4, id = 'fake' }: { cpus?: number; id?: string } = {}) {
  const jobs = new Map<Ref, FakeJob>()
  const byAttempt = new Map<string, Ref>()
  const faults: Faults = {}
  let past: Observation[] = []
  let next = 1

  const cpusOf = (job: FakeJob) => job.submission.spec.resources.cpus || cpus
  const isBusy = ({ seen }: FakeJob) => seen === 'running' || seen === 'starting' || seen === 'stopping'

  function schedule(): void {
    let free = cpus
    for (const job of jobs.values()) if (isBusy(job)) free -= cpusOf(job)
    for (const job of jobs.values()) {
      if (job.seen !== 'queued') continue
      if (cpusOf(job) > free) break
      free -= cpusOf(job)
      start(job)
    }
  }

  function start(job: FakeJob): void {
    job.seen = 'running'
    job.starts++
    job.output += 'ready\n'
    const program = programOf(job)
    if (program?.does === 'exit') end(job, { code: program.code, cause: 'exit' })
  }

  function end(job: FakeJob, exit: Exit): void {
    if (job.seen === 'exited') return
    job.seen = 'exited'
    job.exit = exit
    schedule()
  }

  function stop(job: FakeJob): void {
    job.stopRequested = true
    const program = programOf(job)
    if (job.seen === 'queued') end(job, { cause: 'cancel' })
    else if (isBusy(job)) {
      if (program?.does === 'save') job.output += 'saved\n'
      end(job, { code: program?.does === 'save' ? program.code : 143, cause: 'cancel' })
    }
  }

  function observationOf(ref: Ref): Observation {
    const job = jobs.get(ref)
    if (job === undefined) return { ref, seen: 'absent' }
    return {
      ref,
      seen: job.seen,
      restarts: job.restarts,
      node: 'fake-node',
      ...(job.exit ? { exit: job.exit } : {}),
      ...(job.seen === 'queued' ? { reason: `Waits for ${cpusOf(job)} of ${cpus} processors` } : {}),
    }
  }

  function open(): Backend {
    return {
      id,
      kind: 'fake',
      capabilities: () => ({
        images: false,
        preemptible: true,
        mount: 'bind',
        grace: true,
        maxBatch: 1000,
        observeEveryMs: 1000,
      }),
      async probe() {
        const machine: InstanceType = {
          name: 'fake.cpu',
          cpus,
          memMiB: 1024,
          gpus: 0,
          preemptible: true,
          available: true,
        }
        return faults.unreachable
          ? { ok: false, reason: 'It does not answer', inventory: [] }
          : { ok: true, inventory: [machine] }
      },
      async submit(submissions) {
        if (faults.unreachable) throw new Error('The fake cluster does not answer')
        const answers = submissions.map((submission) => {
          const { attemptId, resources } = submission.spec
          if (resources.cpus > cpus) return { rejected: `There are only ${cpus} processors` }
          const known = byAttempt.get(attemptId)
          if (known !== undefined) return { ref: known }
          const ref = String(next++)
          const job: FakeJob = {
            ref,
            submission,
            seen: 'queued',
            starts: 0,
            restarts: 0,
            stopRequested: false,
            output: '',
          }
          jobs.set(ref, job)
          byAttempt.set(attemptId, ref)
          schedule()
          return { ref }
        })
        if (faults.loseSubmitAnswers) throw new Error('The connection broke')
        return answers
      },
      async observe(query) {
        const refs = 'all' in query ? [...jobs.keys()] : query.refs
        if (faults.unreachable) return refs.map((ref) => unknownOf(ref, 'It does not answer'))
        const seen = refs.map(observationOf)
        if (!faults.unruly) return seen
        const unruly = [...seen, ...past.filter(({ ref }) => refs.includes(ref)), ...seen].toReversed()
        past = seen
        return unruly
      },
      async find(attemptIds) {
        if (faults.unreachable) throw new Error('The fake cluster does not answer')
        return new Map(
          attemptIds.flatMap((attemptId) => {
            const ref = byAttempt.get(attemptId)
            return ref === undefined ? [] : [[attemptId, ref] as const]
          }),
        )
      },
      async stop(ref) {
        const job = jobs.get(ref)
        if (job) stop(job)
      },
      async kill(ref) {
        const job = jobs.get(ref)
        if (job) end(job, { code: 137, cause: job.stopRequested ? 'cancel' : 'exit' })
      },
      async forget(ref) {
        const job = jobs.get(ref)
        if (!job) return
        jobs.delete(ref)
        byAttempt.delete(job.submission.spec.attemptId)
      },
      async close() {},
    }
  }

  const jobOf = (attemptId: string): FakeJob | undefined => jobs.get(byAttempt.get(attemptId) ?? '')
  return {
    open,
    faults,
    jobOf,
    jobs,
    /** The world's own doing. */
    end: (attemptId: string, exit: Exit) => {
      const job = jobOf(attemptId)
      if (job) end(job, exit)
    },
    /** It vanishes: the cluster answers and does not know it. */
    lose: (attemptId: string) => {
      const job = jobOf(attemptId)
      if (job) jobs.delete(job.ref)
    },
    preempt: (attemptId: string) => {
      const job = jobOf(attemptId)
      if (job) job.seen = 'preempted'
    },
  }
}

function programOf({ submission }: FakeJob): { does: string; code: number } | undefined {
  const [program, text] = submission.spec.argv
  return program === 'fake' && text ? (JSON.parse(text) as { does: string; code: number }) : undefined
}
