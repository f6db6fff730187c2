/** What runs goes on when everything that watches it dies, and nothing is lost or run twice. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createClient, type GridClient } from '@teamgrid/api'
import { expect, onTestFinished, test } from 'vitest'
import { probeIsolation } from '../../server/src/compute/local-machine.ts'
import { randomText } from '../../server/src/lib/ids.ts'
import { startServer } from '../support/server.ts'

const script = `echo begun
i=0
while [ $i -lt 40 ]; do echo "line $i"; i=$((i + 1)); sleep 0.2; done
exit 5
`

test(
  'a server and an agent that are killed lose no line, no exit code, and start nothing twice',
  { timeout: 240_000 },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'teamgrid-survival-'))
    const env = { TEAMGRID_LOCAL: (await probeIsolation()) ?? 'none' }
    let server = await startServer({ dataDir, env })
    onTestFinished(async () => {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    })
    const key = randomText(40)
    const client = (): GridClient =>
      createClient({ url: server.url, headers: () => ({ authorization: `Bearer ${key}` }) })
    const operator = createClient({
      url: server.url,
      headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
    })
    await operator.users.create({
      username: 'ada',
      email: 'ada@example.org',
      password: 'correct horse battery',
      apiKey: key,
      admin: false,
    })
    const code = await sendCode(server.url, key)
    await client().runs.submit({ team: 'ada', name: 'survivor', spec: { script: 'count.sh' }, code })
    const lines = async () => {
      const place = { team: 'ada', project: 'uncategorized', experiment: 'survivor-exp0' }
      return (await client().experiments.console(place)).lines.map((line) => line.text)
    }
    await until(lines, (found) => found.includes('line 3'))

    const [agent = ''] = (await readFile(join(dataDir, 'attempts/.agent/pid'), 'utf8')).split(' ')
    process.kill(Number(agent), 'SIGKILL')
    await server.kill9()
    server = await startServer({ dataDir, env })

    const run = await until(
      () => client().runs.get({ team: 'ada', run: 'survivor' }),
      (found) => found.experimentList[0]!.attempt!.endedAt !== null,
    )
    expect(run.experimentList).toMatchObject([
      { state: 'failed', exitCode: 5, attempt: { number: 0, state: 'failed' } },
    ])
    expect(await lines()).toEqual(['begun', ...Array.from({ length: 40 }, (_, index) => `line ${index}`)])
  },
)

async function sendCode(url: string, key: string): Promise<{ sha256: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-code-'))
  await writeFile(join(folder, 'count.sh'), script)
  const archive = execFileSync('tar', ['-cz', '-C', folder, '.'])
  await rm(folder, { recursive: true })
  const sha256 = createHash('sha256').update(archive).digest('hex')
  const answer = await fetch(`${url}/runs/code/ada/${sha256}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/gzip' },
    body: new Uint8Array(archive),
  })
  expect(answer.status).toBe(200)
  return { sha256 }
}

async function until<Found>(look: () => Promise<Found>, isTrue: (found: Found) => boolean): Promise<Found> {
  for (;;) {
    const found = await look()
    if (isTrue(found)) return found
    await wait(200)
  }
}
