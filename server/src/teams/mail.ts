import type { Kysely } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'

/** What a letter says; text and html are made of it. */
export type Message = {
  subject: string
  paragraphs: string[]
  facts?: [term: string, value: string][]
  button?: { label: string; url: string }
  footer?: string[]
}

/** As far as this slice needs a mailer. */
export type Mail = {
  /** False without a mail server: then links are shown to be copied. */
  isOn: boolean
  enqueue(trx: Kysely<Database>, to: string, message: Message): Promise<boolean>
  /** After the commit: send soon. */
  wake(): void
}

export const noMail: Mail = { isOn: false, enqueue: async () => false, wake: () => {} }
