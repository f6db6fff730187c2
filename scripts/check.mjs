/** `npm run check`: format, lint, types and unit tests, before each commit. `-- --no-tests` leaves the tests out. */
import { ensureInstalled, node, run } from './workspace.mjs'

await ensureInstalled()
const bin = (name) => `node_modules/.bin/${name}`

/** Tests of whole servers, of the engines themselves, and long random walks; `npm test` runs them too. */
const slow = [
  'tests/**',
  'server/src/stores/**',
  'server/src/artifacts/{reading,repeating,saving}.test.ts',
  'server/src/teams/service.test.ts',
]

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
