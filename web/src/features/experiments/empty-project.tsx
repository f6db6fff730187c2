import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState } from '../../ui/feedback.tsx'

/** The lines that send a first experiment here, with this server's address and this team's name in them. */
export function FirstExperiment({
  team,
  project,
  mayLog,
}: {
  team: string
  project: string
  mayLog: boolean
}) {
  const name = JSON.stringify
  return (
    <EmptyState
      title={mayLog ? 'Send the first experiment' : 'No experiments yet'}
      says={
        mayLog
          ? 'Any script that uses the wandb package logs here; nothing in it needs to change but its destination.'
          : 'As a viewer you see experiments here as soon as a member logs one.'
      }
    >
      {mayLog && (
        <>
          <CommandBlock
            title="In a terminal, once"
            text={`pip install wandb\nexport WANDB_BASE_URL=${location.origin}\nwandb login`}
          />
          <CommandBlock
            title="In the script"
            text={`import wandb\n\nwith wandb.init(entity=${name(team)}, project=${name(project)}, config={"lr": 0.01}) as run:\n    for step in range(100):\n        run.log({"loss": 1 / (step + 1)})`}
          />
        </>
      )}
    </EmptyState>
  )
}
