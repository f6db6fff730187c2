/** How a backend runs commands where a cluster's tools are: here, or on a login node by ssh. */
import { spawn } from 'node:child_process'
import { quote } from './attempt-files.ts'

export type CommandResult = { code: number; stdout: string; stderr: string }

export type Transport = {
  /**
   * Runs a program without a shell and with nothing of our own environment, which may hold passwords.
   *
   * @throws when it cannot be started or does not end in time.
   */
  run(argv: readonly string[], options?: { input?: string }): Promise<CommandResult>
}

const timeoutMs = 30_000
/** What a command may say; more is a mistake somewhere. */
const outputMax = 64 * 1024 * 1024

/** @param env set for every command, such as `SLURM_CONF`. */
export function localTransport(env: Record<string, string> = {}): Transport {
  return {
    run: (argv, { input } = {}) =>
      runHere(argv, {
        input,
        env: {
          PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
          HOME: process.env['HOME'] ?? '/',
          LC_ALL: 'C',
          ...env,
        },
      }),
  }
}

/**
 * By ssh, one connection for many commands. The login node's key has to be known already, and ours has to be accepted:
 * nobody is there to answer questions.
 *
 * @param host as ssh calls it: `user@login.example.org` or a name of `~/.ssh/config`.
 */
export function sshTransport(
  host: string,
  {
    env = {},
    identityFile,
    knownHostsFile,
    controlFolder,
  }: { env?: Record<string, string>; identityFile?: string; knownHostsFile?: string; controlFolder: string },
): Transport {
  if (host.startsWith('-')) throw new Error(`${host} is no host`)
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ControlMaster=auto',
    `ControlPath=${controlFolder}/%C`,
    'ControlPersist=10m',
    'ServerAliveInterval=15',
    ...(identityFile ? [`IdentityFile=${identityFile}`, 'IdentitiesOnly=yes'] : []),
    ...(knownHostsFile ? [`UserKnownHostsFile=${knownHostsFile}`] : []),
  ].flatMap((option) => ['-o', option])
  const assignments = Object.entries({ LC_ALL: 'C', ...env }).map(([name, value]) => `${name}=${value}`)
  return {
    async run(argv, { input } = {}) {
      const command = ['env', ...assignments, ...argv].map(quote).join(' ')
      const result = await runHere(['ssh', ...options, '--', host, command], {
        input,
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: process.env['HOME'] ?? '/' },
      })
      // 255 is ssh's own.
      if (result.code === 255) throw new Error(`${host} does not answer: ${result.stderr.trim()}`)
      return result
    },
  }
}

function runHere(
  [program, ...args]: readonly string[],
  { input, env }: { input: string | undefined; env: Record<string, string> },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { env, stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text
        if (said[name].length > outputMax) child.kill('SIGKILL')
      })
    }
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (signal) reject(new Error(`${program} did not answer within ${timeoutMs / 1000} seconds`))
      else resolve({ code: code ?? 1, ...said })
    })
    // A program that ends without reading breaks the pipe; how it ended says more.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}
