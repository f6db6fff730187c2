import { GridError } from './errors.ts'

export type DatastoreReference = { owner: string | null; name: string; version: number | null }

/**
 * Every form in which a datastore was ever named: `[owner:]name[:version]`, `[owner:]/datastores/name[/version]`, and
 * `grid:name:version` of script arguments. No version means the newest that succeeded.
 *
 * @throws GridError invalid, with a hint.
 */
export function parseDatastoreReference(text: string): DatastoreReference {
  const trimmed = text.trim()
  const path = /^(?:([^:/]+):)?\/datastores\/([^/:]+)(?:\/([^/]+))?\/?$/.exec(trimmed)
  if (path) return datastore(text, path[1], path[2], path[3])
  const parts = trimmed.split(':')
  refusePlaceholder(text, parts)
  if (parts[0] === 'grid' && parts.length === 3) return datastore(text, undefined, parts[1], parts[2])
  if (parts.length === 3) return datastore(text, parts[0], parts[1], parts[2])
  if (parts.length === 2) {
    // `cats:2` is a version, `bob:cats` an owner: datastore names are never all digits after a colon.
    return /^\d+$/.test(parts[1]!)
      ? datastore(text, undefined, parts[0], parts[1])
      : datastore(text, parts[0], parts[1], undefined)
  }
  if (parts.length === 1) return datastore(text, undefined, parts[0], undefined)
  throw notADatastore(text)
}

function datastore(
  text: string,
  owner: string | undefined,
  name: string | undefined,
  version: string | undefined,
): DatastoreReference {
  refusePlaceholder(text, [owner ?? null, name ?? null, version ?? null])
  if (owner === '' || !name || /[/\s]/.test(name)) throw notADatastore(text)
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version)) {
    throw new GridError('invalid', `"${version}" in "${text}" is not a version`, {
      hint: 'Versions are 1, 2, 3 …; leave it away for the newest.',
    })
  }
  return { owner: owner ?? null, name, version: version === undefined ? null : Number(version) }
}

function notADatastore(text: string): GridError {
  return new GridError('invalid', `"${text}" does not name a datastore`, {
    hint: 'Write name, name:2, bob:name, bob:name:2 or bob:/datastores/name/2.',
  })
}

/** @throws GridError invalid, for `[name]` and `<name>` copied from a documentation page. */
export function refusePlaceholder(text: string, parts: readonly (string | null)[]): void {
  const placeholder = parts.find((part) => part !== null && /^(?:\[.*\]|<.*>)$/.test(part))
  if (placeholder === undefined) return
  throw new GridError('invalid', `"${text}" still holds the placeholder ${placeholder}`, {
    hint: 'Brackets in the documentation mark what you fill in: write bob:brave-lynx-101, without brackets.',
  })
}
