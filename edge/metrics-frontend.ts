// HAProxy's own metrics, on an internal port: a section for the end of the edge's configuration.

/** `bind` as HAProxy takes it. Prometheus reads `/metrics` there; the public origin never leads to it. */
export function metricsFrontend(bind: string): string {
  return `
frontend metrics from base
  mode http
  bind ${bind}
  no log
  http-request use-service prometheus-exporter if { path /metrics }
  http-request return status 404
`
}
