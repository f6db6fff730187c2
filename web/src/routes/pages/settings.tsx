import { ApiKeys } from '../../features/account/api-keys.tsx'
import { Appearance, Password, Profile } from '../../features/account/profile.tsx'
import { SignInSecurity } from '../../features/account/second-factor.tsx'
import { NotificationPreferences } from '../../features/alerts/preferences.tsx'
import { useMe } from '../../lib/me.ts'
import { Page } from '../../ui/layout.tsx'

export function SettingsPage() {
  const me = useMe()
  // Every person has a personal team as its admin, so everybody may hold a key; view-only is per team.
  const refused =
    me?.user.kind === 'service' ? 'Keys of a service account are managed by its team’s admins.' : undefined
  return (
    <Page title="Settings">
      <Profile />
      <ApiKeys refused={refused} />
      <div id="notifications">
        <NotificationPreferences />
      </div>
      <SignInSecurity />
      <Password />
      <Appearance />
    </Page>
  )
}
