/** The first screen: a name is all that it takes. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { FrontDoor } from '../desk.tsx'
import { Icon } from '../parts/icons.tsx'
import { ServiceError } from '../service.ts'
import { useStore } from '../store.ts'

export function SignIn({ door }: { door: FrontDoor }) {
  const message = useStore(door.message)
  const [fault, setFault] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    document.title = 'Tchat Calling'
    field.current?.focus()
  }, [])

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    if (isBusy) return
    setBusy(true)
    try {
      await door.signIn(field.current?.value ?? '')
    } catch (error) {
      setBusy(false)
      setFault(sentenceOf(error))
      field.current?.focus()
    }
  }

  const said = fault ?? message
  return (
    <main class="sign-in">
      <form class="sign-in-card" onSubmit={submit} noValidate>
        <span class="brand-mark">
          <Icon name="call" />
        </span>
        <h1>Tchat Calling</h1>
        <p class="muted">Voice and video calls between two browsers.</p>
        <label for="name">Your name</label>
        <input
          id="name"
          ref={field}
          type="text"
          maxLength={40}
          autoComplete="nickname"
          autoCapitalize="words"
          spellcheck={false}
          placeholder="Ada Lovelace"
          aria-invalid={fault !== undefined}
          aria-describedby="name-said name-hint"
        />
        <p id="name-said" class="field-fault" role="alert">
          {said}
        </p>
        <button type="submit" class="button primary wide" disabled={isBusy}>
          {isBusy ? 'Signing in…' : 'Sign in'}
        </button>
        <p id="name-hint" class="hint">
          This is a demo: no password, and the same name is the same person. To call somebody, sign in with another name
          in a second window.
        </p>
      </form>
    </main>
  )
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof ServiceError)) return 'That did not work. Try again.'
  if (error.code === 'INVALID_REQUEST') return 'A name has 1 to 40 characters, one of them a letter or a digit.'
  if (error.code === 'RATE_LIMITED')
    return `Too many sign-ins from here. Try again in ${error.retryAfterSeconds ?? 60} s.`
  return 'The service does not answer. Try again in a moment.'
}
