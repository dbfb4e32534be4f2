/** What this node notes of calls for the journal: who came and went, what was exchanged by kind, what clients reported. */
import type { CallJournal, JournalNote } from '../core/calls/call-journal.ts'
import type { ConnectionStateMessage, RelayedMessage } from '../core/protocol/signaling.ts'
import type { LocalCall } from './local-call.ts'
import type { Peer } from './peer.ts'

export class Witness {
  readonly #journal: Pick<CallJournal, 'note'>
  readonly #nodeId: string

  constructor(journal: Pick<CallJournal, 'note'>, nodeId: string) {
    this.#journal = journal
    this.#nodeId = nodeId
  }

  /** A peer took its seat; `recovered` says whether one that came back by `since` has everything, undefined without. */
  joined(call: LocalCall, peer: Peer, recovered: boolean | undefined): void {
    if (recovered === undefined) this.#note(call, peer, { kind: 'joined' })
    else this.#note(call, peer, { kind: 'resumed', detail: recovered ? 'recovered' : 'incomplete' })
  }

  /** A peer gave its seat up, or its connection broke. */
  gone(call: LocalCall, peer: Peer, how: 'clean' | 'lost'): void {
    this.#note(call, peer, { kind: how === 'clean' ? 'left' : 'lost', candidates: peer.candidates })
    peer.candidates = 0
  }

  /** A connection ended that had never joined. */
  neverJoined(call: LocalCall, peer: Peer): void {
    this.#note(call, peer, { kind: 'left', detail: 'never joined' })
  }

  /** A peer hands something to the other side. Candidates come by the dozen and are counted alone. */
  sent(call: LocalCall, peer: Peer, type: RelayedMessage['type']): void {
    if (type === 'candidate') peer.candidates += 1
    else this.#note(call, peer, { kind: type })
  }

  /** A client's word on its peer connection, where it is another one than before. */
  reported(call: LocalCall, peer: Peer, state: ConnectionStateMessage['state'], path: string): void {
    this.#note(call, peer, { kind: 'reported', detail: path === 'unknown' ? state : `${state} ${path}` })
  }

  #note(call: LocalCall, peer: Peer, note: Pick<JournalNote, 'kind' | 'detail' | 'candidates'>): void {
    this.#journal.note({
      callId: call.id,
      role: peer.side === 'a' ? 'caller' : 'callee',
      node: this.#nodeId,
      transport: peer.transport.kind,
      device: peer.device,
      ...note,
    })
  }
}
