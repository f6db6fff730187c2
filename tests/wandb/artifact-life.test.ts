/**
 * What becomes of artifacts once they are there, with the real client: collections, links, registries, filters,
 * deletion, and content that is named by XXH128.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

let server: TestServer
let anna: Person
let ben: Person
let vera: Person
let eve: Person
let team: string
beforeAll(async () => {
  server = await startServer()
  const { person, team: aTeam } = people(server)
  ;[anna, ben, vera, eve] = await Promise.all([person(), person(), person(), person()])
  const made = await aTeam([
    { person: anna, role: 'member' },
    { person: ben, role: 'member' },
    { person: vera, role: 'viewer' },
  ])
  team = made.slug
})
afterAll(() => server?.stop())

const clients: EnvironmentName[] = ['wandb-latest', 'wandb-0.28.2', 'wandb-0.22.3']
const pythons = new Map<EnvironmentName, string>()
for (const name of clients) pythons.set(name, (await part(name, () => venv(name))) ?? '')

async function script(
  python: string,
  project: string,
  code: string,
  person: Person = anna,
): Promise<Record<string, string>> {
  const { code: exit, output } = await runScript({
    python,
    url: server.url,
    key: person.key,
    env: { P: project, TEAM: team },
    code: `
import os, json, wandb
P, TEAM = os.environ["P"], os.environ["TEAM"]
def say(key, value): print("@" + key, value, flush=True)
def refused(key, act):
    try: say(key, act())
    except Exception as error: say(key, "refused " + type(error).__name__)
def log(run, name, contents, type="model", **options):
    art = wandb.Artifact(name, type, **options)
    for path, text in contents.items():
        with art.new_file(path) as f: f.write(text)
    run.log_artifact(art)
    art.wait()
    return art
${code}`,
  })
  expect(exit, output).toBe(0)
  return Object.fromEntries([...output.matchAll(/^@(\w+) (.*)$/gm)].map(([, key, value]) => [key!, value!]))
}

for (const name of clients) {
  const python = pythons.get(name)!
  const project = `life-${name.replaceAll('.', '-')}`

  describe.skipIf(!python)(name, () => {
    test('collections are described, tagged, renamed, moved, linked to and deleted', async () => {
      const said = await script(
        python,
        project,
        `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    one = log(run, "net", {"w": "one", "same": "same"})
    two = log(run, "net", {"w": "two", "same": "same"}, metadata={"acc": 0.9})
    run.link_artifact(one, "best nets", aliases=["chosen"])
    two.link(f"{TEAM}/{P}/best nets", aliases=["next"])
    used = run.use_artifact(f"{TEAM}/{P}/best nets:chosen")
    say("linked", (used.name, used.source_name, used.is_link, sorted(used.aliases), open(used.get_entry("w").download(root="out")).read()))
api = wandb.Api()
art = api.artifact(f"{TEAM}/{P}/net:v0")
say("links", [(link.name, link.version) for link in art.linked_artifacts])
net = api.artifact_collection("model", f"{TEAM}/{P}/net")
net.description = "nets"; net.tags = ["good", "big"]; net.save()
net.tags = ["good"]; net.name = "networks"; net.save()
again = api.artifact_collection("model", f"{TEAM}/{P}/networks")
say("collection", (again.description, again.tags, again.is_sequence(), sorted(again.aliases)))
again.type = "weights"; again.save()
say("type", api.artifact(f"{TEAM}/{P}/networks:v1").type)
best = api.artifact(f"{TEAM}/{P}/best nets:chosen")
refused("keeps", lambda: api.artifact(f"{TEAM}/{P}/networks:v1").delete())
best.unlink()
say("unlinked", [api.artifact_exists(f"{TEAM}/{P}/best nets:chosen"), api.artifact_exists(f"{TEAM}/{P}/networks:v0")])
api.artifact(f"{TEAM}/{P}/networks:v1").delete(delete_aliases=True)
say("deleted", [api.artifact_exists(f"{TEAM}/{P}/networks:v1"), api.artifact_exists(f"{TEAM}/{P}/networks:latest")])
api.artifact_collection("weights", f"{TEAM}/{P}/networks").delete()
say("gone", [c.name for t in api.artifact_types(f"{TEAM}/{P}") for c in t.collections() if c.name == "networks"])
`,
      )
      expect(said).toMatchObject({
        links: "[('best nets:v0', 'v0')]",
        type: 'weights',
        keeps: expect.stringContaining('refused'),
        unlinked: '[False, True]',
        deleted: '[False, True]',
        gone: '[]',
      })
      expect(said.linked).toMatch(/^\('best nets:chosen', 'net:v0', True, \[.*'chosen'.*\], 'one'\)$/)
      expect(said.collection).toMatch(/^\('nets', \['good'\], True, \['latest'\]\)$/)
    }, 180_000)
  })
}

const newest = pythons.get('wandb-latest')!

describe.skipIf(!newest)('the newest client', () => {
  test('finds collections and versions by filters, in an order', async () => {
    const said = await script(
      newest,
      'found',
      `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    for number in range(3):
        art = log(run, "ds", {"n": str(number)}, type="dataset", metadata={"n": number})
        if number: art.tags.append("odd" if number % 2 else "even"); art.save()
    log(run, "other", {"n": "x"}, type="dataset")
api = wandb.Api()
names = lambda **find: [a.name for a in api.artifacts("dataset", f"{TEAM}/{P}/ds", **find)]
say("tagged", names(tags="odd"))
say("sorted", names(order="+createdAt"))
say("collections", [c.name for c in api.artifact_type("dataset", f"{TEAM}/{P}").collections(filters={"name": {"$regex": "^o"}})])
say("order", [c.name for c in api.artifact_type("dataset", f"{TEAM}/{P}").collections(order="-name")])
`,
    )
    expect(said).toEqual({
      tagged: "['ds:v1']",
      sorted: "['ds:v0', 'ds:v1', 'ds:v2']",
      collections: "['other']",
      order: "['other', 'ds']",
    })
  }, 120_000)

  test('a table logged row by row has all rows in its newest version, also after a resume', async () => {
    const said = await script(
      newest,
      'growing',
      `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    grown = wandb.Table(columns=["n"], log_mode="INCREMENTAL")
    for n in range(4):
        grown.add_data(n)
        run.log({"grown": grown})
rid = run.id
with wandb.init(project=P, entity=TEAM, id=rid, resume="must", settings=wandb.Settings(silent=True)) as run:
    grown = wandb.Table(columns=["n"], log_mode="INCREMENTAL")
    grown.add_data(100)
    run.log({"grown": grown})
art = wandb.Api().artifact(f"{TEAM}/{P}/run-{rid}-incr-grown:latest")
last = sorted(art.manifest.entries)[-1]
say("newest", (art.type, art.version, len(art.manifest.entries), art.get(last).data))
`,
    )
    expect(said.newest).toBe("('wandb-run-incremental-table', 'v4', 5, [[0], [1], [2], [3], [100]])")
  }, 120_000)

  test('content named by XXH128 is stored, checked and fetched', async () => {
    const said = await script(
      newest,
      'xxh',
      `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    art = log(run, "fast", {"a": "alpha", "b/c": "gamma"}, digest_algorithm="XXH128")
    say("saved", (art.version, art.size, len(art.digest)))
    say("again", log(run, "fast", {"a": "alpha", "b/c": "gamma"}, digest_algorithm="XXH128").version)
`,
    )
    expect(said).toEqual({ saved: "('v0', 10, 32)", again: 'v0' })
    const fetched = await script(
      newest,
      'xxh',
      `
art = wandb.Api().artifact(f"{TEAM}/{P}/fast:latest")
folder = art.download(root="out")
say("read", [open(os.path.join(folder, f)).read() for f in ["a", "b/c"]])
say("algorithms", sorted({entry.extra.get("alg") for entry in art.manifest.entries.values()}))
art.verify(folder)
`,
      ben,
    )
    expect(fetched).toEqual({ read: "['alpha', 'gamma']", algorithms: "['XXH128']" })
  }, 120_000)

  test('a mate may link and not delete; a viewer and a stranger neither', async () => {
    await script(
      newest,
      'shared',
      `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    log(run, "net", {"w": "one"})
`,
    )
    const attempt = `
refused("login", lambda: wandb.Api().viewer.username)
try: api = wandb.Api()
except Exception: raise SystemExit(0)
name = f"{TEAM}/{P}/net:v0"
refused("read", lambda: api.artifact(name).name)
refused("link", lambda: api.artifact(name).link(f"{TEAM}/{P}/mine").name)
refused("delete", lambda: api.artifact(name).delete(delete_aliases=True))
refused("rename", lambda: setattr(c := api.artifact_collection("model", f"{TEAM}/{P}/net"), "name", "x") or c.save())
`
    expect(await script(newest, 'shared', attempt, ben)).toMatchObject({
      read: 'net:v0',
      link: 'mine:v0',
      delete: expect.stringContaining('refused'),
    })
    expect(await script(newest, 'shared', attempt, vera)).toEqual({
      login: expect.stringContaining('refused'),
    })
    const { login: _, ...stranger } = await script(newest, 'shared', attempt, eve)
    for (const [what, outcome] of Object.entries(stranger)) expect(outcome, what).toContain('refused')
  }, 180_000)

  test('a registry of the organisation: made, linked into, searched, shared with a stranger to the team, deleted', async () => {
    const said = await script(
      newest,
      'source',
      `
with wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)) as run:
    art = log(run, "net", {"w": "weights"})
    api = wandb.Api()
    org = api.settings["organization"] or "My organisation"
    registry = api.create_registry(name="nets", visibility="restricted", organization=org, description="ours", artifact_types=["model"])
    say("made", (registry.full_name, registry.visibility, registry.description, list(registry.artifact_types), registry.allow_all_artifact_types))
    linked = run.link_artifact(art, "wandb-registry-nets/Chosen", aliases=["prod"])
    say("linked", (linked.name, linked.project, sorted(linked.aliases)))
api = wandb.Api()
registry = api.registry("nets", organization=org)
say("collections", [c.name for c in registry.collections()])
say("versions", [v.name for v in registry.versions(filter={"alias": "prod"})])
say("found", [v.name for v in api.registries(organization=org).collections(filter={"name": "Chosen"}).versions()])
say("names", [r.name for r in api.registries(organization=org)])
refused("type", lambda: log(wandb.init(project=P, entity=TEAM, settings=wandb.Settings(silent=True)), "data", {"a": "1"}, type="dataset").link("wandb-registry-nets/Data"))
registry.description = "all of ours"; registry.save()
say("members", [(m.user.username, m.role) for m in registry.user_members()])
`,
    )
    expect(said).toMatchObject({
      made: "('wandb-registry-nets', 'restricted', 'ours', ['model'], False)",
      linked: "('Chosen:v0', 'wandb-registry-nets', ['latest', 'prod'])",
      collections: "['Chosen']",
      versions: "['Chosen:v0']",
      found: "['Chosen:v0']",
      names: "['nets']",
      type: expect.stringContaining('refused'),
      members: `[('${anna.username}', 'admin')]`,
    })
    const look = `
api = wandb.Api()
org = "My organisation"
say("names", [r.name for r in api.registries(organization=org)])
refused("content", lambda: open(api.artifact("wandb-registry-nets/Chosen:prod").get_entry("w").download(root="out")).read())
refused("source", lambda: api.artifact(f"{TEAM}/source/net:v0").name)
`
    expect(await script(newest, 'other', look, eve)).toMatchObject({
      names: '[]',
      content: expect.stringContaining('refused'),
      source: expect.stringContaining('refused'),
    })
    await script(
      newest,
      'source',
      `
api = wandb.Api()
registry = api.registry("nets", organization="My organisation")
registry.add_members(api.user("${ben.username}"))
registry.update_member(api.user("${ben.username}"), role="viewer")
registry.visibility = "organization"; registry.save()
say("roles", sorted((m.user.username, m.role) for m in registry.user_members()))
`,
    )
    expect(await script(newest, 'other', look, eve)).toMatchObject({ names: "['nets']", content: 'weights' })
    const ended = await script(
      newest,
      'source',
      `
api = wandb.Api()
refused("stranger", lambda: wandb.Api(api_key="${eve.key}").registry("nets", organization="My organisation").delete())
api.registry("nets", organization="My organisation").delete()
say("names", [r.name for r in api.registries(organization="My organisation")])
say("kept", api.artifact_exists(f"{TEAM}/{P}/net:v0"))
`,
    )
    expect(ended).toEqual({ stranger: expect.stringContaining('refused'), names: '[]', kept: 'True' })
  }, 240_000)
})
