/** The folder of one attempt on a node: what lies in it, and how its small records are read. Pure. */

/** What lies where. `work/` belongs to the experiment; everything else is ours and 0600. */
export const attemptFiles = {
  /** What to do, without any secret (`AttemptSpec`). */
  spec: 'spec.json',
  /** The single-use token that `prepare` exchanges for the attempt's own. */
  boot: 'boot',
  /** The attempt's token, once it is known. */
  token: 'token',
  /** What `grid-exec` runs. */
  command: 'cmd',
  work: 'work',
  output: 'output.log',
  build: 'build.log',
  supervisor: 'sup',
  child: 'child',
  exit: 'exit',
  /** Why preparing failed, in a sentence for people. */
  failure: 'failure',
  /** `building` or `running`. */
  phase: 'phase',
  /** How far the agent has pushed what. */
  agentState: 'agent.json',
} as const

export type ExitRecord = { code: number; stopRequested: boolean; at: Date }

/** @returns undefined for what `grid-exec` did not write in full. */
export function readExitRecord(text: string): ExitRecord | undefined {
  const [, code, stop, seconds] = /^(\d{1,3}) ([01]) (\d+)\s*$/.exec(text) ?? []
  if (code === undefined) return undefined
  return { code: Number(code), stopRequested: stop === '1', at: new Date(Number(seconds) * 1000) }
}

/** A process for ever: its number comes again, its start in ticks after this boot does not. */
export type ProcessIdentity = { pid: number; startTicks: string; bootId: string }

export function readProcessIdentity(text: string): ProcessIdentity | undefined {
  const [, pid, startTicks, bootId] = /^(\d+) (\d+) ([0-9a-f-]{36})\s*$/.exec(text) ?? []
  return pid === undefined ? undefined : { pid: Number(pid), startTicks: startTicks!, bootId: bootId! }
}

/** @param stat the text of `/proc/<pid>/stat`; the name in it may hold spaces and brackets. */
export function startTicksIn(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}
