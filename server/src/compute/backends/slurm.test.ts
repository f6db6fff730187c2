import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type SlurmCluster, startSlurm, whyNoSlurm } from '../../../../tests/support/slurm.ts'
import { backendContract, type Program, submissionOf } from '../backend.contract.ts'
import type { Backend, Observation } from '../backend.ts'
import { localTransport } from '../transport.ts'
import { openSlurmBackend } from './slurm.ts'

const whyNot = await whyNoSlurm()
if (whyNot !== undefined) console.warn(`The tests of Slurm are left out: ${whyNot}.`)

const gridExec = await readFile(
  fileURLToPath(new URL('../../../../agent/bin/grid-exec', import.meta.url)),
  'utf8',
)

function argvOf(program: Program): string[] {
  const script = {
    exit: (code: number) => `exit ${code}`,
    hang: () => `echo ready; exec sleep 600`,
    save: (code: number) =>
      `trap 'echo saved; kill $sleep; exit ${code}' TERM; sleep 600 & sleep=$!; echo ready; wait`,
    ignore: () => `trap '' TERM; echo ready; while :; do sleep 1; done`,
  }[program.does]
  return [
    'sh',
    '-c',
    `echo started >> "$GRID_ATTEMPT_DIR/starts"; ${script('code' in program ? program.code : 0)}`,
  ]
}

