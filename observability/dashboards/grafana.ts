// Turns descriptions into the JSON that Grafana reads (schema 39: Grafana 10.4 and newer). Pure.
import type { Dashboard, Panel, Threshold } from './description.ts'

const COLUMNS = 24
const PANEL_WIDTH = 8
const HEIGHTS = { timeseries: 8, stat: 4, bargauge: 8 } as const
const DATASOURCE = { type: 'prometheus', uid: `\${datasource}` }

/** A dashboard as Grafana's provisioning takes it. */
export function grafanaDashboard(dashboard: Dashboard): object {
  return {
    uid: `tchat-${dashboard.uid}`,
    title: `Tchat / ${dashboard.title}`,
    description: dashboard.description,
    tags: ['tchat-calling'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    annotations: { list: [startsOfProcesses()] },
    // The other dashboards of this service, in the head of each.
    links: [
      {
        type: 'dashboards',
        title: 'Tchat',
        icon: 'external link',
        tooltip: 'The other dashboards of this service',
        targetBlank: false,
        tags: ['tchat-calling'],
        asDropdown: true,
        includeVars: false,
        keepTime: true,
      },
    ],
    templating: { list: variablesOf(dashboard) },
    panels: placed(dashboard),
  }
}

/** A line wherever a process began: most changes of a graph have one. */
function startsOfProcesses(): object {
  return {
    name: 'Starts',
    datasource: DATASOURCE,
    enable: true,
    iconColor: 'blue',
    expr: 'changes(process_start_time_seconds{job=~"api|gateway|worker"}[1m]) > 0',
    step: '60s',
    titleFormat: '{{job}} {{node}} started',
  }
}

function variablesOf({ jobs }: Dashboard): object[] {
  const datasource = {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: 'prometheus',
    current: { text: 'default', value: 'default' },
    hide: 0,
  }
  if (jobs.length === 0) return [datasource]
  const pattern = jobs.join('|')
  return [
    datasource,
    queried('job', 'Job', `label_values(up{job=~"${pattern}"}, job)`, pattern),
    queried('instance', 'Instance', 'label_values(up{job=~"$job"}, instance)', '.+'),
  ]
}

/** A choice of label values, all of them at first. */
function queried(name: string, label: string, query: string, allValue: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: `variable-${name}` },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue,
    current: { text: ['All'], value: ['$__all'] },
    hide: 0,
  }
}

/** Rows from top to bottom, panels from left to right, wrapped where a line is full. */
function placed({ rows }: Dashboard): object[] {
  const panels: object[] = []
  let y = 0
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
    })
    y += 1
    let x = 0
    let lineHeight = 0
    for (const panel of row.panels) {
      const [w, h] = [panel.width ?? PANEL_WIDTH, HEIGHTS[panel.kind ?? 'timeseries']]
      if (x + w > COLUMNS) {
        x = 0
        y += lineHeight
        lineHeight = 0
      }
      panels.push({ id: panels.length + 1, ...grafanaPanel(panel), gridPos: { h, w, x, y } })
      x += w
      lineHeight = Math.max(lineHeight, h)
    }
    y += lineHeight
  }
  return panels
}

function grafanaPanel(panel: Panel): object {
  const { title, description, kind = 'timeseries', queries } = panel
  return {
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: DATASOURCE,
      editorMode: 'code',
      expr,
      legendFormat: legend,
      range: kind === 'timeseries',
      instant: kind !== 'timeseries',
    })),
    fieldConfig: { defaults: defaultsOf(panel), overrides: [] },
    options: optionsOf(kind),
  }
}

function defaultsOf({ unit, kind = 'timeseries', thresholds = [], base = 'green', stacked, max }: Panel): object {
  const common = {
    unit,
    min: kind === 'stat' ? undefined : 0,
    max,
    color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
    thresholds: { mode: 'absolute', steps: [{ color: base, value: null }, ...thresholds.map(step)] },
    noValue: '–',
  }
  if (kind !== 'timeseries') return common
  const custom = {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: stacked ? 40 : 8,
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
    // Limits are lines, where there are any.
    thresholdsStyle: { mode: thresholds.length > 0 ? 'dashed' : 'off' },
  }
  return { ...common, custom }
}

const step = ({ from, colour }: Threshold) => ({ color: colour, value: from })

function optionsOf(kind: 'timeseries' | 'stat' | 'bargauge'): object {
  const reduceOptions = { values: false, calcs: ['lastNotNull'], fields: '' }
  if (kind === 'stat')
    return {
      reduceOptions,
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      textMode: 'auto',
      orientation: 'auto',
    }
  if (kind === 'bargauge') return { reduceOptions, orientation: 'horizontal', displayMode: 'basic', showUnfilled: true }
  return {
    legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['lastNotNull', 'max'] },
    tooltip: { mode: 'multi', sort: 'desc' },
  }
}
