/** Artifacts with the real client: what one script saves, another machine fetches, in several versions of the client. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { people, type Person, runScript } from './client.ts'

let server: TestServer
let anna: Person
beforeAll(async () => {
  server = await startServer()
  anna = await people(server).person()
})
afterAll(() => server?.stop())

const clients: EnvironmentName[] = ['wandb-latest', 'wandb-0.28.2', 'wandb-0.22.3']
const pythons = new Map<EnvironmentName, string>()
for (const name of clients) pythons.set(name, (await part(name, () => venv(name))) ?? '')

/** Each script has a home, and so a cache, of its own: what it reads has come from the server. */
async function script(
  python: string,
  project: string,
  code: string,
  options: { person?: Person; mayComplain?: boolean } = {},
): Promise<Record<string, string>> {
  const { code: exit, output } = await runScript({
    python,
    url: server.url,
    key: (options.person ?? anna).key,
    env: { P: project, OWNER: anna.username },
    code: `
import os, json, wandb
P = os.environ["P"]
OWNER = os.environ["OWNER"]
def say(key, value): print("@" + key, value, flush=True)
${code}`,
  })
  expect(exit, output).toBe(0)
  // The client goes on when a save fails, and only prints so.
  if (!options.mayComplain) expect(output).not.toMatch(/error|failed|Traceback/i)
  return Object.fromEntries([...output.matchAll(/^@(\w+) (.*)$/gm)].map(([, key, value]) => [key!, value!]))
}

