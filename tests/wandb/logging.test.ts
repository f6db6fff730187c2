/** What scripts log with the newest client, as a user sees it afterwards through REST. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, startScript } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000

describe.skipIf(!python)('a script with the newest client', () => {
  let server: TestServer
  let anna: Person
  beforeAll(async () => {
    server = await startServer()
    anna = await people(server).person()
  })
  afterAll(() => server?.stop())

  const script = (code: string, env: Record<string, string> = {}) =>
    runScript({ python, url: server.url, key: anna.key, code, env })
  const details = (project: string, experiment: string) =>
    anna.api.experiments.get({ team: anna.username, project, experiment })
  async function curves(id: string, keys: string[], options: { stream?: 'system'; x?: string } = {}) {
    const found = await anna.api.experiments.curves({ experimentIds: [id], keys, ...options })
    return Object.fromEntries(found.map((curve) => [curve.key, curve]))
  }

  test(
    'init, log, finish; config, summary, tags, notes, group, job type, name',
    async () => {
      const { code, output } = await script(`
import wandb
run = wandb.init(project="first", id="basics", name="my run", notes="some notes", tags=["a", "b c"], group="g1",
                 job_type="train", config={"lr": 0.1, "nested": {"a": 1, "b": [1, 2]}, "ünï": "ç", "inf": float("inf")})
run.config.update({"late": True})
for step in range(5):
    run.log({"loss": 1 / (step + 1), "nested": {"deep": {"x": step}}, "val/acc": step / 10})
run.summary["best"] = 0.5
run.tags = run.tags + ("later",)
run.finish()
`)
      expect(output).toContain(`Currently logged in as: ${anna.username}`)
      expect(output).toContain(`${server.url}/${anna.username}/first/runs/basics`)
      expect(code).toBe(0)
      const found = await details('first', 'basics')
      expect(found).toMatchObject({
        state: 'finished',
        exitCode: 0,
        team: anna.username,
        project: 'first',
        name: 'my run',
        notes: 'some notes',
        group: 'g1',
        jobType: 'train',
        historyLines: 5,
        createdBy: { username: anna.username },
        config: { lr: 0.1, nested: { a: 1, b: [1, 2] }, ünï: 'ç', inf: 'Infinity', late: true },
      })
      expect(found.tags.toSorted()).toEqual(['a', 'b c', 'later'])
      expect(found.summary).toMatchObject({
        loss: 0.2,
        best: 0.5,
        'val/acc': 0.4,
        nested: { deep: { x: 4 } },
      })
      expect(found.command).toContain('script.py')
      const {
        loss,
        'nested.deep.x': deep,
        'val/acc': accuracy,
      } = await curves(found.id, ['loss', 'nested.deep.x', 'val/acc'])
      expect(loss).toMatchObject({ x: [0, 1, 2, 3, 4], y: [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5] })
      expect(deep?.y).toEqual([0, 1, 2, 3, 4])
      expect(accuracy?.points).toBe(5)
    },
    60 * seconds,
  )

  test(
    'odd keys, steps with gaps, numbers that are none',
    async () => {
      const { code } = await script(`
import wandb, math
run = wandb.init(project="odd", id="odd")
run.log({"ünïcode ✓": 1.5, "with space": 2, "per%cent": 3, "dots.in.key": 4, "<tag>": 5, "a/b/c": 6, "": 7})
run.log({"nan": math.nan, "inf": math.inf, "minus": -math.inf, "yes": True, "text": "hello", "none": None}, step=10)
run.log({"nan": 1.0}, step=1000)
run.log({"part": 1}, commit=False)
run.log({"other": 2})
run.finish()
`)
      expect(code).toBe(0)
      const { id, historyLines, summary } = await details('odd', 'odd')
      // A row with a step of its own stays open, so what follows without one joins it.
      expect(historyLines).toBe(3)
      expect(summary).toMatchObject({ inf: 'Infinity', minus: '-Infinity', nan: 1, text: 'hello' })
      const names = ['ünïcode ✓', 'with space', 'per%cent', 'dots.in.key', '<tag>', 'a/b/c']
      const found = await curves(id, [...names, 'nan', 'inf', 'yes', 'part', 'other'])
      expect(names.map((name) => found[name]?.y)).toEqual([[1.5], [2], [3], [4], [5], [6]])
      expect(found.nan).toMatchObject({ x: [1000], y: [1], nonFinite: [{ x: 10, value: 'NaN' }] })
      expect(found.inf?.nonFinite).toEqual([{ x: 10, value: 'Infinity' }])
      expect(found.yes?.y).toEqual([1])
      expect([found.part?.x, found.other?.x]).toEqual([[1000], [1000]])
    },
    60 * seconds,
  )

  test(
    'define_metric: an axis of its own, globs, lowest values in the summary',
    async () => {
      const { code } = await script(`
import wandb
run = wandb.init(project="defined", id="defined")
run.define_metric("epoch", hidden=True)
run.define_metric("loss", step_metric="epoch", summary="min,max")
run.define_metric("val/*", step_metric="epoch")
for epoch in range(4):
    run.log({"epoch": epoch * 10, "loss": abs(epoch - 2), "val/acc": epoch})
run.finish()
`)
      expect(code).toBe(0)
      const { id, metricDefinitions, summary } = await details('defined', 'defined')
      expect(summary).toMatchObject({ loss: { min: 0, max: 2 } })
      expect(metricDefinitions).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ key: 'loss', stepKey: 'epoch' }),
          expect.objectContaining({ key: 'epoch', hidden: true }),
          expect.objectContaining({ key: null, glob: 'val/*', stepKey: 'epoch' }),
        ]),
      )
      const { loss } = await curves(id, ['loss'], { x: 'epoch' })
      expect(loss).toMatchObject({ x: [0, 10, 20, 30], y: [2, 1, 0, 1] })
    },
    60 * seconds,
  )

  test(
    'console: stderr, colours, a progress bar as one line, one file of it',
    async () => {
      const { code } = await script(`
import sys, time, wandb
run = wandb.init(project="console", id="console")
print("first line")
for step in range(101):
    sys.stdout.write(f"\\r{step:3d} %")
    sys.stdout.flush()
print()
print("oh no", file=sys.stderr)
print("\\x1b[31mred\\x1b[0m")
print("ünïcode ✓")
run.finish()
`)
      expect(code).toBe(0)
      const { lines } = await anna.api.experiments.console({
        team: anna.username,
        project: 'console',
        experiment: 'console',
      })
      const texts = lines.map(({ text }) => text)
      expect(texts).toContain('first line')
      expect(texts.filter((text) => text.includes('%'))).toEqual([expect.stringContaining('100 %')])
      expect(texts).toContain('ünïcode ✓')
      expect(texts.some((text) => text.includes('red'))).toBe(true)
      expect(lines.find(({ text }) => text === 'oh no')).toMatchObject({ level: 'error' })
      expect(lines.every(({ time }) => time !== null)).toBe(true)
    },
    60 * seconds,
  )

  test(
    'console in files by time: every line is there',
    async () => {
      const { code } = await script(
        `
import wandb
run = wandb.init(project="console", id="parts", settings=wandb.Settings(console_multipart=True, console_chunk_max_bytes=2000))
for line in range(300):
    print(f"line {line}")
run.finish()
`,
      )
      expect(code).toBe(0)
      const at = { team: anna.username, project: 'console', experiment: 'parts' }
      const { lines } = await anna.api.experiments.console({ ...at, limit: 1000 })
      const texts = new Set(lines.map(({ text }) => text))
      for (let line = 0; line < 300; line++) expect(texts.has(`line ${line}`), `line ${line}`).toBe(true)
      const files = await anna.api.experiments.files({ ...at, prefix: 'logs/' })
      expect(files.length).toBeGreaterThan(0)
    },
    60 * seconds,
  )

  test(
    'system metrics and the environment',
    async () => {
      const { code } = await script(`
import time, wandb
run = wandb.init(project="system", id="system", settings=wandb.Settings(x_stats_sampling_interval=0.5))
time.sleep(3)
run.finish()
`)
      expect(code).toBe(0)
      const { id, environment } = await details('system', 'system')
      const keys = await anna.api.experiments.keys({ experimentIds: [id], stream: 'system' })
      expect(keys.map(({ key }) => key)).toEqual(
        expect.arrayContaining(['system.cpu', 'system.memory_percent']),
      )
      const found = await curves(id, ['system.cpu'], { stream: 'system' })
      expect(found['system.cpu']!.points).toBeGreaterThan(1)
      expect(JSON.stringify(environment)).toContain('Linux')
    },
    60 * seconds,
  )

  test.each([
    ['raise ValueError("oh")', 1, 'failed', 1],
    ['sys.exit(3)', 3, 'failed', 3],
    ['sys.exit(0)', 0, 'finished', 0],
    ['pass', 0, 'finished', 0],
  ])(
    'ending with %s',
    async (end, processCode, state, exitCode) => {
      const id = `end-${processCode}-${end.length}`
      const { code } = await script(`
import sys, wandb
run = wandb.init(project="ends", id="${id}")
run.log({"x": 1})
${end}
`)
      expect(code).toBe(processCode)
      expect(await details('ends', id)).toMatchObject({ state, exitCode, historyLines: 1 })
    },
    60 * seconds,
  )

  test(
    'alerts',
    async () => {
      const { code } = await script(`
import wandb
run = wandb.init(project="alerts", id="alerts")
run.alert(title="Loss is high", text="really", level=wandb.AlertLevel.WARN)
run.alert(title="Loss is high", text="again", level=wandb.AlertLevel.WARN)
run.alert(title="Other", text="info")
run.finish()
`)
      expect(code).toBe(0)
      const { items } = await anna.api.experiments.alerts({ team: anna.username, project: 'alerts' })
      expect(items.map(({ title, text, level }) => [title, text, level].join(': ')).toSorted()).toEqual([
        'Loss is high: really: warn',
        'Other: info: info',
      ])
    },
    60 * seconds,
  )

  test(
    'two runs of one process at the same time',
    async () => {
      const { code } = await script(`
import wandb
one = wandb.init(project="two", id="one", reinit="create_new")
two = wandb.init(project="two", id="two", reinit="create_new")
for step in range(50):
    one.log({"x": step}); two.log({"x": -step})
one.finish(); two.finish()
`)
      expect(code).toBe(0)
      for (const [slug, sign] of [
        ['one', 1],
        ['two', -1],
      ] as const) {
        const { id } = await details('two', slug)
        const { x } = await curves(id, ['x'])
        expect(x?.points).toBe(50)
        expect(x?.y.at(-1)).toBe(49 * sign)
      }
    },
    60 * seconds,
  )

  test(
    'a stop asked for by a team mate ends the script',
    async () => {
      const running = await startScript({
        python,
        url: server.url,
        key: anna.key,
        code: `
import time, wandb
run = wandb.init(project="stops", id="stops", settings=wandb.Settings(x_file_stream_transmit_interval=1))
print("logging")
for step in range(600):
    run.log({"x": step})
    time.sleep(0.1)
print("never said")
`,
      })
      await running.says('logging')
      await anna.api.experiments.stop({ team: anna.username, project: 'stops', experiment: 'stops' })
      const { code, output } = await running.ended
      // The client interrupts the script and reports 255 for it.
      expect(code).not.toBe(0)
      expect(output).toContain('KeyboardInterrupt')
      expect(output).not.toContain('never said')
      expect(await details('stops', 'stops')).toMatchObject({
        state: 'killed',
        exitCode: 255,
        stopRequested: true,
      })
    },
    90 * seconds,
  )

  test(
    'points are seen while the script still runs',
    async () => {
      const running = await startScript({
        python,
        url: server.url,
        key: anna.key,
        code: `
import sys, time, wandb
run = wandb.init(project="live", id="live", settings=wandb.Settings(x_file_stream_transmit_interval=1))
for step in range(20):
    run.log({"x": step})
print("points sent")
time.sleep(60)
`,
      })
      await running.says('points sent')
      await expect
        .poll(async () => (await details('live', 'live')).historyLines, { timeout: 20 * seconds })
        .toBe(20)
      expect(await details('live', 'live')).toMatchObject({ state: 'running' })
      running.kill('SIGKILL')
      await running.ended
    },
    90 * seconds,
  )
})
