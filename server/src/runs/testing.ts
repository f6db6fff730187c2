/** For tests: a server whose own machine really runs things, and code to run on it. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startApp, type TestPerson } from '../../../tests/support/app.ts'
import { localClusterId } from '../compute/clusters.ts'
import { openLocalMachine, probeIsolation } from '../compute/local-machine.ts'

const run = promisify(execFile)

/** Call once per file, and `close` at its end. */
export async function startWithMachine(slots = { cpus: 4, memMiB: 8192, gpus: [] }) {
  const app = await startApp()
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-machine-'))
  const address = await app.app.listen({ host: '127.0.0.1', port: 0 })
  const log = (text: string, error: unknown) => void app.errors.push(`${text}: ${String(error)}`)
  const isolation = (await probeIsolation()) ?? 'none'
  app.compute.addBackend(
    localClusterId,
    await openLocalMachine({ dataDir: folder, origin: address, isolation, slots, log }),
  )

  /** Sends files as the code of a run. @returns what `submit` wants. */
  async function send(person: TestPerson, team: string, files: Record<string, string>) {
    const source = await mkdtemp(join(tmpdir(), 'teamgrid-code-'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(source, name), text)
    const { stdout } = await run('tar', ['-cz', '-C', source, '.'], { encoding: 'buffer' })
    await rm(source, { recursive: true })
    const sha256 = createHash('sha256').update(stdout).digest('hex')
    const answer = await fetch(`${address}/runs/code/${team}/${sha256}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${person.key}`, 'content-type': 'application/gzip' },
      body: stdout,
    })
    if (!answer.ok) throw new Error(await answer.text())
    return { sha256 }
  }

  /** Looks until it is true; each look is also one of the reconciler's. */
  async function until<Found>(look: () => Promise<Found>, isTrue: (found: Found) => boolean): Promise<Found> {
    for (;;) {
      await app.compute.step()
      const found = await look()
      if (isTrue(found)) return found
      await wait(50)
    }
  }

  return {
    ...app,
    address,
    folder,
    isolation,
    send,
    until,
    async close() {
      for (const attempt of await app.compute.live()) await app.compute.requestStop(app.db, [attempt.ownerId])
      await until(app.compute.live, (live) => live.length === 0)
      await app.compute.close()
      // The agent goes when its folder does.
      await rm(folder, { recursive: true, force: true })
      await app.close()
    },
  }
}
