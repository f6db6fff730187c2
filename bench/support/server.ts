/** A whole server for a bench, and a script's side of the wandb wire protocol, spoken by hand so that the client's own speed does not count. */
import { createClient, type GridClient } from '@teamgrid/api'
import { cpus, loadavg, totalmem } from 'node:os'
import { startServer, type TestServer } from '../../tests/support/server.ts'

export const team = 'bench-team'
export const project = 'bench'
const key = 'b'.repeat(40)

export type Bench = { server: TestServer; grid: GridClient; key: string }

/** A server with one person in one team. */
export async function benchServer(env: Record<string, string> = {}): Promise<Bench> {
  const server = await startServer({ env })
  const operator = createClient({
    url: server.url,
    headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
  })
  await operator.users.create({ username: 'bench', email: 'bench@example.org', apiKey: key, admin: true })
  await operator.teams.create({ slug: team, admin: 'bench' })
  const grid = createClient({ url: server.url, headers: () => ({ authorization: `Bearer ${key}` }) })
  return { server, grid, key }
}

/** Begins an experiment as `wandb.init` does. */
export async function begin(
  { server, key: secret }: Bench,
  slug: string,
  more: object = {},
  entity: string = team,
): Promise<void> {
  const query = `mutation UpsertBucket($name: String, $entity: String, $project: String, $config: JSONString, $summary: JSONString) {
    upsertBucket(input: { name: $name, entityName: $entity, modelName: $project, config: $config, summaryMetrics: $summary }) { inserted } }`
  const answer = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body: JSON.stringify({ query, variables: { name: slug, entity, project, config: '{}', ...more } }),
  })
  const text = await answer.text()
  if (!answer.ok || text.includes('"errors"')) throw new Error(`upsertBucket: ${answer.status} ${text}`)
}

/** Sends one message and waits until it is durable. */
export async function send(
  { server, key: secret }: Bench,
  slug: string,
  body: string,
  entity: string = team,
): Promise<void> {
  const answer = await fetch(`${server.url}/files/${entity}/${project}/${slug}/file_stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body,
  })
  if (!answer.ok) throw new Error(`file_stream: ${answer.status} ${await answer.text()}`)
  await answer.arrayBuffer()
}

export function machine(): object {
  return {
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1e9)} GB, node ${process.version}`,
    load: loadavg()[0],
  }
}

/** The middle of what was measured. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export async function timed(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await act()
  return performance.now() - started
}

export const rounded = (value: number) => Math.round(value * 10) / 10
