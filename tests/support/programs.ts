import { spawn } from 'node:child_process'
import { mkdir, open, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const rootFolder = fileURLToPath(new URL('../../', import.meta.url))
/** What tests install and may keep between runs; not committed. */
export const cacheFolder = join(rootFolder, '.cache')

export type RunResult = { code: number; stdout: string; stderr: string }

/** Runs a program to its end, whatever its exit code. @throws when it cannot be started. */
export function run(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; secondsMax?: number; input?: string } = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      cwd: options.cwd ?? rootFolder,
      timeout: (options.secondsMax ?? 900) * 1000,
      killSignal: 'SIGKILL',
    })
    if (options.input !== undefined) child.stdin!.end(options.input)
    let stdout = ''
    let stderr = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), stdout, stderr }))
  })
}

/** Runs a program that must succeed. @returns what it wrote to standard output. @throws with the end of what it said. */
export async function runOk(...args: Parameters<typeof run>): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  if (code === 0) return stdout
  const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-8).join('\n')
  throw new Error(`${args[0]} ${args[1].slice(0, 4).join(' ')} … ended with code ${code}: ${said}`)
}

/**
 * Runs `work` while no other process does so under the same name (two test runs that would install the same thing).
 * The lock is the kernel's and ends with this process.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheFolder, { recursive: true })
  const file = await open(join(cacheFolder, `${name}.lock`), 'a')
  try {
    // See server/src/lock.ts: the lock belongs to the open file, so it stays when the flock program has ended.
    await new Promise<void>((resolve) => {
      const child = spawn('flock', ['3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] })
      child.once('error', () => resolve())
      child.once('exit', () => resolve())
    })
    return await work()
  } finally {
    await file.close()
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

const portsGiven = new Set<number>()

/**
 * A port of loopback that nothing listens on. Below those that the kernel gives to outgoing connections (from 32768 on
 * Linux): one of these could be taken by any client between our look and the start of the server it is for.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    if (portsGiven.has(port) || !(await isFree(port))) continue
    portsGiven.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (listening) await new Promise((resolve) => server.close(resolve))
  return listening
}

/** The folder of a module, as a path. */
export function folderOf(moduleUrl: string): string {
  return dirname(fileURLToPath(moduleUrl))
}
