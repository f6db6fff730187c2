/**
 * From an attempt's folder to its running program: the boot token becomes the attempt's own, code, data and environment
 * are put in place, and then this process becomes the program, with secrets in its environment and nowhere else.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { attemptFiles } from './attempt-dir.ts'
import { GridError } from '@teamgrid/api'
import { noteBefore } from './artifacts.ts'
import { materialise } from './datastores/materialise.ts'
import { httpSource } from './datastores/source.ts'
import { ensureEnvironment } from './environment.ts'
import { createServer, Refused } from './http.ts'
import { CannotPrepare, run } from './run.ts'
import { type Sandbox, sandboxed } from './sandbox.ts'

/** What the server hands out once. */
type Boot = {
  attemptId: string
  /** Secrets are in here. */
  env: Record<string, string>
}

/** The part of `spec.json` that concerns a node. */
export type Spec = {
  attemptId: string
  argv: string[]
  cwd: string
  env: Record<string, string>
  code: { sha256: string } | null
  environment: { kind: 'pip' | 'pyproject' | 'conda'; file: string; inheritSite?: boolean } | null
  datastores: { datastoreId: string; version: number; digest: string; name: string; mountPath: string }[]
  actions: { build: string[]; start: string[]; end: string[] }
}

const tokenLength = 40

export async function prepare(folder: string): Promise<void> {
  const path = (name: string) => join(folder, name)
  const say = (text: string) => appendFile(path(attemptFiles.build), `${text}\n`)
  try {
    const spec = JSON.parse(await readFile(path(attemptFiles.spec), 'utf8')) as Spec
    const [bootToken = '', url = ''] = (await readFile(path(attemptFiles.boot), 'utf8')).split('\n')
    // Made here, so that the same answer can be asked for again when the first one is lost.
    const token = await tokenOf(path(attemptFiles.token))
    const server = createServer(async () => ({ url, token }))
    const boot = (await createServer(async () => ({ url })).ask('POST', '/agent/v1/bootstrap', {
      json: { bootToken, token, node: hostname() },
    })) as Boot
    await put(path(attemptFiles.phase), 'building')
    await say(`Preparing on ${hostname()}.`)
    if (spec.code !== null) await fetchCode(spec, folder, server.fetch, say)
    const environment = await ensureEnvironment(spec.environment, {
      work: path(attemptFiles.work),
      cache: cacheOf(spec),
      log: path(attemptFiles.build),
      say,
    })
    const sandbox: Sandbox = {
      folder,
      isolation: process.env['GRID_ISOLATION'] === 'bwrap' ? 'bwrap' : 'none',
      hidden: (process.env['GRID_HIDDEN'] ?? '').split(':').filter(Boolean),
      readable: [...(environment.folder === null ? [] : [environment.folder]), ...environment.python],
      datastores: await mounts(spec, { url, token }, say),
    }
    const env = environmentOf(spec, boot, environment.path, sandbox, folder)
    await mkdir(path('home'), { recursive: true, mode: 0o700 })
    await mkdir(path('tmp'), { recursive: true, mode: 0o700 })
    for (const action of spec.actions.build) await act(action, spec, sandbox, env, folder, say)
    for (const action of spec.actions.start) await act(action, spec, sandbox, env, folder, say)
    await noteBefore(folder)
    const argv = argvOf(spec).map((word) => withTrees(word, sandbox))
    await say(`Starting: ${argv.join(' ')}`)
    await put(path(attemptFiles.phase), 'running')
    const [program, ...args] = sandboxed(sandbox, spec.cwd, argv)
    become(program!, args, env)
  } catch (error) {
    if (!(error instanceof CannotPrepare || error instanceof Refused || error instanceof GridError))
      throw error
    await say(error.message)
    await put(path(attemptFiles.failure), error.message)
    process.exit(125)
  }
}

/** The program takes this process over: same number, same output, no parent of ours in between. */
function become(program: string, args: string[], env: Record<string, string>): never {
  // Node ignores SIGPIPE, and what is ignored stays so in the next program.
  const argv = ['env', '--default-signal=PIPE', program, ...args]
  // Not in the types of Node yet.
  const self = process as unknown as { execve: (file: string, args: string[], env: object) => never }
  return self.execve('/usr/bin/env', argv, env)
}

