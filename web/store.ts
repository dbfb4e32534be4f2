/** A value that screens follow. */
import { useEffect, useReducer } from 'preact/hooks'

export class Store<T> {
  #value: T
  readonly #listeners = new Set<() => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  /** Sets the value, and tells everybody where it is another one. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of [...this.#listeners]) listener()
  }

  /** Calls `listener` after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

/** The store's value; the component is rendered again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, render] = useReducer<number, void>((count) => count + 1, 0)
  useEffect(() => {
    const stop = store.subscribe(() => render())
    // It may have changed between the rendering and now.
    render()
    return stop
  }, [store])
  return store.value
}
