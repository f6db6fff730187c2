import { type DeletePreview, GridError } from '@teamgrid/api'
import { parseArtifactReference } from '../artifact-references.ts'
import { confirm } from '../acting.ts'
import type { Context } from '../context.ts'
import { shown } from '../text.ts'
import { bytes } from '../time.ts'
import { placed } from './artifact-versions.ts'

/** Versions, or with `:*` whole collections. Everything is found, proven, counted and confirmed first. */
export async function deleteArtifacts(
  context: Context,
  refs: readonly string[],
  options: { yes?: boolean; dryRun?: boolean },
): Promise<void> {
  const { client } = await context.connection()
  const found: { ref: string; place: Place; preview: DeletePreview }[] = []
  for (const ref of refs) {
    const parsed = parseArtifactReference(ref)
    if (parsed === undefined || parsed.collection === '') {
      throw new GridError('invalid', `"${ref}" names no artifact`, {
        hint: 'Write [team/]project/name:version, or [team/]project/name:* for all versions.',
      })
    }
    const { team, project, collection, version } = await placed(context, parsed)
    const place = { team, project, collection, ...(version === '*' ? {} : { version }) }
    const preview = await client.artifacts.previewDelete({ ...place, aliases: true })
    if (preview.refusal !== null) throw new GridError('forbidden', preview.refusal)
    found.push({ ref, place, preview })
  }
  const text = found.map(({ ref, preview }) => `${shown(ref)}: ${previewText(preview)}\n`).join('')
  if (options.dryRun === true) context.say(text.trimEnd())
  else if (options.yes !== true) {
    await confirm(context, text, 'Delete it?', {
      not: 'Nothing was deleted',
      yesHint: 'Say --yes to delete without being asked.',
    })
  }
  for (const { ref, place } of options.dryRun === true ? [] : found) {
    const { version, ...collection } = place
    if (version === undefined) await client.artifacts.deleteCollection(collection)
    else await client.artifacts.delete({ ...collection, version, aliases: true })
    context.done(`Deleted ${shown(ref)}`)
  }
  if (context.json) {
    context.printJson(
      found.map(({ ref, preview }) => ({
        artifact: ref,
        ...previewJson(preview),
        deleted: options.dryRun !== true,
      })),
    )
  }
}

type Place = { team: string; project: string; collection: string; version?: string }

/** `2 versions, 3.0 MiB, of which 1.2 MiB are freed …` */
export function previewText({ versions, sizeBytes, freedBytes, aliases }: DeletePreview): string {
  const count = versions.length === 1 ? '1 version' : `${versions.length} versions`
  const freed =
    freedBytes === sizeBytes
      ? `${bytes(freedBytes)} are freed`
      : `${bytes(sizeBytes)}, of which ${bytes(freedBytes)} are freed; other versions keep the rest`
  const used = versions.reduce((sum, { usedBy }) => sum + usedBy, 0)
  const named = aliases.length > 0 ? `; aliases ${aliases.map(shown).join(', ')} go with it` : ''
  return `${count}, ${freed}${named}${used > 0 ? `; used ${used === 1 ? 'once' : `${used} times`}` : ''}.`
}

export function previewJson(preview: DeletePreview): Record<string, unknown> {
  return {
    versions: preview.versions.map(({ name }) => name),
    size: preview.sizeBytes,
    freed: preview.freedBytes,
    freed_files: preview.freedFiles,
    aliases: preview.aliases,
  }
}
