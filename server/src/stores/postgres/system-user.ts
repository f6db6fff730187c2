import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { GridError } from '@teamgrid/api'

/** The system user that owns the embedded Postgres when the server itself runs as root. */
export const systemUserName = 'teamgrid'

export type SystemUser = { uid: number; gid: number }

/**
 * Postgres refuses to run as root, so a server started by root runs it as a system user of its own, made once.
 *
 * @returns undefined when this process is an ordinary user: Postgres then simply runs as that user.
 * @throws GridError unavailable, if there is no such user and none can be made.
 */
export async function unprivilegedUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await findUser(systemUserName)
  if (known) return known
  const made = await run('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir=/nonexistent',
    '--shell=/usr/sbin/nologin',
    systemUserName,
  ])
  // Alpine and other BusyBox systems have adduser only.
  if (made.code !== 0) await run('adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', systemUserName])
  // Looked up again whatever the tools said: a second server may have made the user at the same moment.
  const user = await findUser(systemUserName)
  if (user) return user
  throw new GridError(
    'unavailable',
    `Postgres does not run as root, and the system user "${systemUserName}" could not be made: ${made.output.trim() || 'useradd failed'}.`,
    { hint: 'Start Teamgrid as an ordinary user, or set DATABASE_URL to a Postgres of your own.' },
  )
}

async function findUser(name: string): Promise<SystemUser | undefined> {
  const passwd = await readFile('/etc/passwd', 'utf8')
  const line = passwd.split('\n').find((each) => each.startsWith(`${name}:`))
  if (!line) return undefined
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

export type RunOptions = { user?: SystemUser | undefined; cwd?: string; env?: NodeJS.ProcessEnv }

/**
 * Runs a program to its end.
 * @returns exit code (127 when it could not be started, with `spawnErrorCode` such as `EACCES`) and everything it printed.
 */
export function run(
  command: string,
  args: string[],
  { user, cwd, env }: RunOptions = {},
): Promise<{ code: number; output: string; spawnErrorCode?: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
      ...(cwd ? { cwd } : {}),
      ...(env ? { env } : {}),
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: 127, output: error.message, spawnErrorCode: error.code ?? 'UNKNOWN' }),
    )
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}
