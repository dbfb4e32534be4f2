// How many calls there are, how they end, how long each stage of a set-up takes, how good media is.
import { CHOSEN, type Dashboard, type Panel, quantiles, rate } from './description.ts'

function stage(title: string, description: string, histogram: string, more = ''): Panel {
  return { title, description, unit: 's', width: 6, queries: quantiles(histogram, CHOSEN + more) }
}

function reported(title: string, description: string, histogram: string, unit: Panel['unit']): Panel {
  return { title, description, unit, width: 6, queries: quantiles(histogram, CHOSEN, 'path', [0.5, 0.95]) }
}

export const calls: Dashboard = {
  uid: 'calls',
  title: 'Calls',
  description:
    'The life of calls: how many, how they end, how long a set-up takes stage by stage, and what clients say of media.',
  jobs: ['api', 'gateway', 'worker'],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Live calls',
          description:
            'Calls that ring, and calls that were answered and go on, as a worker counted them within the last 5 seconds.',
          unit: 'short',
          kind: 'stat',
          width: 6,
          queries: [{ expr: `max by (status) (calls_live{${CHOSEN}})`, legend: '{{status}}' }],
        },
        {
          title: 'Initiated',
          description: 'Calls created a second.',
          unit: 'ops',
          kind: 'stat',
          width: 6,
          queries: [rate('calls_initiated_total', CHOSEN)],
        },
        {
          title: 'Answered',
          description:
            'Answers in relation to calls created, over the last 15 minutes. What is usual depends on the users; a fall is what counts.',
          unit: 'percentunit',
          kind: 'stat',
          width: 6,
          queries: [
            {
              expr: `sum(increase(calls_answered_total{${CHOSEN}}[15m])) / (sum(increase(calls_initiated_total{${CHOSEN}}[15m])) > 0)`,
              legend: 'answered',
            },
          ],
        },
        {
          title: 'Unreachable',
          description:
            'Calls that no device has confirmed to ring within the limit, in relation to calls created, over the last 15 minutes. Push messages that come late or get lost raise it.',
          unit: 'percentunit',
          kind: 'stat',
          thresholds: [
            { from: 0.3, colour: 'yellow' },
            { from: 0.6, colour: 'red' },
          ],
          width: 6,
          queries: [
            {
              expr: `sum(increase(calls_unreachable_total{${CHOSEN}}[15m])) / (sum(increase(calls_initiated_total{${CHOSEN}}[15m])) > 0)`,
              legend: 'unreachable',
            },
          ],
        },
      ],
    },
    {
      title: 'Beginning and end',
      panels: [
        {
          title: 'Live calls',
          description: 'Calls that ring (connecting) and calls that go on (active), over time.',
          unit: 'short',
          stacked: true,
          queries: [{ expr: `max by (status) (calls_live{${CHOSEN}})`, legend: '{{status}}' }],
        },
        {
          title: 'Created, answered, merged',
          description:
            'Created by type; answers; and calls that two users made to each other at once, which became one.',
          unit: 'ops',
          queries: [
            rate('calls_initiated_total', CHOSEN, 'type'),
            { ...rate('calls_answered_total', CHOSEN), legend: 'answered' },
            { ...rate('calls_merged_total', CHOSEN), legend: 'merged' },
          ],
        },
        {
          title: 'How calls end',
          description:
            'By final state and reason. hangup, declined, canceled and no_answer are what people do; setup_timeout, connection_failed and peers_lost are faults.',
          unit: 'ops',
          stacked: true,
          queries: [rate('calls_over_total', CHOSEN, 'status', 'reason')],
        },
      ],
    },
    {
      title: 'Set-up, stage by stage',
      panels: [
        stage(
          'Creation to ringing',
          'To the first receipt of a device that rings. Below a second with an open user channel, some seconds where a push message wakes a phone.',
          'call_ring_seconds',
        ),
        stage('Creation to answer', 'How long people let it ring; the limit is 45 s by default.', 'call_setup_seconds'),
        stage(
          'Answer to both in the room',
          'How long the clients take to join signaling after the answer. Above a second they wait for something.',
          'call_joined_seconds',
        ),
        stage(
          'Answer to media',
          'From the answer to a peer connection that stands, as clients report it.',
          'webrtc_establishment_seconds',
          ',stage="answer"',
        ),
      ],
    },
    {
      title: 'Media, as clients report it',
      panels: [
        {
          title: 'Outcomes',
          description:
            'Sides of calls by what became of their peer connection: failed and never are calls without media; lost comes after connected.',
          unit: 'ops',
          stacked: true,
          width: 6,
          queries: [rate('webrtc_connections_total', CHOSEN, 'outcome')],
        },
        {
          title: 'Connected, by path',
          description:
            'Whether media goes through a TURN server (relay) or not. Where relay vanishes, TURN is down; some 10 to 20 % are usual.',
          unit: 'ops',
          stacked: true,
          width: 6,
          queries: [rate('webrtc_connections_total', `${CHOSEN},outcome="connected"`, 'path')],
        },
        reported(
          'Round trip',
          'Median and 95th percentile. Above 300 ms people begin to talk over each other.',
          'webrtc_rtt_seconds',
          's',
        ),
        reported(
          'Jitter',
          'Median and 95th percentile. Above 30 ms buffers grow, and with them the delay.',
          'webrtc_jitter_seconds',
          's',
        ),
        reported(
          'Packets lost',
          'Median and 95th percentile of the share lost. Above 2 % it can be heard, above 5 % it cannot be missed.',
          'webrtc_packet_loss_ratio',
          'percentunit',
        ),
        {
          title: 'Throughput',
          description: 'Median of what clients send and receive; a voice takes 4 to 8 kB/s, video some 60 to 300.',
          unit: 'Bps',
          width: 6,
          queries: quantiles('webrtc_throughput_bytes_per_second', CHOSEN, 'direction', [0.5]),
        },
        {
          title: 'Reports',
          description:
            'Reports by state. Many disconnected beside few connected say that networks fail, not the service.',
          unit: 'ops',
          width: 6,
          queries: [rate('webrtc_connection_reports_total', CHOSEN, 'state')],
        },
        {
          title: 'Values left out',
          description: 'Reported values that cannot be true, and reports that came within 5 s of the last one.',
          unit: 'ops',
          width: 6,
          queries: [rate('webrtc_stats_ignored_total', CHOSEN, 'reason')],
        },
      ],
    },
  ],
}