for (const name of clients) {
  const python = pythons.get(name)!
  const project = `p-${name.replaceAll('.', '-')}`

  describe.skipIf(!python)(name, () => {
    test('files, folders and references are saved, and another machine fetches them', async () => {
      const saved = await script(
        python,
        project,
        `
os.makedirs("tree/deep")
open("tree/a.txt", "w").write("alpha")
open("tree/deep/ü %.txt", "w").write("beta")
open("same.txt", "w").write("alpha")
open("empty", "w").close()
with wandb.init(project=P) as run:
    art = wandb.Artifact("ds", "dataset", description="words", metadata={"n": 2, "nan": float("nan")})
    art.add_dir("tree", name="t")
    art.add_file("same.txt")
    art.add_file("empty")
    with art.new_file("made.json") as f: json.dump([1], f)
    art.add_reference("https://example.invalid/far.csv", name="far.csv", checksum=False)
    run.log_artifact(art, aliases=["best"])
    art.wait()
    for key in ["name", "version", "size", "file_count", "state", "digest", "type"]: say(key, getattr(art, key))
    say("aliases", sorted(art.aliases))
    say("commit", bool(art.commit_hash))
`,
      )
      expect(saved).toMatchObject({
        name: 'ds:v0',
        version: 'v0',
        size: '17',
        file_count: '6',
        state: 'COMMITTED',
        type: 'dataset',
        aliases: "['best', 'latest']",
        commit: 'True',
      })
      const fetched = await script(
        python,
        project,
        `
with wandb.init(project=P) as run:
    used = run.use_artifact("ds:best")
    for key in ["description", "digest"]: say(key, getattr(used, key))
    say("metadata", json.dumps(used.metadata))
    for number, entry in enumerate(["t/a.txt", "t/deep/ü %.txt", "same.txt", "empty", "made.json"]):
        say("content%d" % number, json.dumps(open(used.get_entry(entry).download(root="out")).read()))
    say("ref", used.get_entry("far.csv").ref)
    say("run", run.id)
api = wandb.Api()
art = api.artifact(f"{OWNER}/{P}/ds:v0")
files = sorted(art.files(), key=lambda f: f.name)
say("files", [(f.name, f.size) for f in files])
say("users", [r.id for r in art.used_by()] == [run.id])
say("maker", art.logged_by().entity)
say("logged", [a.name for a in art.logged_by().logged_artifacts()])
say("used", [a.name for a in api.run(f"{OWNER}/{P}/{run.id}").used_artifacts()])
say("versions", [a.version for a in api.artifacts("dataset", f"{OWNER}/{P}/ds")])
say("types", [t.name for t in api.artifact_types(f"{OWNER}/{P}")])
say("exists", [api.artifact_exists(f"{OWNER}/{P}/{n}") for n in ["ds:v0", "ds", "ds:v1", "no"]])
`,
      )
      expect(fetched).toMatchObject({
        description: 'words',
        digest: saved.digest,
        content0: '"alpha"',
        content1: '"beta"',
        content2: '"alpha"',
        content3: '""',
        content4: '"[1]"',
        ref: 'https://example.invalid/far.csv',
        files:
          "[('empty', 0), ('far.csv', 0), ('made.json', 3), ('same.txt', 5), ('t/a.txt', 5), ('t/deep/ü %.txt', 4)]",
        users: 'True',
        maker: anna.username,
        logged: "['ds:v0']",
        used: "['ds:v0']",
        versions: "['v0']",
        exists: '[True, True, False, False]',
      })
      expect(fetched.types).toContain('dataset')
    }, 180_000)

    test('equal content is one version, changed content the next; aliases move; parts and several writers add up', async () => {
      const said = await script(
        python,
        project,
        `
def log(run, name, contents, aliases=None, **options):
    art = wandb.Artifact(name, "dataset", **options)
    for path, text in contents.items():
        with art.new_file(path) as f: f.write(text)
    run.log_artifact(art, aliases=aliases)
    art.wait()
    return art
with wandb.init(project=P) as run:
    say("versions", [log(run, "again", {"a": t}, aliases=[t]).version for t in ["one", "one", "two", "one"]])
    say("aliases", [sorted(run.use_artifact("again:v%d" % v).aliases) for v in range(3)])
    log(run, "inc", {"a": "1", "b": "1"})
    part = log(run, "inc", {"b": "2", "c": "2"}, incremental=True)
    say("part", (part.version, sorted(part.manifest.entries)))
    for text in ["x", "y"]:
        piece = wandb.Artifact("shared", "dataset")
        with piece.new_file(text) as f: f.write(text)
        run.upsert_artifact(piece, distributed_id="group-" + run.id)
    last = wandb.Artifact("shared", "dataset")
    with last.new_file("z") as f: f.write("z")
    run.finish_artifact(last, distributed_id="group-" + run.id)
    last.wait()
    say("shared", (last.version, last.file_count))
`,
      )
      expect(said).toMatchObject({
        versions: "['v0', 'v0', 'v1', 'v2']",
        aliases: "[[], ['two'], ['latest', 'one']]",
        part: "('v1', ['a', 'b', 'c'])",
        shared: "('v0', 3)",
      })
      const fetched = await script(
        python,
        project,
        `
with wandb.init(project=P) as run:
    for name in ["inc:latest", "shared:latest"]:
        folder = run.use_artifact(name).download(root=name.split(":")[0])
        say(name.split(":")[0], sorted((f, open(os.path.join(folder, f)).read()) for f in os.listdir(folder)))
`,
      )
      expect(fetched).toMatchObject({
        inc: "[('a', '1'), ('b', '2'), ('c', '2')]",
        shared: "[('x', 'x'), ('y', 'y'), ('z', 'z')]",
      })
    }, 180_000)

    test('a logged table is an artifact, and so is what a table or an artifact refers to', async () => {
      const said = await script(
        python,
        project,
        `
with wandb.init(project=P) as run:
    run.log({"my/table": wandb.Table(columns=["n", "text"], data=[[1, "a"], [2, None]])})
    source = wandb.Artifact("source", "dataset")
    with source.new_file("far.txt") as f: f.write("far away")
    run.log_artifact(source).wait()
    pointer = wandb.Artifact("pointer", "dataset")
    pointer.add_reference(source.get_entry("far.txt").ref_url(), name="near.txt")
    run.log_artifact(pointer).wait()
    say("run", run.id)
`,
      )
      const fetched = await script(
        python,
        project,
        `
api = wandb.Api()
run = api.run(f"{OWNER}/{P}/${said.run}")
tables = [a for a in run.logged_artifacts() if a.type == "run_table"]
say("table", [(a.type, a.name) for a in tables])
say("data", tables[0].get("my/table").data)
folder = api.artifact(f"{OWNER}/{P}/pointer:v0").download(root="out")
say("near", open(os.path.join(folder, "near.txt")).read())
`,
      )
      expect(fetched).toMatchObject({ data: "[[1, 'a'], [2, None]]", near: 'far away' })
      expect(fetched.table).toMatch(
        new RegExp(`^\\[\\('run_table', 'run-${said.run}-mytable[-\\w]*:v0'\\)\\]$`),
      )
    }, 180_000)
  })
}

