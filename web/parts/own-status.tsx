/** Who I am here, whether I can be called, and the way out. */
import { useEffect, useState } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { useStore } from '../store.ts'
import { faultSentence } from '../words.ts'
import { Avatar } from './avatar.tsx'
import { Icon } from './icons.tsx'

/** A connection that is back at once needs no word. */
const PATIENCE_MS = 1_200

export function OwnStatus() {
  const { session, phone, people, notices, service, signOut } = useDesk()
  const { client } = useStore(phone.state)
  const { users, askedAt } = useStore(people.state)
  const self = users?.find(({ user_id }) => user_id === session.userId)
  const [wanted, setWanted] = useState<'online' | 'offline'>()
  const [onlineAt, setOnlineAt] = useState<number>()
  useEffect(() => {
    setOnlineAt(client === 'online' ? Date.now() : undefined)
  }, [client])
  // A list that was asked for before this window came online says what was then.
  const known = onlineAt !== undefined && askedAt > onlineAt ? self?.status : 'online'
  const isAway = (wanted ?? known) === 'offline' && client === 'online'
  const isLost = useLasting(client !== 'online', PATIENCE_MS)

  async function toggle(): Promise<void> {
    const status = isAway ? 'online' : 'offline'
    setWanted(status)
    try {
      await service.setPresence(status)
      await people.refresh()
    } catch (error) {
      notices.show({ kind: 'error', text: faultSentence(error as { code: string }, session.name) })
    }
    setWanted(undefined)
  }

  const line = isLost ? 'Connecting…' : isAway ? 'Not available' : 'Available'
  return (
    <header class="own">
      <Avatar id={session.userId} name={session.name} status={isLost || isAway ? 'offline' : 'online'} />
      <div class="own-who">
        <h1 class="own-name">{session.name}</h1>
        <p class="muted">{line}</p>
      </div>
      <button
        type="button"
        class="switch"
        role="switch"
        aria-checked={!isAway}
        aria-label="Available for calls"
        title={isAway ? 'Become available' : 'Become unavailable'}
        disabled={client !== 'online'}
        onClick={toggle}
      />
      <button type="button" class="icon-button" aria-label="Sign out" title="Sign out" onClick={() => signOut()}>
        <Icon name="signOut" />
      </button>
      <p class={`banner ${isLost ? '' : 'empty'}`} role="status">
        {isLost ? 'The service cannot be reached. Trying again…' : ''}
      </p>
    </header>
  )
}

/** Whether `isSo` has been true for so long. */
function useLasting(isSo: boolean, ms: number): boolean {
  const [lasts, setLasts] = useState(false)
  useEffect(() => {
    if (!isSo) return setLasts(false)
    const timer = setTimeout(() => setLasts(true), ms)
    return () => clearTimeout(timer)
  }, [isSo, ms])
  return isSo && lasts
}
