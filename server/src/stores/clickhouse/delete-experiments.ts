import type { ClickHouseClient } from '@clickhouse/client'

/** Hides all rows of these experiments when it resolves; the space comes back with the next merge of their parts. */
export async function deleteExperiments(
  client: ClickHouseClient,
  experimentIds: readonly string[],
): Promise<void> {
  for (const table of ['points', 'lines', 'objects', 'keys', 'console', 'facts'])
    await client.command({
      query: `DELETE FROM ${table} WHERE experiment IN {ids:Array(UUID)}`,
      query_params: { ids: experimentIds },
    })
}
