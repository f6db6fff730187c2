import { type RunDetails, RunName, runNameRule, RunSpec, searchExperiments } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { Problem } from '../../ui/feedback.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { clustersQuery } from './queries.ts'

/** Words of a command line: spaces separate, quotes keep together. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double?.replaceAll(/\\(.)/g, '$1') ?? single ?? plain ?? '',
  )
}

function textOf(words: readonly string[]): string {
  return words
    .map((word) => (/^[^\s'"]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`))
    .join(' ')
}

/** A new run with the code of another one; everything else may be changed. */
export function RunForm({
  team,
  source,
  onDone,
}: {
  team: string
  source: RunDetails
  onDone: (name: string) => void
}) {
  const { spec } = source
  const [form, setForm] = useState({
    name: '',
    script: spec.script,
    arguments: textOf(spec.arguments),
    strategy: spec.strategy,
    trials: spec.trials === null ? '' : String(spec.trials),
    seed: String(spec.seed),
    cluster: spec.cluster ?? source.cluster,
    machine: spec.instanceType ?? '',
    cpus: String(spec.resources.cpus),
    gpus: String(spec.resources.gpus),
    memoryGiB: spec.resources.memoryMiB === 0 ? '' : String(spec.resources.memoryMiB / 1024),
    datastore: spec.datastores[0]?.reference ?? '',
  })
  const [problem, setProblem] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const clusters = useQuery(clustersQuery(team))
  const cluster = clusters.data?.find((each) => each.name === form.cluster)
  const set = (name: keyof typeof form) => (event: { target: { value: string } }) =>
    setForm((before) => ({ ...before, [name]: event.target.value }))
  const search = planned(form)
  const nameError = form.name === '' || RunName.safeParse(form.name).success ? undefined : runNameRule

  async function submit(): Promise<void> {
    setBusy(true)
    setProblem(undefined)
    try {
      const made = await grid.runs.submit({
        team,
        project: source.project,
        ...(form.name === '' ? {} : { name: form.name }),
        code: source.code,
        git: source.git,
        clonedFrom: source.id,
        spec: RunSpec.parse({
          ...spec,
          script: form.script,
          arguments: wordsOf(form.arguments),
          strategy: form.strategy,
          trials: form.trials === '' ? null : Number(form.trials),
          seed: Number(form.seed),
          cluster: form.cluster,
          instanceType: form.machine === '' ? null : form.machine,
          resources: {
            ...spec.resources,
            cpus: Number(form.cpus),
            gpus: Number(form.gpus),
            memoryMiB: form.memoryGiB === '' ? 0 : Math.ceil(Number(form.memoryGiB) * 1024),
          },
          datastores:
            form.datastore === ''
              ? []
              : [{ reference: form.datastore, mountPath: spec.datastores[0]?.mountPath ?? null }],
        }),
      })
      onDone(made.name)
    } catch (error) {
      setProblem(error)
    } finally {
      setBusy(false)
    }
  }

  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <Field label="Name" help="Left empty, one is found." error={nameError}>
        {(props) => <Input {...props} value={form.name} onChange={set('name')} placeholder="lr-search" />}
      </Field>
      <Field label="Script">
        {(props) => <Input {...props} required value={form.script} onChange={set('script')} />}
      </Field>
      <Field
        label="Arguments"
        help='Lists and ranges are searched over: --lr "[0.1, 0.01]" --seed "range(3)"'
        error={search.error}
      >
        {(props) => (
          <Input {...props} className="font-mono" value={form.arguments} onChange={set('arguments')} />
        )}
      </Field>
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-3">
        <Field label="Strategy">
          {(props) => (
            <Select {...props} value={form.strategy} onChange={set('strategy')}>
              <option value="grid_search">Every combination</option>
              <option value="random_search">Some, drawn at random</option>
              <option value="none">One, as it stands</option>
            </Select>
          )}
        </Field>
        {form.strategy === 'random_search' && (
          <>
            <Field label="Combinations">
              {(props) => (
                <Input
                  {...props}
                  type="number"
                  min={1}
                  required
                  value={form.trials}
                  onChange={set('trials')}
                />
              )}
            </Field>
            <Field label="Seed">
              {(props) => <Input {...props} type="number" min={0} value={form.seed} onChange={set('seed')} />}
            </Field>
          </>
        )}
      </div>
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
        <Field
          label="Cluster"
          error={cluster?.status === 'running' ? undefined : (cluster?.reason ?? undefined)}
        >
          {(props) => (
            <Select {...props} value={form.cluster} onChange={set('cluster')}>
              {clusters.data?.map((each) => (
                <option key={each.id} value={each.name}>
                  {each.name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Machine">
          {(props) => (
            <Select {...props} value={form.machine} onChange={set('machine')}>
              <option value="">Any</option>
              {cluster?.machines.map((each) => (
                <option key={each.name} value={each.name}>
                  {each.name} · {plural(each.cpus, 'processor')}
                  {each.gpus > 0 && ` · ${plural(each.gpus, 'GPU')}`}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </div>
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-3">
        <Field label="Processors" help="0: all of the machine.">
          {(props) => <Input {...props} type="number" min={0} value={form.cpus} onChange={set('cpus')} />}
        </Field>
        <Field label="GPUs">
          {(props) => <Input {...props} type="number" min={0} value={form.gpus} onChange={set('gpus')} />}
        </Field>
        <Field label="Memory in GiB" help="Empty: the machine's share.">
          {(props) => (
            <Input
              {...props}
              type="number"
              min={0}
              step="any"
              value={form.memoryGiB}
              onChange={set('memoryGiB')}
            />
          )}
        </Field>
      </div>
      <Field label="Datastore" help="owner:name:version, to be seen at /datastores/name.">
        {(props) => (
          <Input {...props} value={form.datastore} onChange={set('datastore')} placeholder="bob:cats:1" />
        )}
      </Field>
      {problem !== undefined && <Problem error={problem} />}
      <div className="flex items-center gap-3">
        <Button type="submit" look="primary" busy={busy} refused={search.error ?? nameError}>
          Start {search.count === 1 ? 'one experiment' : `${search.count} experiments`}
        </Button>
      </div>
    </form>
  )
}

function planned(form: {
  arguments: string
  strategy: RunDetails['spec']['strategy']
  trials: string
  seed: string
}): { count: number; error?: string } {
  try {
    const { experiments } = searchExperiments(wordsOf(form.arguments), {
      strategy: form.strategy,
      trials: form.trials === '' ? null : Number(form.trials),
      seed: Number(form.seed),
    })
    return { count: experiments.length }
  } catch (error) {
    return { count: 0, error: error instanceof Error ? error.message : String(error) }
  }
}
