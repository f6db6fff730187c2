import type { RegistryDetails } from '@teamgrid/api'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Input, Select, TextArea } from '../../ui/field.tsx'
import { tell } from '../../ui/toast.tsx'

type Props = {
  open: boolean
  onClose: () => void
  onDone: (registry: RegistryDetails) => void
  /** To change; absent: a new one. */
  of?: RegistryDetails
}

/** Makes a registry, or changes what it says of itself and who may look. */
export function RegistryDialog(props: Props) {
  const { open, onClose, of } = props
  return (
    <Dialog open={open} onClose={onClose} title={of === undefined ? 'New registry' : `Edit ${of.name}`}>
      <Form {...props} />
    </Dialog>
  )
}

function Form({ of, onDone, onClose }: Props) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [description, setDescription] = useState(of?.description ?? '')
  const [audience, setAudience] = useState(of?.audience ?? 'organisation')
  const [types, setTypes] = useState('')
  const save = useMutation({
    mutationFn: () => {
      const added = types.split(',').flatMap((type) => type.trim() || [])
      const settings = { description, audience, ...(added.length === 0 ? {} : { types: added }) }
      return of === undefined
        ? grid.registries.create({ name: name.trim(), ...settings })
        : grid.registries.change({ registry: of.name, ...settings })
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: api.registries.key() })
      tell(of === undefined ? `Made registry ${saved.name}` : 'Saved')
      onDone(saved)
    },
  })
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate()
      }}
    >
      {of === undefined && (
        <Field label="Name" help="Letters, digits, “-”, “_” and “.”, such as models">
          {(props) => (
            <Input
              {...props}
              autoFocus
              required
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
      )}
      <Field label="Description">
        {(props) => (
          <TextArea
            {...props}
            rows={3}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
        )}
      </Field>
      <Field label="Seen by">
        {(props) => (
          <Select
            {...props}
            value={audience}
            onChange={(event) => setAudience(event.target.value as typeof audience)}
          >
            <option value="organisation">Everybody of the organisation</option>
            <option value="restricted">Its members alone</option>
          </Select>
        )}
      </Field>
      {of?.types !== null && (
        <Field
          label={of === undefined ? 'Takes artifacts of type' : 'Also takes artifacts of type'}
          help={
            of === undefined
              ? 'Separated by commas; empty for every type'
              : `It takes ${of.types!.join(', ')}; a type once taken stays`
          }
        >
          {(props) => <Input {...props} value={types} onChange={(event) => setTypes(event.target.value)} />}
        </Field>
      )}
      {save.isError && (
        <p role="alert" className="text-bad">
          {save.error.message}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" type="submit" busy={save.isPending}>
          {of === undefined ? 'Make' : 'Save'}
        </Button>
      </div>
    </form>
  )
}
