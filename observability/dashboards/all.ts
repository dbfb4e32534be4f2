// Every dashboard, and the files that Grafana reads them from.
import { api } from './api.ts'
import { calls } from './calls.ts'
import { dependencies } from './dependencies.ts'
import type { Dashboard } from './description.ts'
import { grafanaDashboard } from './grafana.ts'
import { signaling } from './signaling.ts'
import { slo } from './slo.ts'
import { worker } from './worker.ts'

export const DASHBOARDS: Dashboard[] = [slo, calls, signaling, api, worker, dependencies]

/** Names and contents of the files of grafana/dashboards/. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    DASHBOARDS.map((dashboard) => [
      `${dashboard.uid}.json`,
      `${JSON.stringify(grafanaDashboard(dashboard), null, 2)}\n`,
    ]),
  )
}
