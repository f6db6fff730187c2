import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, normalizeUrl } from './connection.ts'
import { readSettings, writeSettings } from './settings.ts'
import { memoryIo } from './test-io.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'grid-settings-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('the settings file', () => {
  test('is readable by its owner alone, and so is its folder', async () => {
    const io = memoryIo({ home })
    await writeSettings(io, { url: 'http://x', key: 'secret' })
    expect((await stat(join(home, '.grid'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(home, '.grid', 'settings.json'))).mode & 0o777).toBe(0o600)
    expect(await readSettings(io)).toEqual({ url: 'http://x', key: 'secret' })
  })

  test('stays private when an older, open file was there', async () => {
    const io = memoryIo({ home, env: { GRID_CONFIG_DIR: home } })
    await writeFile(join(home, 'settings.json'), '{"debug":true}', { mode: 0o644 })
    await writeSettings(io, { ...(await readSettings(io)), key: 'k' })
    expect((await stat(join(home, 'settings.json'))).mode & 0o777).toBe(0o600)
    expect(await readSettings(io)).toEqual({ debug: true, key: 'k' })
  })

  test('that is no JSON is named, not overwritten', async () => {
    const io = memoryIo({ home, env: { GRID_CONFIG_DIR: home } })
    await writeFile(join(home, 'settings.json'), 'oops')
    await expect(readSettings(io)).rejects.toThrow('is not a JSON object')
  })
})

describe('a key goes only to the server it was made for', () => {
  const at = (env: Record<string, string>) => memoryIo({ home, env: { GRID_CONFIG_DIR: home, ...env } })

  test('without login there is no key', async () => {
    expect(await refusal(connect(at({})))).toMatchObject({ code: 'unauthenticated' })
  })

  test('the stored key works for the stored address, with or without a slash', async () => {
    await writeSettings(at({}), { url: 'http://one:8080', key: 'k' })
    expect((await connect(at({}))).url).toBe('http://one:8080')
    expect((await connect(at({ GRID_URL: 'http://one:8080/' }))).url).toBe('http://one:8080')
  })

  test('the stored key is not sent to another address', async () => {
    await writeSettings(at({}), { url: 'http://one:8080', key: 'k' })
    expect(await refusal(connect(at({ GRID_URL: 'http://two:8080' })))).toMatchObject({
      code: 'unauthenticated',
      message: 'You are not logged in to http://two:8080',
    })
  })

  test('wandb’s key is used with wandb’s address alone', async () => {
    const wandb = { WANDB_BASE_URL: 'http://two:8080', WANDB_API_KEY: 'w' }
    expect((await connect(at(wandb))).url).toBe('http://two:8080')
    expect(await refusal(connect(at({ WANDB_API_KEY: 'w' })))).toMatchObject({ code: 'unauthenticated' })
    expect(await refusal(connect(at({ ...wandb, GRID_URL: 'http://one' })))).toMatchObject({
      code: 'unauthenticated',
    })
  })

  test('GRID_API_KEY needs no login', async () => {
    expect((await connect(at({ GRID_API_KEY: 'k', GRID_URL: 'http://one' }))).url).toBe('http://one')
  })
})

test.each([
  ['localhost:8080', 'http://localhost:8080'],
  ['grid.example.com', 'https://grid.example.com'],
  ['HTTP://Grid.example.com/', 'http://grid.example.com'],
  ['https://example.com/grid/', 'https://example.com/grid'],
])('the address %s is %s', (text, url) => {
  expect(normalizeUrl(text)).toBe(url)
})

test.each(['', 'ftp://x', 'http://', 'a b'])('the address %j is refused', (text) => {
  expect(() => normalizeUrl(text)).toThrow('address')
})
