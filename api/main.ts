/** The API process: configuration, stores, services, HTTP, signals. */

import { checkStores, createPlatform } from '../core/context.ts'
import { loadConfig } from '../core/platform/config.ts'
import { runProcess } from '../core/platform/run-process.ts'
import { listen } from './listen.ts'
import { createServices } from './services.ts'

async function main(): Promise<void> {
  const platform = createPlatform(loadConfig('api', process.env))
  await checkStores(platform)
  const services = createServices(platform)
  await listen(services)
  platform.shutdown.onSignals()
}

runProcess(main)
