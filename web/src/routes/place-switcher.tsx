import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { projectsQuery } from '../features/teams/queries.ts'
import { useMe } from '../lib/me.ts'
import { ChevronIcon } from '../ui/icons.tsx'
import { Menu, MenuLabel, MenuLine, MenuLink } from '../ui/menu.tsx'

/** Where I am: team / project, each with its neighbours one press away. */
export function PlaceSwitcher() {
  const me = useMe()
  const { team, project } = useParams({ strict: false })
  return (
    <nav aria-label="Place" className="flex min-w-0 flex-1 items-center gap-0.5 text-sm">
      {team === undefined ? (
        <span className="px-1 font-semibold">Teamgrid</span>
      ) : (
        <Link
          to="/$team"
          params={{ team }}
          className="min-w-0 truncate rounded px-1.5 py-0.5 text-ink-soft hover:bg-hover hover:text-ink"
        >
          {team}
        </Link>
      )}
      <Menu align="start" trigger={<SwitchButton label="Switch team" hideOnPhone={project !== undefined} />}>
        <MenuLabel>My teams</MenuLabel>
        {me?.teams.map((each) => (
          <MenuLink key={each.id} render={<Link to="/$team" params={{ team: each.slug }} />}>
            <span className="flex-1">{each.slug}</span>
            <span className="text-xs text-ink-faint">
              {each.kind === 'personal' ? 'personal' : each.role}
            </span>
          </MenuLink>
        ))}
        <MenuLine />
        <MenuLink render={<Link to="/" />}>All teams and projects</MenuLink>
        <MenuLink render={<Link to="/registries" />}>Registries</MenuLink>
      </Menu>
      {team !== undefined && project !== undefined && (
        <>
          <span className="text-line-strong">/</span>
          <Link
            to="/$team/$project"
            params={{ team, project }}
            className="min-w-0 truncate rounded px-1.5 py-0.5 font-medium hover:bg-hover"
          >
            {project}
          </Link>
          <Menu align="start" trigger={<SwitchButton label="Switch project" />}>
            <NeighbourProjects team={team} />
          </Menu>
        </>
      )}
    </nav>
  )
}

function NeighbourProjects({ team }: { team: string }) {
  const projects = useQuery(projectsQuery(team))
  return (
    <>
      <MenuLabel>Projects of {team}</MenuLabel>
      {projects.data?.slice(0, 30).map((each) => (
        <MenuLink key={each.id} render={<Link to="/$team/$project" params={{ team, project: each.name }} />}>
          <span className="max-w-64 flex-1 truncate">{each.name}</span>
          <span className="text-xs text-ink-faint">{each.experiments}</span>
        </MenuLink>
      ))}
      <MenuLine />
      <MenuLink render={<Link to="/$team" params={{ team }} />}>All projects</MenuLink>
    </>
  )
}

function SwitchButton({ label, hideOnPhone, ...rest }: { label: string; hideOnPhone?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      aria-label={label}
      className={`grid size-5 shrink-0 place-items-center rounded text-ink-faint hover:bg-hover hover:text-ink ${hideOnPhone ? 'max-sm:hidden' : ''}`}
    >
      <ChevronIcon className="size-3 rotate-90" />
    </button>
  )
}
