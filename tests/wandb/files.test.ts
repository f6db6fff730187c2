/** Files of runs with the newest client: saved, shown, fetched; pictures, sound, pages, charts, tables. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

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

  const script = (code: string, env: Record<string, string> = {}) =>
    runScript({ python, url: server.url, key: anna.key, code, env })
  const filesOf = (experiment: string) =>
    anna.api.experiments.files({ team: anna.username, project: 'files', experiment })
  const mediaOf = (experiment: string, keys: string[]) =>
    anna.api.experiments.media({ team: anna.username, project: 'files', experiment, keys })

  test(
    'run.save sends files under any name, and they come back whole, in parts and by the client',
    async () => {
      const { code, output } = await script(`
import os, wandb
run = wandb.init(project="files", id="saved")
os.makedirs("sub/folder", exist_ok=True)
names = ["plain.txt", "with space & 100%.txt", "sub/folder/ünï ✓.bin", "empty.txt"]
for name in names:
    with open(name, "wb") as file:
        file.write(b"" if name == "empty.txt" else (name.encode() + bytes(range(256))) * 1000)
    run.save(name)
with open("live.txt", "w") as file: file.write("one")
run.save("live.txt", policy="live")
with open("live.txt", "w") as file: file.write("two, longer")
run.finish()
restored = wandb.restore("with space & 100%.txt", run_path=run.path, replace=True, root="down")
print("RESTORED", os.path.getsize(restored.name))
api_run = wandb.Api().run(run.path)
print("NAMES", sorted(file.name for file in api_run.files()))
file = api_run.file("sub/folder/ünï ✓.bin")
file.download(root="down", replace=True)
print("SAME", open("down/sub/folder/ünï ✓.bin", "rb").read() == open("sub/folder/ünï ✓.bin", "rb").read())
`)
      expect(output).toContain('SAME True')
      expect(output).toContain('RESTORED 277000')
      expect(code).toBe(0)
      const files = await filesOf('saved')
      const byPath = new Map(files.map((file) => [file.path, file]))
      for (const path of [
        'config.yaml',
        'wandb-metadata.json',
        'wandb-summary.json',
        'requirements.txt',
        'output.log',
      ]) {
        if (path !== 'output.log') expect(byPath.has(path), path).toBe(true)
      }
      const text = Buffer.concat([
        Buffer.from('with space & 100%.txt'),
        Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      ])
      const whole = Buffer.concat(Array.from({ length: 1000 }, () => text))
      const file = byPath.get('with space & 100%.txt')!
      expect(file.md5Hex).toBe(createHash('md5').update(whole).digest('hex'))
      expect(byPath.get('empty.txt')?.sizeBytes).toBe(0)
      expect(await (await fetch(byPath.get('live.txt')!.url)).text()).toBe('two, longer')
      // Signed: no header needed.
      const answer = await fetch(file.url)
      expect(Buffer.from(await answer.arrayBuffer()).equals(whole)).toBe(true)
      const range = await fetch(file.url, { headers: { range: 'bytes=1000-1999' } })
      expect(range.status).toBe(206)
      expect(Buffer.from(await range.arrayBuffer()).equals(whole.subarray(1000, 2000))).toBe(true)
      const head = await fetch(file.url, { method: 'HEAD' })
      expect(head.status).toBe(200)
      expect(head.headers.get('content-length')).toBe(String(whole.length))
    },
    90 * seconds,
  )

  test(
    'pictures, sound, video, pages, histograms and charts are logged with their files',
    async () => {
      const { code, output } = await script(`
import numpy as np, wandb, plotly.graph_objects as go
run = wandb.init(project="files", id="media")
rng = np.random.default_rng(0)
picture = lambda: rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
for step in range(3):
    run.log({
        "image": wandb.Image(picture(), caption=f"step {step}"),
        "images/many": [wandb.Image(picture(), caption=str(i)) for i in range(3)],
        "mask": wandb.Image(picture(), masks={"prediction": {"mask_data": np.zeros((8, 8), dtype=np.uint8), "class_labels": {0: "sky"}}}),
        "boxes": wandb.Image(picture(), boxes={"prediction": {"box_data": [{"position": {"minX": 0.1, "maxX": 0.2, "minY": 0.1, "maxY": 0.2}, "class_id": 1}], "class_labels": {1: "car"}}}),
        "sound": wandb.Audio(np.sin(np.arange(8000) / 10), sample_rate=8000, caption="tone"),
        "HT%3ML ": wandb.Html("<b>hello</b>"),
        "histogram": wandb.Histogram([1, 2, 2, 3]),
        "plotly": go.Figure(go.Scatter(x=[1, 2], y=[3, 4])),
    })
with open("clip.gif", "wb") as file: file.write(b"GIF89a" + bytes(100))
run.log({"video": wandb.Video("clip.gif", format="gif")})
run.finish()
`)
      expect(code, output).toBe(0)
      const items = await mediaOf('media', [
        'image',
        'images/many',
        'sound',
        'HT%3ML ',
        'histogram',
        'plotly',
        'video',
        'mask',
        'boxes',
      ])
      const of = (key: string) => items.filter((item) => item.key === key)
      expect(of('image').map((item) => [item.step, item.type, item.files.length])).toEqual([
        [0, 'image-file', 1],
        [1, 'image-file', 1],
        [2, 'image-file', 1],
      ])
      expect(of('image')[1]?.files[0]?.caption).toBe('step 1')
      expect(of('images/many')[0]).toMatchObject({ type: 'images/separated' })
      expect(of('images/many')[0]?.files).toHaveLength(3)
      expect(of('sound')[0]).toMatchObject({ type: 'audio-file' })
      expect(of('HT%3ML ')[0]).toMatchObject({ type: 'html-file' })
      expect(of('histogram')[0]).toMatchObject({ type: 'histogram', value: { values: expect.any(Array) } })
      expect(of('plotly')[0]).toMatchObject({ type: 'plotly-file' })
      expect(of('video')[0]).toMatchObject({ type: 'video-file' })
      // Every file that any of them names is there and can be fetched.
      const files = items.flatMap((item) => item.files)
      expect(files.length).toBeGreaterThanOrEqual(25)
      for (const { path, url } of files) {
        expect(url, path).not.toBe('')
        const answer = await fetch(url)
        expect(answer.status, path).toBe(200)
        await answer.body?.cancel()
      }
      const png = await fetch(of('image')[0]!.files[0]!.url)
      expect(png.headers.get('content-type')).toBe('image/png')
      expect(
        Buffer.from(await png.arrayBuffer())
          .subarray(1, 4)
          .toString(),
      ).toBe('PNG')
    },
    90 * seconds,
  )

  test(
    'a table is logged with its rows, and as an artifact without a word of trouble',
    async () => {
      const { code, output } = await script(`
import wandb
run = wandb.init(project="files", id="table")
table = wandb.Table(columns=["name", "score"], data=[["a", 1.5], ["ü", float("nan")]])
run.log({"results": table})
run.log({"bar": wandb.plot.bar(wandb.Table(columns=["label", "value"], data=[["x", 1], ["y", 2]]), "label", "value", title="Bars")})
run.finish()
`)
      expect(code, output).toBe(0)
      expect(output).not.toMatch(/error|failed/i)
      const [item] = await mediaOf('table', ['results'])
      expect(item).toMatchObject({ type: 'table-file', value: { ncols: 2, nrows: 2 } })
      const answer = await fetch(item!.files[0]!.url)
      const text = await answer.text()
      expect(text).toContain('"name"')
      expect(text).toContain('"score"')
    },
    90 * seconds,
  )

  test(
    'files of a run are deleted and uploaded by the public API without waking it',
    async () => {
      const { code, output } = await script(`
import wandb
run = wandb.init(project="files", id="api")
with open("a.txt", "w") as file: file.write("a")
run.save("a.txt")
run.finish()
with open("later.txt", "w") as file: file.write("later")
api_run = wandb.Api().run(run.path)
api_run.upload_file("later.txt")
api_run.file("a.txt").delete()
print("STATE", wandb.Api().run(run.path).state)
`)
      expect(code, output).toBe(0)
      expect(output).toContain('STATE finished')
      const paths = (await filesOf('api')).map((file) => file.path)
      expect(paths).toContain('later.txt')
      expect(paths).not.toContain('a.txt')
    },
    90 * seconds,
  )
})
