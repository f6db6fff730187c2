import type { ArtifactVersion, ExperimentName } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { Tag } from '../../ui/feedback.tsx'

/** `ds:v3`, as a way to its page. */
export function VersionLink({ of, long }: { of: ArtifactVersion; long?: boolean }) {
  return (
    <Link
      to="/$team/$project/artifacts/$type/$collection/$version"
      params={{
        team: of.team,
        project: of.project,
        type: of.type,
        collection: of.collection,
        version: of.version,
      }}
      className="font-medium hover:underline"
    >
      {long === true && (
        <span className="font-normal text-ink-faint">
          {of.team}/{of.project}/
        </span>
      )}
      {of.collection}:{of.version}
    </Link>
  )
}

export function ExperimentLink({ of }: { of: ExperimentName }) {
  return (
    <Link
      to="/$team/$project/runs/$id"
      params={{ team: of.team, project: of.project, id: of.slug }}
      className="font-medium hover:underline"
    >
      {of.name}
    </Link>
  )
}

/** Aliases lead to a version, so they carry the accent; tags only describe. */
export function Aliases({ of, tags }: { of: readonly string[]; tags?: readonly string[] }) {
  return (
    <span className="inline-flex flex-wrap gap-1">
      {of.map((alias) => (
        <Tag key={alias} tone="accent">
          {alias}
        </Tag>
      ))}
      {tags?.map((tag) => (
        <Tag key={tag}>{tag}</Tag>
      ))}
    </span>
  )
}

/** A registry by the name of the project that holds it. */
export function RegistryLink({ project }: { project: string }) {
  const registry = project.replace(/^wandb-registry-/i, '')
  return (
    <Link to="/registries/$registry" params={{ registry }} className="hover:underline">
      registry {registry}
    </Link>
  )
}
