import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rootFolder, runOk } from '../support/programs.ts'
import { cleanEnv } from './people.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grid-package-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('the command installs alone, from one small package without dependencies, and runs', async () => {
  const env = cleanEnv({ npm_config_cache: join(folder, 'cache'), GRID_CONFIG_DIR: join(folder, '.grid') })
  const options = { env, cwd: folder }
  await runOk('npm', ['pack', '--silent', '--pack-destination', folder], {
    env,
    cwd: join(rootFolder, 'cli'),
  })
  const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await runOk('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${archive}`], options)
  expect(await readdir(join(folder, 'node_modules/@teamgrid'))).toEqual(['grid'])
  expect((await readdir(join(folder, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([
    '@teamgrid',
  ])
  expect(await readdir(join(folder, 'node_modules/@teamgrid/grid/dist'))).toContain(
    'third-party-licenses.txt',
  )

  const grid = join(folder, 'node_modules/.bin/grid')
  expect(await runOk(grid, ['--help'], options)).toContain('Usage: grid')
  expect(await runOk(grid, ['version', '-o', 'json'], options)).toMatch(/"version": "\d+\.\d+\.\d+"/)
})
