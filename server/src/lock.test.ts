import { spawn, execFileSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockDataDir, prepareDataDir } from './lock.ts'
import { listenSentence } from './start-errors.ts'

const isRoot = process.getuid?.() === 0
let folder: string
let children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-lock-'))
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  await rm(folder, { recursive: true, force: true })
})

/** Another process that holds the lock until it is killed. */
async function anotherServer(flock: string): Promise<ChildProcess> {
  const script = `
    import { lockDataDir } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)}
    const lock = await lockDataDir(process.argv[1], process.argv[2])
    await lock.announce('http://localhost:1234')
    console.log('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder, flock], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout!, 'data')
  return child
}

describe.each(['flock', 'no-such-flock'])('with the lock program %s', (flock) => {
  test('a second server is refused, and told who has the directory', async () => {
    const other = await anotherServer(flock)
    await expect(lockDataDir(folder, flock)).rejects.toMatchObject({
      code: 'conflict',
      message: `Another Teamgrid server (process ${other.pid}, http://localhost:1234) already uses the data directory ${folder}.`,
    })
  })

  test('the lock of a server killed with -9 is free at once', async () => {
    const other = await anotherServer(flock)
    other.kill('SIGKILL')
    await once(other, 'exit')
    const lock = await lockDataDir(folder, flock)
    await lock.release()
  })

  test('a text that names a running process which is not the server does not count', async () => {
    await writeFile(
      join(folder, 'server.lock'),
      JSON.stringify({ pid: process.ppid, startTicks: '1', address: null }),
    )
    const lock = await lockDataDir(folder, flock)
    expect(JSON.parse(await readFile(join(folder, 'server.lock'), 'utf8'))).toMatchObject({
      pid: process.pid,
    })
    await lock.release()
  })

  test('a released directory can be taken again', async () => {
    await (await lockDataDir(folder, flock)).release()
    await (await lockDataDir(folder, flock)).release()
  })

  test('a lock file with nonsense in it does not matter', async () => {
    await writeFile(join(folder, 'server.lock'), 'nonsense')
    await (await lockDataDir(folder, flock)).release()
  })
})

test.skipIf(isRoot)('a directory this user may not write is refused', async () => {
  // With something in it, as an empty directory of one's own is simply made writable.
  await mkdir(join(folder, 'something'))
  await chmod(folder, 0o500)
  await expect(prepareDataDir(folder)).rejects.toMatchObject({
    message: `The data directory ${folder} is not writable for this user.`,
  })
  await expect(prepareDataDir(join(folder, 'below'))).rejects.toMatchObject({ code: 'unavailable' })
  await chmod(folder, 0o700)
})

test.runIf(isRoot)('a directory an ordinary user may not write is refused', async () => {
  await chmod(folder, 0o755)
  const script = `
    const { prepareDataDir } = await import(${JSON.stringify(new URL('./lock.ts', import.meta.url).href)})
    process.setgid(65534); process.setuid(65534)
    await prepareDataDir(process.argv[1]).catch((error) => console.log(error.code + ': ' + error.message))`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, folder], {
    encoding: 'utf8',
  })
  expect(said).toBe(`unavailable: The data directory ${folder} is not writable for this user.\n`)
})

test('a file in place of the directory is refused', async () => {
  await writeFile(join(folder, 'file'), '')
  await expect(prepareDataDir(join(folder, 'file'))).rejects.toMatchObject({
    message: `The data directory ${folder}/file is not a directory.`,
  })
  await expect(prepareDataDir(join(folder, 'file/below'))).rejects.toMatchObject({
    message: expect.stringContaining('is not a directory'),
  })
})

test.runIf(isRoot && mounts())('a full disk is refused', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  try {
    await writeFile(join(folder, 'filler'), Buffer.alloc(40 * 1024))
    await expect(prepareDataDir(folder)).rejects.toMatchObject({
      code: 'storage_full',
      message: `The disk of the data directory ${folder} is full.`,
    })
  } finally {
    execFileSync('umount', [folder])
  }
})

test('a new data directory is closed to others, but lets the system user of Postgres through', async () => {
  const fresh = join(folder, 'a/b')
  await prepareDataDir(fresh)
  expect((await stat(fresh)).mode & 0o777).toBe(isRoot ? 0o711 : 0o700)
})

test('a directory that holds something keeps its mode', async () => {
  await mkdir(join(folder, 'something'))
  await chmod(folder, 0o755)
  await prepareDataDir(folder)
  expect((await stat(folder)).mode & 0o777).toBe(0o755)
})

test('a taken port, and an address this machine does not have, are named', async () => {
  const first = createServer().listen(0, '127.0.0.1')
  await once(first, 'listening')
  const { port } = first.address() as { port: number }
  const failure = async (host: string) =>
    (await once(createServer().listen(port, host), 'never').catch((error: unknown) => error)) as Error
  expect(listenSentence(await failure('127.0.0.1'), { host: '127.0.0.1', port })).toMatchObject({
    code: 'unavailable',
    message: `Port ${port} is taken by another program.`,
  })
  expect(listenSentence(await failure('192.0.2.1'), { host: '192.0.2.1', port })).toMatchObject({
    message: 'This machine has no address "192.0.2.1" to listen on.',
  })
  first.close()
})

function mounts(): boolean {
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
