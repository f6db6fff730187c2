import type { Mailer } from '../mail/mailer.ts'

/** As far as this slice needs a mailer. */
export type Mail = Pick<Mailer, 'isOn' | 'enqueue' | 'wake'>

/** Without a mail server links are shown to be copied. */
export const noMail: Mail = { isOn: false, enqueue: async () => false, wake: () => {} }