const newest = pythons.get('wandb-latest')!

describe.skipIf(!newest)('the newest client', () => {
  test('changes aliases, tags, description and metadata, verifies, and drafts the next version', async () => {
    const said = await script(
      newest,
      'changes',
      `
with wandb.init(project=P) as run:
    art = wandb.Artifact("m", "model")
    with art.new_file("w/1") as f: f.write("weights")
    run.log_artifact(art, tags=["first"]).wait()
    art.aliases.append("prod"); art.tags.append("second"); art.tags.remove("first")
    art.description = "now with words"; art.metadata["acc"] = 0.5
    art.save()
api = wandb.Api()
art = api.artifact(f"{OWNER}/{P}/m:prod")
say("after", (sorted(art.aliases), art.tags, art.description, art.metadata))
art.aliases.remove("prod"); art.save()
say("exists", api.artifact_exists(f"{OWNER}/{P}/m:prod"))
art.verify(art.download(root="out"))
with wandb.init(project=P) as run:
    draft = art.new_draft()
    with draft.new_file("w/2") as f: f.write("more")
    run.log_artifact(draft).wait()
    say("draft", (draft.version, sorted(draft.manifest.entries)))
    run.log_model("out/w/1", name="saved")
    say("model", open(run.use_model("m:v1") + "/2").read())
say("collections", sorted(c.name for c in api.artifact_type("model", f"{OWNER}/{P}").collections()))
`,
    )
    expect(said).toMatchObject({
      after: "(['latest', 'prod'], ['second'], 'now with words', {'acc': 0.5})",
      exists: 'False',
      draft: "('v1', ['w/1', 'w/2'])",
      model: 'more',
      collections: "['m', 'saved']",
    })
  }, 180_000)

  test('a table of images in an artifact comes back with its images', async () => {
    const fetched = await script(
      newest,
      'images',
      `
import numpy as np
with wandb.init(project=P) as run:
    image = wandb.Image(np.full((4, 5, 3), 7, dtype=np.uint8))
    art = wandb.Artifact("predictions", "eval")
    art.add(wandb.Table(columns=["n", "image"], data=[[1, image], [2, image]]), "table")
    run.log_artifact(art).wait()
    run.log({"preview": wandb.Table(columns=["image"], data=[[image]])})
os.environ["WANDB_CACHE_DIR"] = os.getcwd() + "/other-cache"
table = wandb.Api().artifact(f"{OWNER}/{P}/predictions:latest").get("table")
say("images", [(row[0], row[1].image.size) for row in table.data])
`,
    )
    expect(fetched).toEqual({ images: '[(1, (5, 4)), (2, (5, 4))]' })
  }, 120_000)

  test('a team mate uses what a member saved; a stranger is told that there is nothing', async () => {
    const { person, team } = people(server)
    const [ben, eve] = [await person(), await person()]
    const { slug } = await team([
      { person: anna, role: 'member' },
      { person: ben, role: 'member' },
    ])
    await script(
      newest,
      'ours',
      `
with wandb.init(project=P, entity="${slug}") as run:
    art = wandb.Artifact("ds", "dataset")
    with art.new_file("a") as f: f.write("ours")
    run.log_artifact(art).wait()
`,
    )
    const use = `
with wandb.init(project=P, entity=ENTITY) as run:
    try:
        say("content", open(run.use_artifact("${slug}/ours/ds:latest").get_entry("a").download()).read())
    except Exception as error:
        say("refused", type(error).__name__)
`
    const mate = await script(newest, 'ours', `ENTITY = "${slug}"${use}`, { person: ben })
    expect(mate).toEqual({ content: 'ours' })
    const stranger = await script(newest, 'mine', `ENTITY = None${use}`, { person: eve, mayComplain: true })
    expect(Object.keys(stranger)).toEqual(['refused'])
  }, 180_000)

  test('a type that another artifact has is refused before anything is sent', async () => {
    const said = await script(
      newest,
      'types',
      `
with wandb.init(project=P) as run:
    run.log_artifact(wandb.Artifact("x", "dataset")).wait()
    try: run.log_artifact(wandb.Artifact("x", "model")).wait()
    except Exception as error: say("refused", error)
`,
      { mayComplain: true },
    )
    expect(said.refused).toContain('already exists with type')
  }, 120_000)
})
