/** Time travel: fork_from and resume_from with the real client, read by a team mate, refused to a stranger. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

const python = (await part('wandb-latest', () => venv('wandb-latest'))) ?? ''
const seconds = 1000
const project = 'branches'

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
    const made = await makeTeam([
      { person: anna, role: 'member' },
      { person: mate, role: 'member' },
    ])
    team = made.slug
    // Ten steps of two curves, with media and a nested value.
    const { code, output } = await script(
      anna,
      ', id="parent", config={"lr": 0.1}, tags=["first"]',
      `
import numpy as np
for i in range(10):
    row = {"loss": 10 - i, "val": {"acc": i / 10}}
    if i % 5 == 0:
        row["picture"] = wandb.Image(np.full((4, 4, 3), i, dtype=np.uint8))
    run.log(row)
print("from the parent")`,
    )
    expect(code, output).toBe(0)
  }, 180 * seconds)
  afterAll(() => server?.stop())

  const script = (person: Person, options: string, body: string) =>
    runScript({
      python,
      url: server.url,
      key: person.key,
      code: `
import wandb
run = wandb.init(entity="${team}", project="${project}"${options})
print("ID", run.id, "STEP", run.starting_step, "CONFIG", dict(run.config), "SUMMARY", dict(run.summary))
${body}
run.finish()
`,
    })
  const details = (experiment: string, person = mate) =>
    person.api.experiments.get({ team, project, experiment })
  async function curve(experiment: string, key = 'loss') {
    const { id } = await details(experiment)
    const [found] = await mate.api.experiments.curves({ experimentIds: [id], keys: [key] })
    return found
  }

  test(
    'a fork begins with the history of its parent up to the step, and goes its own way',
    async () => {
      const { code, output } = await script(
        mate,
        ', id="child", fork_from="parent?_step=4"',
        'for i in range(3):\n    run.log({"loss": 100 + i})',
      )
      expect(code, output).toBe(0)
      expect(output).toContain('STEP 5')
      expect(await curve('child')).toMatchObject({
        x: [0, 1, 2, 3, 4, 5, 6, 7],
        y: [10, 9, 8, 7, 6, 100, 101, 102],
      })
      expect(await curve('child', 'val.acc')).toMatchObject({ x: [0, 1, 2, 3, 4] })
      expect(await curve('parent')).toMatchObject({ points: 10 })
      expect(await details('child')).toMatchObject({
        state: 'finished',
        historyLines: 8,
        createdBy: { username: mate.username },
        branchedFrom: { slug: 'parent', step: 4, kind: 'fork' },
        branches: [],
        // What the fork never logs again it still has from its parent.
        summary: { loss: 102, val: { acc: 0.4 }, picture: { _type: 'image-file' } },
      })
      // Charts mark the branch on every axis.
      const { id } = await details('child')
      for (const [x, branchX] of [
        ['step', 4],
        ['runtime', expect.any(Number)],
        ['timestamp', expect.any(Number)],
        ['val.acc', 0.4],
        ['nothing', null],
      ] as const) {
        const [drawn] = await mate.api.experiments.curves({ experimentIds: [id], keys: ['loss'], x })
        expect(drawn?.branchX ?? null, x).toEqual(branchX)
      }
      expect((await details('parent')).branches).toMatchObject([{ slug: 'child', step: 4, kind: 'fork' }])
      const media = await mate.api.experiments.media({
        team,
        project,
        experiment: 'child',
        keys: ['picture'],
      })
      expect(media.map(({ step }) => step)).toEqual([0])
      const answer = await fetch(media[0]!.files[0]!.url)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('image/png')
    },
    180 * seconds,
  )

  test(
    'a rewound run goes on from the step, and what it was stays readable beside it',
    async () => {
      const begun = await script(
        anna,
        ', id="again", config={"lr": 0.5}, tags=["kept"]',
        `
run.define_metric("error", summary="min,max")
for i in range(8):
    run.log({"loss": 10 - i, "error": [5, 2, 4, 1, 9, 9, 9, 9][i]})
print("the first time")`,
      )
      expect(begun.code, begun.output).toBe(0)
      const { code, output } = await script(
        anna,
        ', resume_from="again?_step=2"',
        `
run.define_metric("error", summary="min,max")
print("the second time")
for i in range(2):
    run.log({"loss": 50 + i, "error": 3 + 3 * i})`,
      )
      expect(code, output).toBe(0)
      expect(output).toContain('ID again STEP 3')
      expect(output).toContain("'lr': 0.5")
      expect(await curve('again')).toMatchObject({ x: [0, 1, 2, 3, 4], y: [10, 9, 8, 50, 51] })
      const rewound = await details('again')
      expect(rewound).toMatchObject({
        state: 'finished',
        historyLines: 5,
        config: { lr: 0.5 },
        tags: ['kept'],
        branchedFrom: { slug: 'again-before-rewind-1', step: 2, kind: 'rewind' },
        // Of the steps before and after, without those that were left behind.
        summary: { loss: 51, error: { min: 2, max: 6 } },
      })
      const former = await details('again-before-rewind-1')
      expect(former).toMatchObject({
        name: `${rewound.name} (before step 2)`,
        state: 'finished',
        historyLines: 8,
        summary: { loss: 3, error: { min: 1, max: 9 } },
        branches: [{ slug: 'again', step: 2, kind: 'rewind' }],
      })
      expect(await curve('again-before-rewind-1')).toMatchObject({ y: [10, 9, 8, 7, 6, 5, 4, 3] })
      const linesOf = async (experiment: string) =>
        (await mate.api.experiments.console({ team, project, experiment })).lines.map(({ text }) => text)
      expect(await linesOf('again-before-rewind-1')).toContain('the first time')
      expect(await linesOf('again')).toContain('the second time')
      // Found by what it is now, and by what it was.
      const found = await mate.api.experiments.query({
        team,
        project,
        filters: [{ column: 'config.lr', op: 'eq', value: 0.5 }],
        sort: [{ column: 'summary.loss' }],
      })
      expect(found.rows.map(({ slug }) => slug)).toEqual(['again-before-rewind-1', 'again'])
      // And once more, from the branch itself.
      const third = await script(anna, ', resume_from="again?_step=3"', 'run.log({"loss": 70})')
      expect(third.code, third.output).toBe(0)
      expect(await curve('again')).toMatchObject({ y: [10, 9, 8, 50, 70] })
      expect(await details('again')).toMatchObject({
        branchedFrom: { slug: 'again-before-rewind-2', step: 3 },
      })
    },
    180 * seconds,
  )

  test(
    'steps that never were, runs that are not there and runs of others are refused with a sentence',
    async () => {
      /** What the client says to each of these options, one after the other. */
      const refusals = async (person: Person, options: [name: string, value: string][]) => {
        const { output } = await runScript({
          python,
          url: server.url,
          key: person.key,
          code: `
import wandb
for name, value in ${JSON.stringify(options)}:
    try:
        wandb.init(entity="${team}", project="${project}", **{name: value}).log({"loss": 0})
        print("ANSWER began")
    except Exception as error:
        print("ANSWER", " ".join(str(error).split()))
    wandb.teardown()
`,
        })
        return output.split('\n').filter((line) => line.startsWith('ANSWER'))
      }
      expect(
        await refusals(anna, [
          ['fork_from', 'parent?_step=99'],
          ['fork_from', 'nobody?_step=1'],
          ['resume_from', 'parent?_step=99'],
          ['resume_from', 'nobody?_step=1'],
        ]),
      ).toEqual([
        expect.stringContaining('parent has steps up to 9'),
        expect.stringContaining('no "nobody" in project branches to fork from'),
        expect.stringContaining('parent has steps up to 9'),
        expect.stringMatching(/ANSWER (?!began)/),
      ])
      expect(await refusals(mate, [['resume_from', 'parent?_step=1']])).toEqual([
        expect.stringMatching(/ANSWER (?!began)/),
      ])
      expect(
        await refusals(stranger, [
          ['fork_from', 'parent?_step=1'],
          ['resume_from', 'parent?_step=1'],
        ]),
      ).toEqual([expect.stringContaining(team), expect.stringMatching(/ANSWER (?!began)/)])
      expect(await curve('parent')).toMatchObject({ points: 10 })
      const { rows } = await mate.api.experiments.query({ team, project })
      expect(rows.map(({ slug }) => slug).filter((slug) => slug.startsWith('parent'))).toEqual(['parent'])
    },
    180 * seconds,
  )
})
