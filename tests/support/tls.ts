/** A TLS proxy on loopback, with a certificate by an authority made for the occasion: what a server looks like over https. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runOk } from './programs.ts'

export type TlsProxy = {
  /** Hands everything on from now on. */
  forward: (target: string) => void
  /** A file with the certificate of the authority, for `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE`. */
  authorityFile: string
  stop: () => Promise<void>
}

/** @throws where there is no openssl. */
export async function startTlsProxy(port: number): Promise<TlsProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-tls-'))
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => runOk('openssl', args)
  const newKey = ['-newkey', 'rsa:2048', '-nodes']
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
  )
  await openssl(
    'req',
    ...newKey,
    '-keyout',
    file('host.key'),
    '-out',
    file('host.csr'),
    '-subj',
    '/CN=localhost',
  )
  await writeFile(file('host.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n')
  await openssl(
    'x509',
    '-req',
    '-in',
    file('host.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('host.ext'),
    '-out',
    file('host.pem'),
  )

  let to: URL | undefined
  const key = await readFile(file('host.key'))
  const cert = await readFile(file('host.pem'))
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    if (!to) return void outgoing.writeHead(503).end()
    const { hostname, port: targetPort } = to
    const onward = request(
      { hostname, port: targetPort, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    forward: (target) => (to = new URL(target)),
    authorityFile: file('ca.pem'),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
