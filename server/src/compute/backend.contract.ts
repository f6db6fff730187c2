/** What every backend must do; run against each implementation. Events are awaited, never times. */
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../lib/ids.ts'
import type { AttemptSpec, Backend, Observation, Submission } from './backend.ts'

/** What a program of the contract does; a harness says how its backend runs that. */
export type Program =
  | { does: 'exit'; code: number }
  /** Runs until it is stopped, which it does not notice. */
  | { does: 'hang' }
  /** On TERM it writes `saved` and ends with this code. */
  | { does: 'save'; code: number }
  /** Ignores TERM. */
  | { does: 'ignore' }

export type BackendHarness = {
  backend: Backend
  /** Processors that the backend shares out. */
  cpus: number
  /** The same world, seen by a backend that knows nothing yet. The old one is gone as by `kill -9`. */
  reopen: () => Promise<Backend>
  argvOf: (program: Program) => string[]
  /** What the attempt has written. */
  outputOf: (attemptId: string) => Promise<string>
  /** How often its program was started. */
  startsOf: (attemptId: string) => Promise<number>
  /** A request that can never be met. */
  impossible: Partial<AttemptSpec['resources']>
  close: () => Promise<void>
}

export function submissionOf(argv: string[], resources: Partial<AttemptSpec['resources']> = {}): Submission {
  const attemptId = newId()
  return {
    bootToken: 'of-the-contract',
    spec: {
      attemptId,
      kind: 'experiment',
      ownerId: newId(),
      number: 0,
      label: 'contract-exp0',
      argv,
      cwd: '',
      env: { GRID_ATTEMPT_ID: attemptId },
      code: null,
      environment: null,
      image: null,
      datastores: [],
      actions: { build: [], start: [], end: [] },
      resources: { cpus: 1, memMiB: 64, gpus: 0, ...resources },
      instanceType: null,
      preemptible: false,
      graceSec: 20,
    },
  }
}

