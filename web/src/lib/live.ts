import { LiveMessage } from '@teamgrid/api'
import type { Query, QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'

/**
 * One stream per browser tab. Messages say what changed; here they become "ask again" for the queries on screen, each at
 * most once a second. After a pause (sleep, lost network, restart of the server) everything on screen is asked again,
 * because nobody knows what was missed.
 */

export type LiveState = 'connecting' | 'live' | 'lost'

/** What a query shows, so that news can find it. Queries without it are asked again only after a pause. */
export type LiveMeta = {
  /** Kinds of news that concern it. */
  on: readonly LiveMessage['type'][]
  /** Only news of these experiments. */
  experiments?: readonly string[]
  /** Only news of the experiment or project that its own answer describes. */
  self?: true
  /** Only news of this project. */
  project?: { team: string; project: string }
}

declare module '@tanstack/react-query' {
  interface Register {
    queryMeta: { live?: LiveMeta }
  }
}

const refreshEveryMs = 1000
const asleepAfterMs = 15_000
const watchEveryMs = 5000

let state: LiveState = 'connecting'
const listeners = new Set<() => void>()

function setState(next: LiveState): void {
  if (next === state) return
  state = next
  for (const listener of listeners) listener()
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => state,
  )
}

/**
 * Opens the stream and keeps it open.
 *
 * @param onRefused the server will not have us: perhaps the session has ended.
 * @returns a function that closes it.
 */
export function startLive(queries: QueryClient, onRefused: () => void): () => void {
  const refresh = createRefresh(queries)
  let source: EventSource | undefined
  let hasBeenOpen = false
  let lastTick = Date.now()

  const open = () => {
    source?.close()
    source = new EventSource('/api/live')
    source.addEventListener('open', () => {
      setState('live')
      if (hasBeenOpen) void queries.invalidateQueries()
      hasBeenOpen = true
    })
    source.addEventListener('message', (event: MessageEvent<string>) => {
      const message = LiveMessage.safeParse(parse(event.data))
      if (message.success) refresh.hear(message.data)
    })
    source.addEventListener('error', () => {
      const refused = source?.readyState === EventSource.CLOSED
      setState(refused ? 'lost' : 'connecting')
      if (refused) onRefused()
    })
  }
  // A timer that fires late means that the tab slept; a stream that was closed for good is opened again here.
  const watch = setInterval(() => {
    const late = Date.now() - lastTick > asleepAfterMs
    lastTick = Date.now()
    if (source?.readyState === EventSource.CLOSED) open()
    else if (late) void queries.invalidateQueries()
  }, watchEveryMs)

  open()
  return () => {
    clearInterval(watch)
    refresh.stop()
    source?.close()
    setState('connecting')
  }
}

/**
 * Collects which queries the news concerns and asks them again, all together, at most once a second. A query that is
 * being asked right now waits for the next turn: its answer may have been made before the change.
 */
export function createRefresh(queries: QueryClient): {
  hear: (message: LiveMessage) => void
  stop: () => void
} {
  const dirty = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let flushedAt = 0

  const schedule = () => {
    timer ??= setTimeout(flush, Math.max(0, flushedAt + refreshEveryMs - Date.now()))
  }
  const flush = () => {
    timer = undefined
    flushedAt = Date.now()
    const due = [...dirty].filter(
      (hash) => queries.getQueryCache().get(hash)?.state.fetchStatus !== 'fetching',
    )
    for (const hash of due) dirty.delete(hash)
    const asked = new Set(due)
    void queries.invalidateQueries({ predicate: (query) => asked.has(query.queryHash) })
    if (dirty.size > 0) schedule()
  }
  return {
    hear(message) {
      const projects = knownProjects(queries)
      for (const query of queries.getQueryCache().getAll()) {
        if (concerns(message, query, projects)) dirty.add(query.queryHash)
      }
      if (dirty.size > 0) schedule()
    },
    stop: () => clearTimeout(timer),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

type Projects = Map<string, { team: string; project: string }>

/** Messages name projects by id, pages by name; every project answer in the cache is a line of the dictionary. */
function knownProjects(queries: QueryClient): Projects {
  const projects: Projects = new Map()
  for (const query of queries.getQueryCache().getAll()) {
    const data: unknown = query.state.data
    for (const each of Array.isArray(data) ? (data as unknown[]) : [data]) {
      if (isProject(each)) projects.set(each.id, { team: each.team, project: each.name })
    }
  }
  return projects
}

function isProject(value: unknown): value is { id: string; team: string; name: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'experiments' in value &&
    'team' in value &&
    'name' in value &&
    'id' in value
  )
}

function concerns(message: LiveMessage, query: Query, projects: Projects): boolean {
  const live = query.meta?.live
  if (live === undefined || !live.on.includes(message.type)) return false
  const ids = new Set([
    'experimentId' in message ? message.experimentId : '',
    'projectId' in message ? message.projectId : '',
  ])
  if (live.experiments !== undefined && !live.experiments.some((id) => ids.has(id))) return false
  if (live.self === true) {
    const id = (query.state.data as { id?: string } | undefined)?.id
    if (id !== undefined && !ids.has(id)) return false
  }
  if (live.project !== undefined && 'projectId' in message) {
    const known = projects.get(message.projectId)
    if (known !== undefined && (known.team !== live.project.team || known.project !== live.project.project))
      return false
  }
  return true
}
