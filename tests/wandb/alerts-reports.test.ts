/** wandb.alert(), api.automations() and wandb_workspaces, with the real packages against a real server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, readReport } from '@teamgrid/api'
import { startHooks } from '../support/hooks.ts'
import { part } from '../support/parts.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'
import { people, type Person, runScript, until } from './client.ts'

const python = await part('wandb-workspaces', () => venv('wandb-workspaces'))

describe.skipIf(!python)('the client', () => {
  let server: TestServer
  let mail: MailServer
  let hooks: Awaited<ReturnType<typeof startHooks>>
  beforeAll(async () => {
    mail = await startMailServer()
    hooks = await startHooks()
    server = await startServer({
      env: {
        SMTP_URL: mail.settings.url,
        MAIL_FROM: mail.settings.from,
        TEAMGRID_PRIVATE_WEBHOOKS: '127.0.0.0/8',
      },
    })
  })
  afterAll(async () => {
    await server.stop()
    await hooks.stop()
    await mail.stop()
  })

  const script = (key: string, code: string, env: Record<string, string>) =>
    runScript({ python: python!, url: server.url, key, code, env })

  test('alerts reach their owner and the hook of an automation; automations are kept by admins alone', async () => {
    const { person, team } = people(server)
    const [member, mate, stranger] = await Promise.all([person(), person(), person()])
    const { slug, admin } = await team([
      { person: member, role: 'member' },
      { person: mate, role: 'member' },
    ])
    await admin.api.alerts.createChannel({
      team: slug,
      name: 'hook',
      kind: 'webhook',
      target: `${hooks.url}/hook`,
    })
    await admin.api.alerts.createChannel({
      team: slug,
      name: 'room',
      kind: 'slack',
      target: `${hooks.url}/room`,
    })
    const channels = await admin.api.alerts.channels({ team: slug })
    const room = channels.find(({ name }) => name === 'room')!.id
    const toAll = { team: slug, project: 'watched', audience: 'team' as const, channelIds: [room] }
    const env = { TEAM: slug, HOOK: `${hooks.url}/hook` }
    const kept = await script(
      admin.key,
      `
import os, wandb
from wandb.automations import OnRunMetric, OnRunState, RunEvent, SendNotification, SendWebhook, DoNothing
team = os.environ["TEAM"]
api = wandb.Api()
api.create_project("watched", team)
project = api.project("watched", team)
slack = next(api.slack_integrations(entity=team))
assert slack.channel_name == "room", slack
event = OnRunMetric(scope=project, filter=RunEvent.metric("loss").gt(10))
made = api.create_automation(event >> SendNotification.from_integration(slack, title="Too high", text="look"), name="high")
assert made.name == "high" and made.enabled, made
ended = OnRunState(scope=project, filter=RunEvent.state.eq("failed"))
api.create_automation(ended >> DoNothing(), name="quiet")
found = {each.name: each for each in api.automations(entity=team)}
assert set(found) == {"high", "quiet"}, found
metric = found["high"].event.filter.metric.threshold_filter
assert (metric.name, metric.threshold, metric.cmp) == ("loss", 10, "$gt"), metric
found["high"].description = "changed"
assert api.update_automation(found["high"]).description == "changed"
assert api.automation(entity=team, name="high").description == "changed"
try:
    api.create_automation(event >> DoNothing(), name="high")
    raise SystemExit("made twice")
except Exception as error:
    assert "already" in str(error) or "exists" in str(error), error
assert api.delete_automation(found["quiet"])
from wandb.automations import ArtifactEvent, OnAddArtifactAlias, OnCreateArtifact, OnLinkArtifact
with wandb.init(entity=team, project="watched", id="maker") as run:
    first = wandb.Artifact("net", type="model", metadata={"n": 1})
    run.log_artifact(first).wait()
collection = api.artifact_collection("model", f"{team}/watched/net")
hook = api.create_webhook_integration(entity=team, name="ci", url=os.environ["HOOK"]) if hasattr(api, "create_webhook_integration") else next(api.webhook_integrations(entity=team))
payload = {"who": "\${event_author}", "what": "\${artifact_version_string}", "event": "\${event_type}"}
promoted = OnAddArtifactAlias(scope=collection, filter=ArtifactEvent.alias.matches_regex("^prod(-.*)?$"))
api.create_automation(promoted >> SendWebhook.from_integration(hook, payload=payload), name="promoted")
api.create_automation(OnCreateArtifact(scope=collection) >> DoNothing(), name="made")
api.create_automation(OnLinkArtifact(scope=project, filter=ArtifactEvent.alias.eq("best")) >> SendNotification.from_integration(slack), name="linked")
back = api.automation(entity=team, name="promoted")
assert (back.event.event_type.value, back.scope.name) == ("ADD_ARTIFACT_ALIAS", "net"), back
for name, aliases in (("net", ["latest", "other"]), ("net", ["prod-eu"])):
    version = api.artifact(f"{team}/watched/{name}:v0")
    version.aliases.extend(aliases)
    version.save()
version.link(f"{team}/watched/finest", aliases=["best"])
with wandb.init(entity=team, project="watched", id="maker2") as run:
    second = wandb.Artifact("net", type="model")
    with second.new_file("weights.txt") as file: file.write("2")
    run.log_artifact(second, aliases=["prod"]).wait()
    # The same content is the version there is, under one more name.
    third = wandb.Artifact("net", type="model")
    with third.new_file("weights.txt") as file: file.write("2")
    run.log_artifact(third, aliases=["prod-us"]).wait()
try:
    OnCreateArtifact(scope=project)
    raise SystemExit("a project makes no versions")
except ValueError:
    pass
print("kept")
`,
      env,
    )
    expect(kept.output).toContain('kept')
    await expect
      .poll(() => hooks.to('/hook').map(({ body }) => JSON.parse(body) as object), { timeout: 30_000 })
      .toEqual([
        { who: admin.username, what: `${slug}/watched/net:v0`, event: 'alias-added' },
        { who: admin.username, what: `${slug}/watched/net:v1`, event: 'alias-added' },
        { who: admin.username, what: `${slug}/watched/net:v1`, event: 'alias-added' },
      ])
    await expect
      .poll(() => hooks.to('/room').map(({ body }) => (JSON.parse(body) as { text: string }).text), {
        timeout: 30_000,
      })
      .toEqual([expect.stringMatching(/^finest:v0 is linked/)])
    for (const { id, name, lastFiredAt } of await admin.api.alerts.rules({ team: slug })) {
      if (name === 'high') continue
      expect({ name, spoke: lastFiredAt !== null }).toEqual({ name, spoke: name !== 'made' })
      await admin.api.alerts.deleteRule({ team: slug, ruleId: id })
    }

    await admin.api.alerts.createRule({
      ...toAll,
      name: 'reports',
      condition: { kind: 'script', levels: ['warn', 'error'] },
    })
    await admin.api.alerts.createRule({
      ...toAll,
      name: 'worse',
      condition: { kind: 'regression', metric: 'acc', goal: 'maximize', baseline: null, tolerance: 0.05 },
    })
    const logged = await script(
      member.key,
      `
import os, wandb
where = dict(entity=os.environ["TEAM"], project="watched")
with wandb.init(**where, id="run0", name="best-run", config={"lr": 0.1, "model": {"depth": 3}}) as run:
    run.log({"acc": 0.9})
with wandb.init(**where, id="run1", name="brave-run", config={"lr": 0.3, "model": {"depth": 3}}) as run:
    run.log({"loss": 1.0, "acc": 0.1})
    run.log({"loss": 99.0, "acc": 0.5})
    run.log({"loss": 98.0, "acc": 0.5})
    run.alert("Low accuracy", "it fell", level=wandb.AlertLevel.WARN, wait_duration=300)
    run.alert("Low accuracy", "it fell again", level=wandb.AlertLevel.WARN, wait_duration=300)
    run.alert("All fine", "so far")
print("logged")
`,
      env,
    )
    expect(logged.output).toContain('logged')
    const regression = 'brave-run: acc is worse than the baseline: 0.5 after 0.9'
    const titles = async (person: Person) =>
      (await person.api.notifications.list({})).items.map(({ title }) => title).toSorted()
    // A failing run and one that is worse are looked at when they have ended.
    await until(async () => (await titles(mate)).includes(regression), 30)
    expect(await titles(mate)).toEqual(['Low accuracy', regression])
    expect(await titles(member)).toEqual(['All fine', 'Low accuracy', regression])
    expect(await titles(stranger)).toEqual([])
    const [worse] = (await mate.api.notifications.list({})).items.filter(({ title }) => title === regression)
    expect(worse!.text).toContain('Config compared with best-run:\nlr: 0.1 → 0.3')
    expect(worse!.text).not.toContain('depth')
    for (const [person, says] of [
      [member, 'it fell'],
      [mate, 'Config compared with best-run'],
    ] as const) {
      const address = `${person.username}@example.org`
      await until(() => mail.mails.some(({ to, text }) => to.includes(address) && text.includes(says)), 30)
    }
    expect(mail.mails.filter(({ to }) => to.includes(`${stranger.username}@example.org`))).toEqual([])
    await until(() => hooks.to('/room').length >= 4, 30)
    const posts = hooks.to('/room').map(({ body }) => JSON.parse(body) as { text: string })
    expect(
      posts
        .slice(1)
        .map(({ text }) => text.split(' (')[0]!)
        .toSorted(),
    ).toEqual(['Low accuracy', 'Too high', regression])
    expect(JSON.stringify(posts)).toContain('lr: 0.1 → 0.3')

    for (const { key, says } of [
      { key: member.key, says: 'refused' },
      { key: stranger.key, says: 'hidden' },
    ]) {
      const tried = await script(
        key,
        `
import os, wandb
from wandb.automations import OnRunMetric, RunEvent, DoNothing
api = wandb.Api()
try:
    project = api.project("watched", os.environ["TEAM"])
    project.load() if hasattr(project, "load") else None
    api.create_automation(OnRunMetric(scope=project, filter=RunEvent.metric("x").gt(1)) >> DoNothing(), name="mine")
    print("MADE")
except Exception as error:
    print("refused" if "admin" in str(error).lower() or "may" in str(error).lower() else "hidden", error)
`,
        env,
      )
      expect(tried.output).not.toContain('MADE')
      expect(tried.output).toContain(says)
    }
    const names = (await admin.api.alerts.rules({ team: slug })).map(({ name }) => name)
    expect(names.toSorted()).toEqual(['high', 'reports', 'worse'])
  })

  test('a report is saved, loaded, changed, shared and deleted', async () => {
    const { person, team } = people(server)
    const [member, mate, stranger] = await Promise.all([person(), person(), person()])
    const { slug, admin } = await team([
      { person: member, role: 'member' },
      { person: mate, role: 'member' },
    ])
    const env = { TEAM: slug }
    const saved = await script(
      member.key,
      `
import os, wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
team = os.environ["TEAM"]
with wandb.init(entity=team, project="written", id="run1") as run:
    run.log({"loss": 2.0})
    run.log({"loss": 1.0})
report = wr.Report(entity=team, project="written", title="Found it", description="short", blocks=[
    wr.H1("Head"), wr.P("some *text*"), wr.MarkdownBlock("**bold**"),
    wr.PanelGrid(runsets=[wr.Runset(entity=team, project="written", name="All")],
                 panels=[wr.LinePlot(x="Step", y=["loss"]), wr.BarPlot(metrics=["loss"])]),
])
report.save()
again = wr.Report.from_url(report.url)
assert again.title == "Found it" and again.description == "short", again
assert [type(block).__name__ for block in again.blocks] == ["H1", "P", "MarkdownBlock", "PanelGrid"], again.blocks
assert again.blocks[3].panels[0].y[0].name == "loss", again.blocks[3]
again.title = "Found more"
again.blocks = again.blocks + [wr.P("the end")]
again.save()
names = [each.display_name for each in wandb.Api().reports(f"{team}/written")]
assert names == ["Found more"], names
url = again.enable_share_link()
assert again.get_share_url() == url, url
draft = wr.Report(entity=team, project="written", title="Not yet")
draft.save(draft=True)
workspace = ws.Workspace(entity=team, project="written", name="Mine", sections=[ws.Section(name="A", panels=[wr.LinePlot(x="Step", y=["loss"])])])
workspace.save()
assert ws.Workspace.from_url(workspace.url).name == "Mine"
print("REPORT", again.id, url)
`,
      env,
    )
    const [, id, url] = /REPORT (\S+) (\S+)/.exec(saved.output) ?? []
    expect(id, saved.output).toBeTruthy()
    const listed = await mate.api.reports.list({ team: slug, project: 'written' })
    expect(listed.map(({ title }) => title)).toEqual(['Found more'])
    const report = await mate.api.reports.get({ reportId: listed[0]!.id })
    expect(
      readReport(report.spec).map((block) => (block.kind === 'text' ? block.markdown : block.kind)),
    ).toEqual(['# Head', 'some \\*text\\*', '**bold**', 'panels', 'the end'])
    const token = new URL(url!).searchParams.get('accessToken')!.split('.')[1]!
    const anybody = createClient({ url: server.url, headers: () => ({}) })
    const panels = await anybody.reports.sharedPanels({ token, block: 3 })
    expect(panels.curves).toMatchObject([{ key: 'loss', y: [2, 1] }])
    await expect(stranger.api.reports.get({ reportId: report.id })).rejects.toMatchObject({
      code: 'not_found',
    })

    for (const { key } of [mate, stranger]) {
      const tried = await script(
        key,
        `
import os, wandb
import wandb_workspaces.reports.v2 as wr
try:
    report = wr.Report(entity=os.environ["TEAM"], project="written", title="Mine now")
    report.id = os.environ["REPORT"]
    report.save()
    print("SAVED")
except Exception as error:
    print("refused", error)
`,
        { ...env, REPORT: id! },
      )
      expect(tried.output).toContain('refused')
    }
    expect((await admin.api.reports.get({ reportId: report.id })).title).toBe('Found more')
    const deleted = await script(
      member.key,
      `
import os
import wandb_workspaces.reports.v2 as wr
report = wr.Report(entity=os.environ["TEAM"], project="written", title="x")
report.id = os.environ["REPORT"]
assert report.disable_share_link()
assert report.delete()
print("deleted")
`,
      { ...env, REPORT: id! },
    )
    expect(deleted.output).toContain('deleted')
    await expect(anybody.reports.shared({ token })).rejects.toMatchObject({ code: 'not_found' })
  })
})