export function backendContract(name: string, open: () => Promise<BackendHarness>): void {
  describe(`backend contract: ${name}`, () => {
    let harness: BackendHarness
    afterEach(() => harness.close())

    const submission = (program: Program, resources: Partial<AttemptSpec['resources']> = {}) =>
      submissionOf(harness.argvOf(program), resources)
    async function submitted(...submissions: Submission[]): Promise<string[]> {
      return (await harness.backend.submit(submissions)).map((answer) => {
        if ('rejected' in answer) throw new Error(answer.rejected)
        return answer.ref
      })
    }
    async function look(ref: string): Promise<Observation> {
      const [found, ...others] = await harness.backend.observe({ refs: [ref] })
      expect(others).toEqual([])
      return found!
    }
    async function until(ref: string, isTrue: (seen: Observation) => boolean): Promise<Observation> {
      for (;;) {
        const seen = await look(ref)
        if (isTrue(seen)) return seen
        await wait(20)
      }
    }
    const ended = (ref: string) => until(ref, ({ seen }) => seen === 'exited')
    const running = (ref: string) => until(ref, ({ seen }) => seen === 'running')
    /** The program is there and has said so: a signal before that would find none of its own handlers. */
    async function ready(ref: string, attemptId: string): Promise<void> {
      await running(ref)
      while (!(await harness.outputOf(attemptId)).includes('ready')) await wait(20)
    }

    test('what it was never given it has not seen, and stopping, killing and forgetting that is no trouble', async () => {
      harness = await open()
      expect(await look('999999')).toMatchObject({ ref: '999999', seen: 'absent' })
      await harness.backend.stop('999999', { graceSec: 1, reason: 'test' })
      await harness.backend.kill('999999')
      await harness.backend.forget('999999')
      expect(await harness.backend.find([newId()])).toEqual(new Map())
      expect(await harness.backend.submit([])).toEqual([])
    })

    test('what can never run is rejected with a reason, and its neighbours run', async () => {
      harness = await open()
      const [good, bad] = await harness.backend.submit([
        submission({ does: 'exit', code: 0 }),
        submission({ does: 'exit', code: 0 }, harness.impossible),
      ])
      expect(bad).toEqual({ rejected: expect.stringMatching(/\w{3}/) })
      expect(await ended((good as { ref: string }).ref)).toMatchObject({ exit: { code: 0 } })
    })

    test('a program’s own code comes back', async () => {
      harness = await open()
      const refs = await submitted(
        submission({ does: 'exit', code: 0 }),
        submission({ does: 'exit', code: 3 }),
        submission({ does: 'exit', code: 137 }),
      )
      for (const [index, code] of [0, 3, 137].entries())
        expect((await ended(refs[index]!)).exit).toMatchObject({ code, cause: 'exit' })
    })

    test('one attempt submitted twice, at once and after its end, runs once', async () => {
      harness = await open()
      const one = submission({ does: 'exit', code: 4 })
      const [first, second] = await Promise.all([submitted(one), submitted(one)])
      expect(first).toEqual(second)
      await ended(first[0]!)
      expect(await submitted(one)).toEqual(first)
      expect((await ended(first[0]!)).exit).toMatchObject({ code: 4 })
      expect(await harness.startsOf(one.spec.attemptId)).toBe(1)
      expect(await harness.backend.find([one.spec.attemptId, newId()])).toEqual(
        new Map([[one.spec.attemptId, first[0]]]),
      )
    })

    test('what does not fit waits and says why, and starts when there is room', async () => {
      harness = await open()
      const [first] = await submitted(submission({ does: 'hang' }, { cpus: harness.cpus }))
      await running(first!)
      const [second] = await submitted(submission({ does: 'exit', code: 5 }, { cpus: harness.cpus }))
      expect(await until(second!, ({ reason }) => reason !== undefined)).toMatchObject({
        seen: 'queued',
        reason: expect.stringMatching(/\w{3}/),
      })
      await harness.backend.kill(first!)
      expect((await ended(second!)).exit).toMatchObject({ code: 5 })
    })

    test('what is stopped while it waits never runs', async () => {
      harness = await open()
      const [first] = await submitted(submission({ does: 'hang' }, { cpus: harness.cpus }))
      await running(first!)
      const waiting = submission({ does: 'exit', code: 0 }, { cpus: harness.cpus })
      const [second] = await submitted(waiting)
      await harness.backend.stop(second!, { graceSec: 5, reason: 'test' })
      expect((await ended(second!)).exit).toMatchObject({ cause: 'cancel' })
      await harness.backend.kill(first!)
      await ended(first!)
      expect(await harness.startsOf(waiting.spec.attemptId)).toBe(0)
    })

    test('a stop leaves time to save, and is told apart from an end of its own', async () => {
      harness = await open()
      const saving = submission({ does: 'save', code: 7 })
      const [ref] = await submitted(saving)
      await ready(ref!, saving.spec.attemptId)
      await harness.backend.stop(ref!, { graceSec: 30, reason: 'test' })
      await harness.backend.stop(ref!, { graceSec: 30, reason: 'test' })
      expect((await ended(ref!)).exit).toMatchObject({ code: 7, cause: 'cancel' })
      expect(await harness.outputOf(saving.spec.attemptId)).toContain('saved')
    })

    test('what does not heed a stop is ended by force', async () => {
      harness = await open()
      const stubborn = submission({ does: 'ignore' })
      const [ref] = await submitted(stubborn)
      await ready(ref!, stubborn.spec.attemptId)
      await harness.backend.stop(ref!, { graceSec: 1, reason: 'test' })
      expect((await ended(ref!)).exit).toMatchObject({ cause: 'cancel' })
    })

    test('killed is killed, and can be killed again', async () => {
      harness = await open()
      const stubborn = submission({ does: 'ignore' })
      const [ref] = await submitted(stubborn)
      await ready(ref!, stubborn.spec.attemptId)
      await harness.backend.kill(ref!)
      await harness.backend.kill(ref!)
      expect((await ended(ref!)).exit?.code).not.toBe(0)
      await harness.backend.kill(ref!)
    })

    test('a backend opened anew knows what runs, what waits and what ended meanwhile', async () => {
      harness = await open()
      const half = Math.max(1, Math.floor(harness.cpus / 2))
      const saving = submission({ does: 'save', code: 6 }, { cpus: half })
      const short = submission({ does: 'exit', code: 9 }, { cpus: half })
      const [first, second] = await submitted(saving, short)
      await ready(first!, saving.spec.attemptId)
      const rest = submission({ does: 'exit', code: 8 }, { cpus: harness.cpus })
      const [third] = await submitted(rest)
      harness.backend = await harness.reopen()

      expect(await running(first!)).toMatchObject({ seen: 'running' })
      expect((await ended(second!)).exit).toMatchObject({ code: 9, cause: 'exit' })
      expect(await harness.backend.find([saving.spec.attemptId, rest.spec.attemptId])).toEqual(
        new Map([
          [saving.spec.attemptId, first],
          [rest.spec.attemptId, third],
        ]),
      )
      const all = (await harness.backend.observe({ all: true })).map(({ ref }) => ref)
      expect(all).toEqual(expect.arrayContaining([first!, third!]))
      await harness.backend.stop(first!, { graceSec: 30, reason: 'test' })
      expect((await ended(first!)).exit).toMatchObject({ code: 6, cause: 'cancel' })
      expect((await ended(third!)).exit).toMatchObject({ code: 8 })
      for (const each of [saving, short, rest]) expect(await harness.startsOf(each.spec.attemptId)).toBe(1)
    })

    test('what is forgotten is gone', async () => {
      harness = await open()
      const one = submission({ does: 'exit', code: 0 })
      const [ref] = await submitted(one)
      await ended(ref!)
      await harness.backend.forget(ref!)
      await harness.backend.forget(ref!)
      expect(await look(ref!)).toMatchObject({ seen: 'absent' })
      expect(await harness.backend.find([one.spec.attemptId])).toEqual(new Map())
    })

    test('it tells which machines one may ask for', async () => {
      harness = await open()
      const { ok, inventory } = await harness.backend.probe()
      expect(ok).toBe(true)
      expect(inventory.length).toBeGreaterThan(0)
      for (const machine of inventory) expect(machine.cpus).toBeGreaterThan(0)
    })
  })
}
