/**
 * What the client's own system tests ask their test server for: users, teams and organisations on demand, over a small
 * JSON service beside the server. Ours makes them through REST, as an operator does.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient, GridError } from '@teamgrid/api'

type Command = {
  command: string
  username?: string | null
  admin?: boolean
  orgName?: string
  fixtureData?: {
    team?: { name: string }
    members?: { username: string; role: 'admin' | 'member' | 'viewer' }[]
  } | null
}

export async function startFixtureService(server: {
  url: string
  operatorToken: string
}): Promise<{ port: number; stop: () => Promise<void> }> {
  const operator = createClient({
    url: server.url,
    headers: () => ({ authorization: `Bearer ${server.operatorToken}` }),
  })

  const acts: Record<string, (command: Command) => Promise<unknown>> = {
    /** The key of a test's user is their name. */
    'user up': ({ username, admin = false }) =>
      operator.users.create({
        username: username!,
        email: `${username!.slice(-50)}@example.org`,
        apiKey: username!,
        admin,
      }),
    'organization up': ({ orgName }) => operator.instance.change({ organisation: orgName! }),
    'team up': ({ username, fixtureData }) =>
      operator.teams.create({ slug: fixtureData!.team!.name, admin: username! }),
  }

  async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
    if (request.url === '/health') return { status: 200, body: 'ok' }
    const kind = /^\/db\/(\w+)$/.exec(request.url ?? '')?.[1]
    if (request.method !== 'POST' || kind === undefined) return { status: 404, body: 'No such fixture' }
    const command = JSON.parse(await textOf(request)) as Command
    // There is one organisation, and what a test leaves behind goes with the server.
    await acts[`${kind} ${command.command}`]?.(command)
    return { status: 200, body: '{}' }
  }

  const service: Server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => response.writeHead(status).end(body),
      (error: unknown) =>
        response
          .writeHead(error instanceof GridError ? 400 : 500)
          .end(String(error instanceof Error ? error.message : error)),
    )
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  return {
    port: (service.address() as AddressInfo).port,
    stop: () => new Promise((resolve) => service.close(() => resolve())),
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
