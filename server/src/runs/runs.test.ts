import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandLines } from '../../../tests/support/grid.ts'
import { createSender } from '../datastores/testing.ts'
import { startWithMachine } from './testing.ts'

// Real processes on a shared machine; one of them builds a virtual environment.
vi.setConfig({ testTimeout: 240_000 })

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

test('a team mate’s datastore is where it was said to be, and is kept for as long', async () => {
  const { member, mate, slug } = team
  const { datastoreId } = await createSender(grid).send(member, slug, 'cats', { 'a.txt': 'meow\n' })
  const code = await grid.send(mate, slug, {
    'read.sh': 'cat "$1/a.txt"\necho more >> "$1/a.txt" || exit 9\n',
  })
  const refused = mate.runs.submit({
    team: slug,
    spec: {
      script: 'read.sh',
      datastores: [{ reference: `${member.username}:/datastores/[name]/[version]` }],
    },
    code,
  })
  await expect(refused).rejects.toMatchObject({ code: 'invalid' })
  const made = await mate.runs.submit({
    team: slug,
    name: 'reads-cats',
    spec: {
      script: 'read.sh',
      arguments: ['/datastores/cats'],
      datastores: [{ reference: `${member.username}:/datastores/cats/1` }],
    },
    code,
  })
  expect(made.datastores).toEqual([
    { owner: member.username, name: 'cats', version: 1, mountPath: '/datastores/cats' },
  ])
  await expect(team.admin.datastores.delete({ datastoreId, version: 1 })).rejects.toMatchObject({
    code: 'conflict',
  })
  const run = await grid.until(() => mate.runs.get({ team: slug, run: 'reads-cats' }), ended)
  expect(await output('reads-cats')).toContain('meow')
  // What is bound is read-only; without bubblewrap a process of root could write to anything.
  if (grid.isolation === 'bwrap') expect(run.experimentList[0]!.exitCode).toBe(9)
  await team.admin.datastores.delete({ datastoreId, version: 1 })
})

test('files that it makes are kept, and those it came with are not', async () => {
  const { member, slug } = team
  const code = await grid.send(member, slug, {
    'make.sh': 'mkdir -p out\necho weights > out/model.bin\necho changed >> given.txt\n',
    'given.txt': 'given',
    'same.txt': 'same',
  })
  const made = await member.runs.submit({ team: slug, name: 'makes', spec: { script: 'make.sh' }, code })
  await grid.until(() => member.runs.get({ team: slug, run: 'makes' }), ended)
  const files = await member.experiments.files({
    team: slug,
    project: made.project,
    experiment: 'makes-exp0',
  })
  expect(files.map((file) => file.path)).toEqual(['given.txt', 'out/model.bin'])
})

test('an environment that cannot be built fails the experiment and says why', async () => {
  const { member, slug } = team
  const code = await grid.send(member, slug, {
    'train.py': 'print("never")\n',
    'requirements.txt': './no-such-folder\n',
    'environment.yml': 'name: x\n',
  })
  for (const [name, dependencies, says] of [
    [
      'pip-fails',
      { kind: 'pip', file: 'requirements.txt' },
      /requirements.txt could not be built: .*no-such-folder/,
    ],
    ['conda-fails', { kind: 'conda', file: 'environment.yml' }, /needs conda/],
  ] as const) {
    await member.runs.submit({ team: slug, name, spec: { script: 'train.py', dependencies }, code })
    const run = await grid.until(() => member.runs.get({ team: slug, run: name }), ended)
    expect(run.experimentList[0]).toMatchObject({
      state: 'failed',
      attempt: { message: expect.stringMatching(says) },
    })
  }
})

test('a key of a job is its experiment’s alone, is used once to begin, and dies with it', async () => {
  const { member, slug } = team
  const code = await grid.send(member, slug, {
    'tell.sh': 'echo "$GRID_API_KEY $GRID_ATTEMPT_ID"\nwhile [ ! -e /nothing ]; do sleep 0.1; done\n',
  })
  await member.runs.submit({
    team: slug,
    name: 'keyed',
    spec: { script: 'tell.sh', arguments: ['[1, 2]'] },
    code,
    environment: { SECRET: 'of the creator' },
  })
  const [line] = await grid.until(
    () => output('keyed'),
    (lines) => lines.length > 0,
  )
  const [key = '', attemptId = ''] = line!.split(' ')
  const job = grid.clientWith({ authorization: `Bearer ${key}` })
  const place = { team: slug, project: 'uncategorized' }
  expect((await job.experiments.get({ ...place, experiment: 'keyed-exp0' })).name).toBe('keyed-exp0')
  for (const forbidden of [
    () => job.experiments.get({ ...place, experiment: 'keyed-exp1' }),
    () => job.experiments.stop({ ...place, experiment: 'keyed-exp0' }),
    () => job.runs.get({ team: slug, run: 'keyed' }),
    () => job.runs.submit({ team: slug, spec: { script: 'tell.sh' }, code }),
    () => job.me.createKey({ name: 'mine' }),
    () => job.teams.get({ team: slug }),
  ])
    await expect(forbidden()).rejects.toMatchObject({ code: expect.stringMatching(/not_found|forbidden/) })
  expect(await member.me.keys()).not.toContainEqual(expect.objectContaining({ name: 'keyed-exp0' }))
  const again = await fetch(`${grid.address}/agent/v1/bootstrap`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ bootToken: await bootToken(attemptId), token: 'x'.repeat(40), node: 'thief' }),
  })
  expect(again.status).toBe(401)
  await member.runs.stop({ team: slug, run: 'keyed' })
  await grid.until(() => member.runs.get({ team: slug, run: 'keyed' }), ended)
  await expect(job.experiments.get({ ...place, experiment: 'keyed-exp0' })).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  expect(JSON.stringify(await member.runs.get({ team: slug, run: 'keyed' }))).not.toContain('of the creator')
})

