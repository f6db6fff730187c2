import type { Io } from './io.ts'

export type MemoryIo = Io & { out: () => string; err: () => string }

/** An `Io` for tests: what is written is kept, the clock stands, and nobody is at the terminal. */
export function memoryIo(
  given: Partial<Omit<Io, 'stdin'>> & {
    tty?: boolean
    columns?: number
    input?: string
    answers?: string[]
  } = {},
): MemoryIo {
  const { tty = false, columns = 100, input = '', answers = [], ...rest } = given
  const written = { out: '', err: '' }
  const io: Io = {
    env: {},
    home: '/nowhere',
    cwd: '/nowhere',
    stdout: { isTTY: tty, columns, write: (text) => void (written.out += text) },
    stderr: { isTTY: tty, columns, write: (text) => void (written.err += text) },
    stdin: {
      isTTY: tty,
      readAll: async () => input,
      ask: async (question) => {
        written.err += question
        return answers.shift() ?? ''
      },
    },
    now: () => new Date('2026-11-22T07:05:00Z'),
    fetch: (request, init) => fetch(request, init),
    pause: async () => {},
    interrupted: new AbortController().signal,
    ...rest,
  }
  return { ...io, out: () => written.out, err: () => written.err }
}
