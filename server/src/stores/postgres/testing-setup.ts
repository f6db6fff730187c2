import { chmodSync, mkdtempSync, readdirSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { embeddedUrl, createPool } from './open.ts'
import { startEmbeddedPostgres, stopLeftoverOf } from './embedded.ts'
import { migrate } from './migrate.ts'
import { templateDatabase, type TestServerNote } from './testing.ts'
import pg from 'pg'

const prefix = 'teamgrid-test-postgres-'
const quiet = { info() {}, warn() {}, error: (message: string) => console.error(message) }

/** Vitest's global setup: starts the run's Postgres without making anybody wait for it; see `testing.ts`. */
export default function setup(project: TestProject): () => Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  // Root's temporary folder is closed to the system user that Postgres runs as.
  chmodSync(dataDir, 0o711)
  const noteFile = join(dataDir, 'note.json')
  project.provide('postgresNoteFile', noteFile)
  const server = start(dataDir, noteFile)
  return async () => {
    await (await server)?.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function start(dataDir: string, noteFile: string) {
  async function tell(note: TestServerNote) {
    await writeFile(`${noteFile}.new`, JSON.stringify(note), { mode: 0o600 })
    await rename(`${noteFile}.new`, noteFile)
  }
  try {
    await removeAbandoned()
    const server = await startEmbeddedPostgres({
      dataDir,
      log: quiet,
      // Thrown away after the run, so nothing needs to survive a power cut.
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' },
    })
    const adminUrl = embeddedUrl(server, 'postgres')
    const admin = new pg.Client({ connectionString: adminUrl })
    await admin.connect()
    await admin.query(`create database ${templateDatabase}`)
    await admin.end()
    const pool = createPool(embeddedUrl(server, templateDatabase), quiet, 1)
    await migrate(pool)
    await pool.end()
    await tell({ adminUrl })
    return server
  } catch (error) {
    await tell({ failure: (error as Error).message })
    return undefined
  }
}

/** Removes what runs that were killed left behind: the name of a folder tells which process it belonged to. */
async function removeAbandoned(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const pid = Number(name.slice(prefix.length).split('-')[0])
    if (isAlive(pid)) continue
    const folder = join(tmpdir(), name)
    await stopLeftoverOf(folder, quiet).catch(() => {})
    await rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
