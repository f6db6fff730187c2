/** The client's own controller, on somebody's machine: it decides what is tried, the server hands it to agents. */
import { expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer } from '../support/server.ts'
import { people, runScript } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000

test.skipIf(!python)(
  'what wandb.controller() schedules is run by the agent of a team mate, what it stops ends, and then the sweep',
  async () => {
    const server = await startServer()
    try {
      const { person, team: makeTeam } = people(server)
      const [anna, bert] = await Promise.all([person(), person()])
      const { slug } = await makeTeam([
        { person: anna, role: 'member' },
        { person: bert, role: 'member' },
      ])
      const made = await anna.api.sweeps.create({
        team: slug,
        project: 'digits',
        config: JSON.stringify({
          method: 'grid',
          controller: { type: 'local' },
          metric: { name: 'loss', goal: 'minimize' },
          parameters: { x: { values: [1, 2] } },
        }),
      })
      const common = { python, url: server.url, env: { WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL: '1' } }
      const agent = runScript({
        ...common,
        key: bert.key,
        code: `
import time, wandb
from wandb.agents import pyagent
pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.5
def train():
    with wandb.init() as run:
        for step in range(1000 if run.config.x == 2 else 2):
            run.log({"loss": run.config.x})
            time.sleep(0.2)
wandb.agent("${slug}/digits/${made.slug}", train)
`,
      })
      const controller = runScript({
        ...common,
        key: anna.key,
        code: `
import time, wandb
sweep = wandb.controller("${made.slug}", entity="${slug}", project="digits")
sweep.stopping = lambda: [run for run in sweep._sweep_runs
    if run.state == "running" and run.config["x"]["value"] == 2 and run.summary_metrics]
# As its own run() does, which waits five seconds every time.
while not sweep.done():
    sweep.step()
    time.sleep(0.5)
`,
      })
      const ends = await Promise.all([agent, controller])
      for (const { code, output } of ends) expect(code, output).toBe(0)
      const { rows } = await bert.api.experiments.query({
        team: slug,
        project: 'digits',
        filters: [{ column: 'sweep', op: 'eq', value: made.slug }],
        sort: [{ column: 'created_at' }],
        columns: ['config.x'],
      })
      expect(rows.map((row) => [row.values['config.x'], row.state, row.createdBy.username])).toEqual([
        [1, 'finished', bert.username],
        [2, 'killed', bert.username],
      ])
      const found = await bert.api.sweeps.get({ team: slug, project: 'digits', sweep: made.slug })
      expect(found).toMatchObject({ state: 'finished', isLocal: true })
    } finally {
      await server.stop()
    }
  },
  180 * seconds,
)
