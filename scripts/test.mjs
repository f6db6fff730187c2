/**
 * `npm test [-- path …]`: prepares what tests need and runs them all. The last line is `N passed, N failed, N skipped`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled, ensureWebBuilt, fail, node, run } from './workspace.mjs'

await ensureInstalled()
if ((await run(node, ['tests/support/prepare.ts'])) !== 0)
  fail('CI needs every part that tests use; see above.')
await ensureWebBuilt()

const folder = await mkdtemp(join(tmpdir(), 'teamgrid-test-report-'))
const report = join(folder, 'report.json')
const code = await run(node, [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  '--reporter=./scripts/second-try-reporter.mjs',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
])
const counts = await readCounts(report)
await rm(folder, { recursive: true, force: true })
// An error outside of any test fails the run as well.
if (code !== 0 && counts.failed === 0) counts.failed = 1
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(code !== 0 || counts.failed > 0 || counts.passed === 0 ? 1 : 0)

async function readCounts(path) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (!text) return counts
  for (const file of JSON.parse(text).testResults) {
    // A file that could not even be loaded has no tests to count.
    if (file.status === 'failed' && file.assertionResults.length === 0) counts.failed++
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed++
      else if (status === 'failed') counts.failed++
      else counts.skipped++
    }
  }
  return counts
}
