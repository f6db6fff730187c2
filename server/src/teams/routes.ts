import { os } from '../http/route.ts'
import type { Teams } from './service.ts'

const ok = { ok: true } as const

/** Endpoint → use case, one line each. */
export const instanceRoutes = (teams: Teams, version: string) => ({
  about: os.instance.about.handler(({ context }) => teams.about(context.actor.origin, version)),
  setUp: os.instance.setUp.handler(({ context, input }) => teams.setUp(context.actor, input)),
  signUp: os.instance.signUp.handler(({ context, input }) => teams.signUp(context.actor, input)),
  change: os.instance.change.handler(async ({ context, input }) => {
    await teams.changeInstance(context.actor, input)
    return ok
  }),
})

export const meRoutes = (teams: Teams) => ({
  get: os.me.get.handler(({ context }) => teams.getMe(context.actor)),
  change: os.me.change.handler(({ context, input }) => teams.changeMe(context.actor, input)),
  invitations: os.me.invitations.handler(({ context }) => teams.myInvitations(context.actor)),
  acceptInvitation: os.me.acceptInvitation.handler(({ context, input }) =>
    teams.acceptMine(context.actor, input.invitationId),
  ),
  declineInvitation: os.me.declineInvitation.handler(async ({ context, input }) => {
    await teams.declineMine(context.actor, input.invitationId)
    return ok
  }),
  keys: os.me.keys.handler(({ context }) => teams.myKeys(context.actor)),
  createKey: os.me.createKey.handler(({ context, input }) => teams.createMyKey(context.actor, input.name)),
  revokeKey: os.me.revokeKey.handler(async ({ context, input }) => {
    await teams.revokeMyKey(context.actor, input.keyId)
    return ok
  }),
})

export const organisationRoutes = ({ organisation }: Teams) => ({
  sso: os.organisation.sso.handler(({ context }) => organisation.sso.show(context.actor)),
  changeSso: os.organisation.changeSso.handler(({ context, input }) =>
    organisation.sso.change(context.actor, input),
  ),
  testSso: os.organisation.testSso.handler(({ context, input }) =>
    organisation.sso.test(context.actor, input),
  ),
  plan: os.organisation.plan.handler(({ context }) => organisation.plan(context.actor)),
  changePlan: os.organisation.changePlan.handler(({ context, input }) =>
    organisation.changePlan(context.actor, input),
  ),
  changeBilling: os.organisation.changeBilling.handler(({ context, input }) =>
    organisation.changeBilling(context.actor, input),
  ),
  locks: os.organisation.locks.handler(({ context }) => organisation.locks(context.actor)),
  setLocks: os.organisation.setLocks.handler(({ context, input }) =>
    organisation.setLocks(context.actor, input),
  ),
  requestTeam: os.organisation.requestTeam.handler(({ context, input }) =>
    organisation.requestTeam(context.actor, input),
  ),
  teamRequests: os.organisation.teamRequests.handler(({ context }) =>
    organisation.teamRequests(context.actor),
  ),
  grantTeam: os.organisation.grantTeam.handler(({ context, input }) =>
    organisation.grantTeam(context.actor, input.requestId),
  ),
  declineTeam: os.organisation.declineTeam.handler(async ({ context, input }) => {
    await organisation.declineTeam(context.actor, input.requestId, input.note)
    return ok
  }),
})

export const userRoutes = (teams: Teams) => ({
  list: os.users.list.handler(({ context, input }) => teams.listPeople(context.actor, input)),
  create: os.users.create.handler(({ context, input }) => teams.createUser(context.actor, input)),
  change: os.users.change.handler(({ context, input: { username, ...change } }) =>
    teams.changeUser(context.actor, username, change),
  ),
  resetPassword: os.users.resetPassword.handler(({ context, input }) =>
    teams.resetPassword(context.actor, input.username),
  ),
  keys: os.users.keys.handler(({ context, input }) => teams.keysOf(context.actor, input.username)),
  createKey: os.users.createKey.handler(({ context, input }) =>
    teams.createKeyOf(context.actor, input.username, input.name, input.apiKey),
  ),
  revokeKey: os.users.revokeKey.handler(async ({ context, input }) => {
    await teams.revokeKeyOf(context.actor, input.username, input.keyId)
    return ok
  }),
})

