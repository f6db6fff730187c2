import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput, Slug } from './base.ts'

export const TeamRole = z.enum(['admin', 'member', 'viewer', 'service'])
export type TeamRole = z.infer<typeof TeamRole>
export const OrganisationRole = z.enum(['admin', 'billing', 'member'])
export type OrganisationRole = z.infer<typeof OrganisationRole>

export const Password = z
  .string()
  .min(8, 'A password has at least 8 characters')
  .max(128, 'A password has at most 128 characters')

/** How people appear beside things: enough to name them, nothing private. */
export const Person = z.object({ username: z.string(), name: z.string() })
export type Person = z.infer<typeof Person>

export const User = Person.extend({
  id: Id,
  email: z.string().nullable(),
  kind: z.enum(['person', 'service']),
  organisationRole: OrganisationRole,
  disabled: z.boolean(),
  createdAt: Instant,
})
export type User = z.infer<typeof User>

export const TeamPolicy = z.object({
  preset: z.string(),
  overrides: z.record(z.string(), z.union([z.boolean(), z.string()])),
  /** Every switch with its value now. */
  switches: z.record(z.string(), z.union([z.boolean(), z.string()])),
  /** Switches that the organisation fixed. */
  locked: z.array(z.string()),
})

export const Team = z.object({
  id: Id,
  slug: z.string(),
  name: z.string(),
  kind: z.enum(['team', 'personal']),
  /** The caller's role; null for an organisation admin who is not a member. */
  role: TeamRole.nullable(),
  createdAt: Instant,
  members: z.number(),
  projects: z.number(),
  /** Experiments running now. */
  running: z.number(),
  policy: TeamPolicy,
  /** Usernames of those who can help. */
  admins: z.array(z.string()),
})
export type Team = z.infer<typeof Team>

export const Me = z.object({
  user: User,
  /** Slug of the team that gets work which names none. */
  defaultTeam: z.string(),
  /** Set when joining a team made it the place for new work, until the person keeps that or takes it back. */
  defaultTeamSwitch: z.object({ from: z.string(), to: z.string(), at: Instant }).nullable(),
  teams: z.array(Team),
  via: z.enum(['cookie', 'key', 'operator']),
})
export type Me = z.infer<typeof Me>

export const Member = Person.extend({
  userId: Id,
  email: z.string().nullable(),
  role: TeamRole,
  kind: z.enum(['person', 'service']),
  joinedAt: Instant,
})
export type Member = z.infer<typeof Member>

export const ApiKey = z.object({
  id: Id,
  name: z.string(),
  /** Last four characters. */
  hint: z.string(),
  /** First characters; empty for keys of before they were kept. */
  start: z.string(),
  createdAt: Instant,
  lastUsedAt: Instant.nullable(),
})
export type ApiKey = z.infer<typeof ApiKey>
/** The secret is in this answer and never again. */
export const NewApiKey = ApiKey.extend({ secret: z.string() })

export const Invitation = z.object({
  id: Id,
  email: z.string().nullable(),
  /** Whom it is for, when it names an account. */
  person: Person.nullable(),
  /** When it was last sent by mail; null: never, so hand the link over. */
  sentAt: Instant.nullable(),
  role: TeamRole,
  createdBy: Person.nullable(),
  createdAt: Instant,
  expiresAt: Instant,
  state: z.enum(['pending', 'accepted', 'revoked', 'expired']),
})
export type Invitation = z.infer<typeof Invitation>
/** The link is in this answer and never again. `mail` tells what became of the message. */
export const NewInvitation = Invitation.extend({
  url: z.string(),
  mail: z.object({ state: z.enum(['sent', 'no address', 'no mail server', 'failed']), says: z.string() }),
})
export type NewInvitation = z.infer<typeof NewInvitation>
/** What somebody who is invited sees. */
export const MyInvitation = z.object({
  id: Id,
  team: z.string(),
  teamName: z.string(),
  role: TeamRole,
  invitedBy: Person.nullable(),
  expiresAt: Instant,
})
export type MyInvitation = z.infer<typeof MyInvitation>

