/** The API process: configuration, stores, services, HTTP, signals. */

import { createPlatform } from '../core/context.ts'
import { loadConfig } from '../core/platform/config.ts'
import { ConfigError } from '../core/platform/environment.ts'
import { listen } from './listen.ts'
import { createServices } from './services.ts'

async function main(): Promise<void> {
  const platform = createPlatform(loadConfig('api', process.env))
  const services = createServices(platform)
  await listen(services)
  platform.shutdown.onSignals()
}

main().catch((error: Error) => {
  // A wrong configuration is a sentence for its operator; anything else is a bug whose place matters.
  process.stderr.write(`${error instanceof ConfigError ? error.message : error.stack}\n`)
  process.exit(1)
})