export const teamRoutes = (teams: Teams) => ({
  list: os.teams.list.handler(({ context }) => teams.listTeams(context.actor)),
  create: os.teams.create.handler(({ context, input }) => teams.createTeam(context.actor, input)),
  get: os.teams.get.handler(({ context, input }) => teams.getTeam(context.actor, input.team)),
  change: os.teams.change.handler(({ context, input }) =>
    teams.changeTeam(context.actor, input.team, input.name),
  ),
  setPolicy: os.teams.setPolicy.handler(({ context, input: { team, ...policy } }) =>
    teams.setPolicy(context.actor, team, policy),
  ),
  members: os.teams.members.handler(({ context, input }) => teams.members(context.actor, input.team)),
  addMember: os.teams.addMember.handler(({ context, input }) =>
    teams.addMember(context.actor, input.team, input.username, input.role),
  ),
  changeMember: os.teams.changeMember.handler(({ context, input }) =>
    teams.changeMember(context.actor, input.team, input.username, input.role),
  ),
  removeMember: os.teams.removeMember.handler(async ({ context, input }) => {
    await teams.removeMember(context.actor, input.team, input.username)
    return ok
  }),
  invitations: os.teams.invitations.handler(({ context, input }) =>
    teams.listInvitations(context.actor, input.team),
  ),
  invite: os.teams.invite.handler(({ context, input: { team, ...invitation } }) =>
    teams.invite(context.actor, team, invitation),
  ),
  revokeInvitation: os.teams.revokeInvitation.handler(async ({ context, input }) => {
    await teams.revokeInvitation(context.actor, input.team, input.invitationId)
    return ok
  }),
  resendInvitation: os.teams.resendInvitation.handler(({ context, input }) =>
    teams.resendInvitation(context.actor, input.team, input.invitationId),
  ),
  removal: os.teams.removal.handler(({ context, input }) =>
    teams.removal(context.actor, input.team, input.username),
  ),
  formerMembers: os.teams.formerMembers.handler(({ context, input }) =>
    teams.formerMembers(context.actor, input.team),
  ),
  reassign: os.teams.reassign.handler(({ context, input }) =>
    teams.reassign(context.actor, input.team, input.username, input.to),
  ),
  why: os.teams.why.handler(({ context, input }) => teams.why(context.actor, input)),
  privacy: os.teams.privacy.handler(({ context, input }) => teams.privacy(context.actor, input.team)),
  setPrivacy: os.teams.setPrivacy.handler(({ context, input: { team, ...change } }) =>
    teams.setPrivacy(context.actor, team, change),
  ),
  rotateServiceKey: os.teams.rotateServiceKey.handler(({ context, input }) =>
    teams.rotateServiceKey(context.actor, input.team, input.username, input.keyId),
  ),
  createServiceAccount: os.teams.createServiceAccount.handler(({ context, input: { team, ...account } }) =>
    teams.createServiceAccount(context.actor, team, account),
  ),
  serviceKeys: os.teams.serviceKeys.handler(({ context, input }) =>
    teams.serviceKeys(context.actor, input.team, input.username),
  ),
  createServiceKey: os.teams.createServiceKey.handler(({ context, input }) =>
    teams.createServiceKey(context.actor, input.team, input.username, input.name),
  ),
  revokeServiceKey: os.teams.revokeServiceKey.handler(async ({ context, input }) => {
    await teams.revokeServiceKey(context.actor, input.team, input.username, input.keyId)
    return ok
  }),
  activity: os.teams.activity.handler(({ context, input: { team, ...range } }) =>
    teams.activity(context.actor, team, range),
  ),
})

export const invitationRoutes = (teams: Teams) => ({
  get: os.invitations.get.handler(({ context, input }) => teams.getInvitation(context.actor, input.token)),
  accept: os.invitations.accept.handler(({ context, input }) => teams.accept(context.actor, input.token)),
})

export const auditRoutes = (teams: Teams) => ({
  team: os.audit.team.handler(({ context, input: { team, ...input } }) =>
    teams.teamAudit(context.actor, team, input),
  ),
  organisation: os.audit.organisation.handler(({ context, input }) =>
    teams.organisationAudit(context.actor, input),
  ),
  verify: os.audit.verify.handler(({ context, input }) => teams.verifyAudit(context.actor, input)),
})

export const projectRoutes = (teams: Teams) => ({
  list: os.projects.list.handler(({ context, input }) => teams.listProjects(context.actor, input.team)),
  create: os.projects.create.handler(({ context, input: { team, ...project } }) =>
    teams.createProject(context.actor, team, project),
  ),
  get: os.projects.get.handler(({ context, input }) =>
    teams.getProject(context.actor, input.team, input.project),
  ),
  change: os.projects.change.handler(({ context, input }) =>
    teams.changeProject(context.actor, input.team, input.project, input.description),
  ),
  delete: os.projects.delete.handler(async ({ context, input }) => {
    await teams.deleteProject(context.actor, input.team, input.project)
    return ok
  }),
})
