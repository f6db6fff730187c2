/** What a run logged, read back by clients of several versions: by its owner, by a team mate, and not by a stranger. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

const versions: EnvironmentName[] = ['wandb-latest', 'wandb-0.28.2', 'wandb-0.25.1', 'wandb-0.22.0']
const pythons = await Promise.all(
  versions.map(async (name) => [name, await part(name, () => venv(name))] as const),
)
const newest = pythons[0]![1]
const seconds = 1000

const logging = `
import sys, time, wandb
run = wandb.init(entity=sys.argv[1], project="reading", id="odd", settings=wandb.Settings(x_stats_sampling_interval=0.1))
for step in range(2500):
    row = {"loss": 1 / (step + 1), "epoch": step // 100}
    if step % 10 == 0: row["acc"] = step
    if step == 3: row["only_a"] = 1
    if step == 4: row["only_b"] = 2
    if step == 5: row |= {"text": "hällo", "list": [1, 2], "dict": {"val1": 1, "deep": {"x": "y"}}, "flag": True, "nan": float("nan"), "inf": float("-inf"), "big": 2**53 - 1}
    run.log(row)
# Pages behind an empty stretch are found too.
run.log({"late": 7}, step=30_000)
for line in range(30): print(f"line {line}")
print("trouble", file=sys.stderr)
time.sleep(2)
run.finish()

for part in range(2):
    even = wandb.init(entity=sys.argv[1], project="reading", id="even", resume="allow")
    for step in range(60 * part, 60 * part + 60): even.log({"loss": step / 7, "count": step, "name": f"s{step}", "flag": step % 2 == 0})
    even.finish()
    # A copy of what there was before it was continued is kept here.
    said = list(wandb.Api().run(f"{sys.argv[1]}/reading/even").scan_history())
    print("SCANNED", len(said), said[-1]["count"])
print("LOGGED")
`

const reading = `
import json, sys, tempfile, warnings, wandb
said = {}
api = wandb.Api()
try:
    run = api.run(f"{sys.argv[1]}/reading/odd")
except Exception as error:
    print("REFUSED", type(error).__name__, error)
    sys.exit()
said["lastStep"] = run.lastHistoryStep
rows = run.history(samples=100, pandas=False)
said["sampled"] = [len(rows), rows[0]["_step"], max(row["_step"] for row in rows) > 2400]
said["all"] = len(run.history(samples=5000, pandas=False))
rows = run.history(samples=50, keys=["acc"], pandas=False)
said["keys"] = [len(rows), rows[0], all(row["_step"] == row["acc"] for row in rows)]
said["keysOnAxis"] = run.history(samples=50, keys=["only_a"], x_axis="epoch", pandas=False)
said["apart"] = run.history(keys=["only_a", "only_b"], pandas=False)
scan = list(run.scan_history())
said["scan"] = [len(scan), scan[-1]["late"], [row["_step"] for row in scan] == [*range(2500), 30000]]
odd = scan[5]
said["odd"] = [odd["text"], odd["list"], odd["dict"], odd["flag"], str(odd["nan"]), str(odd["inf"]), odd["big"]]
said["scanKeys"] = [{key: row[key] for key in ("_step", "acc") if key in row} for row in run.scan_history(keys=["acc", "_step"], min_step=15, max_step=50)]
said["scanRange"] = [row["_step"] for row in run.scan_history(min_step=2495, max_step=2499, page_size=2)]
said["scanApart"] = list(run.scan_history(keys=["only_a", "only_b"]))
said["scanDeep"] = [row["dict.val1"] for row in run.scan_history(keys=["dict.val1", "text"])]
said["scanLate"] = [row["late"] for row in run.scan_history(keys=["late"])]
keys = run.history_keys if hasattr(run, "history_keys") else run.historyKeys
said["historyKeys"] = [keys["lastStep"], sorted(key for key in keys["keys"] if not key.startswith("_")), keys["keys"]["acc"]["typeCounts"][0]["count"]]
events = run.history(stream="events", pandas=False)
said["events"] = [len(events) > 0, any(key.startswith("system.") for key in events[0])]
if hasattr(run, "console_logs"):
    lines = list(run.console_logs(per_page=10))
    said["console"] = [[line.number for line in lines] == list(range(len(lines))), [line.content for line in lines if line.content.startswith("line ")] == [f"line {n}" for n in range(30)]]
    said["stderr"] = [line.level for line in lines if line.content == "trouble"]
    tail = list(run.console_logs(last=3))
    said["tail"] = [line.number for line in tail] == [line.number for line in lines[-3:]]
even = api.run(f"{sys.argv[1]}/reading/even")
said["evenScan"] = list(even.scan_history(keys=["count", "name"], min_step=7, max_step=9))
said["evenAll"] = [len(list(even.scan_history())), next(iter(even.scan_history(min_step=3)))["flag"]]
if hasattr(even, "download_history_exports"):
    with tempfile.TemporaryDirectory() as folder:
        exported = even.download_history_exports(folder)
        said["exported"] = [sorted(path.name.split("_even_")[1] for path in exported.paths), exported.contains_live_data, all(path.read_bytes()[-4:] == b"PAR1" for path in exported.paths)]
        # Rows that differ come as a table with holes, and are scanned as what was logged all the same.
        exported = run.download_history_exports(folder)
        said["sparse"] = [len(exported.paths), exported.contains_live_data, exported.errors or None]
        said["scanAgain"] = [len(list(run.scan_history())), [row["acc"] for row in run.scan_history(keys=["acc"], max_step=25)], list(run.scan_history(keys=["only_a", "only_b"]))]
print("SAID " + json.dumps(said))
`

let server: TestServer
let anna: Person
let berta: Person
let stranger: Person
let team: { slug: string; admin: Person }
beforeAll(async () => {
  server = await startServer()
  const { person, team: makeTeam } = people(server)
  ;[anna, berta, stranger] = await Promise.all([person(), person(), person()])
  team = await makeTeam([
    { person: anna, role: 'member' },
    { person: berta, role: 'member' },
  ])
  if (!newest) return
  const { code, output } = await runScript({
    python: newest,
    url: server.url,
    key: anna.key,
    code: logging,
    args: [team.slug],
  })
  expect(output).toContain('SCANNED 60 59')
  expect(output).toContain('SCANNED 120 119')
  expect(output).toContain('LOGGED')
  expect(code).toBe(0)
}, 180 * seconds)
afterAll(() => server?.stop())

const read = (python: string, who: Person) =>
  runScript({ python, url: server.url, key: who.key, code: reading, args: [team.slug] })

const expected = {
  sampled: [100, 0, true],
  all: 2501,
  keys: [50, { _step: 0, acc: 0 }, true],
  keysOnAxis: [{ epoch: 0, only_a: 1 }],
  apart: [],
  scan: [2501, 7, true],
  odd: ['hällo', [1, 2], { val1: 1, deep: { x: 'y' } }, true, 'nan', '-inf', 2 ** 53 - 1],
  scanKeys: [20, 30, 40].map((step) => ({ _step: step, acc: step })),
  scanRange: [2495, 2496, 2497, 2498],
  scanApart: [],
  scanDeep: [1],
  scanLate: [7],
  historyKeys: [
    30_000,
    [
      'acc',
      'big',
      'dict.deep.x',
      'dict.val1',
      'epoch',
      'flag',
      'inf',
      'late',
      'list',
      'loss',
      'nan',
      'only_a',
      'only_b',
      'text',
    ],
    250,
  ],
  events: [true, true],
  lastStep: 30_000,
  evenScan: [7, 8].map((count) => expect.objectContaining({ count, name: `s${count}` })),
  evenAll: [120, false],
}

const expectedConsole = { console: [true, true], stderr: ['error'], tail: true }

/** Rows that are all alike come as files, one more for each time the run was continued; others as a table with holes. */
const expectedExports = {
  exported: [['0.runhistory.parquet', '1.runhistory.parquet'], false, true],
  sparse: [1, false, null],
  scanAgain: [2501, [0, 10, 20], []],
}

