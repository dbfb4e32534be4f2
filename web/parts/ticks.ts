/** Times that go on while a component is shown. */
import { useEffect, useReducer } from 'preact/hooks'

/** Now, in milliseconds; the component is rendered again every `everyMs`. */
export function useNow(everyMs: number): number {
  const [, render] = useReducer<number, void>((count) => count + 1, 0)
  useEffect(() => {
    const timer = setInterval(() => render(), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return Date.now()
}

/** Whether the window is so narrow that one thing at a time fits. Has to say what the style sheets say. */
export function useIsNarrow(): boolean {
  const [, render] = useReducer<number, void>((count) => count + 1, 0)
  const query = matchMedia('(max-width: 859.98px)')
  useEffect(() => {
    const changed = () => render()
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return query.matches
}