/** What removing somebody does, listed before it is done. Each line is a sentence to read. */
export const Removal = z.object({
  username: z.string(),
  stops: z.array(z.string()),
  ends: z.array(z.string()),
  stays: z.array(z.string()),
  /** Why it cannot be done now, if so. */
  refused: z.string().nullable(),
})
export type Removal = z.infer<typeof Removal>

/** Why somebody can see something, in one sentence. */
export const Why = z.object({
  person: z.string(),
  thing: z.string(),
  sees: z.boolean(),
  sentence: z.string(),
})
export type Why = z.infer<typeof Why>

export const TeamPrivacy = z.object({
  /** What a project is when it is made. */
  newProjects: z.enum(['team', 'private']),
  /** Whether clients may save the code of scripts; off, they save none unless a script insists. */
  codeSaving: z.boolean(),
  projects: z.array(
    z.object({
      name: z.string(),
      /** `private`: only who made it, and the admins. */
      visibility: z.enum(['team', 'private']),
      createdBy: Person.nullable(),
      /** Whether the caller may change it. */
      mayChange: z.boolean(),
    }),
  ),
})
export type TeamPrivacy = z.infer<typeof TeamPrivacy>

export const Project = z.object({
  id: Id,
  team: z.string(),
  name: z.string(),
  description: z.string(),
  /** `private`: only who made it, and the admins. */
  visibility: z.enum(['team', 'private']),
  createdBy: Person.nullable(),
  createdAt: Instant,
  /** When an experiment in it last changed. */
  updatedAt: Instant,
  experiments: z.number(),
  running: z.number(),
  failed: z.number(),
})
export type Project = z.infer<typeof Project>

export const Activity = z.object({
  id: Id,
  at: Instant,
  actor: Person.nullable(),
  via: z.string(),
  action: z.string(),
  subjectKind: z.string(),
  subjectId: z.string(),
  details: z.record(z.string(), z.unknown()),
})

const team = z.object({ team: z.string() })
const member = team.extend({ username: z.string() })
const project = team.extend({ project: z.string() })
const KeyName = z.string().trim().min(1).max(100)
/** 40 characters `[0-9a-z]`, optionally after one prefix and a dash, so that every wandb client takes it. */
export const apiKeyPattern = /^(?:[A-Za-z0-9_]{1,20}-)?[0-9a-z]{40}$/
export const ApiKeySecret = z
  .string()
  .regex(apiKeyPattern, 'A key is 40 characters 0-9 a-z, optionally after a prefix and "-"')

