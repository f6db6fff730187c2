/** One script that all clients we promise to serve run, from the oldest on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript, startWandb } from './client.ts'

const versions: EnvironmentName[] = ['wandb-0.28.2', 'wandb-0.25.1', 'wandb-0.22.3', 'wandb-0.22.0']
const pythons = await Promise.all(
  versions.map(async (name) => [name, await part(name, () => venv(name))] as const),
)
const seconds = 1000

const code = `
import os, sys, wandb
run = wandb.init(project="old", id=sys.argv[1], config={"lr": 0.1, "nested": {"a": 1}}, tags=["t"], notes="n", group="g", job_type="j")
run.define_metric("loss", step_metric="epoch", summary="min")
for epoch in range(4):
    run.log({"epoch": epoch, "loss": abs(epoch - 2), "nan": float("nan"), "nested": {"x": epoch}})
print("hello ünï")
for step in range(20):
    sys.stdout.write(f"\\r{step} of 19")
print()
print("to stderr", file=sys.stderr)
import numpy as np
run.log({"image": wandb.Histogram([1, 2, 3]), "page": wandb.Html("<b>x</b>")})
run.log({"table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]])})
with open("kept file.txt", "w") as file: file.write("content")
run.save("kept file.txt")
run.alert("Done", "all of it")
run.finish()

# Before 0.26 a resumed run writes its console from line 0 again, over what is there; so it captures none here.
again = wandb.init(project="old", id=sys.argv[1], resume="must", settings=wandb.Settings(console="off"))
print("LR", again.config["lr"])
again.log({"resumed": 1})
again.finish()
print("ALL DONE")
`

let server: TestServer
let anna: Person
beforeAll(async () => {
  server = await startServer()
  anna = await people(server).person()
})
afterAll(() => server?.stop())

describe.each(pythons)('%s', (name, python) => {
  describe.skipIf(!python)('logs', () => {
    test(
      'everything that the newest does',
      async () => {
        const id = name.replaceAll('.', '-')
        const { code: exit, output } = await runScript({
          python: python!,
          url: server.url,
          key: anna.key,
          code,
          args: [id],
        })
        expect(output).toContain('ALL DONE')
        expect(output).toContain('LR 0.1')
        expect(output).not.toMatch(/\b(ERROR|Traceback|failed)\b/)
        expect(exit).toBe(0)
        const at = { team: anna.username, project: 'old', experiment: id }
        const found = await anna.api.experiments.get(at)
        expect(found).toMatchObject({
          state: 'finished',
          exitCode: 0,
          tags: ['t'],
          notes: 'n',
          group: 'g',
          jobType: 'j',
          config: { lr: 0.1, nested: { a: 1 } },
          summary: { loss: { min: 0 }, nan: 'NaN', nested: { x: 3 }, resumed: 1 },
        })
        const curves = await anna.api.experiments.curves({
          experimentIds: [found.id],
          keys: ['loss', 'nested.x', 'resumed'],
        })
        const points = Object.fromEntries(curves.map((curve) => [curve.key, curve]))
        expect(points.loss).toMatchObject({ x: [0, 1, 2, 3], y: [2, 1, 0, 1] })
        expect(points['nested.x']?.y).toEqual([0, 1, 2, 3])
        expect(points.resumed?.x).toEqual([6])
        const { lines } = await anna.api.experiments.console(at)
        const texts = lines.map((line) => line.text)
        expect(texts).toContain('hello ünï')
        expect(texts.filter((text) => text.includes('of 19'))).toEqual(['19 of 19'])
        expect(lines.find((line) => line.text === 'to stderr')?.level).toBe('error')
        const files = await anna.api.experiments.files(at)
        const kept = files.find((file) => file.path === 'kept file.txt')
        expect(await (await fetch(kept!.url)).text()).toBe('content')
        const media = await anna.api.experiments.media({ ...at, keys: ['image', 'page', 'table'] })
        expect(media.map((item) => item.type).toSorted()).toEqual(['histogram', 'html-file', 'table-file'])
        for (const { path, url } of media.flatMap((item) => item.files)) expect(url, path).not.toBe('')
        const { items } = await anna.api.experiments.alerts({ team: anna.username, project: 'old' })
        expect(items.find((item) => item.experiment?.slug === id)).toMatchObject({ title: 'Done' })
      },
      120 * seconds,
    )

    test(
      'in with a good key',
      async () => {
        const running = await startWandb({ python: python!, url: server.url }, [
          'login',
          '--verify',
          '--host',
          server.url,
          anna.key,
        ])
        expect((await running.ended).code).toBe(0)
      },
      60 * seconds,
    )
  })
})
