/** Stands between the wandb client and the server and notes when the server has taken which step. */
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

export type Acknowledgement = { step: number; atMs: number }

/** @returns its address for `WANDB_BASE_URL`, and the newest step of each answered part of the history. */
export async function noteAcknowledgements(serverUrl: string) {
  const acknowledged: Acknowledgement[] = []
  const target = new URL(serverUrl)
  const proxy = createServer((incoming, outgoing) => {
    void (async () => {
      const body = await bytesOf(incoming)
      const forwarded = request(
        {
          host: target.hostname,
          port: target.port,
          path: incoming.url,
          method: incoming.method,
          headers: incoming.headers,
        },
        (answer) => {
          const step = incoming.url!.endsWith('/file_stream') ? newestStepOf(incoming, body) : undefined
          if (step !== undefined && answer.statusCode === 200) acknowledged.push({ step, atMs: Date.now() })
          outgoing.writeHead(answer.statusCode!, answer.headers)
          answer.pipe(outgoing)
        },
      )
      forwarded.once('error', () => outgoing.destroy())
      forwarded.end(body)
    })()
  })
  proxy.listen(0, '127.0.0.1')
  await new Promise((resolve) => proxy.once('listening', resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    acknowledged,
    stop: () => {
      proxy.closeAllConnections()
      return new Promise((resolve) => proxy.close(resolve))
    },
  }
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function newestStepOf(message: IncomingMessage, body: Buffer): number | undefined {
  const text = (message.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()
  const { files } = JSON.parse(text) as { files?: Record<string, { content: string[] }> }
  const line = files?.['wandb-history.jsonl']?.content.at(-1)
  return line === undefined ? undefined : (JSON.parse(line) as { _step: number })._step
}
