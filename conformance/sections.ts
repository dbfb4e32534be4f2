/**
 * What there is to hold: the sections of the contract and of the pages that complete it. A section without a trial is a
 * gap, and the command's `--list` shows it.
 */
export interface Section {
  /** The contract is the API's documentation; the other pages say what it leaves open. */
  source: 'contract' | 'protocol' | 'decisions' | 'webhooks'
  heading: string
}

const contract = (heading: string): Section => ({ source: 'contract', heading })
const protocol = (heading: string): Section => ({ source: 'protocol', heading })
const decisions = (heading: string): Section => ({ source: 'decisions', heading })

export const SECTIONS = {
  authentication: contract('Authentication'),
  initiate: contract('POST /calls/initiate'),
  answer: contract('PUT /calls/{call_id}/answer'),
  end: contract('DELETE /calls/{call_id}'),
  status: contract('GET /calls/{call_id}/status'),
  active: contract('GET /calls/user/{user_id}/active'),
  history: contract('GET /calls/user/{user_id}/history'),
  presence: contract('GET /presence/status/{user_id}'),
  setPresence: contract('PUT /presence/status'),
  availability: contract('GET /presence/check/{user_id}'),
  connection: contract('WebSocket Signaling: connection and authentication'),
  join: contract('Join Room, User Joined'),
  leave: contract('Leave Room, User Left'),
  relay: contract('WebRTC Offer, WebRTC Answer, ICE Candidate'),
  callStatus: contract('Call Status Update'),
  health: contract('Health Check'),
  errors: contract('Error Responses'),
  rateLimits: contract('Rate Limits'),
  ice: contract('WebRTC Configuration'),
  privacy: contract('Privacy'),
  transports: protocol('Two transports, one room'),
  tickets: protocol('Socket tickets'),
  refusals: protocol('Refused handshakes'),
  faults: protocol('Errors and what becomes of the connection'),
  closeCodes: protocol('Close codes'),
  acks: protocol('Acknowledgements and ids'),
  absence: protocol('Absence and replay'),
  resume: protocol('Resuming with since'),
  incoming: protocol('incoming-call'),
  ringing: protocol('ringing'),
  connectionState: protocol('connection-state'),
  iceServers: protocol('ice-servers'),
  glare: protocol('Both call each other at once'),
  devices: decisions('Authentication and ownership: devices'),
  states: decisions('Call state machine'),
  idempotency: decisions('Call state machine: Idempotency-Key'),
  visibility: decisions('Presence: visibility'),
  races: decisions('Call state machine: races'),
  events: { source: 'webhooks', heading: 'Events' },
} satisfies Record<string, Section>

export type SectionName = keyof typeof SECTIONS
