/** `wandb verify`: the client's own check of a server, unmodified, passes without a complaint, over https. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { part } from '../support/parts.ts'
import { freePort, runOk } from '../support/programs.ts'
import { venv } from '../support/python.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { startTlsProxy, type TlsProxy } from '../support/tls.ts'
import { people, startWandb } from './client.ts'

const python = await part('wandb-latest', () => venv('wandb-latest'))
const openssl = await part('openssl', () => runOk('openssl', ['version']))

describe.skipIf(!python || !openssl)('wandb verify', () => {
  let server: TestServer
  let proxy: TlsProxy
  let url: string
  beforeAll(async () => {
    const port = await freePort()
    url = `https://localhost:${port}`
    proxy = await startTlsProxy(port)
    server = await startServer({ env: { TEAMGRID_URL: url } })
    proxy.forward(server.url)
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
    await proxy?.stop()
  })

  test('passes every check', { timeout: 300_000 }, async () => {
    const { key } = await people(server).person()
    const { authorityFile } = proxy
    const env = { SSL_CERT_FILE: authorityFile, REQUESTS_CA_BUNDLE: authorityFile }
    const { ended } = await startWandb({ python: python!, url, key, env }, ['verify', '--host', url])
    const { code, output } = await ended
    expect(output.match(/^Checking .*(?:✅|❌)/gm)?.map((line) => line.replace(/\.{2,}/, ' '))).toEqual([
      'Checking if logged in ✅',
      'Checking signed URL upload ✅',
      'Checking ability to send large payloads through proxy ✅',
      'Checking requests to base url ✅',
      'Checking requests made over signed URLs ✅',
      'Checking CORs configuration of the bucket ✅',
      'Checking wandb package version is up to date ✅',
      'Checking logged metrics, saving and downloading a file ✅',
      'Checking artifact save and download workflows ✅',
      'Checking sweep creation and agent execution ✅',
    ])
    // The sweep's function may fail and the check still pass.
    expect(output).not.toContain('Traceback')
    expect(code, output).toBe(0)
  })
})
