/** Over the whole server: who reads, writes, comments, follows and shares reports. */
import { readReport, writeReport } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp, type TestPerson } from '../../../tests/support/app.ts'
import { type MailServer, startMailServer } from '../../../tests/support/smtp.ts'

let app: TestApp
let mailServer: MailServer
let team: Awaited<ReturnType<TestApp['aTeam']>>
const project = 'digits'
const code = (name: string) => expect.objectContaining({ code: name })

beforeAll(async () => {
  mailServer = await startMailServer()
  app = await startApp({ mail: mailServer.settings })
  team = await app.aTeam()
  for (const name of [project, 'other']) {
    const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
    const ref = { team: team.slug, project: name, slug: 'one' }
    await app.experiments.upsert(actor, ref)
    await app.experiments.append(actor, ref, {
      history: { offset: 0, lines: ['{"_step":0,"loss":2}', '{"_step":1,"loss":1}'] },
      summary: { loss: 1 },
    })
  }
})
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await mailServer.stop()
})

const text = (markdown: string) => writeReport([{ kind: 'text', markdown }])
const grid = (of: string | null) =>
  writeReport([
    { kind: 'text', markdown: '# Loss' },
    {
      kind: 'panels',
      runSets: [
        {
          name: 'All',
          team: of && team.slug,
          project: of,
          search: '',
          filters: [],
          unknownFilters: 0,
          sort: [],
          enabled: true,
        },
      ],
      panels: [
        { id: 'a', kind: 'line', title: null, metrics: ['loss'], x: 'step', markdown: '', viewType: '' },
      ],
    },
  ])

async function aReport(person: TestPerson = team.member, given: { publish?: boolean; spec?: string } = {}) {
  return await person.reports.create({
    team: team.slug,
    project,
    title: 'Findings',
    publish: given.publish ?? true,
    spec: given.spec ?? text('Hello'),
  })
}

describe('C-14: who may do what', () => {
  test('a viewer follows and comments, and nothing more', async () => {
    const { id: reportId, version } = await aReport()
    const { reports } = team.viewer
    await expect(reports.create({ team: team.slug, project, title: 'x' })).rejects.toEqual(code('forbidden'))
    await expect(
      reports.save({ reportId, version, title: 'x', description: '', spec: '{}', publish: true }),
    ).rejects.toEqual(code('forbidden'))
    await expect(reports.delete({ reportId })).rejects.toEqual(code('forbidden'))
    await expect(reports.createLink({ reportId })).rejects.toEqual(code('forbidden'))
    await expect(reports.links({ reportId })).rejects.toEqual(code('forbidden'))
    await expect(reports.share({ reportId, share: 'edit' })).rejects.toEqual(code('forbidden'))
    expect(await reports.get({ reportId })).toMatchObject({ title: 'Findings', mayEdit: false, draft: null })
    await reports.follow({ reportId, follow: true })
    expect(await reports.comment({ reportId, text: 'Nice' })).toMatchObject({ text: 'Nice', isMine: true })
    expect(await team.member.reports.comments({ reportId })).toMatchObject([{ text: 'Nice', isMine: false }])
  })

  test('members edit what is open for editing, and only who wrote it opens it', async () => {
    const { id: reportId, version } = await aReport()
    const change = { reportId, version, title: 'By mate', description: '', spec: text('Hi'), publish: true }
    await expect(team.mate.reports.save(change)).rejects.toEqual(code('forbidden'))
    await team.member.reports.share({ reportId, share: 'edit' })
    expect(await team.mate.reports.save(change)).toMatchObject({
      title: 'By mate',
      updatedBy: { username: team.mate.username },
    })
    await expect(team.mate.reports.share({ reportId, share: 'none' })).rejects.toEqual(code('forbidden'))
    await expect(team.mate.reports.delete({ reportId })).rejects.toEqual(code('forbidden'))
    await team.admin.reports.delete({ reportId })
    await expect(team.member.reports.get({ reportId })).rejects.toEqual(code('not_found'))
  })

  test('a service account writes a report, and neither follows nor comments', async () => {
    const service = team.service as unknown as TestPerson
    const { id: reportId } = await aReport(service)
    await expect(service.reports.comment({ reportId, text: 'beep' })).rejects.toEqual(code('forbidden'))
    await expect(service.reports.follow({ reportId, follow: true })).rejects.toEqual(code('forbidden'))
  })

  test('strangers see nothing', async () => {
    const { id: reportId } = await aReport()
    for (const stranger of [team.outsider, team.removed]) {
      await expect(stranger.reports.get({ reportId })).rejects.toEqual(code('not_found'))
      await expect(stranger.reports.list({ team: team.slug, project })).rejects.toEqual(code('not_found'))
      await expect(stranger.reports.comment({ reportId, text: 'x' })).rejects.toEqual(code('not_found'))
    }
  })

  test('a report of a private project is the project’s', async () => {
    const { id: reportId } = await team.member.reports.create({
      team: team.slug,
      project: 'other',
      title: 'Secret',
      publish: true,
    })
    await team.mate.reports.follow({ reportId, follow: true })
    await app.db.updateTable('projects').set({ visibility: 'private' }).where('name', '=', 'other').execute()
    await expect(team.mate.reports.get({ reportId })).rejects.toEqual(code('not_found'))
    await team.admin.reports.comment({ reportId, text: 'just among us' })
    const told = async (person: TestPerson) =>
      (await person.notifications.list({})).items.map((item) => item.text)
    expect(await told(team.mate)).not.toContain('just among us')
    expect(await told(team.member)).toContain('just among us')
    await app.db.updateTable('projects').set({ visibility: 'team' }).where('name', '=', 'other').execute()
  })
})

