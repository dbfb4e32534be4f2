/** Identifiers of the contract: every call, user and request id is a UUID, in any letter case, kept in lower case inside. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** True for the textual form of RFC 9562 (any version). */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && value.length === 36 && UUID.test(value)
}

/** Whether a UUID of a client's, in any letter case, is one that is kept in lower case. */
export function isSameId(theirs: string, kept: string): boolean {
  return theirs === kept || theirs.toLowerCase() === kept
}

/** Lower-cases a UUID so that equal ids are equal strings; returns undefined for anything that is not a UUID. */
export function parseUuid(value: unknown): string | undefined {
  return isUuid(value) ? value.toLowerCase() : undefined
}
