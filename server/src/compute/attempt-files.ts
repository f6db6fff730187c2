/**
 * What has to lie in the folder of an attempt before `grid-exec` is started there. Pure, so that a backend may write the
 * files to its own disk, to a shared one, or send them to a login node.
 */
import { attemptFiles } from '@teamgrid/agent'
import type { Submission } from './backend.ts'

/** How a node gets from the files to the running program. */
export type Delivery = {
  /** What runs the agent on the node: a `node` of version 20 or newer, or a shell line that finds one. */
  node: string
  /** The agent's main file on the node. Null: the program is started as it is, with nothing fetched before. */
  agent: string | null
  /** Where the node reaches this server. */
  serverUrl: string
}

export type AttemptFile = { path: string; text: string; mode: number }

/**
 * @returns the files, relative to the attempt's folder. `work/` (mode 0700) has to be made as well.
 */
export function attemptFilesOf({ spec, bootToken }: Submission, delivery: Delivery): AttemptFile[] {
  const command =
    delivery.agent === null
      ? plainCommand(spec.cwd, spec.env, spec.argv)
      : `exec ${[delivery.node, '--disable-warning=ExperimentalWarning', delivery.agent, 'prepare'].map(quote).join(' ')} "$d"`
  return [
    { path: attemptFiles.spec, text: `${JSON.stringify(spec)}\n`, mode: 0o600 },
    { path: attemptFiles.boot, text: `${bootToken}\n${delivery.serverUrl}\n`, mode: 0o600 },
    { path: attemptFiles.command, text: `d=$\{GRID_ATTEMPT_DIR:?}\n${command}\n`, mode: 0o600 },
  ]
}

function plainCommand(cwd: string, env: Record<string, string>, argv: string[]): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  return [
    `cd ${quote(cwd || '.')} || exit 125`,
    `exec env ${[...assignments, ...argv.map(quote)].join(' ')}`,
  ].join('\n')
}

/** For `sh`: whatever is in it, it is one word. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
