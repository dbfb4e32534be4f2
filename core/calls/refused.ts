/**
 * Rolls the transaction of a creation or a merge back. `busy`: a user is in a live call; `offline`: the callee has set
 * itself offline; `known`: the key has a call; `lost`: somebody else has just changed the call that this one is about.
 */
export class Refused extends Error {
  readonly kind: 'busy' | 'offline' | 'known' | 'lost'

  constructor(kind: Refused['kind']) {
    super(kind)
    this.kind = kind
  }
}
