import type { Team } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { privacyQuery } from './queries.ts'

const words = { team: 'Everybody in the team', private: 'Only its maker and the admins' } as const

/** Who sees which project, and what new ones are. */
export function PrivacySettings({ team }: { team: Team }) {
  const queries = useQueryClient()
  const may = useRefusal(team)
  const refusedToSee = may('privacy:read')
  const no = may('privacy:edit')
  const privacy = useQuery({ ...privacyQuery(team.slug), enabled: refusedToSee === undefined })
  const change = useMutation({
    mutationFn: (input: Omit<Parameters<typeof grid.teams.setPrivacy>[0], 'team'>) =>
      grid.teams.setPrivacy({ team: team.slug, ...input }),
    onSuccess: async (next) => {
      queries.setQueryData(privacyQuery(team.slug).queryKey, next)
      tell('Saved')
      await queries.invalidateQueries()
    },
    onError: tellError,
  })
  return (
    <Section title="Privacy" says="Outsiders never see a team or anything in it." flush>
      {refusedToSee !== undefined && <p className="px-4 py-3 text-ink-faint">{refusedToSee}</p>}
      {privacy.isLoading && <SkeletonRows rows={3} />}
      {privacy.isError && <Problem error={privacy.error} retry={() => void privacy.refetch()} />}
      {privacy.data !== undefined && (
        <>
          <div className="grid gap-4 p-4 sm:grid-cols-2">
            <Tip says={no ?? 'Projects that exist stay as they are'}>
              <div>
                <Field label="New projects are seen by">
                  {(props) => (
                    <Select
                      {...props}
                      className="w-full"
                      value={privacy.data.newProjects}
                      disabled={no !== undefined}
                      onChange={(event) =>
                        change.mutate({ newProjects: event.target.value as 'team' | 'private' })
                      }
                    >
                      <option value="team">{words.team}</option>
                      <option value="private">{words.private}</option>
                    </Select>
                  )}
                </Field>
              </div>
            </Tip>
            <Tip says={no ?? 'Off: they save none, unless a script insists'}>
              <span className="self-end pb-2">
                <Checkbox
                  label="Clients may save the code of scripts"
                  checked={privacy.data.codeSaving}
                  disabled={no !== undefined || change.isPending}
                  onChange={(event) => change.mutate({ codeSaving: event.target.checked })}
                />
              </span>
            </Tip>
          </div>
          {privacy.data.projects.length > 0 && (
            <div className="border-t border-line">
              <PlainTable stacks label="Privacy of projects" head={['Project', 'Made by', 'Seen by']}>
                {privacy.data.projects.map((project) => (
                  <tr key={project.name}>
                    <td className="font-medium break-all">{project.name}</td>
                    <td className="text-ink-soft">{project.createdBy?.username ?? '–'}</td>
                    <td>
                      {project.mayChange ? (
                        <Select
                          small
                          aria-label={`Who sees ${project.name}`}
                          value={project.visibility}
                          onChange={(event) =>
                            change.mutate({
                              project: {
                                name: project.name,
                                visibility: event.target.value as 'team' | 'private',
                              },
                            })
                          }
                        >
                          <option value="team">{words.team}</option>
                          <option value="private">{words.private}</option>
                        </Select>
                      ) : (
                        <Tip says={no ?? ''}>
                          <span tabIndex={0}>
                            <Tag>{words[project.visibility]}</Tag>
                          </span>
                        </Tip>
                      )}
                    </td>
                  </tr>
                ))}
              </PlainTable>
            </div>
          )}
        </>
      )}
    </Section>
  )
}
