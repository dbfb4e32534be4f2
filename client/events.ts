/** Typed events, the least that a user interface needs to follow an object. */

export type Listener<A extends unknown[]> = (...args: A) => void

export class Events<M extends { [K in keyof M]: unknown[] }> {
  readonly #listeners = new Map<keyof M, Set<Listener<never>>>()

  /** Calls `listener` for each event of this name, until the returned function is called. */
  on<K extends keyof M>(name: K, listener: Listener<M[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener as Listener<never>)
    return () => void listeners.delete(listener as Listener<never>)
  }

  /** Calls `listener` for the next event of this name alone. */
  once<K extends keyof M>(name: K, listener: Listener<M[K]>): () => void {
    const off = this.on(name, (...args) => {
      off()
      listener(...args)
    })
    return off
  }

  /** @internal Whether anybody listens. */
  hears(name: keyof M): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  /** @internal A listener that throws harms neither the others nor us: its error surfaces as any uncaught one. */
  emit<K extends keyof M>(name: K, ...args: M[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        ;(listener as Listener<M[K]>)(...args)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
