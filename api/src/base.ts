import { oc } from '@orpc/contract'
import { z } from 'zod'
import { errorCodes } from './errors.ts'

/** Every endpoint may end with any code of the table; `data` carries what `GridError.details` carries. */
const details = z.object({
  hint: z.string().optional(),
  policy: z.string().optional(),
  owner: z.string().optional(),
  admins: z.array(z.string()).optional(),
  retryAfterSeconds: z.number().optional(),
})

const errors = Object.fromEntries(
  Object.entries(errorCodes).map(([code, { status, says }]) => [
    code,
    { status, message: says, data: details },
  ]),
) as { [Code in keyof typeof errorCodes]: { status: number; message: string; data: typeof details } }

/** Start of every endpoint: `endpoint.route({ method, path, summary }).input(…).output(…)`. */
export const endpoint = oc.errors(errors)

export const Id = z.uuid()
/** An instant as RFC 3339 text in UTC. */
export const Instant = z.iso.datetime()

/** Short names that go into urls: teams and usernames share one name space. */
export const slugPattern = /^[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?$/i
export const Slug = z
  .string()
  .regex(
    slugPattern,
    'Use 1 to 64 letters, digits, "-", "_" or ".", starting and ending with a letter or digit',
  )

/** A page of a list: hand `nextCursor` back as `cursor` for the next one; null at the end. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

export const PageInput = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().optional(),
})

export const Ok = z.object({ ok: z.literal(true) })