async function tokenOf(path: string): Promise<string> {
  const known = (await readFile(path, 'utf8').catch(() => '')).trim()
  if (known.length === tokenLength) return known
  const letters = '0123456789abcdefghijklmnopqrstuvwxyz'
  let token = ''
  // 252 = 7 × 36: larger bytes are thrown away, or the first letters would come more often.
  while (token.length < tokenLength)
    for (const byte of randomBytes(tokenLength))
      if (byte < 252 && token.length < tokenLength) token += letters[byte % 36]
  await put(path, token)
  return token
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, `${text}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

async function fetchCode(
  spec: Spec,
  folder: string,
  fetchFrom: (path: string) => Promise<Response>,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const archive = join(folder, 'code.tar.gz')
  const response = await fetchFrom(`/agent/v1/attempts/${spec.attemptId}/code`)
  const hash = createHash('sha256')
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  await pipeline(
    Readable.fromWeb(response.body! as never),
    hashed,
    createWriteStream(archive, { mode: 0o600 }),
  )
  if (hash.digest('hex') !== spec.code!.sha256)
    throw new CannotPrepare('The code that arrived is not the code that was submitted.')
  const { code, output } = await run(
    ['tar', '-xzf', archive, '-C', join(folder, attemptFiles.work), '--no-same-owner'],
    folder,
  )
  if (code !== 0) throw new CannotPrepare(`The code could not be unpacked: ${output.trim()}`)
  await say('The code is in place.')
}

/** The trees of what it mounts, made on this node if need be. Their pins are named by the attempt. */
async function mounts(
  spec: Spec,
  { url, token }: { url: string; token: string },
  say: (text: string) => Promise<void>,
): Promise<Sandbox['datastores']> {
  const found: Sandbox['datastores'] = []
  for (const { datastoreId, version, digest, name, mountPath } of spec.datastores) {
    await say(`Fetching datastore ${name}, version ${version}.`)
    const path = `/agent/v1/attempts/${spec.attemptId}/datastores/${datastoreId}/versions/${version}`
    const tree = await materialise({
      source: httpSource({ url, path, headers: { authorization: `Bearer ${token}` } }),
      cache: cacheOf(spec),
      digest,
      pin: spec.attemptId,
    })
    found.push({ tree, mountPath })
  }
  return found
}

/** Where nothing can be mounted a path of a datastore is put in place of the one that was promised. */
function withTrees(word: string, { isolation, datastores }: Sandbox): string {
  if (isolation === 'bwrap') return word
  const found = datastores.find(({ mountPath }) => word === mountPath || word.startsWith(`${mountPath}/`))
  return found ? found.tree + word.slice(found.mountPath.length) : word
}

function cacheOf({ attemptId }: Spec): string {
  return process.env['GRID_CACHE'] ?? join(tmpdir(), `grid-cache-${attemptId}`)
}

async function act(
  action: string,
  spec: Spec,
  sandbox: Sandbox,
  env: Record<string, string>,
  folder: string,
  say: (text: string) => Promise<void>,
): Promise<void> {
  await say(`$ ${action}`)
  const [program, ...args] = sandboxed(sandbox, spec.cwd, ['sh', '-e', '-c', action])
  const { code, output } = await run([program!, ...args], folder, env)
  await say(output.trimEnd())
  if (code !== 0)
    throw new CannotPrepare(`"${action}" ended with code ${code}; what it wrote is in the build log.`)
}

/** What ends it is run afterwards by the same shell, whatever its code was. */
function argvOf(spec: Spec): string[] {
  if (spec.actions.end.length === 0) return spec.argv
  const after = spec.actions.end.map((action) => `sh -e -c ${quote(action)} || echo "An end action failed"`)
  return ['sh', '-c', `"$@"; code=$?; ${after.join('; ')}; exit $code`, 'sh', ...spec.argv]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The server's word wins over the node's; what a node alone knows is added. */
function environmentOf(
  spec: Spec,
  boot: Boot,
  environmentPath: string | null,
  sandbox: Sandbox,
  folder: string,
): Record<string, string> {
  const isBound = sandbox.isolation === 'bwrap'
  const fromNode = [
    'LANG',
    'CUDA_VISIBLE_DEVICES',
    'NVIDIA_VISIBLE_DEVICES',
    'CUDA_DEVICE_ORDER',
    'GRID_EXEC_REF',
  ]
  const kept = Object.fromEntries(
    fromNode.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]!]])),
  )
  const defaults = Object.fromEntries(
    ['OMP_NUM_THREADS', 'MKL_NUM_THREADS'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]!]],
    ),
  )
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
  return {
    ...defaults,
    ...spec.env,
    ...boot.env,
    ...kept,
    PATH: environmentPath === null ? path : `${environmentPath}:${path}`,
    HOME: isBound ? '/grid/home' : join(folder, 'home'),
    TMPDIR: isBound ? '/tmp' : join(folder, 'tmp'),
    GRID_ARTIFACTS_DIR: isBound ? '/grid/project' : join(folder, attemptFiles.work),
    GRID_ATTEMPT_ID: spec.attemptId,
    WANDB_DIR: isBound ? '/grid/home' : join(folder, 'home'),
    WANDB_CACHE_DIR: isBound ? '/grid/home/.cache/wandb' : join(folder, 'home/.cache/wandb'),
    WANDB_DATA_DIR: isBound ? '/grid/home/.local/wandb' : join(folder, 'home/.local/wandb'),
  }
}