export const ProjectName = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^[^/\\#?%:\p{Cc}]+$/u, 'A project name has no / \\ # ? % or :')

export const instance = {
  about: endpoint
    .route({
      method: 'GET',
      path: '/instance',
      summary: 'What this server is and how one gets in',
      tags: ['instance'],
    })
    .output(
      z.object({
        organisation: z.string(),
        version: z.string(),
        url: z.string(),
        /** True until the first person has used the one-time link. */
        setupNeeded: z.boolean(),
        signUpOpen: z.boolean(),
        /** How one gets in: by password, and through which identity providers. */
        signIn: z.object({
          password: z.boolean(),
          providers: z.array(z.object({ id: z.string(), name: z.string() })),
        }),
      }),
    ),
  setUp: endpoint
    .route({
      method: 'POST',
      path: '/setup',
      summary: 'Make the first person, with the one-time link',
      tags: ['instance'],
    })
    .input(
      z.object({
        token: z.string(),
        username: Slug,
        name: z.string().max(200).optional(),
        email: z.email(),
        password: Password,
      }),
    )
    .output(User),
  signUp: endpoint
    .route({
      method: 'POST',
      path: '/signup',
      summary: 'Make an account, by invitation or where sign-up is open',
      tags: ['instance'],
    })
    .input(
      z.object({
        invitation: z.string().optional(),
        username: Slug,
        name: z.string().max(200).optional(),
        email: z.email(),
        password: Password,
      }),
    )
    .output(User),
  change: endpoint
    .route({
      method: 'PATCH',
      path: '/instance',
      summary: 'Change organisation settings',
      tags: ['instance'],
    })
    .input(
      z.object({ organisation: z.string().min(1).max(200).optional(), signUpOpen: z.boolean().optional() }),
    )
    .output(Ok),
}

export const me = {
  get: endpoint
    .route({ method: 'GET', path: '/me', summary: 'Who am I and where may I work', tags: ['me'] })
    .output(Me),
  change: endpoint
    .route({ method: 'PATCH', path: '/me', summary: 'Change my name or default team', tags: ['me'] })
    .input(
      z.object({
        name: z.string().trim().min(1).max(200).optional(),
        /** Naming one also settles `defaultTeamSwitch`. */
        defaultTeam: z.string().optional(),
      }),
    )
    .output(Me),
  invitations: endpoint
    .route({
      method: 'GET',
      path: '/me/invitations',
      summary: 'Open invitations to me, by name or by my address',
      tags: ['me'],
    })
    .output(z.array(MyInvitation)),
  acceptInvitation: endpoint
    .route({
      method: 'POST',
      path: '/me/invitations/{invitationId}/accept',
      summary: 'Join the team',
      tags: ['me'],
    })
    .input(z.object({ invitationId: Id }))
    .output(Team),
  declineInvitation: endpoint
    .route({
      method: 'POST',
      path: '/me/invitations/{invitationId}/decline',
      summary: 'Turn an invitation down',
      tags: ['me'],
    })
    .input(z.object({ invitationId: Id }))
    .output(Ok),
  keys: endpoint
    .route({ method: 'GET', path: '/me/keys', summary: 'My API keys', tags: ['me'] })
    .output(z.array(ApiKey)),
  createKey: endpoint
    .route({
      method: 'POST',
      path: '/me/keys',
      summary: 'Make an API key; its secret is shown once',
      tags: ['me'],
    })
    .input(z.object({ name: KeyName.default('API key') }))
    .output(NewApiKey),
  revokeKey: endpoint
    .route({ method: 'DELETE', path: '/me/keys/{keyId}', summary: 'Revoke one of my API keys', tags: ['me'] })
    .input(z.object({ keyId: Id }))
    .output(Ok),
}

export const users = {
  list: endpoint
    .route({ method: 'GET', path: '/users', summary: 'People of the organisation', tags: ['users'] })
    .input(PageInput.extend({ search: z.string().optional() }))
    .output(page(User)),
  create: endpoint
    .route({ method: 'POST', path: '/users', summary: 'Make a person', tags: ['users'] })
    .input(
      z.object({
        username: Slug,
        email: z.email(),
        name: z.string().max(200).optional(),
        /** Without one the person sets it through a reset link. */
        password: Password.optional(),
        /** Bring your own key, for automation. */
        apiKey: ApiKeySecret.optional(),
        admin: z.boolean().default(false),
      }),
    )
    .output(User),
  change: endpoint
    .route({
      method: 'PATCH',
      path: '/users/{username}',
      summary: 'Change, disable or enable a person',
      tags: ['users'],
    })
    .input(
      z.object({
        username: z.string(),
        name: z.string().max(200).optional(),
        organisationRole: OrganisationRole.optional(),
        disabled: z.boolean().optional(),
        password: Password.optional(),
      }),
    )
    .output(User),
  resetPassword: endpoint
    .route({
      method: 'POST',
      path: '/users/{username}/password-reset',
      summary: 'Make a link that sets a new password',
      tags: ['users'],
    })
    .input(z.object({ username: z.string() }))
    .output(z.object({ url: z.string(), expiresAt: Instant })),
  keys: endpoint
    .route({
      method: 'GET',
      path: '/users/{username}/keys',
      summary: 'Keys of a person or service account',
      tags: ['users'],
    })
    .input(z.object({ username: z.string() }))
    .output(z.array(ApiKey)),
  createKey: endpoint
    .route({
      method: 'POST',
      path: '/users/{username}/keys',
      summary: 'Make a key for somebody (operator only)',
      tags: ['users'],
    })
    .input(
      z.object({ username: z.string(), name: KeyName.default('API key'), apiKey: ApiKeySecret.optional() }),
    )
    .output(NewApiKey),
  revokeKey: endpoint
    .route({
      method: 'DELETE',
      path: '/users/{username}/keys/{keyId}',
      summary: 'Revoke a key of somebody',
      tags: ['users'],
    })
    .input(z.object({ username: z.string(), keyId: Id }))
    .output(Ok),
}

export const teams = {
  list: endpoint
    .route({ method: 'GET', path: '/teams', summary: 'Teams I can see', tags: ['teams'] })
    .output(z.array(Team)),
  create: endpoint
    .route({ method: 'POST', path: '/teams', summary: 'Make a team', tags: ['teams'] })
    .input(
      z.object({
        slug: Slug,
        name: z.string().max(200).optional(),
        /** Username of its first admin; the caller if absent. */
        admin: z.string().optional(),
      }),
    )
    .output(Team),
  get: endpoint
    .route({ method: 'GET', path: '/teams/{team}', summary: 'One team', tags: ['teams'] })
    .input(team)
    .output(Team),
  change: endpoint
    .route({
      method: 'PATCH',
      path: '/teams/{team}',
      summary: 'Rename a team (its slug stays)',
      tags: ['teams'],
    })
    .input(team.extend({ name: z.string().trim().min(1).max(200) }))
    .output(Team),
  setPolicy: endpoint
    .route({
      method: 'PUT',
      path: '/teams/{team}/policy',
      summary: 'Choose a policy preset and switches',
      tags: ['teams'],
    })
    .input(
      team.extend({
        preset: z.string().optional(),
        overrides: z.record(z.string(), z.union([z.boolean(), z.string()])).optional(),
      }),
    )
    .output(Team),
  members: endpoint
    .route({ method: 'GET', path: '/teams/{team}/members', summary: 'Who is in a team', tags: ['teams'] })
    .input(team)
    .output(z.array(Member)),
  addMember: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/members',
      summary: 'Add an existing person',
      tags: ['teams'],
    })
    .input(member.extend({ role: z.enum(['admin', 'member', 'viewer']).default('member') }))
    .output(Member),
  changeMember: endpoint
    .route({
      method: 'PATCH',
      path: '/teams/{team}/members/{username}',
      summary: 'Change a role',
      tags: ['teams'],
    })
    .input(member.extend({ role: z.enum(['admin', 'member', 'viewer']) }))
    .output(Member),
  removeMember: endpoint
    .route({
      method: 'DELETE',
      path: '/teams/{team}/members/{username}',
      summary: 'Remove a member, or leave',
      tags: ['teams'],
    })
    .input(member)
    .output(Ok),
  invitations: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/invitations',
      summary: 'Invitations of a team',
      tags: ['teams'],
    })
    .input(team)
    .output(z.array(Invitation)),
  invite: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/invitations',
      summary: 'Make an invitation link',
      tags: ['teams'],
    })
    .input(
      team.extend({
        email: z.email().optional(),
        /** Of an account; they see it when they sign in. */
        username: z.string().optional(),
        role: z.enum(['admin', 'member', 'viewer']).default('member'),
        expiresInDays: z.number().int().min(1).max(90).default(7),
      }),
    )
    .output(NewInvitation),
  revokeInvitation: endpoint
    .route({
      method: 'DELETE',
      path: '/teams/{team}/invitations/{invitationId}',
      summary: 'Revoke an invitation',
      tags: ['teams'],
    })
    .input(team.extend({ invitationId: Id }))
    .output(Ok),
  resendInvitation: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/invitations/{invitationId}/resend',
      summary: 'Send an invitation again, with a new link and a new term; the old link ends',
      tags: ['teams'],
    })
    .input(team.extend({ invitationId: Id }))
    .output(NewInvitation),
  removal: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/members/{username}/removal',
      summary: 'What removing a member would stop, end and leave',
      tags: ['teams'],
    })
    .input(member)
    .output(Removal),
  formerMembers: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/former-members',
      summary: 'Who left or was removed, and how much bears their name',
      tags: ['teams'],
    })
    .input(team)
    .output(z.array(Person.extend({ leftAt: Instant, experiments: z.number(), projects: z.number() }))),
  reassign: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/members/{username}/reassign',
      summary: 'Give what a former member made to a member',
      tags: ['teams'],
    })
    .input(member.extend({ to: z.string() }))
    .output(z.object({ experiments: z.number(), projects: z.number() })),
  why: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/why',
      summary: 'Why somebody can, or cannot, see the team, a project or an experiment',
      tags: ['teams'],
    })
    .input(
      team.extend({
        person: z.string(),
        project: z.string().optional(),
        experiment: z.string().optional(),
      }),
    )
    .output(Why),
  privacy: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/privacy',
      summary: 'Privacy settings of a team and its projects',
      tags: ['teams'],
    })
    .input(team)
    .output(TeamPrivacy),
  setPrivacy: endpoint
    .route({
      method: 'PATCH',
      path: '/teams/{team}/privacy',
      summary: 'Change privacy settings of a team or of one of its projects',
      tags: ['teams'],
    })
    .input(
      team.extend({
        newProjects: z.enum(['team', 'private']).optional(),
        codeSaving: z.boolean().optional(),
        project: z.object({ name: z.string(), visibility: z.enum(['team', 'private']) }).optional(),
      }),
    )
    .output(TeamPrivacy),
  createServiceAccount: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/service-accounts',
      summary: 'Make a service account and its key',
      tags: ['teams'],
    })
    .input(team.extend({ username: Slug, name: z.string().max(200).optional() }))
    .output(z.object({ member: Member, key: NewApiKey })),
  serviceKeys: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/service-accounts/{username}/keys',
      summary: 'Keys of a service account',
      tags: ['teams'],
    })
    .input(member)
    .output(z.array(ApiKey)),
  createServiceKey: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/service-accounts/{username}/keys',
      summary: 'Make another key',
      tags: ['teams'],
    })
    .input(member.extend({ name: KeyName.default('API key') }))
    .output(NewApiKey),
  revokeServiceKey: endpoint
    .route({
      method: 'DELETE',
      path: '/teams/{team}/service-accounts/{username}/keys/{keyId}',
      summary: 'Revoke a key of a service account',
      tags: ['teams'],
    })
    .input(member.extend({ keyId: Id }))
    .output(Ok),
  rotateServiceKey: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/service-accounts/{username}/keys/{keyId}/rotate',
      summary: 'Replace a key of a service account: the old one ends, the new one is shown once',
      tags: ['teams'],
    })
    .input(member.extend({ keyId: Id }))
    .output(NewApiKey),
  activity: endpoint
    .route({ method: 'GET', path: '/teams/{team}/activity', summary: 'Who did what', tags: ['teams'] })
    .input(team.extend(PageInput.shape))
    .output(page(Activity)),
}