describe('drafts', () => {
  test('one that was never published is there for its writers alone', async () => {
    const { id: reportId } = await aReport(team.member, { publish: false })
    const listed = async (person: TestPerson) =>
      (await person.reports.list({ team: team.slug, project })).map(({ id }) => id)
    expect(await listed(team.member)).toContain(reportId)
    expect(await listed(team.admin)).toContain(reportId)
    for (const other of [team.mate, team.viewer]) {
      expect(await listed(other)).not.toContain(reportId)
      await expect(other.reports.get({ reportId })).rejects.toEqual(code('not_found'))
      await expect(other.reports.comments({ reportId })).rejects.toEqual(code('not_found'))
      await expect(other.reports.follow({ reportId, follow: true })).rejects.toEqual(code('not_found'))
    }
  })

  test('changes are seen by writers until they are published, and can be forgotten', async () => {
    const made = await aReport()
    const reportId = made.id
    const changed = { reportId, title: 'Better', description: '', spec: text('More') }
    const saved = await team.member.reports.save({ ...changed, version: made.version, publish: false })
    expect(saved).toMatchObject({ title: 'Findings', hasDraft: true, draft: { title: 'Better' } })
    expect(await team.viewer.reports.get({ reportId })).toMatchObject({
      title: 'Findings',
      draft: null,
      hasDraft: false,
    })
    expect(await team.member.reports.discard({ reportId })).toMatchObject({
      hasDraft: false,
      title: 'Findings',
    })
    const { version } = await team.member.reports.get({ reportId })
    await team.member.reports.save({ ...changed, version, publish: true })
    expect(await team.viewer.reports.get({ reportId })).toMatchObject({ title: 'Better' })
  })

  test('who saves over somebody else is told, and neither text is lost', async () => {
    const made = await aReport()
    const reportId = made.id
    const save = (person: TestPerson, markdown: string) =>
      person.reports.save({
        reportId,
        version: made.version,
        title: 'Findings',
        description: '',
        spec: text(markdown),
        publish: true,
      })
    await save(team.admin, 'theirs')
    await expect(save(team.member, 'mine')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(team.admin.username),
    })
    const now = await team.member.reports.get({ reportId })
    expect(readReport(now.spec)).toMatchObject([{ markdown: 'theirs' }])
    await team.member.reports.save({
      reportId,
      version: now.version,
      title: 'Findings',
      description: '',
      spec: text('mine'),
      publish: true,
    })
  })

  test.each([['{'], ['']])('a spec that is no JSON (%s) is refused', async (spec) => {
    await expect(aReport(team.member, { spec })).rejects.toEqual(code('invalid'))
  })
})

