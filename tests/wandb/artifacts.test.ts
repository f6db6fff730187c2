/** Artifacts with the real client: what one script saves, another fetches, in several versions of the client. */
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

for (const name of clients) {
  const python = pythons.get(name)!

  describe.skipIf(!python)(name, () => {
    /** Runs a script that has to succeed; what it prints as `@key value` is returned. */
    async function script(code: string, env: Record<string, string> = {}): Promise<Record<string, string>> {
      const { code: exit, output } = await runScript({
        python,
        url: server.url,
        key: anna.key,
        env: { WANDB_SILENT: 'false', P: `p-${name.replaceAll('.', '-')}`, ...env },
        code: `
import os, sys, json, wandb
P = os.environ["P"]
def say(key, value): print("@" + key, value, flush=True)
${code}`,
      })
      expect(exit, output).toBe(0)
      // The client tells errors of a save in the output and goes on.
      expect(output).not.toMatch(/error|failed|Traceback/i)
      return Object.fromEntries(
        [...output.matchAll(/^@(\w+) (.*)$/gm)].map(([, key, value]) => [key!, value!]),
      )
    }

    test('files, folders and references are saved, and a use brings them back', async () => {
      const said = await script(`
os.makedirs("tree/deep", exist_ok=True)
open("tree/a.txt", "w").write("alpha")
open("tree/deep/ü %.txt", "w").write("beta")
open("empty", "w").close()
run = wandb.init(project=P)
art = wandb.Artifact("ds", "dataset", description="words", metadata={"n": 2, "nan": float("nan")})
art.add_dir("tree", name="t")
art.add_file("empty")
with art.new_file("made.json") as f: json.dump([1], f)
art.add_reference("https://example.invalid/far.csv", name="far.csv", checksum=False)
run.log_artifact(art, aliases=["best"])
art.wait()
say("name", art.name); say("version", art.version); say("aliases", sorted(art.aliases)); say("size", art.size)
say("count", art.file_count); say("state", art.state); say("commit", bool(art.commit_hash))
run.finish()

run = wandb.init(project=P)
used = run.use_artifact("ds:best")
say("description", used.description); say("metadata", json.dumps(used.metadata)); say("digest", used.digest == art.digest)
for entry in ["t/a.txt", "t/deep/ü %.txt", "empty", "made.json"]:
    say("path" + str(len(entry)), open(used.get_entry(entry).download(root="out")).read())
say("ref", used.get_entry("far.csv").ref)
say("files", sorted(f.name for f in wandb.Api().artifact(P + "/ds:v0").files()))
run.finish()
`)
      expect(said).toMatchObject({
        name: 'ds:v0',
        version: 'v0',
        aliases: "['best', 'latest']",
        size: '12',
        count: '5',
        state: 'COMMITTED',
        commit: 'True',
        description: 'words',
        digest: 'True',
        path7: 'alpha',
        path14: 'beta',
        path5: '',
        path9: '[1]',
        ref: 'https://example.invalid/far.csv',
        files: "['empty', 'far.csv', 'made.json', 't/a.txt', 't/deep/ü %.txt']",
      })
    }, 180_000)
  })
}
