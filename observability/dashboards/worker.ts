// What nobody asks for: deadlines, clean-up, leftover events, webhooks.
import { CHOSEN, type Dashboard, quantiles, rate } from './description.ts'

export const worker: Dashboard = {
  uid: 'worker',
  title: 'Worker',
  description: 'Sweeps and their deadlines, the outbox, and webhooks.',
  jobs: ['worker', 'api', 'gateway'],
  rows: [
    {
      title: 'Sweeps',
      panels: [
        {
          title: 'Since the last success',
          description:
            'By sweep, of the worker that succeeded last. Most run twice a second; upkeep and webhook-purge every ten minutes.',
          unit: 's',
          queries: [
            { expr: `time() - max by (sweep) (sweep_last_success_timestamp_seconds{${CHOSEN}})`, legend: '{{sweep}}' },
          ],
        },
        {
          title: 'Duration of a pass',
          description: '99th percentile. A pass that takes longer than its interval is followed by the next at once.',
          unit: 's',
          queries: quantiles('sweep_seconds', CHOSEN, 'sweep', [0.99]),
        },
        {
          title: 'Failed passes',
          description: 'A store is away, most of the time; the log says which.',
          unit: 'ops',
          queries: [rate('sweep_failures_total', CHOSEN, 'sweep')],
        },
        {
          title: 'Passes',
          description: 'By sweep, of all workers together.',
          unit: 'ops',
          queries: [rate('sweep_seconds_count', CHOSEN, 'sweep')],
        },
        {
          title: 'May judge',
          description:
            '1 for a worker that has been in contact with both stores for a whole lease (8 s), and so may end calls by their empty rooms.',
          unit: 'none',
          max: 1,
          queries: [{ expr: `worker_contact_unbroken{${CHOSEN}}`, legend: '{{node}}' }],
        },
        {
          title: 'Rings beyond their limit',
          description: 'How late calls were ended that nobody answered. The promise is 1 s.',
          unit: 's',
          thresholds: [
            { from: 1, colour: 'yellow' },
            { from: 2, colour: 'red' },
          ],
          queries: quantiles('call_ring_overrun_seconds', CHOSEN, '', [0.5, 0.99]),
        },
      ],
    },
    {
      title: 'Outbox',
      panels: [
        {
          title: 'Age of the oldest event',
          description: 'Events that were committed and not published. Near 0; seconds mean that phones ring late.',
          unit: 's',
          thresholds: [
            { from: 2, colour: 'yellow' },
            { from: 10, colour: 'red' },
          ],
          queries: [{ expr: `max(outbox_lag_seconds{${CHOSEN}})`, legend: 'oldest' }],
        },
        {
          title: 'Events waiting',
          description: 'How many there are.',
          unit: 'short',
          queries: [{ expr: `max(outbox_pending{${CHOSEN}})`, legend: 'events' }],
        },
        {
          title: 'Published',
          description:
            'committer: at once, by the process that did it. worker: a second later and more, as that process died or Redis was away.',
          unit: 'ops',
          queries: [rate('outbox_published_total', CHOSEN, 'by')],
        },
      ],
    },
    {
      title: 'Webhooks',
      panels: [
        {
          title: 'Age of the oldest event',
          description: 'By receiver. Above a minute it is down or too slow.',
          unit: 's',
          thresholds: [
            { from: 60, colour: 'yellow' },
            { from: 300, colour: 'red' },
          ],
          queries: [{ expr: `max by (endpoint) (webhook_lag_seconds{${CHOSEN}})`, legend: '{{endpoint}}' }],
        },
        {
          title: 'Events waiting',
          description: 'By receiver; unconfigured are receivers that are not in the configuration any more.',
          unit: 'short',
          queries: [{ expr: `max by (endpoint) (webhook_pending{${CHOSEN}})`, legend: '{{endpoint}}' }],
        },
        {
          title: 'Dead letters',
          description: 'Events that were given up and can be sent again (callctl dead-letters).',
          unit: 'short',
          thresholds: [{ from: 1, colour: 'red' }],
          queries: [{ expr: `max by (endpoint) (webhook_dead_letters{${CHOSEN}})`, legend: '{{endpoint}}' }],
        },
        {
          title: 'Attempts',
          description: 'By how they ended. Everything but delivered is tried again, gone aside.',
          unit: 'ops',
          stacked: true,
          queries: [rate('webhook_attempts_total', CHOSEN, 'endpoint', 'outcome')],
        },
        {
          title: 'Duration of an attempt',
          description: '90th percentile, the look-up of the name included. Ten seconds are the limit.',
          unit: 's',
          queries: quantiles('webhook_attempt_seconds', CHOSEN, 'endpoint', [0.9]),
        },
        {
          title: 'Given up',
          description: 'Events that became dead letters within the last hour.',
          unit: 'short',
          queries: [
            { expr: `sum by (endpoint) (increase(webhook_given_up_total{${CHOSEN}}[1h]))`, legend: '{{endpoint}}' },
          ],
        },
      ],
    },
  ],
}