export const invitations = {
  get: endpoint
    .route({
      method: 'GET',
      path: '/invitations/{token}',
      summary: 'What an invitation link leads to',
      tags: ['teams'],
    })
    .input(z.object({ token: z.string() }))
    .output(
      z.object({
        team: z.string(),
        teamName: z.string(),
        role: TeamRole,
        invitedBy: Person.nullable(),
        email: z.string().nullable(),
        /** The account it names, if any. */
        username: z.string().nullable(),
        expiresAt: Instant,
        /** Whether the caller may accept it, signed in as they are; null for nobody. */
        fits: z.boolean().nullable(),
      }),
    ),
  accept: endpoint
    .route({ method: 'POST', path: '/invitations/{token}/accept', summary: 'Join the team', tags: ['teams'] })
    .input(z.object({ token: z.string() }))
    .output(Team),
}

export const projects = {
  list: endpoint
    .route({
      method: 'GET',
      path: '/teams/{team}/projects',
      summary: 'Projects of a team, newest activity first',
      tags: ['projects'],
    })
    .input(team)
    .output(z.array(Project)),
  create: endpoint
    .route({ method: 'POST', path: '/teams/{team}/projects', summary: 'Make a project', tags: ['projects'] })
    .input(team.extend({ name: ProjectName, description: z.string().max(20_000).optional() }))
    .output(Project),
  get: endpoint
    .route({ method: 'GET', path: '/projects/{team}/{project}', summary: 'One project', tags: ['projects'] })
    .input(project)
    .output(Project),
  change: endpoint
    .route({
      method: 'PATCH',
      path: '/projects/{team}/{project}',
      summary: 'Change the description',
      tags: ['projects'],
    })
    .input(project.extend({ description: z.string().max(20_000) }))
    .output(Project),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: '/projects/{team}/{project}',
      summary: 'Delete a project and everything in it',
      tags: ['projects'],
    })
    .input(project)
    .output(Ok),
}
