/** A call that one takes part in: pictures, or faces where there are none, and what can be done. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { Avatar } from '../parts/avatar.tsx'
import { CallControls } from '../parts/call-controls.tsx'
import { callLine } from '../parts/call-line.ts'
import { Picture, Sound, useHasPicture } from '../parts/media.tsx'
import { QualityBadge } from '../parts/quality-badge.tsx'
import { useIsSpeaking } from '../parts/speaking.ts'
import { useNow } from '../parts/ticks.ts'
import type { CallView } from '../phone.ts'
import { clock } from '../time.ts'

export function CallStage({ view }: { view: CallView }) {
  const { people } = useDesk()
  const name = people.nameOf(view.peerId)
  const stage = useRef<HTMLElement>(null)
  const remote = view.call?.remoteStream
  const hasPicture = useHasPicture(remote)
  const [isDark, setDark] = useState(false)
  const isSpeaking = useIsSpeaking(view)
  // The button that began the call cannot be pressed any more: the focus goes on to where the call is.
  useEffect(() => stage.current?.focus(), [])
  useEffect(() => {
    if (!hasPicture) setDark(false)
  }, [hasPicture])
  return (
    <section
      ref={stage}
      class={`call ${hasPicture ? 'with-picture' : ''}`}
      aria-label={`Call with ${name}`}
      tabIndex={-1}
      data-phase={view.state?.phase ?? 'asking'}
    >
      {remote === undefined ? null : hasPicture ? (
        <Picture stream={remote} label={`Video of ${name}`} onDark={setDark} />
      ) : (
        <Sound stream={remote} />
      )}
      <CallHead view={view} name={name} />
      {hasPicture && !isDark ? null : (
        <div class={`call-face ${isSpeaking ? 'speaking' : ''} ${isWaiting(view) ? 'waiting' : ''}`}>
          <Avatar id={view.peerId} name={name} />
        </div>
      )}
      <OwnPicture view={view} />
      <CallNotice view={view} name={name} />
      <CallControls view={view} />
    </section>
  )
}

function isWaiting({ state }: CallView): boolean {
  return state?.phase === 'ringing'
}

function CallHead({ view, name }: { view: CallView; name: string }) {
  const now = useNow(500)
  const isConnected = view.connectedAt !== undefined
  const seconds = view.connectedAt === undefined ? 0 : (now - view.connectedAt) / 1000
  return (
    <header class="call-head">
      <h2>{name}</h2>
      {isConnected ? (
        <p class="call-line">
          <span class="visually-hidden">Duration </span>
          <span class="call-clock" role="timer">
            {clock(seconds)}
          </span>
          <QualityBadge view={view} />
        </p>
      ) : (
        <p class="call-line">{callLine(view)}</p>
      )}
    </header>
  )
}

/** One's own picture, as in a mirror. */
function OwnPicture({ view }: { view: CallView }) {
  const { session } = useDesk()
  const local = view.call?.localStream
  if (local === undefined) return null
  const hasCamera = local.getVideoTracks().length > 0
  if (!hasCamera && !view.video) return null
  const isOn = hasCamera && view.state?.cameraOn === true
  return (
    <div class="own-picture">
      {isOn ? (
        <Picture stream={local} muted mirrored label="Your own video" />
      ) : (
        <>
          <Avatar id={session.userId} name={session.name} />
          <span class="own-picture-line">{hasCamera ? 'Camera off' : 'No camera'}</span>
        </>
      )}
    </div>
  )
}

/** What is not as it should be, while it is not. */
function CallNotice({ view: { state, connectedAt }, name }: { view: CallView; name: string }) {
  let text = ''
  if (state?.reconnecting && connectedAt !== undefined) text = 'Connection lost. Reconnecting…'
  else if (connectedAt !== undefined && state?.phase === 'active' && !state.peerPresent)
    text = `${name} has lost the connection`
  return (
    <p class={`call-notice ${text === '' ? 'empty' : ''}`} role="status">
      {text}
    </p>
  )
}
