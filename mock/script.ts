/** What a test makes a mock do, and what the mock was sent. */
import { setTimeout as pause } from 'node:timers/promises'
import { type ErrorCode, MockError } from './errors.ts'

/** Something that a client has sent. */
export type Received =
  | { kind: 'request'; userId: string; method: string; path: string; body: Record<string, unknown> }
  | { kind: 'handshake'; userId: string; callId: string | undefined; transport: string; refused: string | undefined }
  | { kind: 'message'; userId: string; callId: string | undefined; message: Record<string, unknown> }
  | { kind: 'closed'; userId: string; callId: string | undefined }

export interface Refusal {
  code: ErrorCode
  /** Of the HTTP answer; the code's own where it is left out. */
  status?: number
  message?: string
  details?: Record<string, unknown>
  headers?: Record<string, string>
}

/** Of messages to clients: those of a type, or for a user, or all. */
export interface Which {
  type?: string
  userId?: string
  /** How many messages it takes; one where it is left out. */
  times?: number
}

interface Rule extends Which {
  act(deliver: () => void): void
  left: number
}

export class Script {
  /** Everything that came, in order. */
  readonly received: Received[] = []
  #handshakes: { refusal: MockError; userId: string | undefined }[] = []
  #requests: { refusal?: MockError; delayMs: number; method: string; path: string }[] = []
  #rules: Rule[] = []
  readonly #after: (ms: number, run: () => void) => void

  constructor(after: (ms: number, run: () => void) => void) {
    this.#after = after
  }

  /** The next handshake, of this user where one is named, is refused. */
  refuseNextHandshake(refusal: Refusal, userId?: string): void {
    this.#handshakes.push({ refusal: errorOf(refusal), userId })
  }

  /** The next request of this method and path is refused after its token was judged. `path` may end in `*`. */
  refuseNextRequest(method: string, path: string, refusal: Refusal): void {
    this.#requests.push({ method, path, refusal: errorOf(refusal), delayMs: 0 })
  }

  /** The next request of this method and path is answered that much later, by the real clock. */
  delayNextRequest(method: string, path: string, delayMs: number): void {
    this.#requests.push({ method, path, delayMs })
  }

  /** Messages to clients that never arrive. */
  drop(which: Which = {}): void {
    this.#rule(which, () => {})
  }

  /** Messages to clients that arrive twice. */
  duplicate(which: Which = {}): void {
    this.#rule(which, (deliver) => {
      deliver()
      deliver()
    })
  }

  /** Messages to clients that arrive late, by the mock's clock, so that later ones overtake them. */
  delay(ms: number, which: Which = {}): void {
    this.#rule(which, (deliver) => this.#after(ms, deliver))
  }

  /** Takes back everything that has not happened yet. What was received stays. */
  reset(): void {
    this.#handshakes = []
    this.#requests = []
    this.#rules = []
  }

  record(received: Received): void {
    this.received.push(received)
  }

  /** @throws the refusal that the script has for this handshake */
  beforeHandshake(userId: string): void {
    const index = this.#handshakes.findIndex((each) => each.userId === undefined || each.userId === userId)
    if (index >= 0) throw this.#handshakes.splice(index, 1)[0]?.refusal
  }

  /** @throws the refusal that the script has for this request */
  async beforeReply(method: string, path: string): Promise<void> {
    const index = this.#requests.findIndex((each) => each.method === method && isPath(each.path, path))
    if (index < 0) return
    const [next] = this.#requests.splice(index, 1)
    if (next !== undefined && next.delayMs > 0) await pause(next.delayMs)
    if (next?.refusal !== undefined) throw next.refusal
  }

  /** Delivers a message as the script says, or at once. */
  send(userId: string, type: string, deliver: () => void): void {
    const fits = (rule: Rule) => rule.left > 0 && (rule.type ?? type) === type && (rule.userId ?? userId) === userId
    const rule = this.#rules.find(fits)
    if (rule === undefined) return deliver()
    rule.left -= 1
    rule.act(deliver)
  }

  #rule(which: Which, act: Rule['act']): void {
    this.#rules.push({ ...which, act, left: which.times ?? 1 })
  }
}

function errorOf({ code, message, ...facts }: Refusal): MockError {
  return new MockError(code, message ?? 'The script says so', facts)
}

function isPath(wanted: string, path: string): boolean {
  return wanted.endsWith('*') ? path.startsWith(wanted.slice(0, -1)) : path === wanted
}
