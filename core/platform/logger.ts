/** JSON lines on standard output. A token, an SDP or a candidate never gets here: fields that could hold one are censored. */
import { pino } from 'pino'
import type { Config } from './config.ts'

export type Logger = ReturnType<typeof createLogger>

/** Fields that are censored wherever an object with them is logged, at the top or one level down. */
const SECRET_FIELDS = ['token', 'ticket', 'authorization', 'sdp', 'candidate', 'credential', 'password', 'auth', 'url']

/** The process's logger; `child({ callId })` and `child({ requestId })` add the ids that a line is about. */
export function createLogger(config: Pick<Config, 'role' | 'nodeName' | 'logLevel'>) {
  return pino({
    level: config.logLevel,
    base: { role: config.role, node: config.nodeName },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[censored]' },
  })
}