/** Before 0.28 the client asked for rows up to and including `max_step` when keys were named. */
const withMaxStep = {
  scanKeys: [20, 30, 40, 50].map((step) => ({ _step: step, acc: step })),
  evenScan: [7, 8, 9].map((count) => expect.objectContaining({ count, name: `s${count}` })),
}

describe.each(pythons)('%s', (name, python) => {
  test.skipIf(!python || !newest)(
    'reads all of it back, for a team mate as for the owner',
    async () => {
      for (const who of name === 'wandb-latest' ? [anna, berta] : [berta]) {
        const { output } = await read(python!, who)
        const said = JSON.parse(
          /^SAID (.*)$/m.exec(output)?.[1] ?? `{"output":${JSON.stringify(output)}}`,
        ) as object
        const inclusive = name === 'wandb-0.25.1' || name === 'wandb-0.22.0'
        expect(said).toMatchObject({ ...expected, ...(inclusive ? withMaxStep : {}) })
        if ('console' in said) expect(said).toMatchObject(expectedConsole)
        if (name !== 'wandb-0.22.0') expect(said).toMatchObject(expectedExports)
      }
    },
    180 * seconds,
  )
})

test.skipIf(!newest)(
  'a stranger gets what somebody gets who asks for a run that does not exist',
  async () => {
    const { output } = await read(newest!, stranger)
    expect(output).toContain('REFUSED')
    expect(output).toMatch(/could not find run|not found/i)
  },
  60 * seconds,
)
