/** What every process says of itself: which program it is, and how busy its one thread and its memory are. */
import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client'
import { SERVICE_VERSION } from './service-version.ts'

/** Gauges of the library whose names say that they are counters; `nodejs_active_resources` and its like tell the same. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** Adds the library's own metrics (`process_*`, `nodejs_*`) and what they lack. */
export function observeProcess(registry: Registry, role: string): void {
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  new Gauge({
    name: 'tchat_build_info',
    help: 'Always 1; the labels say which version and which kind of process this is.',
    labelNames: ['version', 'role'],
    registers,
  }).set({ version: SERVICE_VERSION, role }, 1)
  new Counter({
    name: 'nodejs_eventloop_active_seconds_total',
    help: 'Time that the event loop was at work instead of waiting; its rate is the utilisation of the one thread, 0 to 1.',
    registers,
    collect() {
      this.reset()
      this.inc(performance.eventLoopUtilization().active / 1000)
    },
  })
  new Gauge({
    name: 'nodejs_heap_size_limit_bytes',
    help: 'The size of the heap at which the process dies.',
    registers,
    collect() {
      this.set(getHeapStatistics().heap_size_limit)
    },
  })
}
