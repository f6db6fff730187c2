/** What a program may see of the node. Pure: a command line for bubblewrap, or the plain one. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { attemptFiles } from './attempt-dir.ts'

export type Sandbox = {
  /** Of the attempt. */
  folder: string
  isolation: 'bwrap' | 'none'
  /** Never to be seen, even if it lies in what is shown: the server's data. */
  hidden: string[]
  /** Beyond the system: the environment, the interpreter it is made of. */
  readable: string[]
  datastores: { tree: string; mountPath: string }[]
}

/** Nothing of people's homes and nothing that changes: what programs and libraries are made of. */
const system = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc', '/opt', '/run/systemd/resolve']
/** A process of root is still root inside. */
const secret = ['/etc/shadow', '/etc/gshadow', '/etc/sudoers', '/etc/ssh']

/** @param cwd relative to the code. @returns the whole command line. */
export function sandboxed(sandbox: Sandbox, cwd: string, argv: string[]): string[] {
  const { folder, isolation, hidden, readable, datastores } = sandbox
  if (isolation === 'none')
    return ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', join(folder, attemptFiles.work, cwd), ...argv]
  const shown = new Set(
    [...system, ...readable.map((path) => wholeOf(path))].filter((path) => existsSync(path)),
  )
  const bind = (how: '--ro-bind' | '--bind', path: string, at = path) => [how, path, at]
  const flags: string[][] = [
    // A stop reaches the whole group. Bubblewrap itself must not heed it: with it the program would go, without a word.
    ['env', '--ignore-signal=TERM', '--ignore-signal=INT', 'bwrap'],
    ...[...shown].map((path) => bind('--ro-bind', path)),
    ...hidden.filter((path) => isBelow(path, [...shown])).map((path) => ['--tmpfs', path]),
    ...readable.filter((path) => isBelow(path, hidden)).map((path) => bind('--ro-bind', path)),
    ...secret
      .filter((path) => existsSync(path))
      .map((path) => (path === '/etc/ssh' ? ['--tmpfs', path] : bind('--ro-bind', '/dev/null', path))),
    ['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'],
    gpus(),
    bind('--bind', join(folder, attemptFiles.work), '/grid/project'),
    bind('--bind', join(folder, 'home'), '/grid/home'),
    ...datastores.map(({ tree, mountPath }) => bind('--ro-bind', tree, mountPath)),
    ['--chdir', join('/grid/project', cwd), '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
    ['--cap-drop', 'ALL', '--die-with-parent'],
    ['env', '--default-signal=TERM', '--default-signal=INT'],
  ]
  return [...flags.flat(), ...argv]
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`))
}

function gpus(): string[] {
  const devices = [
    'nvidiactl',
    'nvidia-uvm',
    'nvidia-uvm-tools',
    'nvidia-modeset',
    ...Array.from({ length: 16 }, (_, index) => `nvidia${index}`),
  ]
  return devices
    .map((name) => `/dev/${name}`)
    .filter((path) => existsSync(path))
    .flatMap((path) => ['--dev-bind', path, path])
}

/** An interpreter comes with the folder that its libraries are in. */
function wholeOf(path: string): string {
  const real = realpathSync(path)
  return real.endsWith('/bin/python3') || /\/bin\/python[\d.]*$/.test(real) ? dirname(dirname(real)) : path
}
