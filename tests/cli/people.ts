/** The cast of the product's acceptance list, made by the operator's own command on a real server. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootFolder, run, type RunResult } from '../support/programs.ts'
import type { TestServer } from '../support/server.ts'

export type Caller = {
  key: string
  /** Runs `grid` as this person, in a folder of their own. */
  grid: (
    args: string[],
    options?: { cwd?: string; input?: string; env?: Record<string, string> },
  ) => Promise<RunResult>
  folder: string
}

const settingsOfTheMachine = /^(?:GRID_|WANDB_|TEAMGRID_|NO_COLOR$|FORCE_COLOR$)/

export function cleanEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !settingsOfTheMachine.test(name))
  return { ...Object.fromEntries(kept), TZ: 'UTC', ...more }
}

export function admin(server: TestServer, args: string[], input?: string): Promise<RunResult> {
  return run(process.execPath, ['cli/src/admin/main.ts', 'admin', ...args], {
    cwd: rootFolder,
    env: cleanEnv({ TEAMGRID_DATA: server.dataDir, TEAMGRID_URL: server.url }),
    secondsMax: 60,
    ...(input === undefined ? {} : { input }),
  })
}

/** @throws with what the command said, when it fails. */
export async function adminOk(server: TestServer, args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await admin(server, [...args, '--json'])
  if (code !== 0) throw new Error(`teamgrid admin ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as Record<string, unknown>
}

/** A key as automation would bring it: 40 times the same letter. */
export const keyOf = (letter: string) => letter.repeat(40)

/** Someone with a folder for settings and downloads; logged in if `key` is given. */
export async function caller(server: TestServer, key: string | null): Promise<Caller> {
  const folder = await mkdtemp(join(tmpdir(), 'grid-caller-'))
  const grid: Caller['grid'] = (args, options = {}) =>
    run(process.execPath, [join(rootFolder, 'cli/src/main.ts'), ...args], {
      cwd: options.cwd ?? folder,
      env: cleanEnv({ GRID_CONFIG_DIR: join(folder, '.grid'), ...options.env }),
      secondsMax: 60,
      ...(options.input === undefined ? {} : { input: options.input }),
    })
  if (key !== null) {
    const { code, stderr } = await grid(['login', '--url', server.url, '--key', key])
    if (code !== 0) throw new Error(`grid login ended with ${code}: ${stderr}`)
  }
  return { key: key ?? '', grid, folder }
}
