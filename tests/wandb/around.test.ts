/** Other programs that log through the client: TensorBoard's writers, and notebooks in a real kernel. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

const python = (await part('wandb-around', () => venv('wandb-around'))) ?? ''
const seconds = 1000
const project = 'around'

describe.skipIf(!python)('with the newest client', () => {
  let server: TestServer
  let anna: Person
  let mate: Person
  let stranger: Person
  let team: string
  beforeAll(async () => {
    server = await startServer()
    const { person, team: makeTeam } = people(server)
    ;[anna, mate, stranger] = await Promise.all([person(), person(), person()])
    const members = [anna, mate].map((each) => ({ person: each, role: 'member' as const }))
    team = (await makeTeam(members)).slug
  })
  afterAll(() => server?.stop())

  const at = (experiment: string) => ({ team, project, experiment })
  const details = (experiment: string, person = mate) => person.api.experiments.get(at(experiment))
  async function curve(experiment: string, key: string, x = 'step') {
    const { id } = await details(experiment)
    const [found] = await mate.api.experiments.curves({ experimentIds: [id], keys: [key], x })
    return found
  }

  test(
    'what TensorBoard is told is drawn over its own steps, with histograms, pictures and its event file',
    async () => {
      const { code, output } = await runScript({
        python,
        url: server.url,
        key: anna.key,
        code: `
import numpy as np, wandb
run = wandb.init(entity="${team}", project="${project}", id="board", sync_tensorboard=True)
from tensorboardX import SummaryWriter
with SummaryWriter("logs/train") as writer:
    for step in range(20):
        writer.add_scalar("loss", 1 / (step + 1), step * 10)
        writer.add_scalar("lr", 0.1, step * 10)
    writer.add_histogram("weights", np.arange(100), 200)
    writer.add_image("picture", np.zeros((3, 8, 8), dtype=np.uint8), 210)
run.finish()
`,
      })
      expect(code, output).toBe(0)
      const loss = await curve('board', 'loss', 'global_step')
      expect(loss?.x).toEqual(Array.from({ length: 20 }, (_, step) => step * 10))
      expect(loss?.y[1]).toBeCloseTo(0.5)
      expect(await details('board')).toMatchObject({ state: 'finished', summary: { global_step: 210 } })
      const keys = await mate.api.experiments.keys({ experimentIds: [(await details('board')).id] })
      expect(new Map(keys.map(({ key, type }) => [key, type]))).toEqual(
        expect.objectContaining(new Map([['weights', 'histogram']])),
      )
      const files = (await mate.api.experiments.files(at('board'))).map(({ path }) => path)
      expect(files.some((path) => path.includes('tfevents'))).toBe(true)
      const [picture] = await mate.api.experiments.media({ ...at('board'), keys: ['picture'] })
      expect((await fetch(picture!.files[0]!.url)).status).toBe(200)
      await expect(details('board', stranger)).rejects.toMatchObject({ code: 'not_found' })
    },
    180 * seconds,
  )

  test(
    'a notebook logs cell by cell, shows its run, and its name and code are kept',
    async () => {
      const { code, output } = await runScript({
        python,
        url: server.url,
        key: anna.key,
        env: { WANDB_NOTEBOOK_NAME: 'train.ipynb' },
        code: `
import nbclient, nbformat, os, tempfile
# The client knows a notebook by where its kernel's connection file lies.
os.makedirs("jupyter/runtime")
tempfile.tempdir = os.path.abspath("jupyter/runtime")
cells = [
    "import wandb\\nrun = wandb.init(entity='${team}', project='${project}', id='notebook', save_code=True)\\nprint('said beside init')",
    "for i in range(5):\\n    run.log({'x': i})",
    "run",
    "run.finish()",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
nbformat.write(notebook, "train.ipynb")
nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
for cell in notebook.cells:
    print([output.get("text") or output.get("data", {}).get("text/html") for output in cell.outputs])
`,
      })
      expect(code, output).toBe(0)
      expect(output).toContain(`/${team}/${project}/runs/notebook?jupyter=true`)
      expect(await curve('notebook', 'x')).toMatchObject({ y: [0, 1, 2, 3, 4] })
      const found = await details('notebook')
      expect(found).toMatchObject({ state: 'finished', historyLines: 5 })
      expect(found).toMatchObject({ program: 'train.ipynb', command: 'train.ipynb' })
      const files = await mate.api.experiments.files(at('notebook'))
      const notebook = files.find(({ path }) => path === 'code/train.ipynb')!
      const saved = await fetch(notebook.url)
      expect(await saved.text()).toContain('said beside init')
      // IPython 9 takes its own output back after every cell, so the client hears no later ones.
      const { lines } = await mate.api.experiments.console(at('notebook'))
      expect(lines.map(({ text }) => text)).toContain('said beside init')
    },
    180 * seconds,
  )
})
