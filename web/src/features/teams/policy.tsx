import {
  booleanSwitchKeys,
  describeSwitch,
  isSetByOrganisation,
  policyPresetNames,
  type Team,
} from '@teamgrid/api'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Select } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'

const presetWords: Record<string, string> = {
  default: 'Default: members stop, only owners and admins delete',
  'grid-2021': 'grid-2021: what is yours only you may stop',
  'grid-2022': 'grid-2022: members stop and delete each other’s runs',
  wandb: 'wandb: creator or admin',
}

/** What members may do with each other's work: a preset, and switches that override it. */
export function PolicySettings({ team }: { team: Team }) {
  const queries = useQueryClient()
  const refused = useRefusal(team)
  // The switch moves at once; the server's word replaces this one as soon as it is here.
  const [asked, setAsked] = useState<Record<string, boolean>>({})
  const change = useMutation({
    mutationFn: (input: { preset?: string; overrides?: Record<string, boolean | string> }) =>
      grid.teams.setPolicy({ team: team.slug, ...input }),
    onSuccess: async () => {
      tell('Policy saved')
      await queries.invalidateQueries()
    },
    onError: tellError,
    onSettled: () => setAsked({}),
  })
  const no = refused('policy:edit')
  const { overrides, switches } = team.policy
  return (
    <Section title="Who may do what" says="The server and every button follow this.">
      <Tip says={no ?? 'A preset sets all switches at once'}>
        <div className="max-w-md">
          <Field label="Preset">
            {(props) => (
              <Select
                {...props}
                className="w-full"
                value={team.policy.preset}
                disabled={no !== undefined}
                onChange={(event) => change.mutate({ preset: event.target.value, overrides: {} })}
              >
                {policyPresetNames.map((name) => (
                  <option key={name} value={name}>
                    {presetWords[name] ?? name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
      </Tip>
      <ul className="mt-4 grid gap-x-6 gap-y-2.5 md:grid-cols-2">
        {booleanSwitchKeys.map((key) => {
          const locked =
            no ??
            (isSetByOrganisation(key) || team.policy.locked.includes(key)
              ? 'Locked by your organisation. Ask an organisation admin.'
              : undefined)
          return (
            <li key={key} className="flex items-start gap-2">
              <Tip says={locked ?? key}>
                <span>
                  <Checkbox
                    label={describeSwitch(key)}
                    checked={asked[key] ?? switches[key] === true}
                    disabled={locked !== undefined || change.isPending}
                    onChange={(event) => {
                      setAsked({ [key]: event.target.checked })
                      change.mutate({
                        preset: team.policy.preset,
                        overrides: { ...overrides, [key]: event.target.checked },
                      })
                    }}
                    className="items-start"
                  />
                </span>
              </Tip>
              {team.policy.locked.includes(key) && (
                <span className="shrink-0">
                  <Tag tone="warn">locked by your organisation</Tag>
                </span>
              )}
              {key in overrides && !team.policy.locked.includes(key) && (
                <span className="shrink-0">
                  <Tag tone="accent">changed</Tag>
                </span>
              )}
            </li>
          )
        })}
      </ul>
    </Section>
  )
}
