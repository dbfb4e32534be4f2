/** Which calls a worker looks at: those of one group, where there are several, so that no group waits for another's Redis. */
import type { CallGroup, CallGroups } from '../platform/call-groups.ts'

export interface GroupScope {
  name: string
  /** Set for the first group: calls of no group, or of one that is gone, are its own. */
  others: string[] | undefined
}

/** Undefined where there is but one group: then nothing is asked about it. */
export function scopeOf(groups: CallGroups, group: CallGroup): GroupScope | undefined {
  if (groups.all.length === 1) return undefined
  const others = groups.all.filter(({ name }) => name !== group.name).map(({ name }) => name)
  return { name: group.name, others: group === groups.first ? others : undefined }
}

/** A condition over the text `column`, to be joined with AND, and its bindings. */
export function inScope(
  column: string,
  scope: GroupScope | undefined,
): { sql: string; bindings: Record<string, unknown> } {
  if (scope === undefined) return { sql: '', bindings: {} }
  if (scope.others === undefined) return { sql: `AND ${column} = :callGroup`, bindings: { callGroup: scope.name } }
  return { sql: `AND coalesce(${column}, '') <> ALL (:otherGroups)`, bindings: { otherGroups: scope.others } }
}