async function bootToken(attemptId: string): Promise<string> {
  return (await readFile(join(grid.folder, 'attempts', attemptId, 'boot'), 'utf8')).split('\n')[0]!
}

test('grid submits what git tracks, shows it, copies it, hides it and deletes it', async () => {
  const { member, mate, slug } = team
  const { folder, grid: by, close } = await commandLines(grid)
  try {
    await writeFile(join(folder, 'train.sh'), 'echo "$@"\n')
    await writeFile(join(folder, '.gitignore'), 'data\n')
    await writeFile(join(folder, 'data'), 'large')
    const typed = [
      '--localdir',
      '--g_name',
      'typed',
      '--entity',
      slug,
      'train.sh',
      '--name',
      'x',
      '--lr',
      '[1, 2]',
    ]
    const dry = await by(member, ['run', '--dry_run', ...typed])
    expect(dry.code, dry.err).toBe(0)
    expect(dry.out).toMatch(/Nothing was submitted/)
    expect((await by(member, ['status', 'typed'])).code).toBe(4)
    const made = await by(member, ['train', ...typed])
    expect(made.err).toContain('--g_name is deprecated, use --name')
    expect(made.out).toContain('Run submitted!')
    expect(made.out).toMatch(/run_command: +train.sh --name x --lr '\[1, 2\]'/)
    expect((await by(member, ['run', ...typed])).code).toBe(5)
    expect((await by(member, ['run', '--name', 'Bad_Name', '-l', '--team', slug, 'train.sh'])).code).toBe(2)
    expect((await by(member, ['run', '--cluster', 'nowhere', '-l', '--team', slug, 'train.sh'])).err).toMatch(
      /Cluster with name nowhere not found/,
    )
    await grid.until(() => member.runs.get({ team: slug, run: 'typed' }), ended)
    const shown = await by(mate, ['status', `${member.username}:typed`, '-o', 'json'])
    expect(JSON.parse(shown.out)).toMatchObject([
      {
        experiment: 'typed-exp0',
        status: 'succeeded',
        command: 'train.sh --name x --lr 1',
        params: { lr: '1' },
      },
      { experiment: 'typed-exp1', command: 'train.sh --name x --lr 2' },
    ])
    expect((await by(mate, ['logs', 'typed-exp1', '--show-build-logs'])).out).toMatch(
      /\[build\] .*\n[^]*\[experiment\] .*--name x --lr 2/,
    )
    expect((await by(mate, ['delete', 'run', 'typed', '--yes'])).err).toMatch(/members_delete_runs/)
    const copy = await by(mate, ['clone', 'typed-exp1', '--name', 'copied', '--set', 'lr=7', '-o', 'json'])
    expect(JSON.parse(copy.out)).toMatchObject({ name: 'copied', run_command: 'train.sh --name x --lr 7' })
    await grid.until(() => member.runs.get({ team: slug, run: 'copied' }), ended)
    expect(await output('copied')).toEqual(['--name x --lr 7'])
    await by(member, ['archive', 'run', 'typed'])
    expect((await member.runs.list({ team: slug })).items.map((each) => each.name)).not.toContain('typed')
    expect((await by(member, ['delete', 'run', 'typed', '--yes'])).code).toBe(0)
    expect((await by(member, ['status', 'typed'])).code).toBe(4)
  } finally {
    await close()
  }
})

test('what runs is paid for by the team, and without credits nothing begins', async () => {
  const { member, slug } = team
  await grid.operator.usage.setRate({ machine: 'local.cpu', microcreditsPerHour: 3_600_000_000 })
  await grid.operator.usage.addCredit({ team: slug, microcredits: 1000 })
  const code = await grid.send(member, slug, { 'cost.sh': 'sleep 1\n' })
  await member.runs.submit({ team: slug, name: 'costs', spec: { script: 'cost.sh' }, code })
  await grid.until(() => member.runs.get({ team: slug, run: 'costs' }), ended)
  await grid.runs.charge()
  expect((await member.usage.balance({ team: slug })).microcredits).toBeLessThan(1000)
  await expect(member.runs.submit({ team: slug, spec: { script: 'cost.sh' }, code })).rejects.toMatchObject({
    code: 'out_of_credit',
  })
})
