/**
 * Finding in a project of 100,000 experiments: the first page of `api.runs()` with and without filters and orders, and
 * the first page of the table. Floor of the same run: an endpoint that reads one row.
 *
 *   node bench/find.ts [experiments]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@teamgrid/api'
import { sql } from 'kysely'
import { configFacts, builtInFacts, summaryFacts } from '../server/src/experiments/facts.ts'
import { createMetricStore } from '../server/src/stores/clickhouse/metric-store.ts'
import { openClickHouse } from '../server/src/stores/clickhouse/open.ts'
import { openPostgres } from '../server/src/stores/postgres/open.ts'
import type { Database } from '../server/src/stores/postgres/schema.ts'
import { startServer } from '../tests/support/server.ts'
import { machine, median, project, quantile, rounded, team, timed } from './support/server.ts'

const experiments = Number(process.argv[2] ?? 100_000)
const rounds = 40
const batch = 2000
const key = 'b'.repeat(40)
const dataDir = await mkdtemp(join(tmpdir(), 'teamgrid-find-'))

const first = await startServer({ dataDir })
const operator = createClient({
  url: first.url,
  headers: () => ({ authorization: `Bearer ${first.operatorToken}` }),
})
await operator.users.create({ username: 'bench', email: 'bench@example.org', apiKey: key, admin: true })
await operator.teams.create({ slug: team, admin: 'bench' })
await operator.projects.create({ team, name: project })
await first.stop()
await seed()

const server = await startServer({ dataDir })
const grid = createClient({ url: server.url, headers: () => ({ authorization: `Bearer ${key}` }) })

/** The fields that `wandb.Api().runs()` asks for by default. */
const fields = `id tags name displayName sweepName state group jobType commit readOnly createdAt heartbeatAt description
  notes historyLineCount user { name username }`
const query = `query Runs($project: String!, $entity: String!, $perPage: Int = 50, $order: String, $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    internalId runCount(filters: $filters) readOnly
    runs(filters: $filters, first: $perPage, order: $order) {
      edges { node { projectId ${fields} } cursor } pageInfo { endCursor hasNextPage } } } }`

async function runs(filters: object, order: string): Promise<number> {
  const answer = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({
      query,
      variables: { entity: team, project, filters: JSON.stringify(filters), order },
    }),
  })
  const { data, errors } = (await answer.json()) as {
    data: { project: { runCount: number } }
    errors?: unknown
  }
  if (errors) throw new Error(JSON.stringify(errors))
  return data.project.runCount
}

const pick = (round: number) => ((round % 10) + 10) % 10
const questions: Record<string, (round: number) => Promise<unknown>> = {
  'runs: all, oldest first': () => runs({}, '+created_at'),
  'runs: by state': () => runs({ state: 'failed' }, '+created_at'),
  'runs: by tag, newest first': () => runs({ tags: 'tag3' }, '-created_at'),
  'runs: by config': (round) => runs({ [`config.c${pick(round)}.value`]: { $gt: 90 } }, '+created_at'),
  'runs: best by summary': (round) => runs({}, `-summary_metrics.s${pick(round)}`),
  'runs: config and summary, $or, best first': (round) =>
    runs(
      {
        $or: [{ [`config.c${pick(round)}`]: { $lt: 10 } }, { 'summary_metrics.s1': { $gt: 95 } }],
        state: 'finished',
      },
      '-summary_metrics.s2',
    ),
  'runs: by name, $regex': () => runs({ display_name: { $regex: '^run-99' } }, '+created_at'),
  'table: newest': () =>
    grid.experiments.query({ team, project, columns: ['config.c1', 'summary.s1'], limit: 50 }),
  'table: filtered and sorted': (round) =>
    grid.experiments.query({
      team,
      project,
      filters: [{ column: `config.c${pick(round)}`, op: 'gt', value: 50 }],
      sort: [{ column: 'summary.s1', descending: true }],
      columns: ['config.c1', 'summary.s1'],
      limit: 50,
    }),
  floor: () => grid.instance.about({}),
}
const measured: Record<string, object> = {}
for (const [name, ask] of Object.entries(questions)) {
  const times: number[] = []
  for (let round = -3; round < rounds; round += 1) {
    const ms = await timed(() => ask(round))
    if (round >= 0) times.push(ms)
  }
  measured[name] = {
    medianMs: rounded(median(times)),
    p95Ms: rounded(quantile(times, 0.95)),
    // On a machine with neighbours the shortest tells more of us than of them.
    shortestMs: rounded(Math.min(...times)),
  }
}
console.log(JSON.stringify({ experiments, rounds, ...measured, ...machine() }, null, 2))
await server.stop()
await rm(dataDir, { recursive: true, force: true })

/** Straight into the stores: what is measured is finding, and not a hundred thousand requests. */
async function seed(): Promise<void> {
  const log = { info() {}, warn() {}, error() {} }
  const { db, close } = await openPostgres<Database>({ databaseUrl: null, dataDir, log })
  const metrics = createMetricStore(await openClickHouse({ url: null, path: join(dataDir, 'metrics') }))
  const { id: projectId, team_id: teamId } = await db
    .selectFrom('projects')
    .select(['id', 'team_id'])
    .executeTakeFirstOrThrow()
  const { id: userId } = await db.selectFrom('users').select('id').executeTakeFirstOrThrow()
  const value = (index: number, number: number) => (Math.sin(index * (number + 1)) + 1) * 50
  const numbers = Array.from({ length: 10 }, (_, number) => number)
  for (let start = 0; start < experiments; start += batch) {
    const rows = Array.from({ length: Math.min(batch, experiments - start) }, (_, offset) => {
      const index = start + offset
      const createdAt = new Date(1.79e12 + index * 1000)
      return {
        id: `01900000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`,
        slug: `e${index}`,
        name: `run-${index}`,
        state: index % 20 === 0 ? ('failed' as const) : ('finished' as const),
        tags: [`tag${index % 7}`],
        config: Object.fromEntries(numbers.map((each) => [`c${each}`, { value: value(index, each) }])),
        summary: Object.fromEntries(numbers.map((each) => [`s${each}`, value(index + 7, each)])),
        createdAt,
      }
    })
    await sql`insert into experiments
        (id, project_id, team_id, slug, name, state, created_by, tags, config, summary, created_at, updated_at, heartbeat_at, ended_at)
      select (r->>'id')::uuid, ${projectId}, ${teamId}, r->>'slug', r->>'name', r->>'state', ${userId},
        array(select jsonb_array_elements_text(r->'tags')), r->'config', r->'summary',
        (r->>'createdAt')::timestamptz, (r->>'createdAt')::timestamptz, (r->>'createdAt')::timestamptz, (r->>'createdAt')::timestamptz
      from jsonb_array_elements(${JSON.stringify(rows)}::jsonb) r`.execute(db)
    const facts = rows.map((row) => ({
      projectId,
      experimentId: row.id,
      facts: [
        ...builtInFacts({
          ...row,
          createdBy: { id: userId, username: 'bench', name: 'bench', email: null },
          group: null,
          jobType: null,
          heartbeatAt: row.createdAt,
          endedAt: row.createdAt,
          notes: '',
          host: null,
          commit: null,
          sweepName: null,
        }).values(),
        ...configFacts(row.config).values(),
        ...summaryFacts(row.summary).values(),
      ],
      removedKeys: [],
    }))
    await metrics.append({ facts })
  }
  await sql`analyze experiments`.execute(db)
  await metrics.close()
  await close()
}
