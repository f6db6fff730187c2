import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createRefresh, type LiveMeta } from './live.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** A query on screen that counts how often it was asked. */
function shown(
  queries: QueryClient,
  key: string,
  live: LiveMeta,
  answer: () => Promise<unknown> = () => Promise.resolve({}),
) {
  const asked = vi.fn(answer)
  const observer = new QueryObserver(queries, {
    queryKey: [key],
    queryFn: asked,
    meta: { live },
    staleTime: Infinity,
  })
  observer.subscribe(() => {})
  return asked
}

test('a burst of news asks a query at most once a second', async () => {
  const queries = new QueryClient()
  const asked = shown(queries, 'curve', { on: ['experiment.logged'], experiments: ['e1'] })
  await vi.advanceTimersByTimeAsync(0)
  const refresh = createRefresh(queries)
  for (let i = 0; i < 50; i += 1) {
    refresh.hear({ type: 'experiment.logged', projectId: 'p', experimentId: 'e1' })
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(asked.mock.calls.length).toBeGreaterThanOrEqual(5)
  expect(asked.mock.calls.length).toBeLessThanOrEqual(7)
})

test('news of another experiment or another kind is not for it', async () => {
  const queries = new QueryClient()
  const asked = shown(queries, 'curve', { on: ['experiment.logged'], experiments: ['e1'] })
  await vi.advanceTimersByTimeAsync(0)
  const refresh = createRefresh(queries)
  refresh.hear({ type: 'experiment.logged', projectId: 'p', experimentId: 'e2' })
  refresh.hear({ type: 'console.written', projectId: 'p', experimentId: 'e1' })
  await vi.advanceTimersByTimeAsync(5000)
  expect(asked).toHaveBeenCalledTimes(1)
})

test('news that comes while the answer is on its way asks once more', async () => {
  const queries = new QueryClient()
  const asked = shown(
    queries,
    'rows',
    { on: ['experiment.changed'] },
    () => new Promise((resolve) => setTimeout(() => resolve({}), 300)),
  )
  const refresh = createRefresh(queries)
  refresh.hear({ type: 'experiment.changed', projectId: 'p', experimentId: 'e1' })
  await vi.advanceTimersByTimeAsync(3000)
  expect(asked).toHaveBeenCalledTimes(2)
})

test('lists of one project do not hear another project whose name is known', async () => {
  const queries = new QueryClient()
  queries.setQueryData(['projects'], [{ id: 'p2', team: 'vision', name: 'cats', experiments: 1 }])
  const asked = shown(queries, 'rows', {
    on: ['experiment.changed'],
    project: { team: 'vision', project: 'dogs' },
  })
  await vi.advanceTimersByTimeAsync(0)
  const refresh = createRefresh(queries)
  refresh.hear({ type: 'experiment.changed', projectId: 'p2', experimentId: 'e1' })
  await vi.advanceTimersByTimeAsync(2000)
  expect(asked).toHaveBeenCalledTimes(1)
  refresh.hear({ type: 'experiment.changed', projectId: 'p3', experimentId: 'e1' })
  await vi.advanceTimersByTimeAsync(2000)
  expect(asked).toHaveBeenCalledTimes(2)
})
