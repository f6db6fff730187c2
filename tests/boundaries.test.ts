/** Who may import whom, as one list. The drawing of it is in ARCHITECTURE.md. */
import { readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import { rootFolder } from './support/programs.ts'

const base = ['server/src/{actor,access,activity,events}.ts', 'server/src/lib/', 'api/']
/** Of the stores, slices know the shapes; `wiring.ts` hands them what works. */
const shapes = ['server/src/stores/{postgres/schema,clickhouse/metric-types,blob/blob-store}.ts']
const mail = 'server/src/mail/{mailer,message}.ts'
const slice = [...base, ...shapes, mail, 'server/src/http/route.ts']
const teams = 'server/src/teams/{service,projects}.ts'
const experiments = 'server/src/experiments/{service,types,experiment}.ts'
const artifacts = 'server/src/artifacts/service.ts'
const sweeps = 'server/src/sweeps/{service,types}.ts'
const alerts = 'server/src/alerts/service.ts'
const node = 'agent/src/index.ts'
const compute = 'server/src/compute/service.ts'
const datastores = 'server/src/datastores/service.ts'
const usage = 'server/src/usage/service.ts'
const reports = 'server/src/reports/service.ts'

/** Each folder may import from itself and from what stands beside it. The longest name that fits counts. */
const mayImport: Record<string, string[]> = {
  'api/': [],
  'cli/': ['api/', 'cli/package.json'],
  // What stands on a node speaks to the server over HTTP alone.
  'agent/': ['api/'],

  // Slices form one stack: each uses those below it, through their service.
  'server/src/reports/': [...slice, alerts, experiments, teams],
  'server/src/usage/': [...slice, alerts, teams],
  'server/src/alerts/': [...slice, artifacts, experiments, teams],
  'server/src/artifacts/': [...slice, experiments, teams],
  'server/src/sweeps/': [...slice, experiments, teams],
  'server/src/exports/': [...slice, datastores, experiments, teams],
  'server/src/runs/': [...slice, usage, compute, datastores, experiments, teams],
  'server/src/compute/': [...slice, node, teams],
  'server/src/experiments/': [...slice, teams],
  'server/src/datastores/': [...slice, alerts, teams],
  'server/src/teams/': slice,
  'server/src/mail/': [...base, 'server/src/stores/postgres/schema.ts'],
  'server/src/stores/': ['server/src/lib/', 'server/src/config.ts', 'api/'],
  'server/src/lib/': ['api/'],

  // Edges translate for the services; no edge sees a store.ts.
  'server/src/wandb/': [
    ...base,
    ...shapes,
    reports,
    alerts,
    sweeps,
    artifacts,
    experiments,
    teams,
    'server/src/http/errors.ts',
  ],
  'server/src/http/': [...base, ...shapes, teams, 'server/src/teams/{actors,identity}.ts'],
  'server/src/demo/': [...base, experiments, teams, 'server/src/teams/actors.ts'],
  'server/src/{actor,access,activity,events}.ts': [
    'server/src/{actor,activity}.ts',
    'server/src/lib/',
    'server/src/stores/postgres/schema.ts',
    'api/',
  ],
  // main.ts and wiring.ts put everything together.
  'server/src/': ['server/src/', 'api/'],

  // Features meet only in routes; ui knows no noun of the product.
  'web/src/ui/': ['web/src/lib/{format,theme}.ts'],
  'web/src/charts/': ['web/src/ui/', 'web/src/lib/{format,theme}.ts', 'api/'],
  'web/src/lib/': ['api/'],
  'web/src/features/*/': ['web/src/ui/', 'web/src/charts/', 'web/src/lib/', 'api/'],
  'web/src/': ['web/src/', 'api/'],
}

/** Packages that one folder (or two, each for its own format) wraps for everybody else. */
const kept: Record<string, string | string[]> = {
  pg: 'server/src/stores/postgres/',
  '@clickhouse/client': 'server/src/stores/clickhouse/',
  chdb: 'server/src/stores/clickhouse/',
  '@aws-sdk/client-s3': ['server/src/stores/blob/', 'server/src/datastores/buckets.test.ts'],
  graphql: 'server/src/wandb/',
  'better-auth': 'server/src/teams/',
  nodemailer: 'server/src/mail/',
  hyparquet: ['server/src/exports/', 'web/src/features/files/parquet.tsx'],
  'hyparquet-writer': ['server/src/exports/', 'server/src/experiments/export.ts'],
  uplot: 'web/src/charts/',
}

test('every import follows the dependency rule', async () => {
  expect((await imports()).flatMap(([from, to]) => offence(from, to) ?? [])).toEqual([])
})

test('the rule says no', () => {
  expect(offence('web/src/lib/client.ts', 'server/src/actor.ts')).toBeTruthy()
  expect(offence('cli/src/main.ts', 'server/src/actor.ts')).toBeTruthy()
  expect(offence('api/src/policy.ts', 'server/src/access.ts')).toBeTruthy()
  expect(offence('server/src/wandb/index.ts', 'server/src/experiments/store.ts')).toBeTruthy()
  expect(offence('server/src/teams/people.ts', 'server/src/experiments/service.ts')).toBeTruthy()
  expect(offence('web/src/features/files/preview.tsx', 'web/src/features/media/values.ts')).toBeTruthy()
  expect(offence('api/src/policy.ts', 'node:fs')).toBeTruthy()
  expect(offence('server/src/access.ts', 'server/src/teams/service.ts')).toBeTruthy()
  expect(offence('server/src/teams/store.ts', 'pg')).toBeTruthy()
  expect(offence('server/src/wandb/index.ts', 'server/src/experiments/service.ts')).toBeUndefined()
})

function offence(from: string, to: string): string | undefined {
  // What the browser loads does no input and output of its own.
  if (/^(?:api|web)\//.test(from) && to.startsWith('node:')) return `${from} → ${to}`
  if (!to.includes('/src/') && !to.endsWith('.json')) {
    const owner =
      kept[
        to
          .split('/')
          .slice(0, to.startsWith('@') ? 2 : 1)
          .join('/')
      ]
    return owner === undefined || [owner].flat().some((each) => from.startsWith(each))
      ? undefined
      : `${from} → ${to} (only ${[owner].flat().join(' and ')})`
  }
  const home = Object.keys(mayImport)
    .filter((name) => pattern(name).test(from))
    .toSorted((a, b) => b.length - a.length)[0]
  if (home === undefined) return `${from} is in no folder of the list`
  const own = pattern(home).exec(from)![0]
  const allowed = to.startsWith(own) || mayImport[home]!.some((name) => pattern(name).test(to))
  return allowed ? undefined : `${from} → ${to}`
}

/** `*` stands for one name, `{a,b}` for one of several. */
function pattern(name: string): RegExp {
  const source = name
    .replaceAll('.', '\\.')
    .replaceAll('*', '[^/]+')
    .replace(/\{([^}]+)\}/g, (_, names: string) => `(?:${names.replaceAll(',', '|')})`)
  return new RegExp(`^${source}`)
}

/** All imports of what ships; tests may import what they test with. */
async function imports(): Promise<[from: string, to: string][]> {
  const found: [string, string][] = []
  for (const workspace of ['api', 'server', 'cli', 'web', 'agent']) {
    for (const name of await readdir(join(rootFolder, workspace, 'src'), { recursive: true })) {
      const from = posix.join(workspace, 'src', name)
      if (!/\.tsx?$/.test(name) || /(?:\.test\.tsx?|\/testing(?:-setup)?\.ts|\.contract\.ts)$/.test(from))
        continue
      const text = await readFile(join(rootFolder, from), 'utf8')
      for (const [, to] of text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g)) {
        const path = to!.startsWith('.') ? posix.join(posix.dirname(from), to!) : to!
        found.push([from, path.replace(/^@teamgrid\/(\w+)$/, '$1/src/index.ts')])
      }
    }
  }
  expect(found.length).toBeGreaterThan(500)
  return found
}
