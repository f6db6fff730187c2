/** Sweeps as people run them: `wandb.sweep`, `wandb.agent`, the command line, the public API; several machines, old and new. */
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, type ScriptEnd, startScript, startWandb } from './client.ts'

const newest = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const oldest = (await part('wandb-0.22.0', () => venv('wandb-0.22.0'))) ?? ''
const seconds = 1000

/** Asks for work more often than every five seconds, where the client lets us. */
const eager = `
import json, sys, time, wandb
from wandb.agents import pyagent
pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.5
`

describe.skipIf(!newest)('sweeps', () => {
  let server: TestServer
  let anna: Person
  let bert: Person
  let vera: Person
  let stranger: Person
  let slug: string
  beforeAll(async () => {
    server = await startServer()
    const make = people(server)
    ;[anna, bert, vera, stranger] = await Promise.all([
      make.person(),
      make.person(),
      make.person(),
      make.person(),
    ])
    const team = await make.team([
      { person: anna, role: 'member' },
      { person: bert, role: 'member' },
      { person: vera, role: 'viewer' },
    ])
    slug = team.slug
  }, 60 * seconds)
  afterAll(() => server?.stop())

  const create = (config: object) =>
    anna.api.sweeps.create({ team: slug, project: 'digits', config: JSON.stringify(config) })
  const get = (sweep: string) => anna.api.sweeps.get({ team: slug, project: 'digits', sweep })
  const experimentsOf = async (sweep: string, columns: string[] = []) => {
    const filters = [{ column: 'sweep', op: 'eq' as const, value: sweep }]
    const sort = [{ column: 'created_at' }]
    return (await anna.api.experiments.query({ team: slug, project: 'digits', filters, sort, columns })).rows
  }
  const run = (person: Person, code: string, python = newest) =>
    runScript({
      python,
      url: server.url,
      key: person.key,
      env: { WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL: '1' },
      code: eager + code,
    })
  /** What a script printed as its last word. */
  const saidBy = ({ output, code }: ScriptEnd): unknown => {
    const line = /^RESULT (.*)$/m.exec(output)?.[1]
    if (line === undefined) throw new Error(`The script ended with ${code} and no result:\n${output}`)
    return JSON.parse(line)
  }

  test(
    'what is made by wandb.sweep is tried once each by agents of two people on two machines, and read back',
    async () => {
      const made = await run(
        anna,
        `
config = {"method": "grid", "name": "small", "metric": {"name": "loss", "goal": "minimize"},
          "parameters": {"lr": {"values": [0.1, 0.2, 0.3, 0.4]}, "net": {"parameters": {"depth": {"value": 3}}}}}
sweep = wandb.sweep(config, entity="${slug}", project="digits")
try:
    wandb.sweep({**config, "parameters": {"lr": {"distribution": "uniform", "min": 0.0}}}, entity="${slug}", project="digits")
except Exception as error:
    print("RESULT", json.dumps([sweep, str(error)]))
`,
      )
      const [sweep, refusal] = saidBy(made) as [string, string]
      expect(made.output).toContain(`${server.url}/${slug}/digits/sweeps/${sweep}`)
      expect(refusal).toContain('parameters.lr.max is missing')

      // Nobody begins before the other has something to do as well.
      const agent = `
def train():
    while len(wandb.Api().sweep("${slug}/digits/${sweep}").runs) < 2:
        time.sleep(0.2)
    with wandb.init() as run:
        run.log({"loss": (run.config.lr - 0.3) ** 2, "depth": run.config.net["depth"]})
wandb.agent("${slug}/digits/${sweep}", train)
`
      const [one, two, viewer, nobody] = await Promise.all([
        run(anna, agent),
        run(bert, agent),
        run(vera, agent),
        run(stranger, agent),
      ])
      expect([one.code, two.code]).toEqual([0, 0])
      expect([viewer.code, nobody.code]).not.toContain(0)
      const rows = await experimentsOf(sweep, ['config.lr', 'config.net.depth', 'summary.loss'])
      expect(new Set(rows.map((row) => row.values['config.lr']))).toEqual(new Set([0.1, 0.2, 0.3, 0.4]))
      expect(rows.map((row) => [row.state, row.values['config.net.depth']])).toEqual(
        Array(4).fill(['finished', 3]),
      )
      expect(new Set(rows.map((row) => row.createdBy.username))).toEqual(
        new Set([anna.username, bert.username]),
      )

      const read = await run(
        bert,
        `
api = wandb.Api()
sweep = api.sweep("${slug}/digits/${sweep}")
agents = sweep.agents()
print("RESULT", json.dumps({
    "name": sweep.name, "state": sweep.state, "expected": sweep.expected_run_count, "method": sweep.config["method"],
    "best": sweep.best_run().config["lr"], "loss": round(sweep.best_run().summary["loss"], 6),
    "runs": sorted(run.config["lr"] for run in sweep.runs), "in": sorted({run.sweep_name for run in sweep.runs}),
    "of_project": [each.id for each in api.project("digits", entity="${slug}").sweeps()],
    "filtered": [[each.id for each in api.project("digits", entity="${slug}").sweeps(filters=filters)] for filters in [
        {"name": "${sweep}"}, {"state": "FINISHED", "displayName": {"$regex": "^sma"}}, {"$or": [{"state": "RUNNING"}, {"method": "bayes"}]}]],
    "agents": sorted(sum(1 for _ in agent.runs()) for agent in agents), "per_agent": sorted(agent.totalRuns for agent in agents)}))
`,
      )
      const answer = saidBy(read) as Record<string, unknown> & { agents: number[]; per_agent: number[] }
      expect(answer).toMatchObject({
        name: 'small',
        state: 'FINISHED',
        expected: 4,
        method: 'grid',
        best: 0.3,
        loss: 0,
        runs: [0.1, 0.2, 0.3, 0.4],
        in: [sweep],
        of_project: [sweep],
        filtered: [[sweep], [sweep], []],
      })
      expect(answer.agents).toEqual(answer.per_agent)
      expect(answer.agents.reduce((sum, count) => sum + count, 0)).toBe(4)
      const hidden = await run(
        stranger,
        `
try:
    wandb.Api().sweep("${slug}/digits/${sweep}")
    print("RESULT", json.dumps("found"))
except Exception as error:
    print("RESULT", json.dumps("nothing"))
`,
      )
      expect(saidBy(hidden)).toBe('nothing')
    },
    180 * seconds,
  )

  test(
    'an experiment that is worse than the others is ended by hyperband, and its agent goes on',
    async () => {
      const sweep = await create({
        method: 'grid',
        metric: { name: 'loss', goal: 'minimize' },
        early_terminate: { type: 'hyperband', min_iter: 2, eta: 3 },
        parameters: { loss: { values: [1, 9, 0.5] } },
      })
      const ended = await run(
        anna,
        `
def train():
    run = wandb.init()
    for step in range(400):
        run.log({"loss": run.config.loss})
        if run.config.loss < 5 and step > 3:
            break
        time.sleep(0.2)
wandb.agent("${slug}/digits/${sweep.slug}", train)
`,
      )
      expect(ended.code, ended.output).toBe(0)
      const rows = await experimentsOf(sweep.slug, ['config.loss'])
      expect(rows.map((row) => [row.values['config.loss'], row.state])).toEqual([
        [1, 'finished'],
        [9, 'killed'],
        [0.5, 'finished'],
      ])
    },
    180 * seconds,
  )

  test(
    'the command line runs the program of the sweep with its parameters, and pauses, resumes, cancels',
    async () => {
      const sweep = await create({
        method: 'grid',
        program: 'train.py',
        parameters: { lr: { values: [0.1, 0.2] }, name: { value: 'two words' } },
      })
      const ref = `${slug}/digits/${sweep.slug}`
      const steered = await run(
        bert,
        `
from click.testing import CliRunner
from wandb.cli import cli
seen = []
for flag in ["--pause", "--resume", "--cancel", "--pause"]:
    result = CliRunner().invoke(cli.sweep, [flag, "${ref}"])
    seen.append([flag, "Done." in result.output or result.exit_code == 0, wandb.Api().sweep("${ref}").state])
print("RESULT", json.dumps(seen))
`,
      )
      // A sweep that nobody has begun cannot be paused, says the client; it may be resumed.
      expect(saidBy(steered)).toEqual([
        ['--pause', false, 'PENDING'],
        ['--resume', true, 'PENDING'],
        ['--cancel', true, 'CANCELED'],
        ['--pause', false, 'CANCELED'],
      ])
      await bert.api.sweeps.steer({ team: slug, project: 'digits', sweep: sweep.slug, action: 'resume' })

      const place = await startScript({
        python: newest,
        url: server.url,
        key: anna.key,
        // The agent starts its programs with whatever `python` it finds.
        env: { PATH: `${dirname(newest)}:${process.env.PATH}` },
        code: `
open("train.py", "w").write('''
import sys, wandb
with wandb.init(config={"lr": 5}) as run:
    run.log({"lr": run.config.lr})
    run.summary["argv"] = sys.argv[1:]
''')
import sys
from wandb.wandb_agent import Agent
Agent.POLL_INTERVAL = 1
from wandb.cli import cli
cli.cli(["agent", "${ref}"])
`,
      })
      const { code, output } = await place.ended
      expect(code, output).toBe(0)
      const rows = await experimentsOf(sweep.slug, ['config.lr', 'summary.lr', 'summary.argv'])
      // The parameters of the sweep win over what the script would have taken.
      expect(rows.map((row) => row.values)).toEqual([
        { 'config.lr': 0.1, 'summary.lr': 0.1, 'summary.argv': ['--lr=0.1', '--name=two words'] },
        { 'config.lr': 0.2, 'summary.lr': 0.2, 'summary.argv': ['--lr=0.2', '--name=two words'] },
      ])
      expect((await get(sweep.slug)).state).toBe('finished')
    },
    180 * seconds,
  )

  test(
    'an agent learns that its sweep was deleted',
    async () => {
      const sweep = await create({ method: 'random', parameters: { a: { min: 1, max: 1000 } } })
      const agent = await startWandb({ python: newest, url: server.url, key: anna.key }, [
        'agent',
        `${slug}/digits/${sweep.slug}`,
      ])
      await agent.says('Agent received command: run')
      await anna.api.sweeps.delete({ team: slug, project: 'digits', sweep: sweep.slug })
      const { output } = await agent.ended
      expect(output).toContain('Sweep was deleted or agent was not found')
    },
    120 * seconds,
  )

  test.skipIf(!oldest)(
    'the oldest client makes a sweep from a random search with a cap, and runs it',
    async () => {
      const ended = await runScript({
        python: oldest,
        url: server.url,
        key: bert.key,
        code: `
import json, wandb
sweep = wandb.sweep({"method": "bayes", "run_cap": 2, "metric": {"name": "x", "goal": "maximize"},
                     "parameters": {"x": {"min": 0.0, "max": 1.0}}}, entity="${slug}", project="digits")
def train():
    with wandb.init() as run:
        run.log({"x": run.config.x})
wandb.agent(sweep, train, entity="${slug}", project="digits")
found = wandb.Api().sweep(f"${slug}/digits/{sweep}")
print("RESULT", json.dumps([sweep, found.state, found.expected_run_count, found.best_run().summary["x"], len(found.runs)]))
`,
      })
      const [sweep, state, expected, best, count] = saidBy(ended) as [string, string, null, number, number]
      // The client expects a number for grids alone.
      expect([state, expected, count]).toEqual(['FINISHED', null, 2])
      const rows = await experimentsOf(sweep, ['config.x', 'summary.x'])
      expect(Math.max(...rows.map((row) => row.values['config.x'] as number))).toBe(best)
    },
    180 * seconds,
  )
})
