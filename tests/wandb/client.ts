/** Runs scripts with the real wandb client against a real server, each in a home of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type GridClient } from '@teamgrid/api'
import { randomText } from '../../server/src/lib/ids.ts'

export type Person = { username: string; key: string; api: GridClient }

export type ScriptEnd = { code: number | null; output: string; folder: string }

export type RunningScript = {
  pid: number
  /** Everything printed so far, both streams. */
  output: () => string
  /** Resolves when the output holds this text. @throws when the script ends or the time is over first. */
  says: (text: string, secondsMax?: number) => Promise<void>
  /** The working folder, which is also HOME. */
  folder: string
  kill: (signal: NodeJS.Signals) => void
  ended: Promise<ScriptEnd>
}

/** Settings of the machine and of the shell that must not reach a client under test. */
const foreign = /^(WANDB_|TEAMGRID_|GRID_|HOME$|NETRC$|PYTHON)/

/** Makes people and teams through REST, as an operator does. */
export function people(server: { url: string; operatorToken: string }) {
  const apiOf = (secret: string) =>
    createClient({ url: server.url, headers: () => ({ authorization: `Bearer ${secret}` }) })
  const operator = apiOf(server.operatorToken)

  async function person(username = `p${randomText(8)}`): Promise<Person> {
    const key = randomText(40)
    await operator.users.create({
      username,
      email: `${username}@example.org`,
      password: 'correct horse battery',
      apiKey: key,
      admin: false,
    })
    return { username, key, api: apiOf(key) }
  }

  /** A team with an admin and members of the given roles. */
  async function team(members: { person: Person; role: 'member' | 'viewer' }[] = []) {
    const slug = `team-${randomText(8)}`
    const admin = await person()
    await operator.teams.create({ slug, admin: admin.username })
    for (const { person: member, role } of members) {
      await operator.teams.addMember({ team: slug, username: member.username, role })
    }
    return { slug, admin }
  }

  return { operator, apiOf, person, team }
}

/**
 * Starts Python code that finds server and key in its environment, as a training script does.
 *
 * @param code the script; its first lines need no import of wandb's settings.
 */
export async function startScript(options: {
  python: string
  url: string
  key?: string
  code: string
  args?: string[]
  env?: Record<string, string>
  /** Default: a fresh one, removed at the end. */
  folder?: string
}): Promise<RunningScript> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'wandb-script-')))
  await writeFile(join(folder, 'script.py'), options.code)
  return start(options.python, ['-u', 'script.py', ...(options.args ?? [])], folder, options)
}

/** The client's own command line: `wandb login --verify …`. */
export async function startWandb(
  options: { python: string; url: string; key?: string; env?: Record<string, string>; folder?: string },
  args: string[],
): Promise<RunningScript> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'wandb-cli-')))
  return start(options.python, ['-m', 'wandb', ...args], folder, options)
}

export async function runScript(options: Parameters<typeof startScript>[0]): Promise<ScriptEnd> {
  return (await startScript(options)).ended
}

async function start(
  python: string,
  args: string[],
  folder: string,
  options: { url: string; key?: string; env?: Record<string, string>; folder?: string },
): Promise<RunningScript> {
  const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  const child: ChildProcess = spawn(python, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(inherited),
      HOME: folder,
      WANDB_BASE_URL: options.url,
      ...(options.key ? { WANDB_API_KEY: options.key } : {}),
      // Nothing leaves the machine.
      WANDB_ERROR_REPORTING: 'false',
      WANDB_DISABLE_GIT: 'true',
      ...options.env,
    },
  })
  let printed = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (printed += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (printed += text))
  let hasEnded = false
  const ended = new Promise<ScriptEnd>((resolve) =>
    child.once('close', (code) => {
      hasEnded = true
      resolve({ code, output: printed, folder })
    }),
  )
  const killWithUs = () => void child.kill('SIGKILL')
  process.on('exit', killWithUs)
  void ended.then(async () => {
    process.off('exit', killWithUs)
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
  })
  return {
    pid: child.pid!,
    output: () => printed,
    folder,
    ended,
    kill: (signal) => void child.kill(signal),
    async says(text, secondsMax = 60) {
      await until(
        () => printed.includes(text),
        secondsMax,
        () => {
          if (hasEnded) throw new Error(`The script ended without saying "${text}":\n${printed}`)
          return `The script did not say "${text}":\n${printed}`
        },
      )
    },
  }
}

/** Waits for something that another process brings about. @throws with the trouble told, when the time is over. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  secondsMax: number,
  trouble: () => string = () => 'It did not become so',
): Promise<void> {
  const deadline = Date.now() + secondsMax * 1000
  while (!(await holds())) {
    const sentence = trouble()
    if (Date.now() > deadline) throw new Error(`${sentence} within ${secondsMax} s`)
    await sleep(50)
  }
}

/** What the client wrote about its own trouble, for messages of failed tests. */
export async function debugLog(folder: string): Promise<string> {
  return readFile(join(folder, 'wandb', 'latest-run', 'logs', 'debug-internal.log'), 'utf8').catch(() => '')
}
