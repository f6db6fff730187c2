import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { FreshKey } from '../../features/account/key-commands.tsx'
import { grid } from '../../lib/client.ts'
import { useMe } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Problem } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'

/** Where `wandb login` sends people: a fresh key to paste into a terminal. Made by a press, so that a reload makes no second one. */
export function AuthorizePage() {
  const me = useMe()
  const create = useMutation({
    mutationFn: () => grid.me.createKey({ name: `Terminal, ${new Date().toISOString().slice(0, 10)}` }),
  })
  return (
    <Page title="Log in from a terminal">
      <Section title="A fresh API key" says={`for ${me?.user.username}`}>
        {create.data === undefined ? (
          <div className="flex flex-col items-start gap-3">
            <p className="text-ink-soft">
              The key lets scripts and command lines on another machine act as you. It is shown once; you can
              revoke it at any time in{' '}
              <Link to="/settings" className="text-accent hover:underline">
                Settings
              </Link>
              .
            </p>
            <Button look="primary" busy={create.isPending} onClick={() => create.mutate()} autoFocus>
              Show a fresh key
            </Button>
            {create.isError && <Problem error={create.error} />}
          </div>
        ) : (
          <FreshKey secret={create.data.secret} />
        )}
      </Section>
    </Page>
  )
}
