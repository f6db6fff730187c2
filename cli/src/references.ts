import { GridError, refusePlaceholder } from '@teamgrid/api'

/**
 * The one grammar by which people name each other's things, `[owner:]target`. The server resolves what a reference
 * means; here it is only taken apart, and the mistakes that can be seen without asking are explained.
 */
export type Reference = {
  /** A username, e-mail or team; `me` is the caller. Null: mine first, then my default team's. */
  owner: string | null
  target: string
}

/**
 * Takes `[owner:]run-or-experiment` apart; also `team/project/experiment` as web addresses have it.
 *
 * @throws GridError invalid, with a hint, for literal placeholders (`[name]`, `<username>`) and empty parts.
 */
export function parseReference(text: string): Reference {
  const trimmed = text.trim()
  if (trimmed === '') throw new GridError('invalid', 'A name is missing')
  // Experiment names are free text and may hold colons; a web path has its owner in front of the first slash.
  const colon = trimmed.indexOf(':')
  const slash = trimmed.indexOf('/')
  const hasOwner = colon >= 0 && (slash < 0 || colon < slash) && !/^\s/.test(trimmed.slice(colon + 1))
  const owner = hasOwner ? trimmed.slice(0, colon) : null
  const target = hasOwner ? trimmed.slice(colon + 1) : trimmed
  refusePlaceholder(text, [owner, ...target.split('/')])
  if (owner === '') {
    throw new GridError('invalid', `"${text}" has nothing before the colon`, {
      hint: 'Write username:name, or leave the colon away for your own.',
    })
  }
  if (target === '') throw new GridError('invalid', `"${text}" names nothing after the colon`)
  return { owner, target }
}
