/** A web server on loopback that keeps what is posted to it: the other end of webhooks. */
import { createServer } from 'node:http'

export type Posted = { path: string; headers: Record<string, string>; body: string }

export async function startHooks() {
  const posts: Posted[] = []
  /** Status to answer by path; 200 for others. */
  const answers = new Map<string, { status: number; headers?: Record<string, string> }>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const path = request.url ?? ''
      posts.push({ path, headers: request.headers as Record<string, string>, body })
      const { status, headers } = answers.get(path) ?? { status: 200 }
      response.writeHead(status, headers).end('seen')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    posts,
    answers,
    to: (path: string) => posts.filter((post) => post.path === path),
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
