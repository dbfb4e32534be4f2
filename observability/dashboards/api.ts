// Requests: how many, how good, how fast, and who is refused.
import { CHOSEN, type Dashboard, type Panel, quantiles, rate } from './description.ts'

/** Contract, "Response Time Targets". */
function target(title: string, method: string, route: string, seconds: string, shown: string): Panel {
  const selector = `${CHOSEN},method="${method}",route="${route}",status!~"5.."`
  const of = (suffix: string) => `sum(rate(http_request_duration_seconds_${suffix}}[$__rate_interval]))`
  return {
    title,
    description: `The share of answers within the contract's target of ${shown}. The objective is 99 %.`,
    unit: 'percentunit',
    max: 1,
    queries: [
      {
        expr: `${of(`bucket{${selector},le="${seconds}"`)} / (${of(`count{${selector}`)} > 0)`,
        legend: `within ${shown}`,
      },
    ],
  }
}

export const api: Dashboard = {
  uid: 'api',
  title: 'API',
  description: 'REST: requests, errors, latency by route, refusals and rate limits.',
  jobs: ['api'],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Requests',
          description: 'Requests answered a second.',
          unit: 'reqps',
          kind: 'stat',
          width: 6,
          queries: [rate('http_requests_total', CHOSEN)],
        },
        {
          title: 'Failed',
          description: 'The share answered with 5xx. The objective allows 0.1 %.',
          unit: 'percentunit',
          kind: 'stat',
          width: 6,
          thresholds: [
            { from: 0.001, colour: 'yellow' },
            { from: 0.0144, colour: 'red' },
          ],
          queries: [
            {
              expr: `(sum(rate(http_requests_total{${CHOSEN},status=~"5.."}[$__rate_interval])) or vector(0)) / (sum(rate(http_requests_total{${CHOSEN}}[$__rate_interval])) > 0)`,
              legend: 'failed',
            },
          ],
        },
        {
          title: '99th percentile',
          description: 'Of all routes together; health checks are among them.',
          unit: 's',
          kind: 'stat',
          width: 6,
          thresholds: [
            { from: 0.1, colour: 'yellow' },
            { from: 0.5, colour: 'red' },
          ],
          queries: quantiles('http_request_duration_seconds', CHOSEN, '', [0.99]),
        },
        {
          title: 'Under way',
          description:
            'Requests that have come and are not answered yet. Rising without more requests means that something is waited for.',
          unit: 'short',
          kind: 'stat',
          width: 6,
          queries: [{ expr: `sum(http_requests_under_way{${CHOSEN}})`, legend: 'requests' }],
        },
      ],
    },
    {
      title: 'Requests',
      panels: [
        {
          title: 'By status',
          description: '4xx are refusals, most of them 409 where a user is in a call already; 5xx are ours.',
          unit: 'reqps',
          stacked: true,
          queries: [rate('http_requests_total', CHOSEN, 'status')],
        },
        {
          title: 'By route',
          description: 'Method and pattern; unknown met no route.',
          unit: 'reqps',
          stacked: true,
          queries: [rate('http_requests_total', CHOSEN, 'method', 'route')],
        },
        {
          title: 'Under way, by process',
          description: 'The edge sends a request to the API with the fewest: the lines lie close together.',
          unit: 'short',
          queries: [{ expr: `sum by (node) (http_requests_under_way{${CHOSEN}})`, legend: '{{node}}' }],
        },
        {
          title: 'Failed, by route',
          description: 'Answers with 5xx. 503 is a store that is away.',
          unit: 'reqps',
          queries: [rate('http_requests_total', `${CHOSEN},status=~"5.."`, 'method', 'route', 'status')],
        },
        {
          title: 'Median, by route',
          description: 'Half of the requests are quicker: a few milliseconds.',
          unit: 's',
          queries: quantiles('http_request_duration_seconds', CHOSEN, 'route', [0.5]),
        },
        {
          title: '99th percentile, by route',
          description: 'One of a hundred is slower.',
          unit: 's',
          queries: quantiles('http_request_duration_seconds', CHOSEN, 'route', [0.99]),
        },
      ],
    },
    {
      title: 'Targets of the contract',
      panels: [
        target('Initiations in time', 'POST', '/api/v1/calls/initiate', '5', '5 s'),
        target('Presence updates in time', 'PUT', '/api/v1/presence/status', '0.1', '100 ms'),
        target('History queries in time', 'GET', '/api/v1/calls/user/:user_id/history', '0.5', '500 ms'),
      ],
    },
    {
      title: 'Refusals',
      panels: [
        {
          title: 'By error code',
          description:
            'Codes of the contract. USER_ALREADY_IN_CALL and CALL_ALREADY_ENDED are daily life; a new client version shows in INVALID_REQUEST.',
          unit: 'reqps',
          stacked: true,
          queries: [rate('http_errors_total', CHOSEN, 'code')],
        },
        {
          title: 'Rate limits',
          description:
            'Requests refused, by limit. A single user cannot raise it far; many at once are a client that does not wait.',
          unit: 'reqps',
          queries: [rate('rate_limited_total', CHOSEN, 'limit')],
        },
        {
          title: 'Counted by the process alone',
          description:
            'Requests whose limit was not counted in Redis, as it did not answer within 50 ms. 0 but in an outage.',
          unit: 'reqps',
          thresholds: [{ from: 0.1, colour: 'orange' }],
          queries: [rate('rate_limit_local_checks_total', CHOSEN, 'limit')],
        },
      ],
    },
  ],
}
