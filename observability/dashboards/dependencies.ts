// What the service stands on: Redis, Postgres, the edge, and the processes' own resources.
import { CHOSEN, type Dashboard, quantiles, rate } from './description.ts'

/** The edge's backends; its other sections serve nobody. */
const BACKENDS = `${CHOSEN},proxy=~"api|gateways"`

export const dependencies: Dashboard = {
  uid: 'dependencies',
  title: 'Dependencies',
  description:
    'Redis and Postgres as the service sees them, the edge, and the CPU, memory and event loops of the processes.',
  jobs: ['api', 'gateway', 'worker', 'edge'],
  rows: [
    {
      title: 'Redis',
      panels: [
        {
          title: 'Connections that stand',
          description:
            'Per kind of connection the share of processes whose connection is usable. Below 100 % Redis is away for somebody.',
          unit: 'percentunit',
          max: 1,
          queries: [
            { expr: `avg by (job, connection) (redis_connection_up{${CHOSEN}})`, legend: '{{job}} {{connection}}' },
          ],
        },
        {
          title: 'Commands, 99th percentile',
          description:
            'By script (.lua) or command. Some milliseconds; all of them together rise where Redis or the network is slow.',
          unit: 's',
          queries: quantiles('redis_command_seconds', CHOSEN, 'command', [0.99]),
        },
        {
          title: 'Commands',
          description: 'By script or command. relay.lua carries messages, one flush each.',
          unit: 'ops',
          stacked: true,
          queries: [rate('redis_command_seconds_count', CHOSEN, 'command')],
        },
        {
          title: 'Failed commands',
          description: 'No reply, or an error. 0 but in an outage.',
          unit: 'ops',
          queries: [rate('redis_command_failures_total', CHOSEN, 'job', 'command')],
        },
      ],
    },
    {
      title: 'Postgres',
      panels: [
        {
          title: 'Answers',
          description: 'The share of processes that Postgres answered when they asked last.',
          unit: 'percentunit',
          max: 1,
          queries: [{ expr: `avg by (job) (postgres_up{${CHOSEN}})`, legend: '{{job}}' }],
        },
        {
          title: 'Statements, 50th and 99th percentile',
          description: 'By kind of process, failed ones included.',
          unit: 's',
          queries: quantiles('postgres_query_seconds', CHOSEN, 'job', [0.5, 0.99]),
        },
        {
          title: 'Statements',
          description:
            'By kind of process and outcome. An error may be a lost race, which is tried again, or an outage.',
          unit: 'ops',
          stacked: true,
          queries: [rate('postgres_query_seconds_count', CHOSEN, 'job', 'outcome')],
        },
        {
          title: 'Pool',
          description: 'Connections in use by process, and how many it may have. At the limit statements wait.',
          unit: 'short',
          queries: [
            { expr: `postgres_pool_connections{${CHOSEN},state="used"}`, legend: '{{node}} used' },
            { expr: `max(postgres_pool_connections{${CHOSEN},state="limit"})`, legend: 'limit' },
          ],
        },
        {
          title: 'Waiting for a connection',
          description: 'Statements that wait at this moment, by process.',
          unit: 'short',
          thresholds: [{ from: 1, colour: 'orange' }],
          queries: [{ expr: `postgres_pool_waiting{${CHOSEN}}`, legend: '{{node}}' }],
        },
        {
          title: 'Wait for a connection',
          description:
            '99th percentile by kind of process. A new connection takes some milliseconds; more is a pool that is too small.',
          unit: 's',
          queries: quantiles('postgres_pool_wait_seconds', CHOSEN, 'job', [0.99]),
        },
      ],
    },
    {
      title: 'Edge',
      panels: [
        {
          title: 'Connections',
          description: 'Open connections of clients, and how many an edge may hold.',
          unit: 'short',
          queries: [
            { expr: `haproxy_process_current_connections{${CHOSEN}}`, legend: '{{instance}}' },
            { expr: `max(haproxy_process_max_connections{${CHOSEN}})`, legend: 'limit' },
          ],
        },
        {
          title: 'Answers',
          description: 'By backend and class of status. 1xx are WebSockets that were opened.',
          unit: 'reqps',
          stacked: true,
          queries: [rate('haproxy_backend_http_responses_total', BACKENDS, 'proxy', 'code')],
        },
        {
          title: 'Servers in use',
          description:
            'How many APIs and gateways each edge sends to. One less is a process that drains, died or is out of reach.',
          unit: 'short',
          queries: [{ expr: `haproxy_backend_active_servers{${BACKENDS}}`, legend: '{{instance}} {{proxy}}' }],
        },
        {
          title: 'Answered by the edge itself',
          description: 'Errors where no server took the request. They count against the objectives.',
          unit: 'reqps',
          thresholds: [{ from: 0.1, colour: 'red' }],
          queries: [{ expr: 'slo:unreached:rate5m{proxy=~"api|gateways"}', legend: '{{proxy}}' }],
        },
        {
          title: 'Response time',
          description: 'Mean of the last 1,024 answers, by backend. A WebSocket counts with its handshake.',
          unit: 's',
          queries: [
            { expr: `haproxy_backend_response_time_average_seconds{${BACKENDS}}`, legend: '{{instance}} {{proxy}}' },
          ],
        },
        {
          title: 'Tried again',
          description:
            'Connections tried again with the same server, and requests sent to another one: the traces of a server that dies.',
          unit: 'ops',
          queries: [
            { ...rate('haproxy_backend_retry_warnings_total', BACKENDS, 'proxy'), legend: '{{proxy}} again' },
            { ...rate('haproxy_backend_redispatch_warnings_total', BACKENDS, 'proxy'), legend: '{{proxy}} elsewhere' },
          ],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Event loop in use',
          description:
            'The share of time that the one thread of a process was at work. Above 85 % latency rises steeply.',
          unit: 'percentunit',
          max: 1,
          thresholds: [
            { from: 0.7, colour: 'yellow' },
            { from: 0.85, colour: 'red' },
          ],
          queries: [rate('nodejs_eventloop_active_seconds_total', CHOSEN, 'node')],
        },
        {
          title: 'Event loop delay',
          description: '99th percentile between two readings, sampled every 10 ms: some 10 ms is nothing.',
          unit: 's',
          thresholds: [{ from: 0.2, colour: 'red' }],
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${CHOSEN}}`, legend: '{{node}}' }],
        },
        {
          title: 'CPU',
          description:
            'In cores. A process uses little more than one: the event loop, and some for garbage collection and TLS.',
          unit: 'short',
          queries: [rate('process_cpu_seconds_total', CHOSEN, 'node')],
        },
        {
          title: 'Memory',
          description: 'Resident memory of each process.',
          unit: 'bytes',
          queries: [{ expr: `process_resident_memory_bytes{${CHOSEN}}`, legend: '{{node}}' }],
        },
        {
          title: 'Heap in use',
          description: 'In relation to what V8 lets the process have. At 100 % it dies.',
          unit: 'percentunit',
          max: 1,
          thresholds: [{ from: 0.85, colour: 'red' }],
          queries: [
            {
              expr: `nodejs_heap_size_used_bytes{${CHOSEN}} / on (job, instance, node) nodejs_heap_size_limit_bytes`,
              legend: '{{node}}',
            },
          ],
        },
        {
          title: 'Garbage collection',
          description: 'The share of time that the process stood still for it.',
          unit: 'percentunit',
          queries: [rate('nodejs_gc_duration_seconds_sum', CHOSEN, 'node')],
        },
        {
          title: 'Ready',
          description: 'How many processes of each kind are ready, and how many drain.',
          unit: 'short',
          queries: [
            { expr: `sum by (job, state) (process_readiness{${CHOSEN},state!="unfit"})`, legend: '{{job}} {{state}}' },
          ],
        },
        {
          title: 'Running for',
          description: 'How long each process has been running.',
          unit: 's',
          queries: [{ expr: `time() - process_start_time_seconds{${CHOSEN}}`, legend: '{{node}}' }],
        },
        {
          title: 'Versions',
          description: 'How many processes run each version: two during a deployment, one otherwise.',
          unit: 'short',
          stacked: true,
          queries: [{ expr: `count by (role, version) (tchat_build_info{${CHOSEN}})`, legend: '{{role}} {{version}}' }],
        },
      ],
    },
  ],
}
