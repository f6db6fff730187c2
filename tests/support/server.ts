/** A whole, real server for tests: `server/src/main.ts` in a process of its own, on a temporary data directory. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exists, freePort, rootFolder } from './programs.ts'

export type StartServerOptions = {
  /** An existing data directory, to start again on; it is then not removed by `stop`. */
  dataDir?: string
  /** Default: a free one. */
  port?: number
  /** Further settings, such as `DATABASE_URL`. */
  env?: Record<string, string>
  args?: string[]
}

export type TestServer = {
  /** Without a trailing slash. */
  url: string
  port: number
  dataDir: string
  /** Proves the operator to the REST endpoints (`authorization: Bearer …`), as `teamgrid admin` does. */
  operatorToken: string
  pid: number
  /** Everything the server has printed so far. */
  output: () => string
  /** Ends it as Ctrl-C does, and removes the data directory if it was made here. @returns the exit code. */
  stop: () => Promise<number>
  /** Ends it with `kill -9`; the data directory stays and Postgres is left running, for a next `startServer` on it. */
  kill9: () => Promise<void>
}

const startSecondsMax = 60
const stopSecondsMax = 40

/** Settings of the machine that must not reach a test's server. */
const isolated = [
  'TEAMGRID_DATA',
  'TEAMGRID_HOST',
  'TEAMGRID_PORT',
  'TEAMGRID_URL',
  'DATABASE_URL',
  'CLICKHOUSE_URL',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_BUCKET',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
  'S3_FORCE_PATH_STYLE',
  'SMTP_URL',
  'TEAMGRID_PRIVATE_WEBHOOKS',
  'MAIL_FROM',
  'OIDC_ISSUER',
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'GITHUB_CLIENT_ID',
  'GITHUB_CLIENT_SECRET',
  'GOOGLE_CLIENT_ID',
  'GOOGLE_CLIENT_SECRET',
  'SSO_DOMAINS',
  'SSO_ROLES',
  'SSO_ONLY',
  'SSO_BREAK_GLASS',
]

/**
 * Starts a server and waits until it is ready.
 *
 * @throws with what it printed, when it ends first or is not ready in time.
 */
export async function startServer(options: StartServerOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'teamgrid-server-')))
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const env: NodeJS.ProcessEnv = { ...process.env }
  for (const name of isolated) delete env[name]
  const child = spawn(process.execPath, ['server/src/main.ts', ...(options.args ?? [])], {
    cwd: rootFolder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...env,
      TEAMGRID_DATA: dataDir,
      TEAMGRID_HOST: '127.0.0.1',
      TEAMGRID_PORT: String(port),
      TEAMGRID_URL: url,
      ...options.env,
    },
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const ended = new Promise<number>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 128))),
  )
  // A test that fails before stop() must not leave a server behind.
  const stopWithUs = () => void child.kill('SIGTERM')
  process.on('exit', stopWithUs)
  void ended.then(() => process.off('exit', stopWithUs))

  await untilReady(child, url, () => printed)
  const tokenFile = join(dataDir, 'operator-token')
  const operatorToken = (await exists(tokenFile)) ? (await readFile(tokenFile, 'utf8')).trim() : ''

  return {
    url,
    port,
    dataDir,
    operatorToken,
    pid: child.pid!,
    output: () => printed,
    async stop() {
      child.kill('SIGTERM')
      const code = await Promise.race([ended, sleep(stopSecondsMax * 1000, undefined, { ref: false })])
      if (code === undefined) {
        child.kill('SIGKILL')
        throw new Error(`The server did not stop within ${stopSecondsMax} s. It printed:\n${printed}`)
      }
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
      return code
    },
    async kill9() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function untilReady(child: ChildProcess, url: string, printed: () => string): Promise<void> {
  const deadline = Date.now() + startSecondsMax * 1000
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(
        `The server ended with code ${child.exitCode ?? child.signalCode}. It printed:\n${printed()}`,
      )
    const answer = await fetch(`${url}/ready`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    if (Date.now() > deadline) {
      child.kill('SIGTERM')
      throw new Error(`The server was not ready within ${startSecondsMax} s. It printed:\n${printed()}`)
    }
    await sleep(25)
  }
}
