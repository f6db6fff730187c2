import type { ApiKey } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { fieldOf } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { FreshKey } from './key-commands.tsx'

/** My keys: make, see when each was last used, revoke. */
export function ApiKeys({ refused }: { refused: string | undefined }) {
  const queries = useQueryClient()
  const keys = useQuery(api.me.keys.queryOptions())
  const [naming, setNaming] = useState(false)
  const [revoking, setRevoking] = useState<ApiKey>()
  const again = () => queries.invalidateQueries({ queryKey: api.me.keys.key() })
  const create = useMutation({
    mutationFn: (name: string) => grid.me.createKey({ name }),
    onSuccess: again,
    onError: tellError,
  })
  return (
    <Section
      title="API keys"
      says="For scripts and command lines. A key may do what you may do."
      flush
      actions={
        <Button small look="primary" refused={refused} onClick={() => setNaming(true)}>
          New key
        </Button>
      }
    >
      {keys.isPending && <SkeletonRows rows={2} />}
      {keys.isError && <Problem error={keys.error} retry={() => void keys.refetch()} />}
      {keys.data?.length === 0 && (
        <p className="p-4 text-ink-faint">No keys yet. Make one to log in from a script or a terminal.</p>
      )}
      {keys.data !== undefined && keys.data.length > 0 && (
        <KeyTable keys={keys.data} onRevoke={setRevoking} />
      )}
      <Dialog
        open={naming}
        onClose={() => {
          setNaming(false)
          create.reset()
        }}
        title={create.data === undefined ? 'New API key' : `Key “${create.data.name}”`}
      >
        {create.data === undefined ? (
          <form
            className="flex flex-col gap-3"
            onSubmit={(event) => {
              event.preventDefault()
              create.mutate(fieldOf(new FormData(event.currentTarget), 'name'))
            }}
          >
            <Field label="Name" help="Where it will be used, so that you know which one to revoke.">
              {(props) => (
                <Input {...props} name="name" required maxLength={100} placeholder="laptop" autoFocus />
              )}
            </Field>
            <Button type="submit" look="primary" busy={create.isPending} className="self-end">
              Make key
            </Button>
          </form>
        ) : (
          <FreshKey secret={create.data.secret} />
        )}
      </Dialog>
      <Confirm
        open={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title="Revoke this key?"
        says={
          <>
            Scripts that use <b>{revoking?.name}</b> (…{revoking?.hint}) are refused from now on. What they
            logged stays.
          </>
        }
        verb="Revoke"
        act={async () => {
          await grid.me.revokeKey({ keyId: revoking!.id })
          await again()
        }}
      />
    </Section>
  )
}

/** Keys with a button to revoke each. */
export function KeyTable({
  keys,
  onRevoke,
  refused,
}: {
  keys: readonly ApiKey[]
  onRevoke: (key: ApiKey) => void
  refused?: string | undefined
}) {
  return (
    <PlainTable stacks label="API keys" head={['Name', 'Ends with', 'Created', 'Last used', '']}>
      {keys.map((key) => (
        <tr key={key.id}>
          <td className="font-medium">{key.name}</td>
          <td className="font-mono">…{key.hint}</td>
          <td className="text-ink-soft">
            <Ago at={key.createdAt} />
          </td>
          <td className="text-ink-soft">{key.lastUsedAt === null ? 'never' : <Ago at={key.lastUsedAt} />}</td>
          <td className="text-right">
            <Button small look="danger" refused={refused} onClick={() => onRevoke(key)}>
              Revoke
            </Button>
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}
