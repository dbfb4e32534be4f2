/** Reads `Retry-After` (RFC 9110, section 10.2.3): whole seconds, or a date. Pure. */

/** RFC 9110, section 5.6.7: the form of today and the two that recipients must still read. All are in UTC. */
const DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
]

/**
 * Milliseconds to wait, undefined where the header is missing, unreadable or in the past. A date counts from the
 * receiver's own `Date`, so that its clock need not agree with ours; without one, from `now`.
 */
export function retryAfterMs(
  header: string | undefined,
  date: string | undefined,
  now: Date = new Date(),
): number | undefined {
  const text = header?.trim() ?? ''
  const ms = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : (timeOf(text) ?? 0) - (timeOf(date?.trim() ?? '') ?? now.getTime())
  return ms > 0 ? ms : undefined
}

function timeOf(text: string): number | undefined {
  if (!DATES.some((form) => form.test(text))) return undefined
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}
