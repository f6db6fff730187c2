import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWithMachine } from './testing.ts'

let grid: Awaited<ReturnType<typeof startWithMachine>>
let team: Awaited<ReturnType<typeof grid.aTeam>>
beforeAll(async () => {
  grid = await startWithMachine()
  team = await grid.aTeam()
})
afterAll(() => grid.close())

const ended = (details: {
  experimentList: { endedAt: string | null; attempt: { endedAt: string | null } | null }[]
}) => details.experimentList.every((each) => each.attempt?.endedAt)

async function output(name: string, number = 0): Promise<string[]> {
  const run = await team.mate.runs.get({ team: team.slug, run: name })
  const { slug } = run.experimentList[number]!
  const { lines } = await team.mate.experiments.console({
    team: team.slug,
    project: run.project,
    experiment: slug,
  })
  return lines.map((line) => line.text)
}

test('a script with a list runs once for each value, with its output, exit codes and a word about the end', async () => {
  const { member, mate, slug } = team
  const code = await grid.send(member, slug, {
    'try.sh':
      'echo "lr is $2"\necho "experiment $GRID_EXPERIMENT_NAME of $WANDB_RUN_GROUP"\n[ "$2" = 0.1 ] || exit 3\n',
  })
  const made = await member.runs.submit({
    team: slug,
    name: 'first-thread',
    spec: { script: 'try.sh', arguments: ['--lr', '[0.1, 0.01]'] },
    code,
  })
  expect(made).toMatchObject({ name: 'first-thread', experiments: 2, command: "try.sh --lr '[0.1, 0.01]'" })
  const run = await grid.until(() => mate.runs.get({ team: slug, run: 'first-thread' }), ended)
  expect(run).toMatchObject({ status: 'failed', completed: 1, failed: 1, queued: 0, running: 0 })
  expect(run.experimentList).toMatchObject([
    {
      name: 'first-thread-exp0',
      state: 'finished',
      exitCode: 0,
      parameters: { lr: '0.1' },
      attempt: { state: 'succeeded' },
    },
    {
      name: 'first-thread-exp1',
      state: 'failed',
      exitCode: 3,
      parameters: { lr: '0.01' },
      attempt: { state: 'failed', message: 'It ended with exit code 3.' },
    },
  ])
  expect(await output('first-thread', 1)).toEqual([
    'lr is 0.01',
    'experiment first-thread-exp1 of first-thread',
  ])
  const { lines } = await mate.runs.buildLog({ team: slug, run: 'first-thread', number: 1 })
  expect(lines.map((line) => line.text)).toEqual(
    expect.arrayContaining(['The code is in place.', 'It ended with exit code 3.']),
  )
})

test('a team mate stops what runs and what waits; what it wrote stays', async () => {
  const { member, mate, slug } = team
  const code = await grid.send(member, slug, {
    'long.sh': "trap 'echo saved; exit 0' TERM\necho begun\nwhile :; do sleep 0.1; done\n",
  })
  await member.runs.submit({
    team: slug,
    name: 'to-be-stopped',
    spec: { script: 'long.sh', arguments: ['[1, 2]'], resources: { cpus: 4 } },
    code,
  })
  await grid.until(
    () => output('to-be-stopped'),
    (lines) => lines.includes('begun'),
  )
  const waiting = await mate.runs.get({ team: slug, run: 'to-be-stopped' })
  expect(waiting).toMatchObject({ status: 'queued', running: 1, queued: 1 })
  expect(waiting.experimentList[1]!.attempt!.message).toMatch(/Waits for 4 processors/)
  await mate.runs.stop({ team: slug, run: 'to-be-stopped' })
  const run = await grid.until(() => mate.runs.get({ team: slug, run: 'to-be-stopped' }), ended)
  expect(run).toMatchObject({ status: 'cancelled', stopped: 2 })
  expect(run.experimentList[0]!.attempt!.state).toBe('stopped')
  expect(await output('to-be-stopped')).toContain('saved')
})
