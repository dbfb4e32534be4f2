/** The answer to `POST /ws-ticket` (additive endpoint). */

/** A one-time stand-in for a token in the query of a handshake. */
export interface TicketResponse {
  ticket: string
  expires_at: string
  ttl_seconds: number
}
