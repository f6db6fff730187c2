import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { Link } from '@tanstack/react-router'
import { FreshKey } from '../../features/account/key-commands.tsx'
import { grid } from '../../lib/client.ts'
import { useMe } from '../../lib/me.ts'
import { Problem } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'

/** Where `wandb login` sends people: a fresh key to paste into a terminal, made as the page opens. */
export function AuthorizePage() {
  const me = useMe()
  const create = useMutation({
    mutationFn: () => grid.me.createKey({ name: `Terminal, ${new Date().toISOString().slice(0, 10)}` }),
  })
  const { mutate } = create
  const asked = useRef(false)
  useEffect(() => {
    // Once per visit, also where React mounts twice.
    if (asked.current) return
    asked.current = true
    mutate()
  }, [mutate])
  return (
    <Page title="Log in from a terminal">
      <Section title="A fresh API key" says={`for ${me?.user.username}`}>
        <p className="mb-3 text-ink-soft">
          The key lets scripts and command lines on another machine act as you. You can revoke it at any time
          in{' '}
          <Link to="/settings" className="text-accent hover:underline">
            Settings
          </Link>
          .
        </p>
        {create.isError && <Problem error={create.error} />}
        {create.data && <FreshKey secret={create.data.secret} />}
      </Section>
    </Page>
  )
}
