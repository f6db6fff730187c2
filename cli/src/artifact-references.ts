import { GridError } from '@teamgrid/api'

/** A version of an artifact; `*` means every version, an empty collection all of a project. */
export type ArtifactReference = { team?: string; project: string; collection: string; version: string }

/**
 * Takes `[team/]project/name:version` apart, as the wandb client and the web app print it; `project/` is all of a
 * project. What has no colon after its last slash is no artifact, but an experiment.
 *
 * @returns undefined for what names something else.
 * @throws GridError invalid for too many parts.
 */
export function parseArtifactReference(text: string): ArtifactReference | undefined {
  const parts = text.trim().split('/')
  const last = parts.pop()!
  const colon = last.lastIndexOf(':')
  const isProject = last === '' && parts.length > 0
  if (parts.length === 0 || parts.some((part) => part === '') || (colon < 1 && !isProject)) return undefined
  if (parts.length > 2) {
    throw new GridError('invalid', `"${text}" has too many parts`, {
      hint: 'Write team/project/name:version, or project/name:version for your default team.',
    })
  }
  const project = parts.pop()!
  const [team] = parts
  const rest = isProject
    ? { collection: '', version: '*' }
    : { collection: last.slice(0, colon), version: last.slice(colon + 1) || 'latest' }
  return { ...(team === undefined ? {} : { team }), project, ...rest }
}
