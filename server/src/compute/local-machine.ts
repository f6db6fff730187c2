/** This machine as a cluster: its backend, how programs are kept apart, and the agent that tells of them. */
import { execFile, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startTicksIn } from '@teamgrid/agent'
import type { Backend } from './backend.ts'
import type { Slots } from './backends/machine.ts'
import { openLocalBackend } from './backends/local.ts'

const run = promisify(execFile)
const agentFile = fileURLToPath(new URL('../../../agent/src/main.ts', import.meta.url))
const gridExec = fileURLToPath(new URL('../../../agent/bin/grid-exec', import.meta.url))
/** A dead agent is missed after so long at most. */
const agentEveryMs = 5000

export type Isolation = 'bwrap' | 'none'

/** Whether bubblewrap can be used here: often it is installed and the kernel or a container forbids it. */
export async function probeIsolation(): Promise<'bwrap' | null> {
  const args = ['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib']
  const more = [
    '--symlink',
    'usr/lib64',
    '/lib64',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--unshare-pid',
    'true',
  ]
  return await run('bwrap', [...args, ...more], { timeout: 5000 }).then(
    () => 'bwrap' as const,
    () => null,
  )
}

/**
 * @param dataDir of the server; programs never see it.
 * @param origin where programs on this machine reach the server.
 */
export async function openLocalMachine(options: {
  dataDir: string
  origin: string
  isolation: Isolation
  slots?: Slots
  log: (text: string, error: unknown) => void
}): Promise<Backend> {
  const dataDir = resolve(options.dataDir)
  const root = join(dataDir, 'attempts')
  const cache = join(dataDir, 'cache')
  await mkdir(root, { recursive: true, mode: 0o700 })
  await mkdir(cache, { recursive: true, mode: 0o700 })
  // What was begun under another address finds us here.
  await writeFile(join(root, '.server.new'), options.origin)
  await rename(join(root, '.server.new'), join(root, '.server'))
  const backend = await openLocalBackend({
    root,
    gridExec,
    delivery: { node: process.execPath, agent: agentFile, serverUrl: options.origin },
    nodeEnv: {
      ...registries(),
      GRID_ISOLATION: options.isolation,
      GRID_CACHE: cache,
      GRID_HIDDEN: dataDir,
    },
    ...(options.slots ? { slots: options.slots } : {}),
    log: options.log,
  })

  /** One for all attempts; of two the second goes away by itself, so asking is always right. */
  function startAgent(): void {
    const agent = spawn(process.execPath, [agentFile, 'serve', root], {
      detached: true,
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: process.env['HOME'] ?? '/',
        GRID_CACHE: cache,
      },
    })
    agent.on('error', (error) => options.log('Starting the agent failed', error))
    agent.unref()
  }
  let startedAt = 0
  async function keepAgent(): Promise<void> {
    const names = await readdir(root).catch(() => [])
    if (!names.some((name) => !name.startsWith('.')) || Date.now() - startedAt < agentEveryMs) return
    startedAt = Date.now()
    if (!(await isAgentThere(root))) startAgent()
  }
  const timer = setInterval(() => void keepAgent(), agentEveryMs)
  timer.unref()
  await keepAgent()
  return {
    ...backend,
    async submit(submissions) {
      const answers = await backend.submit(submissions)
      await keepAgent()
      return answers
    },
    async close() {
      clearInterval(timer)
      await backend.close()
    },
  }
}

/** Where packages come from, as the server was told; the environments of programs are built with it. */
function registries(): Record<string, string> {
  const names = /^(?:PIP_(?:INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CONFIG_FILE)|https?_proxy|no_proxy)$/i
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value && names.test(name) ? [[name, value]] : [],
    ),
  )
}

async function isAgentThere(root: string): Promise<boolean> {
  const [pid = '', ticks] = (await readFile(join(root, '.agent', 'pid'), 'utf8').catch(() => '')).split(' ')
  if (pid === '') return false
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && startTicksIn(stat) === ticks
}
