/**
 * What every script here needs: the pinned Node, everything installed, the web app built. Plain JavaScript without
 * dependencies, because it runs on whatever Node started npm (20 or newer) before anything is installed.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** The pinned Node 24. */
export const node = join(root, 'node_modules/node/bin/node')

/** Installs with `npm ci` unless what is installed is what the lockfile says. Ends the process if that fails. */
export async function ensureInstalled() {
  if (await isInstalled()) return
  console.log('Installing what is missing (npm ci) …')
  // The npm that runs us, so that no second version writes the folder.
  const npm = process.env.npm_execpath
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const code = npm ? await run(process.execPath, [npm, ...args]) : await run('npm', args)
  if (code !== 0) fail('The installation failed; see above. Nothing was started.')
  if (!(await isInstalled())) fail('The installation is not complete; try "npm ci" and read what it says.')
}

/** Compares the lockfile with the record that npm keeps of what it has installed. */
async function isInstalled() {
  const wanted = await readJson('package-lock.json')
  const installed = await readJson('node_modules/.package-lock.json')
  if (!wanted || !installed || !existsSync(node)) return false
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.link) return true
    const found = installed.packages[path]
    // Binaries for other machines are in the lockfile but not installed.
    return found ? found.version === entry.version : entry.optional === true || entry.devOptional === true
  })
}

async function readJson(path) {
  try {
    return JSON.parse(await readFile(join(root, path), 'utf8'))
  } catch {
    return undefined
  }
}

/** Everything the built web app depends on. */
const webSources = [
  'web/src',
  'web/public',
  'web/index.html',
  'web/vite.config.ts',
  'api/src',
  'package-lock.json',
]

/** Builds `web/dist` unless it was built from exactly these sources. Ends the process if that fails. */
export async function ensureWebBuilt() {
  const stamp = join(root, 'web/dist/.built-from')
  const sources = await hashOf(webSources)
  if ((await readFile(stamp, 'utf8').catch(() => '')) === sources) return
  console.log('Building the web app …')
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  if ((await run(node, [vite, 'build', '--logLevel', 'warn'], { cwd: join(root, 'web') })) !== 0)
    fail('The web app could not be built; see above.')
  await writeFile(stamp, sources)
}

async function hashOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths) await addToHash(hash, path)
  return hash.digest('hex')
}

async function addToHash(hash, path) {
  const full = join(root, path)
  const names = await readdir(full).catch(() => undefined)
  if (names) {
    for (const name of names.sort()) await addToHash(hash, `${path}/${name}`)
    return
  }
  const content = await readFile(full).catch(() => undefined)
  if (content) hash.update(`${path}\0${content.length}\0`).update(content)
}

/**
 * The environment for what we start: the pinned Node comes first, for programs that look for `node`, and it keeps what it
 * has compiled, which takes a fifth off every start.
 */
export function environment() {
  return {
    NODE_COMPILE_CACHE: join(root, '.cache/compiled'),
    ...process.env,
    PATH: `${dirname(node)}:${process.env.PATH ?? ''}`,
  }
}

/**
 * Runs a program with our own terminal, passing on signals, to its end.
 * @returns its exit code; 128 + the number of the signal that ended it, as shells do.
 */
export function run(command, args, { cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: 'inherit', env: environment() })
    const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
      // Ctrl-C already reaches every process of the terminal; sent again it would look like impatience.
      const handler = () => {
        if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal)
      }
      process.on(signal, handler)
      return () => process.off(signal, handler)
    })
    const finish = (code) => {
      for (const remove of handlers) remove()
      resolve(code)
    }
    child.once('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`)
      finish(127)
    })
    child.once('exit', (code, signal) => finish(code ?? 128 + (signalNumbers[signal] ?? 1)))
  })
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }

export function fail(message) {
  console.error(message)
  process.exit(1)
}
