/** `npm run check`: format, lint, types and unit tests, before each commit. `-- --no-tests` leaves the tests out. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureInstalled, node, root, run } from './workspace.mjs'

await ensureInstalled()
const bin = (name) => `node_modules/.bin/${name}`

/** Tests of the engines themselves, and long random walks; `npm test` runs them too. */
const slow = [
  'tests/**',
  'server/src/stores/**',
  'server/src/artifacts/{reading,repeating,saving}.test.ts',
  'server/src/{experiments/write,sweeps/service}.test.ts',
  ...(await startingServers()),
]

/** Tests that start a whole server take seconds before they begin, so they are left to `npm test` as well. */
async function startingServers() {
  const found = []
  for (const workspace of ['api', 'server', 'web', 'cli', 'agent'])
    for (const name of await readdir(join(root, workspace, 'src'), { recursive: true })) {
      if (!/\.test\.tsx?$/.test(name)) continue
      const path = join(workspace, 'src', name)
      if (/\bstart(App|Server)\(/.test(await readFile(join(root, path), 'utf8'))) found.push(path)
    }
  return found
}

/** Two lanes: most of the unit tests' time is waiting for engines, while the others compute. */
const lanes = [
  [
    ['format', bin('oxfmt'), ['--check', '.']],
    ['lint', bin('oxlint'), ['--type-aware']],
    ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']],
    ['types of the web app', bin('tsc'), ['-p', 'web/tsconfig.json', '--noEmit']],
  ],
]
if (!process.argv.includes('--no-tests'))
  lanes.push([
    [
      'unit tests',
      node,
      ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...slow.map((each) => `--exclude=${each}`)],
    ],
  ])

const failed = []
await Promise.all(
  lanes.map(async (lane) => {
    for (const step of lane) {
      const [name, command, args] = /** @type {[string, string, string[]]} */ (step)
      const startedAt = performance.now()
      const code = await run(command, args)
      console.log(
        `${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`,
      )
      if (code !== 0) failed.push(name)
    }
  }),
)
if (failed.length > 0) console.error(`\nFailed: ${failed.join(', ')}`)
process.exit(failed.length > 0 ? 1 : 0)
