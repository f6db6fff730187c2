import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api, grid } from '../../lib/client.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Input, TextArea } from '../../ui/field.tsx'

/** Scripts make projects by naming them; this is for those who plan ahead. */
export function NewProject({ team, open, onClose }: { team: string; open: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const description = fieldOf(form, 'description').trim()
    const made = await grid.projects.create({
      team,
      name: fieldOf(form, 'name').trim(),
      ...(description === '' ? {} : { description }),
    })
    await queries.invalidateQueries({ queryKey: api.projects.key() })
    onClose()
    await navigate({ to: '/$team/$project', params: { team, project: made.name } })
  })
  return (
    <Dialog open={open} onClose={onClose} title={`New project in ${team}`}>
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label="Name" {...(error === undefined ? {} : { error: error.message })}>
          {(props) => <Input {...props} name="name" required maxLength={128} autoFocus spellCheck={false} />}
        </Field>
        <Field label="What it is about (optional)">
          {(props) => <TextArea {...props} name="description" rows={3} maxLength={20_000} />}
        </Field>
        <Button type="submit" look="primary" busy={busy} className="self-end">
          Make project
        </Button>
      </form>
    </Dialog>
  )
}