describe.skipIf(whyNot !== undefined)('a Slurm cluster of three nodes', () => {
  let cluster: SlurmCluster
  beforeAll(async () => {
    cluster = await startSlurm()
  }, 120_000)
  afterAll(() => cluster.stop())

  /** A world of its own on the cluster: its own folder, and its own mark on jobs. */
  async function aWorld(partition: string) {
    const root = await mkdtemp(join(tmpdir(), 'teamgrid-slurm-'))
    const serverId = randomUUID()
    const time = { aheadMs: 0 }
    const open = () =>
      openSlurmBackend({
        id: 'slurm',
        serverId,
        root,
        gridExec,
        partition,
        transport: localTransport(cluster.env),
        delivery: { node: process.execPath, agent: null, serverUrl: '' },
        now: () => Date.now() + time.aheadMs,
      })
    const read = (attemptId: string, name: string) =>
      readFile(join(root, attemptId, name), 'utf8').catch(() => '')
    return {
      root,
      open,
      time,
      outputOf: (attemptId: string) => read(attemptId, 'output.log'),
      startsOf: async (attemptId: string) => (await read(attemptId, 'starts')).split('started').length - 1,
      async close(backend: Backend) {
        for (;;) {
          const live = (await backend.observe({ all: true })).filter(
            ({ seen }) => seen !== 'exited' && seen !== 'preempted',
          )
          if (live.length === 0) break
          for (const { ref } of live) await backend.kill(ref)
          await wait(100)
        }
        await backend.close()
        await rm(root, { recursive: true, maxRetries: 5 })
      },
    }
  }

  backendContract('slurm', async () => {
    const world = await aWorld('one')
    const harness = {
      ...world,
      backend: world.open(),
      cpus: 4,
      reopen: async () => world.open(),
      argvOf,
      impossible: { cpus: 1000 },
      close: () => world.close(harness.backend),
    }
    return harness
  })

  async function opened(partition: string) {
    const world = await aWorld(partition)
    const backend = world.open()
    onTestFinished(() => world.close(backend))
    async function until(ref: string, isTrue: (seen: Observation) => boolean): Promise<Observation> {
      for (;;) {
        const [seen] = await backend.observe({ refs: [ref] })
        if (isTrue(seen!)) return seen!
        await wait(50)
      }
    }
    async function submitted(...submissions: ReturnType<typeof submissionOf>[]): Promise<string[]> {
      return (await backend.submit(submissions)).map((answer) => {
        if ('rejected' in answer) throw new Error(answer.rejected)
        return answer.ref
      })
    }
    const ready = async (attemptId: string) => {
      while (!(await world.outputOf(attemptId)).includes('ready')) await wait(50)
    }
    return { ...world, backend, until, submitted, ready }
  }

  test('a partition that is not there is rejected in Slurm’s own words', async () => {
    const { backend } = await opened('nowhere')
    const [answer] = await backend.submit([submissionOf(['true'])])
    expect(answer).toEqual({ rejected: expect.stringContaining('partition') })
  })

  test('the job sees nothing of the server’s environment, and the script holds no token', async () => {
    process.env['SECRET_OF_THE_SERVER'] = 'hidden'
    const { submitted, until, outputOf } = await opened('main')
    const show = submissionOf(['env'])
    const [ref] = await submitted(show)
    expect(await cluster.run('scontrol', 'write', 'batch_script', ref!, '-')).not.toContain('of-the-contract')
    await until(ref!, ({ seen }) => seen === 'exited')
    expect(await outputOf(show.spec.attemptId)).toContain('SLURM_JOB_ID')
    expect(await outputOf(show.spec.attemptId)).not.toContain('hidden')
  })

  test('begun anew by the cluster it is the same job, counted, and its record is of the last try', async () => {
    const { submitted, until, ready, startsOf, backend, outputOf } = await opened('main')
    const saving = submissionOf(argvOf({ does: 'save', code: 3 }))
    saving.spec.preemptible = true
    const [ref] = await submitted(saving)
    await ready(saving.spec.attemptId)
    await cluster.run('scontrol', 'requeue', ref!)
    await until(ref!, ({ seen, restarts }) => seen === 'queued' && restarts === 1)
    // Slurm sets the time of the next try a moment after it says that the job waits: so again until it has begun.
    for (let isWaiting = true; isWaiting;) {
      await backend.requeueNow!(ref!)
      const [seen] = await backend.observe({ refs: [ref!] })
      isWaiting = seen!.seen === 'queued'
      if (isWaiting) await wait(100)
    }
    while ((await startsOf(saving.spec.attemptId)) < 2) await wait(50)
    while ((await outputOf(saving.spec.attemptId)).split('ready').length < 3) await wait(50)
    await backend.stop(ref!, { graceSec: 20, reason: 'test' })
    expect(await until(ref!, ({ seen }) => seen === 'exited')).toMatchObject({
      exit: { code: 3, cause: 'cancel' },
      restarts: 1,
    })
  }, 60_000)

  test('what may not be begun anew and gives its place to another was preempted', async () => {
    const { submitted, until, ready } = await opened('spot')
    const victims = [0, 1, 2].map(() => submissionOf(argvOf({ does: 'save', code: 0 }), { cpus: 4 }))
    const refs = await submitted(...victims)
    for (const { spec } of victims) await ready(spec.attemptId)
    const other = await opened('main')
    const [winner] = await other.submitted(submissionOf(argvOf({ does: 'exit', code: 0 }), { cpus: 4 }))
    await other.until(winner!, ({ seen }) => seen === 'exited')
    const ends = await Promise.all(refs.map((ref) => until(ref, ({ seen }) => seen !== 'stopping')))
    expect(ends.filter(({ seen }) => seen === 'preempted')).toHaveLength(1)
    expect(ends.filter(({ seen }) => seen === 'running')).toHaveLength(2)
  }, 120_000)

  test('node daemons that die take nothing with them', async () => {
    const { submitted, until, ready, startsOf, root } = await opened('main')
    const waiting = submissionOf([
      'sh',
      '-c',
      `${argvOf({ does: 'hang' })[2]!.replace('exec sleep 600', 'while [ ! -e "$GRID_ATTEMPT_DIR/go" ]; do sleep 0.2; done; exit 4')}`,
    ])
    const [ref] = await submitted(waiting)
    await ready(waiting.spec.attemptId)
    await cluster.killNodes()
    await cluster.startNodes()
    await mkdir(join(root, waiting.spec.attemptId, 'go'))
    expect((await until(ref!, ({ seen }) => seen === 'exited')).exit).toMatchObject({
      code: 4,
      cause: 'exit',
    })
    expect(await startsOf(waiting.spec.attemptId)).toBe(1)
  }, 120_000)

  test('while the controller is away everything is unknown and nothing has ended; then the code is there', async () => {
    const { submitted, until, ready, backend, startsOf, time, root } = await opened('main')
    const saving = submissionOf([
      'sh',
      '-c',
      `${argvOf({ does: 'hang' })[2]!.replace('exec sleep 600', 'while [ ! -e "$GRID_ATTEMPT_DIR/go" ]; do sleep 0.2; done; exit 5')}`,
    ])
    const [ref] = await submitted(saving)
    await ready(saving.spec.attemptId)
    await cluster.killController()
    try {
      expect(await backend.observe({ refs: [ref!] })).toMatchObject([{ ref, seen: 'unknown' }])
      await expect(backend.submit([submissionOf(['true'])])).rejects.toThrow()
      expect((await backend.probe()).ok).toBe(false)
      await mkdir(join(root, saving.spec.attemptId, 'go'))
    } finally {
      await cluster.startController()
    }
    time.aheadMs += 60_000
    expect((await until(ref!, ({ seen }) => seen === 'exited')).exit).toMatchObject({
      code: 5,
      cause: 'exit',
    })
    expect(await startsOf(saving.spec.attemptId)).toBe(1)
  }, 120_000)
})
