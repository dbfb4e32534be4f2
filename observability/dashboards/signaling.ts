// Connections, messages, the relay, and what comes again or may be lost.
import { CHOSEN, type Dashboard, quantiles, rate } from './description.ts'

export const signaling: Dashboard = {
  uid: 'signaling',
  title: 'Signaling',
  description:
    'The gateways: who is connected, what they say, how long it takes, and what is repeated, replayed or missing.',
  jobs: ['gateway'],
  rows: [
    {
      title: 'Connections',
      panels: [
        {
          title: 'Open connections',
          description: 'By kind (call, user channel) and transport.',
          unit: 'short',
          stacked: true,
          queries: [
            { expr: `sum by (kind, transport) (signaling_connections{${CHOSEN}})`, legend: '{{kind}} {{transport}}' },
          ],
        },
        {
          title: 'Open connections by gateway',
          description: 'A new gateway begins empty and stays so until clients connect anew; a draining one falls to 0.',
          unit: 'short',
          queries: [{ expr: `sum by (node) (signaling_connections{${CHOSEN}})`, legend: '{{node}}' }],
        },
        {
          title: 'Opened',
          description: 'Connections opened a second. A peak with as many closed before it is a gateway that went.',
          unit: 'ops',
          queries: [rate('signaling_connections_opened_total', CHOSEN, 'kind', 'transport')],
        },
        {
          title: 'Closed, by cause',
          description:
            'client said goodbye, lost did not, behind read too slowly, drained was moved away; the others are close codes of the service.',
          unit: 'ops',
          stacked: true,
          queries: [rate('signaling_connections_closed_total', CHOSEN, 'cause')],
        },
        {
          title: 'Refused handshakes',
          description:
            'By error code. SERVICE_UNAVAILABLE is ours: a drain, a crowd, or Redis away. The others are clients’ faults.',
          unit: 'ops',
          queries: [rate('signaling_refused_handshakes_total', CHOSEN, 'code')],
        },
        {
          title: 'Handshake',
          description: 'From the handshake to the word that it is admitted, its wait for its turn included.',
          unit: 's',
          queries: quantiles('signaling_handshake_seconds', `${CHOSEN},outcome="admitted"`),
        },
        {
          title: 'Handshakes at this moment',
          description:
            'Under way, waiting, and how many a gateway checks at once: fewer while its event loop is late. Waiting is 0 but in a crowd.',
          unit: 'short',
          queries: [{ expr: `sum by (state) (signaling_handshakes{${CHOSEN}})`, legend: '{{state}}' }],
        },
      ],
    },
    {
      title: 'Messages',
      panels: [
        {
          title: 'Received',
          description: 'Messages of clients by type. Candidates are most of them: some ten for each offer.',
          unit: 'ops',
          stacked: true,
          queries: [rate('signaling_messages_received_total', CHOSEN, 'type')],
        },
        {
          title: 'Delivered',
          description:
            'What was relayed to peers, by type. A little more than was received where users have several connections, less where recipients are away.',
          unit: 'ops',
          stacked: true,
          queries: [rate('signaling_messages_delivered_total', CHOSEN, 'type')],
        },
        {
          title: 'Sent by the service itself',
          description: 'Who joined and left, changes of calls, rings, errors; acks are not counted.',
          unit: 'ops',
          stacked: true,
          queries: [rate('signaling_events_sent_total', CHOSEN, 'type')],
        },
        {
          title: 'Errors told to clients',
          description: 'By code. SERVICE_UNAVAILABLE and INTERNAL_ERROR are ours and count against the objective.',
          unit: 'ops',
          queries: [rate('signaling_errors_total', CHOSEN, 'code')],
        },
        {
          title: 'By transport',
          description: 'Messages received over raw WebSockets and over Socket.IO.',
          unit: 'ops',
          queries: [rate('signaling_messages_received_total', CHOSEN, 'transport')],
        },
        {
          title: 'ICE servers sent',
          description: 'TURN credentials renewed during calls: asked for, and before they expire.',
          unit: 'ops',
          queries: [rate('signaling_ice_servers_sent_total', CHOSEN, 'cause')],
        },
      ],
    },
    {
      title: 'Relay',
      panels: [
        {
          title: 'Time to the log',
          description:
            'From taking a message to its place in the log, when it leaves for its recipients. A few ms; the contract’s target is 200 ms.',
          unit: 's',
          thresholds: [{ from: 0.2, colour: 'red' }],
          queries: quantiles('signaling_relay_seconds', CHOSEN, '', [0.5, 0.99, 0.999]),
        },
        {
          title: 'Where recipients are',
          description:
            'local: on the same gateway, remote: on others, nobody: it waits in the log, repeated: an id seen before, failed: not kept. The edge makes most of them local.',
          unit: 'ops',
          stacked: true,
          queries: [rate('signaling_relayed_messages_total', CHOSEN, 'outcome')],
        },
        {
          title: 'Share that stays on a gateway',
          description:
            'local of local and remote. With affinity at the edge near 1; without it 1 / number of gateways.',
          unit: 'percentunit',
          max: 1,
          queries: [
            {
              expr: `sum(rate(signaling_relayed_messages_total{${CHOSEN},outcome="local"}[$__rate_interval])) / (sum(rate(signaling_relayed_messages_total{${CHOSEN},outcome=~"local|remote"}[$__rate_interval])) > 0)`,
              legend: 'local',
            },
          ],
        },
        {
          title: 'Round trip of a flush',
          description:
            'From sending a flush to the reply of Redis, the script included. Milliseconds; more is Redis, or the way to it.',
          unit: 's',
          thresholds: [{ from: 0.1, colour: 'red' }],
          queries: quantiles('signaling_relay_flush_seconds', CHOSEN),
        },
        {
          title: 'Messages in a flush',
          description: 'On average. 1 when quiet; under load flushes are 5 ms apart and fill up.',
          unit: 'short',
          queries: [
            {
              expr: `sum(rate(signaling_relay_flush_messages_sum{${CHOSEN}}[$__rate_interval])) / (sum(rate(signaling_relay_flush_messages_count{${CHOSEN}}[$__rate_interval])) > 0)`,
              legend: 'messages',
            },
          ],
        },
        {
          title: 'Waiting for the log',
          description: 'Messages that have no place yet. At 20,000 on a gateway further ones are refused.',
          unit: 'short',
          thresholds: [
            { from: 1000, colour: 'orange' },
            { from: 20_000, colour: 'red' },
          ],
          queries: [{ expr: `sum by (node) (signaling_relay_waiting_messages{${CHOSEN}})`, legend: '{{node}}' }],
        },
        {
          title: 'Without the log',
          description:
            'Flushes that Redis did not reply to, and messages handed to peers on the same gateway without a number meanwhile. 0 but in an outage.',
          unit: 'ops',
          queries: [
            { ...rate('signaling_relay_flush_failures_total', CHOSEN), legend: 'flushes failed' },
            { ...rate('signaling_relayed_unnumbered_total', CHOSEN), legend: 'messages unnumbered' },
          ],
        },
      ],
    },
    {
      title: 'Rooms, replay and resume',
      panels: [
        {
          title: 'Joins',
          description:
            'naive: by join-room, since: a resume, restore: written again by the gateway. failed: Redis did not take it.',
          unit: 'ops',
          queries: [rate('signaling_joins_total', CHOSEN, 'mode', 'outcome')],
        },
        {
          title: 'Resumes',
          description:
            'Whether everything was recovered. false is a client that was told that something may be missing.',
          unit: 'ops',
          queries: [rate('signaling_resumes_total', CHOSEN, 'recovered')],
        },
        {
          title: 'Replayed messages',
          description: 'Messages that peers got from the log: they waited for a join, were missed, or filled a gap.',
          unit: 'ops',
          queries: [rate('signaling_replayed_messages_total', CHOSEN)],
        },
        {
          title: 'Gaps',
          description:
            'Times that a message came before an earlier one and the log was read in between. Nothing is lost; many mean that subscriptions break.',
          unit: 'ops',
          queries: [rate('signaling_delivery_gaps_total', CHOSEN, 'node')],
        },
        {
          title: 'Told that something may be missing',
          description:
            'Replays that were not complete, within the last 10 minutes. 0 unless Redis was wiped or a client was away for more than 2 minutes.',
          unit: 'short',
          thresholds: [{ from: 1, colour: 'red' }],
          queries: [{ expr: `sum(increase(signaling_incomplete_replays_total{${CHOSEN}}[10m]))`, legend: 'replays' }],
        },
        {
          title: 'Nodes written again',
          description:
            'Gateways that wrote all they know into Redis again within the last 10 minutes: at their start, after a wipe, or after they were taken for dead.',
          unit: 'short',
          queries: [
            { expr: `sum by (node) (increase(signaling_node_rewrites_total{${CHOSEN}}[10m]))`, legend: '{{node}}' },
          ],
        },
      ],
    },
  ],
}
