/** Why a TLS peer was not trusted, in words, as opposed to a peer that is merely away. */

const FOR_ANOTHER_HOST = 'its certificate is for another host'
const UNKNOWN_AUTHORITY = 'no trusted authority vouches for its certificate'
const OUT_OF_DATE = 'its certificate is not valid at this time'
const NO_TLS = 'it speaks no TLS'

/** Codes of OpenSSL's checks (X509_verify_cert_error_string) and of Node's own. */
const FAULTS: Record<string, string> = {
  ERR_TLS_CERT_ALTNAME_INVALID: FOR_ANOTHER_HOST,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: OUT_OF_DATE,
  CERT_NOT_YET_VALID: OUT_OF_DATE,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
}

/** What to say of the peer; undefined where the error is no matter of trust. */
export function tlsFault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // The driver's own words (pg 8) for a server that answers "N" to a request for TLS.
  if (/server does not support SSL/.test(error.message)) return NO_TLS
  return FAULTS[String((error as { code?: unknown }).code)]
}
