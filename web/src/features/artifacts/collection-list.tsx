import type { ArtifactCollectionInfo } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatBytes, formatCount } from '../../lib/format.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState, Tag } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import type { ProjectRef } from './queries.ts'

/** Collections by type, each with its newest version. */
export function CollectionList({
  place,
  collections,
}: {
  place: ProjectRef
  collections: readonly ArtifactCollectionInfo[]
}) {
  const byType = Map.groupBy(
    collections.toSorted((a, b) => a.type.localeCompare(b.type) || a.name.localeCompare(b.name)),
    ({ type }) => type,
  )
  return [...byType].map(([type, of]) => (
    <Section key={type} title={type} says={`${formatCount(of.length)} of this type`} flush>
      <PlainTable label={`Artifacts of type ${type}`} head={['Name', 'Newest', 'Versions', 'Size', 'Made']}>
        {of.map((each) => (
          <tr key={each.id} className="hover:bg-hover">
            <td className="max-w-80">
              <Link
                to="/$team/$project/artifacts/$type/$collection"
                params={{ ...place, type: each.type, collection: each.name }}
                className="font-medium hover:underline"
              >
                {each.name}
              </Link>{' '}
              <span className="inline-flex flex-wrap gap-1 align-middle">
                {each.isLinks && <Tag tone="accent">links</Tag>}
                {each.tags.map((tag) => (
                  <Tag key={tag}>{tag}</Tag>
                ))}
              </span>
              {each.description !== null && each.description !== '' && (
                <p className="truncate text-ink-faint">{each.description}</p>
              )}
            </td>
            <td>
              {each.latest === null ? (
                <span className="text-ink-faint">none</span>
              ) : (
                <Link
                  to="/$team/$project/artifacts/$type/$collection/$version"
                  params={{ ...place, type: each.type, collection: each.name, version: each.latest.version }}
                  className="hover:underline"
                >
                  {each.latest.version}
                </Link>
              )}
            </td>
            <td>{formatCount(each.versions)}</td>
            <td className="whitespace-nowrap" title="Of all versions; content they share is stored once">
              {formatBytes(each.sizeBytes)}
            </td>
            <td className="whitespace-nowrap text-ink-soft">
              {each.latest !== null && (
                <>
                  <Ago at={each.latest.createdAt} /> by {each.latest.createdBy.username}
                </>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
    </Section>
  ))
}

/** The lines that save a first artifact here. */
export function FirstArtifact({ team, project }: ProjectRef) {
  const name = JSON.stringify
  return (
    <EmptyState
      title="No artifacts yet"
      says="Artifacts are versioned files: data sets, models, results. A version that changes nothing is not stored twice, and each tells which experiment made it and which used it."
    >
      <CommandBlock
        title="Save one from a script"
        text={`import wandb\n\nwith wandb.init(entity=${name(team)}, project=${name(project)}) as run:\n    artifact = wandb.Artifact("my-data", type="dataset")\n    artifact.add_dir("data")\n    run.log_artifact(artifact)`}
      />
      <CommandBlock
        title="Use it in another"
        text={`with wandb.init(entity=${name(team)}, project=${name(project)}) as run:\n    folder = run.use_artifact("my-data:latest").download()`}
      />
    </EmptyState>
  )
}
