import { useMutation, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { meQuery, useMe } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { tellError } from '../../ui/toast.tsx'

/** Joining a team moved where new work goes: said where everybody sees it, until kept or undone. */
export function DefaultTeamNotice() {
  const me = useMe()
  const queries = useQueryClient()
  const settle = useMutation({
    mutationFn: (defaultTeam: string) => grid.me.change({ defaultTeam }),
    onSuccess: (next) => queries.setQueryData(meQuery().queryKey, next),
    onError: tellError,
  })
  const moved = me?.defaultTeamSwitch
  if (!moved) return null
  return (
    <div
      role="status"
      className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line bg-warn-wash px-4 py-1.5 text-[13px]"
    >
      <span className="min-w-48 flex-1">
        New work that names no team now goes to <b>{moved.to}</b>, no longer to <b>{moved.from}</b>. Projects
        that exist stay where they are.
      </span>
      <Button small busy={settle.isPending} onClick={() => settle.mutate(moved.from)}>
        Undo
      </Button>
      <Button small busy={settle.isPending} onClick={() => settle.mutate(moved.to)}>
        Keep
      </Button>
    </div>
  )
}
