import type { ErrorComponentProps } from '@tanstack/react-router'
import { Link, useRouter } from '@tanstack/react-router'
import { isNotFound } from '../lib/client.ts'
import { EmptyState, Problem, SkeletonRows } from '../ui/feedback.tsx'

export function PageWaiting() {
  return <SkeletonRows className="mx-auto max-w-4xl py-8" />
}

export function NotFound() {
  return (
    <EmptyState
      title="Nothing here"
      says="This page does not exist, or it belongs to a team you are not in. Ask whoever sent you the link to invite you."
    >
      <Link to="/" className="text-accent underline-offset-2 hover:underline">
        Go to my teams
      </Link>
    </EmptyState>
  )
}

export function PageProblem({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  if (isNotFound(error)) return <NotFound />
  const again = () => {
    reset()
    void router.invalidate()
  }
  return (
    <div className="mx-auto max-w-3xl py-8">
      <Problem error={error} retry={again} />
    </div>
  )
}
