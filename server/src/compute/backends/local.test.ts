import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type Program, backendContract, submissionOf } from '../backend.contract.ts'
import type { Backend, Observation } from '../backend.ts'
import { openLocalBackend } from './local.ts'

const gridExec = fileURLToPath(new URL('../../../../agent/bin/grid-exec', import.meta.url))
const cpus = 4

function argvOf(program: Program): string[] {
  const script = {
    exit: (code: number) => `exit ${code}`,
    hang: () => `echo ready; exec sleep 600`,
    save: (code: number) =>
      `trap 'echo saved; kill $sleep; exit ${code}' TERM; sleep 600 & sleep=$!; echo ready; wait`,
    ignore: () => `trap '' TERM; echo ready; while :; do sleep 1; done`,
  }[program.does]
  const count = 'echo started >> "$GRID_ATTEMPT_DIR/starts"'
  return ['sh', '-c', `${count}; ${script('code' in program ? program.code : 0)}`]
}

async function openHere(root: string) {
  return await openLocalBackend({
    root,
    gridExec,
    delivery: { node: process.execPath, agent: null, serverUrl: '' },
    slots: { cpus, memMiB: 4096, gpus: [{ uuid: 'GPU-1', name: 'Test' }] },
    log: (text, error) => console.error(text, error),
  })
}

async function end(backend: Backend): Promise<void> {
  for (const { ref } of await backend.observe({ all: true })) await backend.kill(ref)
  for (;;) {
    const seen = await backend.observe({ all: true })
    if (seen.every((each) => each.seen === 'exited' || each.seen === 'lost')) break
    await wait(20)
  }
  await backend.close()
}

backendContract('local', async () => {
  const root = await mkdtemp(join(tmpdir(), 'teamgrid-local-'))
  const read = (attemptId: string, name: string) =>
    readFile(join(root, attemptId, name), 'utf8').catch(() => '')
  const harness = {
    backend: await openHere(root),
    cpus,
    reopen: async () => {
      await harness.backend.close()
      return await openHere(root)
    },
    argvOf,
    outputOf: (attemptId: string) => read(attemptId, 'output.log'),
    startsOf: async (attemptId: string) => (await read(attemptId, 'starts')).split('started').length - 1,
    impossible: { cpus: 1000 },
    close: async () => {
      await end(harness.backend)
      await rm(root, { recursive: true })
    },
  }
  return harness
})

async function opened() {
  const root = await mkdtemp(join(tmpdir(), 'teamgrid-local-'))
  const backend = await openHere(root)
  onTestFinished(async () => {
    await end(backend)
    await rm(root, { recursive: true })
  })
  async function ended(ref: string): Promise<Observation> {
    for (;;) {
      const [seen] = await backend.observe({ refs: [ref] })
      if (seen!.seen === 'exited') return seen!
      await wait(20)
    }
  }
  return { root, backend, ended }
}

test('what takes more memory than it asked for is ended, and it is said why', async () => {
  const { backend, ended } = await opened()
  const hungry = submissionOf(['python3', '-c', 'x = bytearray(200_000_000); import time; time.sleep(600)'], {
    memMiB: 100,
  })
  await backend.submit([hungry])
  expect((await ended(hungry.spec.attemptId)).exit).toMatchObject({ code: 137, cause: 'oom' })
})

test('what takes longer than it asked for is ended, and it is said why', async () => {
  const { backend, ended } = await opened()
  const slow = submissionOf(['sleep', '600'], { timeLimitSec: 1 })
  await backend.submit([slow])
  expect((await ended(slow.spec.attemptId)).exit).toMatchObject({ cause: 'timeout' })
})

test('what left its group does not outlive it', async () => {
  const { backend, ended, root } = await opened()
  const leaving = submissionOf(['sh', '-c', 'setsid sleep 600 & echo $! > escaped; exit 0'])
  await backend.submit([leaving])
  await ended(leaving.spec.attemptId)
  const pid = Number(await readFile(join(root, leaving.spec.attemptId, 'work/escaped'), 'utf8'))
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  expect(state).toContain(') Z')
})

test('no GPU asked for is no GPU seen, and one asked for is named by its own id', async () => {
  const { backend, ended, root } = await opened()
  const show = ['sh', '-c', 'echo "[$CUDA_VISIBLE_DEVICES]"']
  const without = submissionOf(show)
  const having = submissionOf(show, { gpus: 1 })
  await backend.submit([without, having])
  await ended(without.spec.attemptId)
  await ended(having.spec.attemptId)
  expect(await readFile(join(root, without.spec.attemptId, 'output.log'), 'utf8')).toBe('[]\n')
  expect(await readFile(join(root, having.spec.attemptId, 'output.log'), 'utf8')).toBe('[GPU-1]\n')
})

test('it sees nothing of the server’s own environment', async () => {
  process.env['SECRET_OF_THE_SERVER'] = 'hidden'
  const { backend, ended, root } = await opened()
  const show = submissionOf(['env'])
  await backend.submit([show])
  await ended(show.spec.attemptId)
  expect(await readFile(join(root, show.spec.attemptId, 'output.log'), 'utf8')).not.toContain('hidden')
})
