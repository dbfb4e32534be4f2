/** How every process starts, and what its operator reads when it cannot. */
import { ConfigError } from './environment.ts'

/**
 * Runs `main`. A wrong configuration ends the process with its sentence alone, anything else with the place where it
 * happened; the exit code is 1 in both cases.
 */
export function runProcess(main: () => Promise<void>): void {
  main().catch((error: Error) => {
    process.stderr.write(`${error instanceof ConfigError ? error.message : error.stack}\n`)
    process.exit(1)
  })
}
