/** With a real mail server on loopback and a real Postgres. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMailServer, type MailServer } from '../../../tests/support/smtp.ts'
import { newToken } from '../lib/secrets.ts'
import { createSealed } from '../lib/sealed.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { testDatabase, type TestDatabase } from '../stores/postgres/testing.ts'
import { createMailer, type MailSettings } from './mailer.ts'

const sealed = createSealed(newToken())
const message = {
  subject: 'Anna invites you to vision – jetzt',
  paragraphs: ['Come in.'],
  button: { label: 'Join', url: 'https://grid.example.org/invite/s3cret-token' },
}

let database: TestDatabase<Database>
let server: MailServer
let now = new Date('2030-01-01T00:00:00Z')
const pass = (seconds: number) => (now = new Date(now.getTime() + seconds * 1000))
const logged: string[] = []

beforeAll(async () => {
  database = await testDatabase<Database>()
  server = await startMailServer({ login: { user: 'grid', password: 'p@ss' } })
})
afterAll(async () => {
  await server.stop()
  await database.close()
})

function mailer(settings: MailSettings | null = server.settings) {
  const log = (text: string) => void logged.push(text)
  return createMailer({ db: database.db, sealed, settings, clock: { now: () => now }, log })
}
const mailTo = (recipient: string) =>
  database.db.selectFrom('mails').selectAll().where('recipient', '=', recipient).executeTakeFirstOrThrow()

test.each(['', 'nobody', 'a@b\r\nBcc: eve@example.org', 'a@example.org, eve@example.org', '<a@example.org>'])(
  '"%s" is no address',
  async (to) => {
    await expect(mailer().enqueue(database.db, to, message)).rejects.toMatchObject({ code: 'invalid' })
  },
)

test('without a server nothing is written, and the caller is told', async () => {
  const off = mailer(null)
  expect(off.isOn).toBe(false)
  expect(await off.enqueue(database.db, 'ada@example.org', message)).toBe(false)
  expect(await off.step()).toBe(0)
  expect(await database.db.selectFrom('mails').select('id').execute()).toEqual([])
})

test('what is rolled back is never sent', async () => {
  const post = mailer()
  await database.db
    .transaction()
    .execute(async (trx) => {
      await post.enqueue(trx, 'rolled@example.org', message)
      throw new Error('changed my mind')
    })
    .catch(() => {})
  expect(await post.step()).toBe(0)
  await post.close()
})

test('it arrives as text and html, and its links are not left lying around', async () => {
  const post = mailer()
  await post.enqueue(database.db, 'ada@example.org', message)
  expect((await mailTo('ada@example.org')).content).not.toContain('s3cret')
  expect(await post.step()).toBe(1)
  expect(await post.step()).toBe(0)
  const mail = await server.mailTo('ada@example.org')
  expect(mail).toMatchObject({ to: ['ada@example.org'], from: 'grid@example.org', subject: message.subject })
  expect(mail.text).toContain('Join: https://grid.example.org/invite/s3cret-token')
  expect(mail.html).toContain('href="https://grid.example.org/invite/s3cret-token"')
  expect(mail.headers).toContain('Auto-Submitted: auto-generated')
  expect(await mailTo('ada@example.org')).toMatchObject({
    content: null,
    sent_at: now,
    tries: 1,
    error: null,
  })
  await post.close()
})

test('a server that is away is asked again later, also after a restart', async () => {
  const { port } = server
  await server.stop()
  const first = mailer()
  await first.enqueue(database.db, 'late@example.org', message)
  expect(await first.step()).toBe(0)
  await first.close()
  expect(await mailTo('late@example.org')).toMatchObject({ tries: 1, sent_at: null, failed_at: null })

  server = await startMailServer({ login: { user: 'grid', password: 'p@ss' }, port })
  const second = mailer()
  expect(await second.step()).toBe(0)
  pass(31)
  expect(await second.step()).toBe(1)
  expect((await server.mailTo('late@example.org')).subject).toBe(message.subject)
  await second.close()
})

test('an address that the server refuses for good is given up, a full mailbox is not', async () => {
  server.refusals.set('gone@example.org', { code: 550, says: 'No such user' })
  server.refusals.set('full@example.org', { code: 452, says: 'Mailbox full' })
  const post = mailer()
  await post.enqueue(database.db, 'gone@example.org', message)
  await post.enqueue(database.db, 'full@example.org', message)
  expect(await post.step()).toBe(0)
  const rows = await database.db
    .selectFrom('mails')
    .selectAll()
    .where('recipient', 'in', ['gone@example.org', 'full@example.org'])
    .orderBy('recipient')
    .execute()
  expect(rows).toMatchObject([
    { recipient: 'full@example.org', failed_at: null, error: expect.stringContaining('Mailbox full') },
    {
      recipient: 'gone@example.org',
      failed_at: now,
      content: null,
      error: expect.stringContaining('No such'),
    },
  ])
  await post.close()
})

test('two servers on one database send each mail once', async () => {
  const posts = [mailer(), mailer()]
  for (let number = 0; number < 8; number++)
    await posts[0]!.enqueue(database.db, `once-${number}@example.org`, message)
  const sent = await Promise.all(posts.map((post) => post.step()))
  expect(sent[0]! + sent[1]!).toBe(8)
  expect(server.mails.filter(({ to }) => to[0]!.startsWith('once-'))).toHaveLength(8)
  await Promise.all(posts.map((post) => post.close()))
})
