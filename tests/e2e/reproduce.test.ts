/**
 * From a script with the real client to a team mate's folder: code, commit, what differed from it, packages, command and
 * used artifacts; through `grid reproduce` and through the Code tab.
 */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runGrid } from '../../cli/src/program.ts'
import { memoryIo } from '../../cli/src/test-io.ts'
import { chromiumPath, launch } from '../support/chromium.ts'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from '../wandb/client.ts'
import { builtWebApp, look, signIn, visitor } from './pages.ts'

const python = await part('wandb-latest', () => venv('wandb-latest'))
const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

const script = (rate: number) => `
import os, wandb
rate = ${rate}
team = os.environ["TEAM"]
with wandb.init(entity=team, project="again", id="made") as run:
    data = wandb.Artifact("digits", type="dataset")
    with data.new_file("data.txt") as file:
        file.write("one two three")
    run.log_artifact(data)
with wandb.init(entity=team, project="again", id="exp1", name="brave-run", save_code=True) as run:
    run.use_artifact("digits:latest")
    run.log_code(".", include_fn=lambda path: path.endswith(".py"))
    run.log({"rate": rate})
print("logged")
`

describe.skipIf(!python || !chromium || !web)('what somebody ran', { timeout: 180_000 }, () => {
  let server: TestServer
  let browser: Browser
  let folder: string
  let slug: string
  let owner: Person
  let mate: Person
  let viewer: Person
  let stranger: Person
  let admin: Person

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'teamgrid-reproduce-'))
    server = await startServer()
    const make = people(server)
    ;[owner, mate, viewer, stranger] = await Promise.all([
      make.person(),
      make.person(),
      make.person(),
      make.person(),
    ])
    ;({ slug, admin } = await make.team([
      { person: owner, role: 'member' },
      { person: mate, role: 'member' },
      { person: viewer, role: 'viewer' },
    ]))
    const git = (cwd: string, ...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], { cwd })
    const origin = join(folder, 'origin')
    await mkdir(origin)
    git(origin, 'init', '-q')
    await writeFile(join(origin, 'script.py'), script(1))
    await writeFile(join(origin, 'README'), 'How to')
    git(origin, 'add', '.')
    git(origin, 'commit', '-qm', 'first')
    git(folder, 'clone', '-q', origin, 'working')
    const ran = await runScript({
      python: python!,
      url: server.url,
      key: owner.key,
      folder: join(folder, 'working'),
      code: script(2),
      args: ['--epochs', '3', '--note', "it's"],
      env: { TEAM: slug, WANDB_DISABLE_GIT: 'false' },
    })
    expect(ran.output).toContain('logged')
    browser = await launch()
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function reproduce(person: Person, into: string, experiment = 'exp1', ...flags: string[]) {
    const env = { GRID_URL: server.url, GRID_API_KEY: person.key, PATH: process.env['PATH'], HOME: folder }
    const io = memoryIo({ home: folder, cwd: folder, env })
    const code = await runGrid(io, ['reproduce', `${slug}/again/${experiment}`, '--into', into, ...flags])
    return { code, out: io.out(), err: io.err() }
  }
  const read = (...path: string[]) => readFile(join(folder, ...path), 'utf8')

  test('a stranger finds nothing, a view-only member has no key; nothing is written for either', async () => {
    const hidden = await reproduce(stranger, 'strangers')
    expect(hidden).toMatchObject({ code: 4, out: '' })
    const keyless = await reproduce(viewer, 'viewers')
    expect(keyless).toMatchObject({ code: 3, out: '' })
    expect(await readdir(folder)).not.toEqual(expect.arrayContaining(['strangers']))
    expect(await readdir(folder)).not.toEqual(expect.arrayContaining(['viewers']))
  })

  test('a mate rebuilds the folder: the commit, what differed, the packages, the artifacts; then from saved source', async () => {
    const rebuilt = await reproduce(mate, 'again', 'exp1', '--artifacts')
    expect(rebuilt).toMatchObject({ code: 0, err: expect.not.stringContaining('Warning') })
    expect(await read('again', 'script.py')).toBe(script(2))
    expect(await read('again', 'README')).toBe('How to')
    expect(await read('again', 'requirements.txt')).toContain('wandb==')
    expect(await read('again', 'artifacts', 'digits-v0', 'data.txt')).toBe('one two three')
    expect(rebuilt.out).toContain('cd again\npip install -r requirements.txt\n')
    expect(rebuilt.out.trimEnd().split('\n').at(-1)).toMatch(
      /^python (?:-u )?\S*script\.py --epochs 3 --note 'it'\\''s'$|^python (?:-u )?\S*script\.py --epochs 3 --note "it's"$/,
    )
    const bare = await reproduce(mate, 'bare', 'made')
    expect(bare.err).toContain('Only the commit was saved')
    expect(await read('bare', 'script.py')).toBe(script(1))
    await rename(join(folder, 'origin'), join(folder, 'moved'))
    const saved = await reproduce(mate, 'saved', 'exp1', '-o', 'json')
    const account = JSON.parse(saved.out) as { did: string[]; warnings: string[]; used: string[] }
    expect(account.warnings.join()).toContain('cannot be had here')
    expect(account.did.join()).toMatch(/Wrote 1 source file/)
    expect(account.used.join()).toContain('digits')
    expect(await read('saved', 'script.py')).toBe(script(2))
  })

  test('the Code tab shows it all; a viewer downloads as the team’s policy says; a stranger sees no page', async () => {
    const visits = await Promise.all(
      [mate, viewer, stranger].map(async ({ username }) => {
        const visited = await visitor(browser, server.url)
        await signIn(visited.page, { email: `${username}@example.org`, password: 'correct horse battery' })
        await visited.page.goto(`/${slug}/again/runs/exp1?tab=code`)
        return visited
      }),
    )
    const [mates, viewers, strangers] = visits.map(({ page }) => page)
    await mates!.getByText('grid reproduce').first().waitFor()
    await mates!.getByRole('button', { name: 'diff.patch' }).click()
    await mates!.getByText('+rate = 2').waitFor()
    await look(mates!, 'code')
    await mates!.getByRole('button', { name: 'requirements.txt' }).click()
    await mates!.getByText(/wandb==/).waitFor()
    await mates!.getByRole('button', { name: /script\.py/ }).click()
    await mates!.getByText('run.use_artifact("digits:latest")').first().waitFor()
    await mates!.getByRole('link', { name: /digits/ }).waitFor()

    await viewers!.getByRole('link', { name: 'Download diff.patch' }).waitFor()
    await admin.api.teams.setPolicy({ team: slug, overrides: { view_only_downloads: false } })
    await viewers!.reload()
    await viewers!.getByText('You may look at the files of this experiment, and not download them.').waitFor()
    expect(await viewers!.getByRole('link', { name: 'Download diff.patch' }).count()).toBe(0)
    await strangers!.getByRole('heading', { name: /not|nothing/i }).waitFor()
    for (const { errors, context } of visits) {
      expect(errors).toEqual([])
      await context.close()
    }
  })
})
