/** Going on with a run: never, allow, must, auto; what is refused. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, startScript } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000

describe.skipIf(!python)('with the newest client', () => {
  let server: TestServer
  let anna: Person
  beforeAll(async () => {
    server = await startServer()
    anna = await people(server).person()
  })
  afterAll(() => server?.stop())

  const script = (id: string, options: string, body: string, folder?: string) =>
    runScript({
      python,
      url: server.url,
      key: anna.key,
      folder,
      code: `
import wandb
run = wandb.init(project="resume"${id ? `, id="${id}"` : ''}${options})
print("ID", run.id, "RESUMED", run.resumed, "STEP", run.starting_step, "CONFIG", dict(run.config), "SUMMARY", dict(run.summary))
${body}
run.finish()
`,
    })
  const details = (experiment: string) =>
    anna.api.experiments.get({ team: anna.username, project: 'resume', experiment })
  async function curve(experiment: string, key = 'x') {
    const { id } = await details(experiment)
    const [found] = await anna.api.experiments.curves({ experimentIds: [id], keys: [key] })
    return found
  }

  test(
    'allow and must go on where the run ended; never refuses it',
    async () => {
      const first = await script(
        'r1',
        ', resume="allow", config={"lr": 0.1}',
        'for i in range(10):\n    run.log({"x": i})\n    print("first", i)',
      )
      expect(first.code).toBe(0)
      expect(first.output).toContain('RESUMED False STEP 0')
      const second = await script(
        'r1',
        ', resume="allow"',
        'for i in range(10, 15):\n    run.log({"x": i})\n    print("second", i)',
      )
      expect(second.code).toBe(0)
      expect(second.output).toContain('RESUMED True STEP 10')
      expect(second.output).toContain("'lr': 0.1")
      const third = await script('r1', ', resume="must"', 'run.log({"x": 15})')
      expect(third.code).toBe(0)
      expect(third.output).toContain('RESUMED True STEP 15')
      const all = Array.from({ length: 16 }, (_, step) => step)
      expect(await curve('r1')).toMatchObject({ x: all, y: all, points: 16 })
      expect(await details('r1')).toMatchObject({ state: 'finished', historyLines: 16, config: { lr: 0.1 } })
      const { lines } = await anna.api.experiments.console({
        team: anna.username,
        project: 'resume',
        experiment: 'r1',
      })
      const texts = lines.map(({ text }) => text)
      for (const line of ['first 0', 'first 9', 'second 10', 'second 14']) expect(texts).toContain(line)
      const never = await script('r1', ', resume="never"', 'run.log({"x": 99})')
      expect(never.code).not.toBe(0)
      expect(never.output).toMatch(/resume/i)
      expect((await curve('r1'))?.points).toBe(16)
    },
    120 * seconds,
  )

  test(
    'must of a run that never was is refused; never of it is fine',
    async () => {
      const must = await script('r2', ', resume="must"', 'pass')
      expect(must.code).not.toBe(0)
      expect(must.output).toMatch(/resume/i)
      const never = await script('r2', ', resume="never"', 'run.log({"x": 1})')
      expect(never.code).toBe(0)
      expect((await curve('r2'))?.points).toBe(1)
    },
    90 * seconds,
  )

  test(
    'auto finds the run that was killed in this folder',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'wandb-auto-'))
      const running = await startScript({
        python,
        url: server.url,
        key: anna.key,
        folder,
        code: `
import time, wandb
run = wandb.init(project="resume", resume="auto", settings=wandb.Settings(x_file_stream_transmit_interval=1))
for i in range(5):
    run.log({"x": i})
print("ID", run.id, flush=True)
time.sleep(120)
`,
      })
      await running.says('ID ')
      const id = /ID (\S+)/.exec(running.output())![1]!
      await expect.poll(async () => (await details(id)).historyLines, { timeout: 30 * seconds }).toBe(5)
      running.kill('SIGKILL')
      await running.ended
      const again = await script('', ', resume="auto"', 'run.log({"x": 5})', folder)
      await rm(folder, { recursive: true, force: true })
      expect(again.code).toBe(0)
      expect(again.output).toContain(`ID ${id} RESUMED True STEP 5`)
      expect(await curve(id)).toMatchObject({ y: [0, 1, 2, 3, 4, 5] })
      expect(await details(id)).toMatchObject({ state: 'finished' })
    },
    120 * seconds,
  )

  test(
    'logging to a run again without resume goes on after its history',
    async () => {
      await script('r3', '', 'run.log({"x": 0}); run.log({"x": 1})')
      const again = await script('r3', '', 'run.log({"y": 2}, step=2)')
      expect(again.code).toBe(0)
      expect((await curve('r3'))?.points).toBe(2)
      expect((await curve('r3', 'y'))?.points).toBe(1)
    },
    90 * seconds,
  )
})
