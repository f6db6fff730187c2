import type { Project } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatCount } from '../../lib/format.ts'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'

/** Projects with what happens in them now. */
export function ProjectTable({ projects, withTeam }: { projects: readonly Project[]; withTeam?: boolean }) {
  return (
    <PlainTable stacks label="Projects" head={['Project', 'Experiments', 'Running', 'Failed', 'Last change']}>
      {projects.map((project) => (
        <tr key={project.id} className="hover:bg-hover">
          <td className="max-w-72">
            <Link
              to="/$team/$project"
              params={{ team: project.team, project: project.name }}
              className="block truncate font-medium hover:underline"
            >
              {withTeam === true && <span className="font-normal text-ink-faint">{project.team} / </span>}
              {project.name}
            </Link>
            {project.description !== '' && <p className="truncate text-ink-faint">{project.description}</p>}
          </td>
          <td>{formatCount(project.experiments)}</td>
          <td>
            {project.running > 0 ? (
              <span className="font-medium text-live">{formatCount(project.running)}</span>
            ) : (
              <span className="text-ink-faint">0</span>
            )}
          </td>
          <td>
            {project.failed > 0 ? (
              <span className="text-bad">{formatCount(project.failed)}</span>
            ) : (
              <span className="text-ink-faint">0</span>
            )}
          </td>
          <td className="whitespace-nowrap text-ink-soft">
            <Ago at={project.updatedAt} />
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}
