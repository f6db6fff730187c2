/** The code of a run: what git knows of the folder, or everything in it. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { type GitState, GridError, type RunSpec } from '@teamgrid/api'
import type { Io } from '../io.ts'
import { codeFiles } from './select.ts'
import { type Tarball, tarball, warnBytes } from './tarball.ts'

const run = promisify(execFile)
const patchMax = 1_000_000

export type Gathered = {
  archive: Tarball
  git: GitState | null
  /** Where in the archive the command was given. */
  folder: string
  warnings: string[]
}

/**
 * @param isLocal everything in the folder but what is ignored; else the files that git tracks, as they are now, with the
 *   commit they are based on and what was changed since.
 * @throws GridError invalid for a folder that is in no repository; too_large.
 */
export async function gather(io: Io, isLocal: boolean): Promise<Gathered> {
  const git = await gitState(io)
  if (isLocal) {
    const archive = await tarball(io.cwd, await codeFiles(io.cwd))
    return { archive, git: git?.state ?? null, folder: '', warnings: sizeWarnings(archive) }
  }
  if (!git)
    throw new GridError('invalid', 'This folder is in no git repository', {
      hint: 'Say --localdir to send the folder as it is, or run grid in a repository.',
    })
  const listed = await ask(io, git.root, ['ls-files', '-z', '--cached'])
  const paths = [...new Set(listed.split('\0').filter(Boolean))].sort()
  const archive = await tarball(git.root, paths)
  const warnings = sizeWarnings(archive)
  if (git.state.dirty)
    warnings.push(
      'There are changes that no commit holds: they are carried along, and kept with the run as a patch.',
    )
  if (git.untracked > 0)
    warnings.push(
      `${git.untracked} file${git.untracked === 1 ? '' : 's'} that git does not track stay${git.untracked === 1 ? 's' : ''} here: add them, or say --localdir.`,
    )
  const folder = relative(git.root, io.cwd).split(sep).join('/')
  return { archive, git: git.state, folder, warnings }
}

function sizeWarnings(archive: Tarball): string[] {
  if (archive.sizeBytes <= warnBytes) return []
  return [
    `The code is ${Math.round(archive.sizeBytes / 1024 / 1024)} MiB: leave data out with a .gridignore file, and bring it as a datastore.`,
  ]
}

async function gitState(io: Io): Promise<{ root: string; state: GitState; untracked: number } | undefined> {
  const root = await ask(io, io.cwd, ['rev-parse', '--show-toplevel']).catch(() => undefined)
  if (root === undefined) return undefined
  const or = (args: string[]) => ask(io, io.cwd, args).catch(() => '')
  const commit = (await or(['rev-parse', 'HEAD'])).trim() || null
  const patch = commit ? await or(['diff', '--binary', 'HEAD']) : ''
  const status = (await or(['status', '--porcelain', '--untracked-files=normal'])).split('\n').filter(Boolean)
  const remote = (await or(['remote', 'get-url', 'origin'])).trim()
  return {
    root: root.trim(),
    untracked: status.filter((line) => line.startsWith('??')).length,
    state: {
      remote: remote ? withoutPassword(remote) : null,
      commit,
      branch: (await or(['rev-parse', '--abbrev-ref', 'HEAD'])).trim() || null,
      dirty: status.some((line) => !line.startsWith('??')),
      patch: patch === '' ? null : patch.slice(0, patchMax),
    },
  }
}

function withoutPassword(remote: string): string {
  if (!URL.canParse(remote)) return remote
  const url = new URL(remote)
  url.username = ''
  url.password = ''
  return url.href
}

async function ask(io: Io, cwd: string, args: string[]): Promise<string> {
  const safe = ['core.fsmonitor=false', 'core.hooksPath=/dev/null'].flatMap((setting) => ['-c', setting])
  const { stdout } = await run('git', [...safe, ...args], {
    cwd,
    env: { ...io.env, GIT_TERMINAL_PROMPT: '0' },
    maxBuffer: 256 * 1024 * 1024,
    signal: io.interrupted,
  })
  return stdout
}

/** What the code says it needs: the file that was named, else the first that is there. */
export async function findDependencies(
  io: Io,
  folder: string,
  named: string | undefined,
): Promise<RunSpec['dependencies']> {
  const file = named ?? (await detected(io))
  if (file === undefined) return null
  if (!existsSync(join(io.cwd, file))) throw new GridError('invalid', `There is no file ${file}`)
  const inheritSite = false
  const path = folder === '' ? file : `${folder}/${file}`
  if (/\.ya?ml$/.test(file)) return { kind: 'conda', file: path, inheritSite }
  return { kind: file.endsWith('.toml') ? 'pyproject' : 'pip', file: path, inheritSite }
}

async function detected(io: Io): Promise<string | undefined> {
  for (const name of ['requirements.txt', 'environment.yml', 'environment.yaml'])
    if (existsSync(join(io.cwd, name))) return name
  const project = await readFile(join(io.cwd, 'pyproject.toml'), 'utf8').catch(() => '')
  // Many hold nothing but settings of tools, and cannot be installed.
  return /^\[(?:project|build-system)\]/m.test(project) ? 'pyproject.toml' : undefined
}
