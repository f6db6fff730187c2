/** A real mail server on loopback that keeps what it is given. */
import { SMTPServer } from 'smtp-server'

export type ReceivedMail = {
  /** Of the envelope. */
  to: string[]
  from: string
  headers: string
  subject: string
  text: string
  html: string
}

export type MailServer = Awaited<ReturnType<typeof startMailServer>>

/** @param login demands this user and password; without it, anybody may send. */
export async function startMailServer(
  options: { login?: { user: string; password: string }; port?: number } = {},
) {
  const mails: ReceivedMail[] = []
  const waiting: (() => void)[] = []
  /** Answer of the server to the recipient, by address. */
  const refusals = new Map<string, { code: number; says: string }>()
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', ...(options.login ? [] : (['AUTH'] as const))],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    onAuth({ username, password }, _session, done) {
      const isRight = username === options.login?.user && password === options.login?.password
      done(isRight ? null : new Error('Invalid login'), { user: username })
    },
    onRcptTo({ address }, _session, done) {
      const refusal = refusals.get(address)
      done(refusal && Object.assign(new Error(refusal.says), { responseCode: refusal.code }))
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const from = session.envelope.mailFrom
        mails.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          from: from ? from.address : '',
          ...parsed(Buffer.concat(chunks).toString('latin1')),
        })
        done()
        for (const wake of waiting.splice(0)) wake()
      })
    },
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.server.address() as { port: number }
  const login = options.login ? `${options.login.user}:${encodeURIComponent(options.login.password)}@` : ''

  return {
    port,
    mails,
    refusals,
    settings: { url: `smtp://${login}127.0.0.1:${port}`, from: 'Teamgrid <grid@example.org>' },
    /** @returns the first mail to this address, once it is there. */
    async mailTo(address: string): Promise<ReceivedMail> {
      for (;;) {
        const found = mails.find(({ to }) => to.includes(address))
        if (found) return found
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    stop: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

function parsed(raw: string): Pick<ReceivedMail, 'headers' | 'subject' | 'text' | 'html'> {
  const [headers = '', ...rest] = raw.split('\r\n\r\n')
  const unfolded = headers.replace(/\r\n[ \t]+/g, ' ')
  const boundary = /boundary="([^"]+)"/.exec(unfolded)?.[1]
  const parts = boundary ? rest.join('\r\n\r\n').split(`--${boundary}`) : [raw]
  const partOf = (type: string) => {
    const part = parts.find((each) => each.includes(`Content-Type: ${type}`)) ?? ''
    const [head = '', ...body] = part.split('\r\n\r\n')
    return decoded(head, body.join('\r\n\r\n'))
  }
  return {
    headers,
    subject: decodedWords(/^Subject: (.*)$/m.exec(unfolded)?.[1] ?? ''),
    text: partOf('text/plain'),
    html: partOf('text/html'),
  }
}

function decoded(head: string, body: string): string {
  if (/base64/i.test(head)) return Buffer.from(body, 'base64').toString()
  const bytes = /quoted-printable/i.test(head)
    ? body
        .replace(/=\r\n/g, '')
        .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    : body
  return Buffer.from(bytes, 'latin1').toString()
}

/** Source: RFC 2047. */
function decodedWords(text: string): string {
  return text
    .replace(/\?= =\?/g, '?==?')
    .replace(/=\?UTF-8\?([QB])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(word, 'base64').toString()
        : decoded('quoted-printable', word.replaceAll('_', ' ')),
    )
    .trim()
}
