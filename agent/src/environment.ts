/**
 * Python environments, built once per node and found again by what they are made of: interpreter, platform and the text
 * of the requirements. They are built in place, as virtual environments do not move.
 */
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { CannotPrepare, run } from './run.ts'

export type Environment = {
  /** To be put before everything else in PATH; null for the node's own Python. */
  path: string | null
  folder: string | null
  /** Where the interpreter and its packages are, which a sandbox has to show. */
  python: string[]
}

type Wanted = { kind: 'pip' | 'pyproject' | 'conda'; file: string; inheritSite?: boolean } | null
type Place = { work: string; cache: string; log: string; say: (text: string) => Promise<void> }

const nestedMax = 50

/** @throws CannotPrepare when it cannot be built, with the end of what the installer said. */
export async function ensureEnvironment(
  wanted: Wanted,
  { work, cache, log, say }: Place,
): Promise<Environment> {
  const found = await findPython()
  const python = found?.executable ?? null
  const shown = found ? [found.executable, found.prefix] : []
  if (wanted === null) return { path: null, folder: null, python: shown }
  if (wanted.kind === 'conda') {
    throw new CannotPrepare(
      `${wanted.file} needs conda or micromamba, which this machine does not have. Bring a requirements.txt instead, or name one with --dependency_file.`,
    )
  }
  if (python === null) throw new CannotPrepare('There is no python3 on this machine.')
  const file = join(work, wanted.file)
  if (!existsSync(file)) throw new CannotPrepare(`There is no ${wanted.file} in the code.`)
  const text = wanted.kind === 'pip' ? await withNested(work, wanted.file) : await readFile(file, 'utf8')
  const { output: version } = await run(
    [python, '-c', 'import sys, platform; print(sys.version, platform.platform())'],
    work,
  )
  const key = createHash('sha256')
    .update(
      JSON.stringify([1, realpathSync(python), version, text, wanted.kind, wanted.inheritSite === true]),
    )
    .digest('hex')
    .slice(0, 32)
  const folder = join(cache, 'envs', key)
  const ready = { path: join(folder, 'bin'), folder, python: shown }
  if (existsSync(join(folder, '.ok'))) {
    await say(`The environment of ${wanted.file} is there already (${key.slice(0, 12)}).`)
    return ready
  }
  await mkdir(dirname(folder), { recursive: true })
  await say(`Building the environment of ${wanted.file} (${key.slice(0, 12)}).`)
  const install = wanted.kind === 'pip' ? `install -r ${quote(wanted.file)}` : 'install .'
  const script = [
    'set -e',
    `cd ${quote(work)}`,
    // Somebody else may have built it while we waited for the lock.
    `[ -e ${quote(join(folder, '.ok'))} ] && exit 0`,
    `rm -rf ${quote(folder)}`,
    `${quote(python)} -m venv ${wanted.inheritSite ? '--system-site-packages ' : ''}${quote(folder)}`,
    `${quote(join(folder, 'bin/python'))} -m pip --disable-pip-version-check --no-input ${install}`,
    `touch ${quote(join(folder, '.ok'))}`,
  ].join('\n')
  const { code } = await run(
    ['flock', `${folder}.lock`, 'sh', '-c', `{ ${script}\n} >> ${quote(log)} 2>&1`],
    work,
  )
  if (code !== 0 || !existsSync(join(folder, '.ok'))) {
    await rm(folder, { recursive: true, force: true })
    throw new CannotPrepare(await whyNot(log, wanted.file))
  }
  await writeFile(join(folder, '.used'), new Date().toISOString())
  return ready
}

/** The interpreter below any virtual environment, and the folder of the one that is used without any. */
async function findPython(): Promise<{ executable: string; prefix: string } | null> {
  const { code, output } = await run(
    [
      'python3',
      '-c',
      'import sys; print(getattr(sys, "_base_executable", sys.executable)); print(sys.prefix)',
    ],
    '/',
  ).catch(() => ({ code: 1, output: '' }))
  const [executable = '', prefix = ''] = output.split('\n')
  return code === 0 && existsSync(executable) && existsSync(prefix) ? { executable, prefix } : null
}

/** The text with that of every file it names by `-r` or `-c`: a change in any of them is a change. */
async function withNested(work: string, first: string): Promise<string> {
  const texts: string[] = []
  const open = [first]
  const seen = new Set<string>()
  while (open.length > 0 && seen.size < nestedMax) {
    const name = normalize(open.shift()!)
    if (seen.has(name) || name.startsWith('..')) continue
    seen.add(name)
    const text = await readFile(join(work, name), 'utf8').catch(() => '')
    texts.push(text)
    for (const [, nested] of text.matchAll(/^\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)/gm))
      open.push(join(dirname(name), nested!))
  }
  return texts.join('\n--\n')
}

/** The installer's own last error, which is what one has to act on. */
async function whyNot(log: string, file: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').map((line) => line.trim())
  const errors = lines.filter((line) => /^(?:ERROR|error|Error)\b/.test(line))
  const said = errors.slice(-2).join(' ') || lines.filter(Boolean).at(-1) || 'the installer said nothing'
  return `The environment of ${file} could not be built: ${said.slice(0, 1000)} The whole log is in the build log.`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
