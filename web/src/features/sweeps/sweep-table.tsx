import type { Sweep } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { exactValue, formatNumber, plural } from '../../lib/format.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { Progress, SweepStateTag } from './sweep-state.tsx'

/** The sweeps of a project. */
export function SweepTable({ sweeps }: { sweeps: readonly Sweep[] }) {
  return (
    <PlainTable
      label="Sweeps"
      head={['Sweep', 'State', 'Experiments', 'Method', 'Best', 'Agents', 'Creator', 'Created']}
    >
      {sweeps.map((sweep) => (
        <tr key={sweep.id} className="hover:bg-hover">
          <td className="max-w-72">
            <Link
              to="/$team/$project/sweeps/$id"
              params={{ team: sweep.team, project: sweep.project, id: sweep.slug }}
              className="block truncate font-medium hover:underline"
            >
              {sweep.name}
            </Link>
          </td>
          <td>
            <SweepStateTag state={sweep.state} />
          </td>
          <td>
            <Progress sweep={sweep} />
          </td>
          <td>{sweep.method}</td>
          <td className="whitespace-nowrap">
            <Best sweep={sweep} />
          </td>
          <td className="tabular-nums">{sweep.agents}</td>
          <td>{sweep.createdBy.username}</td>
          <td className="whitespace-nowrap text-ink-soft">
            <Ago at={sweep.createdAt} />
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}

/** `loss 0.031` */
export function Best({ sweep: { metric, best } }: { sweep: Pick<Sweep, 'metric' | 'best'> }) {
  if (metric === null) return <span className="text-ink-faint">–</span>
  return (
    <span title={`${metric.goal} ${metric.name}`}>
      <span className="text-ink-faint">{metric.name}</span>{' '}
      {best === null ? (
        <span className="text-ink-faint">–</span>
      ) : (
        <span className="font-medium tabular-nums" title={exactValue(best.value)}>
          {formatNumber(best.value)}
        </span>
      )}
    </span>
  )
}

/** What to type for a first sweep, with this server's address and this team's name in it. */
export function FirstSweep({ team, project, mayMake }: { team: string; project: string; mayMake: boolean }) {
  return (
    <EmptyState
      title={mayMake ? 'Search for good parameters' : 'No sweeps yet'}
      says={
        mayMake
          ? 'A sweep tries parameters one after the other, on as many machines as you start agents on.'
          : 'As a viewer you see sweeps here as soon as a member starts one.'
      }
    >
      {mayMake && (
        <>
          <CommandBlock
            title="sweep.yaml"
            text={`program: train.py
method: bayes
metric:
  name: val/loss
  goal: minimize
parameters:
  lr:
    distribution: log_uniform_values
    min: 0.0001
    max: 0.1
  batch_size:
    values: [32, 64, 128]
run_cap: 30`}
          />
          <CommandBlock
            title="In a terminal"
            text={`export WANDB_BASE_URL=${location.origin}\nwandb sweep --entity ${team} --project ${project} sweep.yaml`}
          />
          <p className="text-[13px] text-ink-soft">
            It prints the command that starts an agent. Run that on every machine that shall help.
          </p>
        </>
      )}
    </EmptyState>
  )
}

/** How to lend a machine to a sweep. */
export function AgentCommand({ sweep }: { sweep: Pick<Sweep, 'team' | 'project' | 'slug' | 'agents'> }) {
  return (
    <div className="flex flex-col gap-2">
      <CommandBlock
        text={`export WANDB_BASE_URL=${location.origin}\nwandb agent ${sweep.team}/${sweep.project}/${sweep.slug}`}
      />
      <p className="text-[13px] text-ink-faint">
        {sweep.agents === 0
          ? 'No agent asks for work right now. Start one in the folder of the program, on as many machines as you like.'
          : `${plural(sweep.agents, 'agent')} at work. More may join at any time.`}
      </p>
    </div>
  )
}
