/** What test files share and nobody of them can close: it is closed when the last test is over. */

const closers: (() => Promise<void>)[] = []

/** What was named last is closed first. */
export function atTheEnd(close: () => Promise<void>): void {
  closers.push(close)
}

/** Called once by the root hooks. @throws what the first of them threw that did; the others are closed all the same */
export async function closeWhatIsShared(): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers.splice(0).reverse()) await close().catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}
