/**
 * A team in the browser: members, invitations, policy, privacy, reasons, plan; and representative controls for each
 * role, which are there for everybody and refused with the table's own sentence where the role does not allow them.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { can, createClient, type Action, resolvePolicy, type Subject } from '@teamgrid/api'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { randomText } from '../../server/src/lib/ids.ts'
import { chromiumPath, launch } from '../support/chromium.ts'
import { saveArtifact } from '../support/artifacts.ts'
import { part } from '../support/parts.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { builtWebApp, dropFolder, expectRefused, signIn, visitor, type Visitor } from './pages.ts'

const chromium = await part('chromium', chromiumPath)
const web = await part('the built web app', builtWebApp)

const team = 'vision'
const roles = { ada: 'admin', bob: 'member', vi: 'viewer' } as const
type Name = keyof typeof roles | 'olga' | 'zoe'

/** Controls that everybody sees: where, what they are called, and the action that decides. */
const controls: { path: string; name: string; action: Action; role?: 'button' | 'combobox' }[] = [
  { path: `/teams/${team}`, name: 'Invite', action: 'member:invite' },
  { path: `/teams/${team}`, name: 'New service account', action: 'service:create' },
  { path: `/${team}`, name: 'New project', action: 'project:create' },
  { path: `/${team}/datastores`, name: 'New datastore', action: 'datastore:create' },
  { path: `/${team}/digits/reports`, name: 'New report', action: 'report:create' },
  { path: `/teams/${team}/alerts`, name: 'New rule', action: 'alert:subscribe' },
]

