import { GridError } from '@teamgrid/api'

/** @throws GridError invalid, for what is not `switch=value`. */
export function overridesOf(texts: readonly string[]): Record<string, boolean | string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([a-z_]+)=(.+)$/.exec(text) ?? []
      if (!name || !value) throw new GridError('invalid', `"${text}" is not switch=value`)
      if (/^(?:on|true|yes)$/i.test(value)) return [name, true]
      if (/^(?:off|false|no)$/i.test(value)) return [name, false]
      return [name, value]
    }),
  )
}

/** @throws GridError invalid. */
export function roleOf(text: string): 'admin' | 'member' | 'viewer' {
  const role = text.toLowerCase().replace(/^view[-_]?only$/, 'viewer')
  if (role === 'admin' || role === 'member' || role === 'viewer') return role
  throw new GridError('invalid', `"${text}" is not a role`, {
    hint: 'Say admin, member or viewer. Service accounts are made with: teamgrid admin service-account create',
  })
}
