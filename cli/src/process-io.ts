import { homedir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Input, Io, Output } from './io.ts'

/** The real process as an `Io`. The first Ctrl-C ends work in progress cleanly, a second one ends the process. */
export function processIo(): Io {
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort(new Interrupted()))
  process.once('SIGTERM', () => interrupt.abort(new Interrupted()))
  for (const stream of [process.stdout, process.stderr]) {
    // `grid logs x | head` closes the pipe early; that is not an error.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
  return {
    env: process.env,
    home: homedir(),
    cwd: process.cwd(),
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    stdin: processInput(interrupt.signal),
    now: () => new Date(),
    fetch: (request, init) => fetch(request, init),
    pause: async (milliseconds) => {
      await sleep(milliseconds, undefined, { signal: interrupt.signal })
    },
    interrupted: interrupt.signal,
  }
}

/** Why work was aborted: the person said so. */
export class Interrupted extends Error {
  override name = 'AbortError'
  constructor() {
    super('Interrupted')
  }
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    get isTTY() {
      return Boolean(stream.isTTY)
    },
    get columns() {
      // Some terminals report no width at all.
      return stream.columns || 80
    },
  }
}

function processInput(interrupted: AbortSignal): Input {
  return {
    isTTY: Boolean(process.stdin.isTTY),
    readAll: async () => {
      const parts: Buffer[] = []
      for await (const part of process.stdin) parts.push(part as Buffer)
      return Buffer.concat(parts).toString('utf8')
    },
    ask: (question, { secret = false } = {}) =>
      new Promise((resolve, reject) => {
        // The question goes to stderr, so that stdout stays clean for `-o json`. readline echoes what is typed through
        // its output; a secret gets an output that swallows it.
        process.stderr.write(question)
        const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
        const lines = createInterface({
          input: process.stdin,
          output: secret ? silent : process.stderr,
          terminal: Boolean(process.stdin.isTTY),
        })
        const stop = () => lines.close()
        let answered = false
        lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
        interrupted.addEventListener('abort', stop, { once: true })
        lines.once('line', (line) => {
          answered = true
          if (secret) process.stderr.write('\n')
          lines.close()
          resolve(line.trim())
        })
        lines.once('close', () => {
          interrupted.removeEventListener('abort', stop)
          if (!answered) reject(interrupted.aborted ? (interrupted.reason as Error) : new Interrupted())
        })
      }),
  }
}
