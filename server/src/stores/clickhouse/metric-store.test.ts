import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { metricStoreContract } from './metric-store.contract.ts'
import { createMetricStore } from './metric-store.ts'
import { openClickHouse } from './open.ts'

const directory = mkdtempSync(join(tmpdir(), 'teamgrid-metrics-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Curves from here on have levels, so that a test of a few thousand points reads both ways. */
const limits = { rowsMin: 3_000, rowsPerBlock: 8, blocksMax: 10_000 }

metricStoreContract('chDB', async () =>
  createMetricStore({ ...(await openClickHouse({ url: null, path: directory })), limits }),
)

const url = process.env.CLICKHOUSE_URL
if (url !== undefined)
  metricStoreContract('a ClickHouse server', async () =>
    createMetricStore({ ...(await openClickHouse({ url, path: directory })), limits }),
  )
