/** Several processes and several attempts: shared runs, offline runs that are sent later, twice. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, startWandb } from './client.ts'

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

  const at = (experiment: string) => ({ team: anna.username, project: 'writers', experiment })
  async function curve(experiment: string, key: string) {
    const { id } = await anna.api.experiments.get(at(experiment))
    const [found] = await anna.api.experiments.curves({ experimentIds: [id], keys: [key] })
    return found
  }

  test(
    'two processes write one shared run: every row, line and summary of both is there',
    async () => {
      const write = (label: string, isPrimary: boolean) =>
        runScript({
          python,
          url: server.url,
          key: anna.key,
          code: `
import time, wandb
first = ${isPrimary ? 'True' : 'False'}
run = wandb.init(project="writers", id="shared", mode="shared",
                 settings=wandb.Settings(x_label="${label}", x_primary=first, x_update_finish_state=first))
for step in range(30):
    run.log({"x_${label}": step})
    print("line ${label}", step)
    time.sleep(0.03)
run.summary["of_${label}"] = 1
run.finish()
`,
        })
      const [one, two] = await Promise.all([write('one', true), write('two', false)])
      expect([one.code, two.code], one.output + two.output).toEqual([0, 0])
      for (const label of ['one', 'two']) {
        const found = await curve('shared', `x_${label}`)
        expect(found?.y.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, step) => step))
      }
      expect(await anna.api.experiments.get(at('shared'))).toMatchObject({
        historyLines: 60,
        summary: { of_one: 1, of_two: 1, x_one: 29, x_two: 29 },
      })
      const { lines } = await anna.api.experiments.console({ ...at('shared'), limit: 1000 })
      for (const label of ['one', 'two']) {
        const texts = lines.filter((line) => line.label === label).map((line) => line.text)
        for (let step = 0; step < 30; step++) expect(texts).toContain(`line ${label} ${step}`)
      }
    },
    90 * seconds,
  )

  test(
    'an offline run is sent later, with its own times; sending it twice changes nothing',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'wandb-offline-'))
      try {
        const offline = await runScript({
          python,
          url: server.url,
          key: anna.key,
          folder,
          env: { WANDB_MODE: 'offline' },
          code: `
import wandb
run = wandb.init(project="writers", id="offline", config={"lr": 0.5})
for step in range(100):
    run.log({"x": step})
print("said offline")
with open("file.txt", "w") as file: file.write("kept")
run.save("file.txt")
run.finish()
`,
        })
        expect(offline.code, offline.output).toBe(0)
        await expect(anna.api.experiments.get(at('offline'))).rejects.toMatchObject({ code: 'not_found' })
        const [saved] = (await readdir(join(folder, 'wandb'))).filter((name) =>
          name.startsWith('offline-run'),
        )
        for (let round = 0; round < 2; round++) {
          const sync = await startWandb({ python, url: server.url, key: anna.key, folder }, [
            'sync',
            ...(round === 0 ? [] : ['--include-synced']),
            join('wandb', saved!),
          ])
          const { code, output } = await sync.ended
          expect(code, output).toBe(0)
          const found = await anna.api.experiments.get(at('offline'))
          expect(found).toMatchObject({ state: 'finished', historyLines: 100, config: { lr: 0.5 } })
          expect(await curve('offline', 'x')).toMatchObject({ points: 100 })
          const { lines } = await anna.api.experiments.console(at('offline'))
          expect(lines.filter((line) => line.text === 'said offline')).toHaveLength(1)
          const files = await anna.api.experiments.files(at('offline'))
          expect(files.map((file) => file.path)).toContain('file.txt')
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    120 * seconds,
  )
})
