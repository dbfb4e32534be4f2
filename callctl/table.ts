/** Aligned tables for people. Pure. */

export interface Column<T> {
  title: string
  value(row: T): string | number | undefined | null
}

const GAP = '  '
/** What stands where a value is not known or does not apply. */
const NOTHING = '-'

/** A header line and a line for each row; numbers stand to the right. */
export function table<T>(rows: readonly T[], columns: Column<T>[]): string {
  const cells = rows.map((row) => columns.map((column) => cellOf(column.value(row))))
  const isNumeric = columns.map(
    (column) => rows.length > 0 && rows.every((row) => typeof column.value(row) === 'number'),
  )
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)))
  const line = (texts: string[]) =>
    texts
      .map((text, at) => (isNumeric[at] ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join(GAP)
      .trimEnd()
  return [columns.map(({ title }) => title), ...cells].map(line).join('\n')
}

function cellOf(value: string | number | undefined | null): string {
  return value === undefined || value === null || value === '' ? NOTHING : printable(String(value))
}

/** Names of devices are a client's words: no character in them may move an operator's cursor or turn his text round. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}

/** `2h30m`, `4m12s`, `7.2s`: two units at most. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))}s`
  const whole = Math.floor(seconds)
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  if (days > 0) return `${days}d${hours}h`
  return hours > 0 ? `${hours}h${minutes}m` : `${minutes}m${whole % 60}s`
}
