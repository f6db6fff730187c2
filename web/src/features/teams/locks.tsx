import { describeSwitch, isSetByOrganisation, type PolicyKey, policyKeys, resolvePolicy } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { locksQuery } from './queries.ts'

const initial = resolvePolicy().switches

/** What the organisation fixes for every team, switch by switch. */
export function PolicyLocks() {
  const queries = useQueryClient()
  const locks = useQuery(locksQuery())
  const change = useMutation({
    mutationFn: (next: Record<string, boolean | string>) => grid.organisation.setLocks({ locks: next }),
    onSuccess: async (next) => {
      queries.setQueryData(locksQuery().queryKey, next)
      tell('Saved: it holds in every team at once')
      await queries.invalidateQueries()
    },
    onError: tellError,
  })
  const chosen = locks.data?.locks ?? {}
  const choose = (key: PolicyKey, value: string) => {
    const { [key]: _, ...others } = chosen
    if (value === 'free') return change.mutate(others)
    change.mutate({ ...others, [key]: key === 'session_jupyter' ? value : value === 'on' })
  }
  return (
    <Section title="Policy of all teams" says="What is fixed here no team can set otherwise." flush>
      {locks.isPending && <SkeletonRows rows={4} />}
      {locks.isError && <Problem error={locks.error} retry={() => void locks.refetch()} />}
      {locks.data !== undefined && (
        <PlainTable stacks label="Policy of all teams" head={['Switch', 'Teams']}>
          {policyKeys.map((key) => (
            <tr key={key}>
              <td className="min-w-52">
                {describeSwitch(key)} <span className="font-mono text-xs text-ink-faint">{key}</span>
              </td>
              <td>
                <Select
                  small
                  aria-label={describeSwitch(key)}
                  value={valueOf(chosen[key])}
                  disabled={change.isPending}
                  onChange={(event) => choose(key, event.target.value)}
                >
                  <option value="free">
                    {isSetByOrganisation(key)
                      ? `As usual: ${initial[key] === true ? 'on' : 'off'}`
                      : 'Decide'}
                  </option>
                  {key === 'session_jupyter' ? (
                    <>
                      <option value="team">Fixed: team</option>
                      <option value="owner">Fixed: owner</option>
                    </>
                  ) : (
                    <>
                      <option value="on">Fixed: on</option>
                      <option value="off">Fixed: off</option>
                    </>
                  )}
                </Select>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
    </Section>
  )
}

function valueOf(lock: boolean | string | undefined): string {
  if (lock === undefined) return 'free'
  return typeof lock === 'string' ? lock : lock ? 'on' : 'off'
}
