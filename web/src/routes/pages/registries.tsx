import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { registriesQuery } from '../../features/artifacts/queries.ts'
import { RegistryDialog } from '../../features/artifacts/registry-dialog.tsx'
import { RegistryTable } from '../../features/artifacts/registry-table.tsx'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'

/** The registries of the organisation. */
export function RegistriesPage() {
  const navigate = useNavigate()
  const found = useQuery(registriesQuery())
  const [making, setMaking] = useState(false)
  const refused = found.data?.createRefusal ?? undefined
  return (
    <Page
      wide
      title="Registries"
      note={<span className="text-ink-faint">Versions that the whole organisation shares</span>}
      actions={
        <Button look="primary" refused={refused} busy={found.isPending} onClick={() => setMaking(true)}>
          New registry
        </Button>
      }
    >
      {found.isError && <Problem error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <SkeletonRows rows={4} />}
      {found.data?.items.length === 0 && (
        <EmptyState
          title="No registries yet"
          says="A registry collects the versions that others rely on, such as the models in use: linked from any team’s projects, each under a name that stays the same, open to whom you say."
        >
          <CommandBlock
            title="Link a version into one from a script"
            text={`import wandb\n\nartifact = wandb.Api().artifact("team/project/my-model:latest")\nartifact.link("wandb-registry-models/my-model")`}
          />
        </EmptyState>
      )}
      {found.data !== undefined && found.data.items.length > 0 && (
        <Section title="All registries" flush>
          <RegistryTable of={found.data.items} />
        </Section>
      )}
      <RegistryDialog
        open={making}
        onClose={() => setMaking(false)}
        onDone={({ name }) => void navigate({ to: '/registries/$registry', params: { registry: name } })}
      />
    </Page>
  )
}
