/** Messages that come by themselves and stay until they are read, or for a while. */
import { Store } from './store.ts'

export interface Notice {
  id: number
  kind: 'error' | 'info'
  text: string
  /** What can be done about it, in one click. */
  action?: { label: string; run(): void }
}

/** Long enough to be read twice. Errors stay until they are taken away. */
const INFO_MS = 8_000
const AT_ONCE = 3

export class Notices {
  readonly shown = new Store<Notice[]>([])
  #lastId = 0

  /** Shows a message; the same text is not shown twice at once. */
  show(notice: Omit<Notice, 'id'>): void {
    this.#lastId += 1
    const id = this.#lastId
    const others = this.shown.value.filter(({ text }) => text !== notice.text)
    this.shown.set([...others, { ...notice, id }].slice(-AT_ONCE))
    if (notice.kind === 'info') setTimeout(() => this.dismiss(id), INFO_MS)
  }

  dismiss(id: number): void {
    this.shown.set(this.shown.value.filter((notice) => notice.id !== id))
  }

  clear(): void {
    this.shown.set([])
  }
}
