import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { GridError } from '@teamgrid/api'

export type Lock = { release(): Promise<void> }

/**
 * Holds flock(2) on a file, which also other processes and machines with the same file system respect. Node has no
 * such call, so the program `flock` of util-linux holds it; it ends with its standard input, and with it the lock, when
 * this process is killed.
 *
 * @param wait false: `undefined` at once when somebody else holds it.
 * @throws GridError unavailable when there is no such program.
 */
export async function lockFile(
  path: string,
  options: { wait: boolean; signal?: AbortSignal },
): Promise<Lock | undefined> {
  options.signal?.throwIfAborted()
  const argv = [...(options.wait ? [] : ['--nonblock']), '--conflict-exit-code', '75', path]
  const child = spawn('flock', [...argv, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Out of reach of a Ctrl-C at the terminal, which this process hears itself.
    detached: true,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
  ended.catch(() => {})
  // The first of the two: it says that it has the lock, or it ends.
  const got = await Promise.race([once(child.stdout, 'data').then(() => 'locked' as const), ended]).catch(
    (cause: unknown) => {
      options.signal?.throwIfAborted()
      throw new GridError('unavailable', 'This machine has no program "flock" (util-linux)', { cause })
    },
  )
  if (got === 'locked') {
    return {
      async release() {
        child.stdin.end()
        await ended.catch(() => {})
      },
    }
  }
  if (got === 75 && !options.wait) return undefined
  throw new GridError('unavailable', `Cannot lock ${path}: flock ended with ${got}`)
}
