/**
 * Counts messages by type and transport. The relay counts two for each message; the library's counter would look its
 * labels up each time, so they are counted here and handed over when read.
 */
import { Counter, type Registry } from 'prom-client'

type TransportKind = 'raw' | 'socketio'

export class MessageCounter {
  readonly #counts: Record<TransportKind, Map<string, number>> = { raw: new Map(), socketio: new Map() }

  constructor({ name, help, registry }: { name: string; help: string; registry: Registry }) {
    const counts = this.#counts
    new Counter({
      name,
      help,
      labelNames: ['type', 'transport'],
      registers: [registry],
      collect() {
        this.reset()
        for (const transport of ['raw', 'socketio'] as const)
          for (const [type, count] of counts[transport]) this.inc({ type, transport }, count)
      },
    })
  }

  /** `type` must be one of the protocol's, which bounds the series. */
  count(type: string, transport: TransportKind): void {
    const counts = this.#counts[transport]
    counts.set(type, (counts.get(type) ?? 0) + 1)
  }
}