describe.skipIf(!chromium || !web)('a team in the browser', { timeout: 120_000 }, () => {
  let server: TestServer
  let browser: Browser
  const people = {} as Record<Name, { email: string; password: string; key: string }>
  const visitors = {} as Record<Name, Visitor>

  const apiOf = (name: Name) =>
    createClient({
      url: server.url,
      headers: () => ({ authorization: `Bearer ${people[name].key}` }),
    })

  beforeAll(async () => {
    server = await startServer()
    const operator = createClient({
      url: server.url,
      headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
    })
    for (const name of ['ada', 'bob', 'vi', 'olga', 'zoe'] as const) {
      people[name] = {
        email: `${name}@example.org`,
        password: randomText(16),
        key: randomText(40),
      }
      const { key: apiKey, ...person } = people[name]
      await operator.users.create({ username: name, ...person, apiKey, admin: name === 'olga' })
    }
    await operator.teams.create({ slug: team, admin: 'ada' })
    for (const name of ['bob', 'vi'] as const)
      await operator.teams.addMember({ team, username: name, role: roles[name] })
    await apiOf('bob').projects.create({ team, name: 'digits' })
    browser = await launch()
    for (const name of Object.keys(people) as Name[]) {
      visitors[name] = await visitor(browser, server.url)
      await signIn(visitors[name].page, people[name])
    }
  }, 120_000)

  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  }, 60_000)

  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    for (const [name, { page, errors }] of Object.entries(visitors)) {
      const path = join(tmpdir(), `teamgrid-team-${name}.png`)
      await page.screenshot({ path, fullPage: true }).catch(() => undefined)
      console.log(`${name} at ${page.url()}: ${path}\n${errors.join('\n')}`)
    }
  })

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).first()

  test.each(
    controls.flatMap((each) =>
      (Object.keys(roles) as (keyof typeof roles)[]).map((who) => ({ ...each, who })),
    ),
  )('$name as $who: visible, and open or refused as the table says', async ({ path, name, action, who }) => {
    const { page } = visitors[who]
    await page.goto(path)
    await button(page, name).waitFor()
    const subject: Subject = { userId: who, role: roles[who], orgRole: 'member', via: 'web' }
    // What one makes is one's own.
    const resource = { teamId: 't', ownerId: who, adminNames: ['ada'] }
    const verdict = can(subject, action, resource, resolvePolicy())
    // Closed as well while the page does not know yet.
    await expect
      .poll(() => button(page, name).getAttribute('aria-disabled'), { timeout: 20_000 })
      .toBe(verdict.allowed ? null : 'true')
    if (verdict.allowed) return
    // Pressing it says why, in the words of the table.
    await expect
      .poll(
        async () => {
          // Not by the mouse: while the page still moves, a place that was right a moment ago is another's.
          await button(page, name).dispatchEvent('click')
          return await page.getByText(verdict.sentence).count()
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0)
  })

  test('an artifact: collection, version, file, lineage, and deletion with what it frees', async () => {
    const place = { team, project: 'digits', name: 'numbers', type: 'dataset' }
    const { key } = people.bob
    await saveArtifact(server, key, { ...place, files: { 'data/a.csv': 'n\n1\n', 'notes.txt': 'same' } })
    await saveArtifact(server, key, { ...place, files: { 'data/a.csv': 'n\n2\n', 'notes.txt': 'same' } })
    const { page } = visitors.bob
    await page.goto(`/${team}/digits/artifacts`)
    await page.getByRole('link', { name: 'numbers', exact: true }).click()
    await page.getByRole('link', { name: 'numbers:v1', exact: true }).click()
    await page.getByRole('link', { name: /^Files/ }).click()
    await page.getByRole('button', { name: /^data/ }).click()
    await page.getByRole('button', { name: /^a\.csv/ }).click()
    await page
      .getByRole('region', { name: 'Preview of data/a.csv' })
      .getByText('2', { exact: true })
      .waitFor()
    await page.getByRole('link', { name: 'Lineage', exact: true }).click()
    await page.getByText('What led here, and what came of it').waitFor()
    const version = page.url()

    // A viewer sees the same and is refused the rest; a stranger sees nothing at all.
    await visitors.vi.page.goto(version)
    await expectRefused(visitors.vi.page, 'Delete')
    await visitors.zoe.page.goto(version)
    await visitors.zoe.page.getByText('Nothing here').waitFor()

    await button(page, 'Delete').click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('4 B are freed; other versions keep the rest.').waitFor()
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('link', { name: 'numbers:v0', exact: true }).waitFor()
    await page.getByRole('link', { name: 'numbers:v1', exact: true }).waitFor({ state: 'detached' })
  })

  test('a registry is made, given members, and closed to those it is not for', async () => {
    const { page } = visitors.bob
    await page.goto('/registries')
    await button(page, 'New registry').click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('models')
    await dialog.getByLabel('Seen by').selectOption('restricted')
    await dialog.getByRole('button', { name: 'Make', exact: true }).click()
    await page.getByLabel('Username').fill('vi')
    await page.getByLabel('Role', { exact: true }).selectOption('viewer')
    await button(page, 'Add').click()
    await page.getByLabel('Role of vi').waitFor()
    await visitors.vi.page.goto('/registries/models')
    await expectRefused(visitors.vi.page, 'Edit')
    await visitors.zoe.page.goto('/registries')
    await visitors.zoe.page.getByText('No registries yet').waitFor()
    await expectRefused(visitors.zoe.page, 'New registry')
    expect(await visitors.zoe.page.getByText('models', { exact: true }).count()).toBe(0)
  })

  test('experiments move from the table by those who may take them; others read why not', async () => {
    for (const [who, slug] of [
      ['bob', 'one'],
      ['bob', 'two'],
      ['ada', 'three'],
    ] as const)
      await anExperiment(who, slug)
    const table = async (who: Name) => {
      const { page } = visitors[who]
      await page.goto(`/${team}/digits/table`)
      await page.getByRole('link', { name: 'three', exact: true }).first().waitFor()
      return page
    }
    const viewer = await table('vi')
    await viewer.getByRole('checkbox', { name: 'Select one' }).check()
    for (const [name, action] of [
      ['Move', 'experiment:move'],
      ['Stop', 'experiment:stop'],
      ['Delete', 'experiment:delete'],
    ] as const) {
      const subject: Subject = { userId: 'vi', role: 'viewer', orgRole: 'member', via: 'web' }
      const one = { kind: 'experiment', name: 'one', ownerName: 'bob', ownerId: 'bob', adminNames: ['ada'] }
      const verdict = can(subject, action, { teamId: 't', ...one }, resolvePolicy())
      await button(viewer, name).dispatchEvent('click')
      await viewer
        .getByText(verdict.allowed ? '' : verdict.sentence)
        .first()
        .waitFor()
    }
    const member = await table('bob')
    // Somebody else's is not his to take, so of all three none moves.
    await member.getByRole('checkbox', { name: 'Select three' }).check()
    expect(await button(member, 'Move').getAttribute('aria-disabled')).toBe('true')
    await member.getByRole('checkbox', { name: 'Select three' }).uncheck()
    for (const name of ['one', 'two']) await member.getByRole('checkbox', { name: `Select ${name}` }).check()
    await button(member, 'Move').click()
    const dialog = member.getByRole('dialog')
    await dialog.getByLabel('Project').fill('kept')
    await dialog.getByRole('button', { name: 'Move', exact: true }).click()
    await expect
      .poll(async () =>
        (await apiOf('bob').experiments.query({ team, project: 'digits' })).rows.map((row) => row.slug),
      )
      .toEqual(['three'])
    // The old address leads to the new one.
    await member.goto(`/${team}/digits/runs/one`)
    await member.waitForURL(`**/${team}/kept/runs/one*`)
  })

  async function anExperiment(who: Name, slug: string): Promise<void> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${people[who].key}` }
    const query = `mutation { upsertBucket(input: { name: "${slug}", displayName: "${slug}", modelName: "digits", entityName: "${team}" }) { bucket { id } } }`
    await fetch(`${server.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) })
    const answer = await fetch(`${server.url}/files/${team}/digits/${slug}/file_stream`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ complete: true, exitcode: 0 }),
    })
    expect(answer.status).toBe(200)
  }

  test('C-7: the admin invites by name, sees who it is for, makes a project private and asks why', async () => {
    const { page } = visitors.ada
    await page.goto(`/teams/${team}`)
    await page.getByLabel('E-mail or username (optional)').fill('zoe')
    await button(page, 'Invite').click()
    await page.getByText('This server sends no mail, so hand the link over.').waitFor()
    await page.getByRole('table', { name: 'Open invitations' }).getByText('zoe').waitFor()
    await page.getByRole('link', { name: 'Privacy', exact: true }).click()
    await page.getByLabel('Who sees digits').selectOption('private')
    await page.getByText('Saved').first().waitFor()
    await page.getByLabel('Person', { exact: true }).fill('vi')
    await page.getByLabel('Project', { exact: true }).selectOption('digits')
    await button(page, 'Explain').click()
    await page
      .getByText('vi cannot see project digits, because it is private to bob and the admins of vision.')
      .waitFor()
    const { page: other } = visitors.vi
    await other.goto(`/${team}/digits`)
    await other.getByText('Nothing here').first().waitFor()
    await page.getByLabel('Who sees digits').selectOption('team')
    await expect
      .poll(async () => (await apiOf('ada').teams.privacy({ team })).projects[0]?.visibility)
      .toBe('team')
  })

  test('the page of the table follows the policy', async () => {
    const { page } = visitors.ada
    await page.goto(`/teams/${team}?part=who`)
    const row = page.getByRole('row', { name: /^stop a run or experiment/ })
    await row.waitFor()
    expect(await row.getByRole('cell').nth(2).textContent()).toContain('yes')
    await apiOf('ada').teams.setPolicy({ team, preset: 'grid-2021', overrides: {} })
    await expect.poll(() => row.getByRole('cell').nth(2).textContent(), { timeout: 20_000 }).toContain('no')
    await apiOf('ada').teams.setPolicy({ team, preset: 'default', overrides: {} })
  })

  test('what the organisation locks is visible and closed to the team’s admin', async () => {
    await apiOf('olga').organisation.setLocks({ locks: { members_can_invite: false } })
    const { page } = visitors.ada
    await page.goto(`/teams/${team}?part=policy`)
    await page.getByText('locked by your organisation').first().waitFor()
    expect(await page.getByLabel('Members may invite people').isDisabled()).toBe(true)
    await apiOf('olga').organisation.setLocks({ locks: {} })
  })

  test('C-5, C17: who was invited joins from the first page, and takes the moved default back', async () => {
    const { page } = visitors.zoe
    await page.goto('/')
    await button(page, 'Join').click()
    const notice = page.getByText(/New work that names no team now goes to/)
    await notice.waitFor()
    await button(page, 'Undo').click()
    await notice.waitFor({ state: 'detached' })
    expect((await apiOf('zoe').me.get()).defaultTeam).toBe('zoe')
  })

  test('removing says what stops, ends and stays before it happens, and the one removed is out', async () => {
    const { page } = visitors.ada
    await page.goto(`/teams/${team}`)
    const row = page.getByRole('table', { name: 'Members' }).getByRole('row', { name: /zoe/ })
    await row.getByRole('button', { name: 'Remove' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'Stays' }).waitFor()
    await dialog.getByText('Nothing: zoe made nothing in vision.').waitFor()
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await row.waitFor({ state: 'detached' })
  })

  test('C-4: who may not make teams asks for one, an organisation admin makes it with a click', async () => {
    const { page } = visitors.zoe
    await page.goto('/')
    await page.getByRole('link', { name: 'Ask for a team' }).click()
    await button(page, 'Ask for a team').click()
    await page.getByLabel('Short name').fill('speech')
    await page.getByRole('dialog').getByRole('button', { name: 'Ask for the team' }).click()
    await page.getByRole('table', { name: 'Requests for teams' }).getByText('speech').waitFor()
    const { page: admin } = visitors.olga
    await admin.goto('/admin')
    await button(admin, 'Make team').click()
    await admin.getByRole('table', { name: 'Teams', exact: true }).getByText('speech').waitFor()
    expect((await apiOf('zoe').teams.get({ team: 'speech' })).role).toBe('admin')
  })

  test('C-6, C-11: plan and seats change behind the three dots, and nothing asks for a card', async () => {
    const { page } = visitors.olga
    await page.goto('/subscriptions')
    await page.getByRole('button', { name: /^More for/ }).click()
    await page.getByRole('menuitem', { name: 'Add seats, change plan or trial' }).click()
    await page.getByLabel('Seats', { exact: true }).fill('25')
    await page.getByLabel('Trial until', { exact: true }).fill('2999-01-31')
    await button(page, 'Save').click()
    await page.getByText(/ of 25$/).waitFor()
    await page.getByText('Everything works until').waitFor()
    const { page: member } = visitors.bob
    await member.goto('/subscriptions')
    await member.getByText('never asks for a card').waitFor()
    await member.getByRole('button', { name: /^More for/ }).click()
    const entry = member.getByRole('menuitem', { name: 'Edit billing information' })
    expect(await entry.getAttribute('aria-disabled')).toBe('true')
  })

  test('A3, B9: a folder dropped on the page becomes a datastore: previews, versions, trash, viewers and strangers', async () => {
    const { page } = visitors.bob
    const folder = join(await mkdtemp(join(tmpdir(), 'teamgrid-e2e-data-')), 'digits')
    await writeDataFolder(folder)
    await page.goto(`/${team}/datastores`)
    await button(page, 'New datastore').click()
    await dropFolder(page, page.getByText('Drop a folder or files here'), folder)
    await page.getByRole('dialog').getByText('4 files, ').waitFor()
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('digits')
    await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
    await page.waitForURL(`**/${team}/datastores/bob/digits**`)

    await page.getByRole('button', { name: /table\.csv/ }).click()
    await page.getByLabel('Preview of table.csv').getByText('three').waitFor()
    await page.getByRole('button', { name: /rows\.parquet/ }).click()
    await page.getByLabel('Preview of rows.parquet').getByText('lynx').waitFor()
    await page.getByRole('button', { name: /dot\.png/ }).click()
    await expect
      .poll(() =>
        page.getByRole('img', { name: 'dot.png' }).evaluate((it) => (it as HTMLImageElement).naturalWidth),
      )
      .toBe(1)
    await page.getByRole('button', { name: /^deep/ }).click()
    await page.getByRole('button', { name: /note\.txt/ }).click()
    await page.getByText('a note for the team').waitFor()
    const href = await page.getByRole('link', { name: 'Download deep/note.txt' }).getAttribute('href')
    expect(await (await page.request.get(href!)).text()).toBe('a note for the team')

    await writeFile(join(folder, 'deep', 'note.txt'), 'another note')
    await button(page, 'New version').click()
    await dropFolder(page, page.getByText('Drop a folder or files here'), folder)
    await page.getByRole('dialog').getByText('4 files, ').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click()
    await page.getByRole('heading', { name: 'Version 2', exact: true }).waitFor()
    await page.getByLabel('Compare with').selectOption('1')
    await page.getByText('0 added, 0 removed, 1 changed, 3 the same as in version 1.').waitFor()

    const first = page.getByRole('table', { name: 'Versions' }).getByRole('row').last()
    await first.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByText('which frees 19 B of its').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Put into the trash' }).click()
    await first.getByRole('button', { name: 'Restore' }).click()
    await first.getByRole('button', { name: 'Delete' }).waitFor()

    const { page: viewer } = visitors.vi
    await viewer.goto(`/${team}/datastores/bob/digits`)
    await viewer.getByRole('table', { name: 'Versions' }).waitFor()
    await expectRefused(viewer, 'New version')
    await expectRefused(viewer, 'Delete')
    const { page: stranger } = visitors.zoe
    await stranger.goto(`/${team}/datastores/bob/digits`)
    await stranger.getByText('Nothing here').first().waitFor()
    await rm(join(folder, '..'), { recursive: true })
  })

  test('a stranger finds no team there, and no page broke for anybody', async () => {
    const { page } = visitors.zoe
    await page.goto(`/teams/${team}`)
    await page.getByText('Nothing here').first().waitFor()
    expect(Object.values(visitors).flatMap(({ errors }) => errors)).toEqual([])
  })
})

/** A table as text and as Parquet, a picture, and a text in a folder below. */
async function writeDataFolder(folder: string): Promise<void> {
  await mkdir(join(folder, 'deep'), { recursive: true })
  await writeFile(join(folder, 'table.csv'), 'number,word\n1,one\n3,three\n')
  const parquet = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: [1, 2], type: 'INT32' },
      { name: 'name', data: ['owl', 'lynx'], type: 'STRING' },
    ],
  })
  await writeFile(join(folder, 'rows.parquet'), new Uint8Array(parquet))
  await writeFile(join(folder, 'dot.png'), Buffer.from(dotPng, 'base64'))
  await writeFile(join(folder, 'deep', 'note.txt'), 'a note for the team')
}

/** One pixel. */
const dotPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
