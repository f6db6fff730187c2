/** The thin thread: the newest client logs to a fresh server, and REST shows what it logged. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, runScript } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''

describe.skipIf(!python)('the newest client', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server?.stop())

  test('init, log, finish', async () => {
    const { person } = people(server)
    const anna = await person()
    const { code, output } = await runScript({
      python,
      url: server.url,
      key: anna.key,
      code: `
import wandb
run = wandb.init(project="first", config={"lr": 0.1, "nested": {"a": 1}})
for step in range(5):
    run.log({"loss": 1 / (step + 1)})
print("hello from the script")
run.finish()
print("id", run.id, "url", run.url)
`,
    })
    console.log(output)
    expect(code).toBe(0)
    const { rows } = await anna.api.experiments.query({ team: anna.username, project: 'first' })
    expect(rows).toMatchObject([{ state: 'finished', exitCode: 0, team: anna.username, project: 'first' }])
    const [row] = rows
    const [curve] = await anna.api.experiments.curves({ experimentIds: [row!.id], keys: ['loss'] })
    expect(curve).toMatchObject({ x: [0, 1, 2, 3, 4], points: 5 })
  }, 120_000)
})
