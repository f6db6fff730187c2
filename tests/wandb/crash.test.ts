/** When things die: the script, the server, the connection. Nothing that was logged is lost, and nothing doubles. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rm } from 'node:fs/promises'
import { startApp, type TestApp } from '../support/app.ts'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, startScript, until } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000

describe.skipIf(!python)('with the newest client', () => {
  test(
    'the server is killed twice in the middle and started again: every point is there, once',
    async () => {
      let server: TestServer = await startServer()
      const { dataDir, port } = server
      try {
        const anna: Person = await people(server).person()
        const at = { team: anna.username, project: 'p', experiment: 'survivor' }
        const script = await startScript({
          python,
          url: server.url,
          key: anna.key,
          code: `
import time, wandb
run = wandb.init(project="p", id="survivor", settings=wandb.Settings(x_file_stream_transmit_interval=1, x_file_stream_retry_wait_min_seconds=1, x_file_stream_retry_wait_max_seconds=2))
print("started")
for step in range(400):
    run.log({"x": step})
    if step % 10 == 0: print("line", step)
    time.sleep(0.05)
run.finish()
print("finished")
`,
        })
        await script.says('started')
        for (let round = 0; round < 2; round++) {
          await sleep(4 * seconds)
          await server.kill9()
          await sleep(1 * seconds)
          server = await startServer({ dataDir, port })
        }
        const { code, output } = await script.ended
        expect(code, output).toBe(0)
        expect(output).toContain('finished')
        const found = await anna.api.experiments.get(at)
        expect(found).toMatchObject({ state: 'finished', exitCode: 0, historyLines: 400 })
        const [curve] = await anna.api.experiments.curves({ experimentIds: [found.id], keys: ['x'] })
        const all = Array.from({ length: 400 }, (_, step) => step)
        expect(curve).toMatchObject({ x: all, y: all, points: 400 })
        const { lines } = await anna.api.experiments.console({ ...at, limit: 1000 })
        expect(lines.filter(({ text }) => text.startsWith('line ')).map(({ text }) => text)).toEqual(
          Array.from({ length: 40 }, (_, index) => `line ${index * 10}`),
        )
      } finally {
        await server.stop()
        await rm(dataDir, { recursive: true, force: true })
      }
    },
    180 * seconds,
  )

  describe('and a clock of ours', () => {
    let app: TestApp
    let url: string
    let now = Date.now()
    const clock = { now: () => new Date(now) }
    beforeAll(async () => {
      app = await startApp({ clock })
      url = await app.app.listen({ port: 0, host: '127.0.0.1' })
    })
    afterAll(() => app?.close())

    test(
      'a script that was killed has crashed after five silent minutes, with what it had logged',
      async () => {
        const anna = await app.aPerson()
        const script = await startScript({
          python,
          url,
          key: anna.key,
          code: `
import time, wandb
run = wandb.init(project="p", id="killed", settings=wandb.Settings(x_file_stream_transmit_interval=1))
for step in range(7):
    run.log({"x": step})
print("points sent")
time.sleep(120)
`,
        })
        const at = { team: anna.username, project: 'p', experiment: 'killed' }
        await script.says('points sent')
        await until(async () => (await anna.experiments.get(at)).historyLines === 7, 30)
        script.kill('SIGKILL')
        await script.ended
        // The client's second process lives a moment longer than its script.
        await sleep(3 * seconds)
        now += 4 * 60 * seconds
        await app.experiments.sweepCrashed()
        expect(await anna.experiments.get(at)).toMatchObject({ state: 'running' })
        now += 2 * 60 * seconds
        await app.experiments.sweepCrashed()
        expect(await anna.experiments.get(at)).toMatchObject({
          state: 'crashed',
          exitCode: null,
          historyLines: 7,
        })
      },
      90 * seconds,
    )
  })
})
