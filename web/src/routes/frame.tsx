import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useParams } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { NotificationBell } from '../features/alerts/notification-list.tsx'
import { signOut } from '../lib/identity.ts'
import { startLive, useLiveState } from '../lib/live.ts'
import { isSignedOut } from '../lib/client.ts'
import { meQuery, useMe } from '../lib/me.ts'
import { chooseTheme, useTheme } from '../lib/theme.ts'
import { Kbd } from '../ui/feedback.tsx'
import { MoonIcon, PeopleIcon, SearchIcon, SunIcon } from '../ui/icons.tsx'
import { Menu, MenuItem, MenuLabel, MenuLine, MenuLink } from '../ui/menu.tsx'
import { tellError } from '../ui/toast.tsx'
import { Tip } from '../ui/tooltip.tsx'
import { DefaultTeamNotice } from '../features/teams/default-team-notice.tsx'
import { PlaceSwitcher } from './place-switcher.tsx'

const CommandPalette = lazy(() =>
  import('./command-palette.tsx').then((module) => ({ default: module.CommandPalette })),
)

/** The bar on top and the page below it. */
export function Frame() {
  const queries = useQueryClient()
  const [paletteOpen, setPaletteOpen] = useState(false)
  useEffect(
    () => startLive(queries, () => void queries.invalidateQueries({ queryKey: meQuery().queryKey })),
    [queries],
  )
  useLeaveWhenSignedOut()
  useAskAgainWhenTeamsChange()
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (
        event.key.toLowerCase() !== 'k' ||
        !(event.ctrlKey || event.metaKey) ||
        event.shiftKey ||
        event.altKey
      )
        return
      event.preventDefault()
      setPaletteOpen((open) => !open)
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#page"
        className="sr-only z-50 rounded bg-accent px-3 py-1.5 text-accent-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the page
      </a>
      <header className="sticky top-0 z-30 flex h-11 items-center gap-2 border-b border-line bg-surface px-3">
        <Link
          to="/"
          aria-label="Teamgrid, my teams"
          className="flex shrink-0 items-center gap-2 rounded font-semibold"
        >
          <img src="/favicon.svg" alt="" className="size-6" />
        </Link>
        <PlaceSwitcher />
        <button
          type="button"
          onClick={() => setPaletteOpen(true)}
          className="ml-auto flex h-7 items-center gap-2 rounded-md border border-line-strong bg-canvas px-2 text-[13px] text-ink-faint hover:border-ink-faint md:w-56"
          aria-label="Search projects, experiments and actions"
        >
          <SearchIcon />
          <span className="hidden md:inline">Search</span>
          <span className="ml-auto hidden md:inline">
            <Kbd>{/mac/i.test(navigator.userAgent) ? '⌘ K' : 'Ctrl K'}</Kbd>
          </span>
        </button>
        <LiveDot />
        <NotificationBell />
        <InviteTeam />
        <PersonMenu />
      </header>
      <DefaultTeamNotice />
      <main id="page" className="flex min-h-0 flex-1 flex-col">
        <Outlet />
      </main>
      <Suspense>{paletteOpen && <CommandPalette onClose={() => setPaletteOpen(false)} />}</Suspense>
    </div>
  )
}

/** A session may end while a page is open: whoever asks next is shown the door, and comes back here after signing in. */
function useLeaveWhenSignedOut() {
  const queries = useQueryClient()
  const navigate = useNavigate()
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated' || event.action.type !== 'error' || !isSignedOut(event.action.error))
          return
        const next = location.pathname + location.search
        void navigate({ to: '/login', search: next === '/' ? {} : { next } }).then(() => queries.clear())
      }),
    [queries, navigate],
  )
}

/** Joining, leaving or another role changes what every page may show; a page of a team one was removed from closes. */
function useAskAgainWhenTeamsChange() {
  const queries = useQueryClient()
  const teams = useMe()
    ?.teams.map((team) => `${team.id} ${team.role}`)
    .join()
  const before = useRef(teams)
  useEffect(() => {
    if (before.current !== undefined && teams !== undefined && before.current !== teams)
      void queries.invalidateQueries()
    before.current = teams
  }, [teams, queries])
}

/** Says whether what is on screen follows the server. Calm when it does. */
function LiveDot() {
  const state = useLiveState()
  const says = {
    live: 'Live: new data appears by itself',
    connecting: 'Connecting; new data appears when the server answers',
    lost: 'Not connected; trying again. What you see may be old',
  }[state]
  const look = { live: 'bg-good', connecting: 'bg-warn', lost: 'bg-bad' }[state]
  return (
    <Tip says={says} side="bottom">
      <span
        role="status"
        aria-label={says}
        tabIndex={0}
        className="grid size-7 shrink-0 place-items-center rounded"
      >
        <span className={`size-2 rounded-full ${look} ${state === 'live' ? '' : 'ring-2 ring-warn/30'}`} />
      </span>
    </Tip>
  )
}

function InviteTeam() {
  const me = useMe()
  const { team } = useParams({ strict: false })
  const current =
    me?.teams.find((each) => each.slug === team && each.kind === 'team') ??
    me?.teams.find((each) => each.kind === 'team')
  if (me === undefined) return null
  const look =
    'hidden h-7 items-center gap-1.5 rounded-md border border-line-strong px-2 text-[13px] font-medium text-ink-soft hover:bg-hover hover:text-ink sm:inline-flex'
  const inside = (
    <>
      <PeopleIcon /> <span className="hidden lg:inline">Invite team</span>
    </>
  )
  return current === undefined ? (
    <Link
      to={me.user.organisationRole === 'admin' ? '/admin' : '/subscriptions'}
      className={look}
      aria-label={me.user.organisationRole === 'admin' ? 'Make a team' : 'Ask for a team'}
    >
      {inside}
    </Link>
  ) : (
    <Link
      to="/teams/$team"
      params={{ team: current.slug }}
      hash="invite"
      className={look}
      aria-label="Invite team"
    >
      {inside}
    </Link>
  )
}

function PersonMenu() {
  const me = useMe()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const theme = useTheme()
  if (me === undefined) return null
  const initials = (me.user.name || me.user.username).slice(0, 1).toUpperCase()
  return (
    <Menu
      trigger={
        <button
          type="button"
          aria-label={`Menu of ${me.user.username}`}
          className="grid size-7 shrink-0 place-items-center rounded-full bg-accent-wash text-[13px] font-semibold text-accent"
        >
          {initials}
        </button>
      }
    >
      <MenuLabel>
        {me.user.name || me.user.username} · {me.user.username}
      </MenuLabel>
      <MenuLink render={<Link to="/settings" />}>Settings and API keys</MenuLink>
      <MenuLink render={<Link to="/subscriptions" />}>Plan and usage</MenuLink>
      {me.user.organisationRole === 'admin' && (
        <MenuLink render={<Link to="/admin" />}>Organisation</MenuLink>
      )}
      <MenuItem onSelect={() => chooseTheme(theme === 'dark' ? 'light' : 'dark')}>
        {theme === 'dark' ? <SunIcon /> : <MoonIcon />} {theme === 'dark' ? 'Light' : 'Dark'} theme
      </MenuItem>
      <MenuLine />
      <MenuItem
        onSelect={() => {
          signOut()
            .then(() => {
              queries.clear()
              return navigate({ to: '/login' })
            })
            .catch(tellError)
        }}
      >
        Sign out
      </MenuItem>
    </Menu>
  )
}
