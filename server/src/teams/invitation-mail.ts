import type { TeamRole } from '@teamgrid/api'
import type { Message } from '../mail/message.ts'

const roles: Record<TeamRole, string> = {
  admin: 'as an admin',
  member: 'as a member',
  viewer: 'to look on (view-only)',
  service: 'as a service account',
}

/** The letter of an invitation; the mailer makes plain text and html of it. */
export function invitationMail(given: {
  team: string
  role: TeamRole
  inviter: string
  url: string
  expiresAt: Date
  hasAccount: boolean
}): Message {
  const { team, role, inviter, url, expiresAt, hasAccount } = given
  return {
    subject: `${inviter} invites you to ${team}`,
    paragraphs: [
      `${inviter} invites you to team ${team} ${roles[role]}.`,
      hasAccount
        ? 'Sign in with your account and join; what you have elsewhere stays as it is.'
        : 'You need no account yet: the link lets you make one.',
    ],
    facts: [['The link works once, until', `${expiresAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`]],
    button: { label: `Join ${team}`, url },
    footer: ['If you do not know what this is about, do nothing: without the link nothing happens.'],
  }
}
