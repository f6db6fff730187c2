import type { Member } from '@teamgrid/api'

/** A member as every `-o json` and `--json` prints one. */
export function memberJson(member: Member): Record<string, unknown> {
  return {
    username: member.username,
    name: member.name,
    role: member.role,
    joined_at: member.joinedAt,
    user_id: member.userId,
    email: member.email,
    kind: member.kind,
  }
}
