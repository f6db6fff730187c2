import type { Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell } from '../../ui/toast.tsx'
import { formerMembersQuery, membersQuery } from './queries.ts'

/** Who left, with what still bears their name and may be given to somebody else. Nothing when nobody left. */
export function FormerMembers({ team }: { team: Team }) {
  const refused = useRefusal(team)('member:reassign')
  const former = useQuery({ ...formerMembersQuery(team.slug), enabled: refused === undefined })
  const [giving, setGiving] = useState<{ username: string; experiments: number; projects: number }>()
  if (former.data === undefined || former.data.length === 0) return null
  return (
    <Section title="Former members" says="What they made stays under their name." flush>
      <PlainTable stacks label="Former members" head={['Person', 'Left', 'Made here', '']}>
        {former.data.map((person) => {
          const nothing = person.experiments + person.projects === 0
          return (
            <tr key={person.username}>
              <td>
                <span className="font-medium">{person.name || person.username}</span>{' '}
                <span className="text-ink-faint">{person.username}</span>
              </td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={person.leftAt} />
              </td>
              <td className="text-ink-soft">
                {nothing
                  ? 'nothing'
                  : `${plural(person.experiments, 'experiment')}, ${plural(person.projects, 'project')}`}
              </td>
              <td className="text-right">
                <Button
                  small
                  refused={nothing ? 'Nothing bears their name.' : undefined}
                  onClick={() => setGiving(person)}
                >
                  Reassign
                </Button>
              </td>
            </tr>
          )
        })}
      </PlainTable>
      <Dialog
        open={giving !== undefined}
        onClose={() => setGiving(undefined)}
        title={`Reassign what ${giving?.username} made`}
      >
        {giving !== undefined && <Reassign team={team} from={giving} onDone={() => setGiving(undefined)} />}
      </Dialog>
    </Section>
  )
}

function Reassign({
  team,
  from,
  onDone,
}: {
  team: Team
  from: { username: string; experiments: number; projects: number }
  onDone: () => void
}) {
  const queries = useQueryClient()
  const members = useQuery(membersQuery(team.slug))
  const heirs = members.data?.filter((each) => each.role === 'admin' || each.role === 'member') ?? []
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const to = fieldOf(form, 'to')
    const done = await grid.teams.reassign({ team: team.slug, username: from.username, to })
    tell(`${plural(done.experiments, 'experiment')} and ${plural(done.projects, 'project')} are ${to}’s now`)
    onDone()
    await queries.invalidateQueries()
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <p className="text-ink-soft">
        {plural(from.experiments, 'experiment')} and {plural(from.projects, 'project')} of {from.username} get
        another owner, who may then stop, rename and delete them.
      </p>
      <Field label="To" {...(error === undefined ? {} : { error: error.message })}>
        {(props) => (
          <Select {...props} name="to" required>
            {heirs.map((each) => (
              <option key={each.userId} value={each.username}>
                {each.name || each.username} ({each.username})
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Reassign
      </Button>
    </form>
  )
}
