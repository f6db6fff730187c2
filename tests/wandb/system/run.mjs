#!/usr/bin/env node
// The wandb client's own system tests against this server: by hand, from a checkout of its public repository.
//
//   node tests/wandb/system/run.mjs <checkout> [group … | pytest arguments after --]
//
// Groups: core api artifacts sweep plot (the default), and automations registries metrics. Prints per group how many
// passed, failed and were skipped, and which failed; the reports stay in the folder that it names at the end.
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { environments, venv } from '../../support/python.ts'
import { startServer } from '../../support/server.ts'
import { startFixtureService } from './fixture-service.ts'

const folders = {
  core: 'test_core',
  api: 'test_api',
  artifacts: 'test_artifacts',
  sweep: 'test_sweep',
  plot: 'test_plot.py',
  automations: 'test_automations',
  registries: 'test_registries',
  metrics: 'test_system_metrics',
}
const usual = ['core', 'api', 'artifacts', 'sweep', 'plot']

const given = process.argv.slice(2)
const dashes = given.indexOf('--')
const [checkout, ...named] = dashes === -1 ? given : given.slice(0, dashes)
const pytestArguments = dashes === -1 ? [] : given.slice(dashes + 1)
const unknown = named.find((name) => !(name in folders))
if (!checkout || unknown) {
  console.error(
    `Usage: run.mjs <checkout of wandb/wandb> [${Object.keys(folders).join(' | ')}] [-- pytest arguments]`,
  )
  process.exit(2)
}

const python = await venv('wandb-system-tests')
// Beside its tests lies the client's source, which Python would take instead of the installed release.
const copy = await mkdtemp(join(tmpdir(), 'wandb-system-tests-'))
for (const part of ['tests', 'tools', 'pyproject.toml']) {
  await cp(join(checkout, part), join(copy, part), { recursive: true, verbatimSymlinks: true })
}
const server = await startServer({ env: { TEAMGRID_URL: '' } })
const fixtures = await startFixtureService(server)
const env = { ...process.env, PATH: `${dirname(python)}:${process.env.PATH}`, CI: 'true' }
let failed = 0
try {
  const address = ['--hostname=localhost', `--base-port=${server.port}`, `--fixture-port=${fixtures.port}`]
  await run(['tools/local_wandb_server.py', 'start', ...address])
  console.log(`Client: ${environments['wandb-system-tests'][0]}`)
  for (const group of named.length > 0 ? named : usual) {
    const report = join(copy, `${group}.xml`)
    await run(
      [
        '-m',
        'pytest',
        `tests/system_tests/${folders[group]}`,
        `--junit-xml=${report}`,
        '-q',
        '--no-header',
        '--tb=short',
        '-o',
        'addopts=',
        '--timeout=120',
        ...pytestArguments,
      ],
      join(copy, `${group}.log`),
    )
    failed += print(group, await readFile(report, 'utf8'))
  }
} finally {
  await fixtures.stop()
  await server.stop()
}
console.log(`Reports: ${copy}`)
if (process.env.KEEP === undefined && failed === 0) await rm(copy, { recursive: true, force: true })
process.exitCode = failed === 0 ? 0 : 1

/** Runs Python in the copy. With a log, an exit code of its own is the tests' matter. */
async function run(args, log) {
  const { createWriteStream } = await import('node:fs')
  const child = spawn(python, args, { cwd: copy, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const sink = log ? createWriteStream(log) : process.stderr
  child.stdout.pipe(sink, { end: false })
  child.stderr.pipe(sink, { end: false })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (!log && code !== 0) throw new Error(`${args.join(' ')} ended with code ${code}`)
}

function print(group, xml) {
  const cases = [...xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes, body = '']) => ({
      name: /classname="([^"]*)"/.exec(attributes)?.[1] + '::' + / name="([^"]*)"/.exec(attributes)?.[1],
      state: /<(?:failure|error)/.test(body) ? 'failed' : /<skipped/.test(body) ? 'skipped' : 'passed',
      why: /<(?:failure|error) message="([^"]*)"/.exec(body)?.[1]?.slice(0, 160) ?? '',
    }),
  )
  const of = (state) => cases.filter((each) => each.state === state)
  const [passed, failures] = [of('passed').length, of('failed')]
  const share = ((100 * passed) / Math.max(1, passed + failures.length)).toFixed(1)
  console.log(
    `${group}: ${passed} passed, ${failures.length} failed, ${of('skipped').length} skipped (${share} %)`,
  )
  for (const { name, why } of failures)
    console.log(`  ${name.replace('tests.system_tests.', '')}\n      ${why}`)
  return failures.length
}
