// What lets a page read the answers that the edge gives itself, and ask while no API answers. HAProxy's words; pure.

/** As api/middleware/cross-origin.ts has them; test/api/public-pages.test.ts holds the two to each other. */
const METHODS = 'GET,POST,PUT,DELETE'
const EXPOSED = 'Idempotent-Replayed,RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset,Retry-After,X-Request-Id'
const PREFLIGHT_SECONDS = 600

/**
 * Answers each preflight (Fetch standard, "CORS-preflight fetch") of these origins, and gives the headers of CORS to
 * responses that have none. Every header may be asked for: no cookie is ever used, so a page has no more than its token.
 */
export function crossOriginRules(origins: string[]): string {
  if (origins.length === 0) return ''
  const open = origins.includes('*')
  const allowed = open
    ? ['http-request set-var(txn.origin) str(*) if { req.fhdr(origin) -m found }']
    : // A line each: HAProxy takes 64 words in one.
      origins.map(
        (origin) => `http-request set-var(txn.origin) req.fhdr(origin) if { req.fhdr(origin) -m str ${origin} }`,
      )
  const isPreflight = '{ method OPTIONS } { req.fhdr(access-control-request-method) -m found }'
  const mayRead = '{ var(txn.origin) -m found }'
  return [
    '# CORS: what the edge says itself must be readable, and a page must be able to ask before a server is back.',
    ...allowed,
    `http-request set-var(txn.asked) req.fhdr(access-control-request-headers) if ${isPreflight} ${mayRead}`,
    `http-request return status 204 hdr X-Request-Id %[var(txn.request_id)] hdr Access-Control-Allow-Methods ${METHODS} hdr Access-Control-Max-Age ${PREFLIGHT_SECONDS} if ${isPreflight} ${mayRead}`,
    'http-after-response set-header Access-Control-Allow-Headers %[var(txn.asked)] if { var(txn.asked) -m found }',
    'http-after-response set-header Vary "Origin, Access-Control-Request-Headers" if { var(txn.asked) -m found }',
    ...(open
      ? []
      : [
          `http-after-response add-header Vary Origin if ${mayRead} !{ res.fhdr(access-control-allow-origin) -m found }`,
        ]),
    `http-after-response set-header Access-Control-Expose-Headers ${EXPOSED} if ${mayRead} !{ res.fhdr(access-control-allow-origin) -m found }`,
    `http-after-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if ${mayRead} !{ res.fhdr(access-control-allow-origin) -m found }`,
  ]
    .map((text) => `  ${text}`)
    .join('\n')
}
