// Do we keep our promises, and how fast do we spend what may fail. docs/slo.md explains the words.
import type { Dashboard, Panel } from './description.ts'

/** Burn rates by which the alerts go. */
const BURN_LIMITS: Panel['thresholds'] = [
  { from: 1, colour: 'yellow' },
  { from: 6, colour: 'orange' },
  { from: 14.4, colour: 'red' },
]

function burn(window: string, meaning: string): Panel {
  return {
    title: `Burn rate, ${window}`,
    description: `How many times faster than allowed events failed within the last ${window}. ${meaning}`,
    unit: 'none',
    thresholds: BURN_LIMITS,
    queries: [{ expr: `slo:error_ratio:rate${window} / on (slo, family) slo:error_budget:ratio`, legend: '{{slo}}' }],
  }
}

export const slo: Dashboard = {
  uid: 'slo',
  title: 'SLO',
  description: 'Objectives, error budgets and burn rates (docs/slo.md).',
  jobs: [],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Budget left of 30 days',
          description:
            'The share of what may fail that has not failed yet. 100 % is untouched, 0 % is all spent, below it the objective is missed.',
          unit: 'percentunit',
          kind: 'bargauge',
          base: 'red',
          max: 1,
          thresholds: [
            { from: 0, colour: 'orange' },
            { from: 0.25, colour: 'yellow' },
            { from: 0.5, colour: 'green' },
          ],
          width: 10,
          queries: [{ expr: 'slo:budget_left:ratio30d', legend: '{{slo}}' }],
        },
        {
          title: 'Good events of the last hour',
          description:
            'The share of events that were as promised. The objectives are 99.9 %, and 99 % for latency of the API.',
          unit: 'percentunit',
          kind: 'bargauge',
          base: 'red',
          max: 1,
          thresholds: [
            { from: 0.99, colour: 'yellow' },
            { from: 0.999, colour: 'green' },
          ],
          width: 10,
          queries: [{ expr: '1 - slo:error_ratio:rate1h', legend: '{{slo}}' }],
        },
        {
          title: 'Alerts that fire',
          description: 'All alerts of the rules, of both severities. docs/runbook.md has a section for each.',
          unit: 'none',
          kind: 'stat',
          thresholds: [{ from: 1, colour: 'red' }],
          width: 4,
          queries: [{ expr: 'count(ALERTS{alertstate="firing"}) or vector(0)', legend: 'firing' }],
        },
      ],
    },
    {
      title: 'Burn',
      panels: [
        burn('5m', 'The short window of the fastest page: above 14.4 something is wrong at this moment.'),
        burn('1h', 'Above 14.4, and in 5 minutes too, somebody is paged: 2 % of the budget of 30 days are gone.'),
        burn('6h', 'Above 6, and in 30 minutes too, somebody is paged: 5 % of the budget are gone.'),
        burn('1d', 'Above 3, and in 2 hours too, there is a ticket: 10 % of the budget are gone.'),
        burn('3d', 'Above 1, and in 6 hours too, there is a ticket: at this pace nothing is left after 30 days.'),
      ],
    },
    {
      title: 'Events',
      panels: [
        {
          title: 'Events',
          description: 'What is counted for each indicator. Fewer than 60 an hour make no alert on a budget.',
          unit: 'ops',
          width: 12,
          queries: [{ expr: 'slo:events:rate5m', legend: '{{slo}}' }],
        },
        {
          title: 'Failed events',
          description: 'What of it was not as promised.',
          unit: 'ops',
          width: 12,
          queries: [{ expr: 'slo:errors:rate5m', legend: '{{slo}}' }],
        },
      ],
    },
  ],
}