test('followers hear of comments and publications, but not of their own', async () => {
  const { id: reportId, version } = await aReport()
  await team.viewer.reports.follow({ reportId, follow: true })
  await team.mate.reports.comment({ reportId, text: '<img src=x onerror=alert(1)>' })
  const told = async (person: TestPerson) => (await person.notifications.list({})).items[0]?.title
  expect(await told(team.viewer)).toBe(`${team.mate.username} commented on Findings`)
  expect(await told(team.member)).toBe(`${team.mate.username} commented on Findings`)
  expect(await told(team.mate)).not.toBe(`${team.mate.username} commented on Findings`)
  const mail = await mailServer.mailTo(team.viewer.email)
  expect(mail.html).not.toContain('<img')
  await team.viewer.reports.follow({ reportId, follow: false })
  await team.member.reports.save({
    reportId,
    version,
    title: 'News',
    description: '',
    spec: text('x'),
    publish: true,
  })
  expect(await told(team.mate)).toBe(`${team.member.username} published News`)
  expect(await told(team.viewer)).not.toContain('published News')
})

test('comments are taken back by who wrote them, or by who may delete the report', async () => {
  const { id: reportId } = await aReport()
  const first = await team.viewer.reports.comment({ reportId, text: 'one' })
  const second = await team.viewer.reports.comment({ reportId, text: 'two' })
  await expect(team.mate.reports.deleteComment({ reportId, commentId: first.id })).rejects.toEqual(
    code('forbidden'),
  )
  await team.viewer.reports.deleteComment({ reportId, commentId: first.id })
  await team.member.reports.deleteComment({ reportId, commentId: second.id })
  expect(await team.viewer.reports.comments({ reportId })).toEqual([])
})

describe('share links', () => {
  test('open one report with its panels to anybody, until they are ended', async () => {
    const { id: reportId } = await aReport(team.member, { spec: grid(null) })
    const link = await team.member.reports.createLink({ reportId })
    const token = link.url.split('/').at(-1)!
    const anybody = app.clientWith({})
    const shared = await anybody.reports.shared({ token })
    expect(shared).toMatchObject({ title: 'Findings', project })
    expect(JSON.stringify(shared)).not.toContain(team.member.email)
    const panels = await anybody.reports.sharedPanels({ token, block: 1 })
    expect(panels.rows).toMatchObject([{ slug: 'one', values: { 'summary.loss': 1 } }])
    expect(panels.curves).toMatchObject([{ key: 'loss', y: [2, 1] }])
    await expect(anybody.reports.sharedPanels({ token, block: 0 })).rejects.toEqual(code('not_found'))
    await expect(anybody.reports.get({ reportId })).rejects.toEqual(code('unauthenticated'))
    const row = await app.db
      .selectFrom('report_links')
      .selectAll()
      .where('id', '=', link.id)
      .executeTakeFirstOrThrow()
    expect(JSON.stringify(row)).not.toContain(token)
    await team.admin.reports.revokeLink({ reportId, linkId: link.id })
    await expect(anybody.reports.shared({ token })).rejects.toEqual(code('not_found'))
    await expect(anybody.reports.sharedPanels({ token, block: 1 })).rejects.toEqual(code('not_found'))
  })

  test('show the report’s own project only, and drafts not at all', async () => {
    const { id: reportId, version } = await aReport(team.member, { spec: grid('other') })
    const link = await team.member.reports.createLink({ reportId })
    const token = link.url.split('/').at(-1)!
    const anybody = app.clientWith({})
    expect(await anybody.reports.sharedPanels({ token, block: 1 })).toEqual({ rows: [], curves: [] })
    await team.member.reports.save({
      reportId,
      version,
      title: 'Draft',
      description: '',
      spec: text('hush'),
      publish: false,
    })
    expect((await anybody.reports.shared({ token })).spec).not.toContain('hush')
    const draft = await aReport(team.member, { publish: false })
    await expect(team.member.reports.createLink({ reportId: draft.id })).rejects.toEqual(code('conflict'))
  })
})
