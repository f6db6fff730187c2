/** Runs that were written while nobody was there: offline, killed in the middle, sent later and more than once. */
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
const project = 'offline'

/** Ends the script and the client's own process as a machine does that loses power, with some of the run on its disk. */
const dies = `
import os, signal, time
while os.path.getsize(run.settings.sync_file) < 100_000:
    time.sleep(0.05)
children = [int(pid) for task in os.listdir("/proc/self/task") for pid in open(f"/proc/self/task/{task}/children").read().split()]
for pid in children + [os.getpid()]:
    os.kill(pid, signal.SIGKILL)
`

describe.skipIf(!python)('with the newest client', () => {
  let server: TestServer
  let anna: Person
  let mate: Person
  let stranger: Person
  let team: string
  let folder: string
  beforeAll(async () => {
    server = await startServer()
    const { person, team: makeTeam } = people(server)
    ;[anna, mate, stranger] = await Promise.all([person(), person(), person()])
    const members = [anna, mate].map((each) => ({ person: each, role: 'member' as const }))
    team = (await makeTeam(members)).slug
    folder = await mkdtemp(join(tmpdir(), 'wandb-offline-'))
  })
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const at = (experiment: string) => ({ team, project, experiment })
  const script = (code: string) => runScript({ python, url: server.url, key: anna.key, folder, code })
  async function wandb(...args: string[]) {
    const { code, output } = await (
      await startWandb({ python, url: server.url, key: anna.key, folder }, args)
    ).ended
    expect(code, output).toBe(0)
    return output
  }
  /** Everything that a team mate sees of a run, without the times of the last message. */
  async function seen(experiment: string) {
    const details = await mate.api.experiments.get(at(experiment))
    const [curve] = await mate.api.experiments.curves({
      experimentIds: [details.id],
      keys: ['x'],
      pointsMax: 10_000,
    })
    const console = await mate.api.experiments.console({ ...at(experiment), limit: 1000 })
    return { details, x: curve?.x ?? [], y: curve?.y ?? [], texts: console.lines.map(({ text }) => text) }
  }
  const savedRun = async (name: string) => {
    const found = (await readdir(join(folder, 'wandb'))).filter((each) => each.endsWith(`-${name}`))
    expect(found).toHaveLength(1)
    return join('wandb', found[0]!)
  }
  const counted = (count: number) => Array.from({ length: count }, (_, index) => index)

  test(
    'a run written offline whose process was killed is sent as far as it was written, and once however often',
    async () => {
      expect(await wandb('offline')).toContain('disabled')
      await script(`
import wandb
run = wandb.init(entity="${team}", project="${project}", id="killed", config={"lr": 0.5})
for step in range(3000):
    run.log({"x": step, "filling": "f" * 50})
    if step % 100 == 0:
        print("row", step)
${dies}`)
      await wandb('online')
      await expect(mate.api.experiments.get(at('killed'))).rejects.toMatchObject({ code: 'not_found' })
      const saved = await savedRun('killed')
      await wandb('sync', saved)
      const first = await seen('killed')
      // The end of the file was still in the memory of the process.
      expect(first.y.length).toBeGreaterThan(100)
      expect(first.y).toEqual(counted(first.y.length))
      expect(first.x).toEqual(first.y)
      expect(first.details).toMatchObject({ historyLines: first.y.length, config: { lr: 0.5 } })
      expect(first.details.state).not.toBe('finished')
      expect(first.texts).toContain('row 100')
      await wandb('sync', '--include-synced', saved)
      const second = await seen('killed')
      expect({
        ...second,
        details: { ...second.details, heartbeatAt: 0, durationSeconds: 0, endedAt: 0 },
      }).toEqual({ ...first, details: { ...first.details, heartbeatAt: 0, durationSeconds: 0, endedAt: 0 } })
      await expect(stranger.api.experiments.get(at('killed'))).rejects.toMatchObject({ code: 'not_found' })
    },
    180 * seconds,
  )

  test(
    'what a killed process had not sent yet comes with a later sync; what it had sent changes nothing',
    async () => {
      await script(`
import wandb
run = wandb.init(entity="${team}", project="${project}", id="half",
                 settings=wandb.Settings(x_file_stream_transmit_interval=1))
for step in range(50):
    run.log({"x": step})
api = wandb.Api()
import time
while True:
    try:
        if api.run("${team}/${project}/half").lastHistoryStep >= 0: break
    except Exception as error:
        print(error)
    time.sleep(0.2)
# Of what follows, as much is sent as there is time for.
for step in range(50, 3000):
    run.log({"x": step, "filling": "f" * 50})
${dies}`)
      const sent = await seen('half')
      expect(sent.y.length).toBeGreaterThan(0)
      const saved = await savedRun('half')
      await wandb('sync', '--include-online', saved)
      const first = await seen('half')
      expect(first.y.length).toBeGreaterThanOrEqual(sent.y.length)
      expect(first.y.length).toBeGreaterThan(100)
      expect(first.y).toEqual(counted(first.y.length))
      await wandb('sync', '--include-online', '--include-synced', saved)
      const second = await seen('half')
      expect([second.y, second.details.historyLines]).toEqual([first.y, first.details.historyLines])
    },
    180 * seconds,
  )
})
