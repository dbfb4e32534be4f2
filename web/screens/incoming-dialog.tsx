/** Somebody calls. The dialog keeps the focus until it is answered, declined or over. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { Avatar } from '../parts/avatar.tsx'
import { Icon } from '../parts/icons.tsx'
import { useNow } from '../parts/ticks.ts'
import type { CallView } from '../phone.ts'

export function IncomingDialog({ view }: { view: CallView }) {
  const { people, phone } = useDesk()
  const dialog = useRef<HTMLDialogElement>(null)
  const name = people.nameOf(view.peerId)
  useEffect(() => {
    // Modal: what lies behind can neither be reached nor read, and the focus returns to where it was.
    dialog.current?.showModal()
    if (!people.knows(view.peerId)) void people.refresh()
    // A phone in a pocket.
    navigator.vibrate?.([300, 200, 300])
    const element = dialog.current
    return () => element?.close()
  }, [])

  /** Escape must not send a caller away: it silences. */
  function onCancel(event: Event): void {
    event.preventDefault()
    phone.silence()
  }

  return (
    <dialog
      ref={dialog}
      class="incoming"
      role="alertdialog"
      aria-labelledby="incoming-name"
      aria-describedby="incoming-line"
      tabIndex={-1}
      onCancel={onCancel}
    >
      <Countdown until={view.ringsUntil} totalMs={view.call?.ringMs}>
        <Avatar id={view.peerId} name={name} />
      </Countdown>
      <h2 id="incoming-name">{name}</h2>
      <p id="incoming-line" class="muted">
        {view.video ? 'calls you by video' : 'calls you'}
      </p>
      <div class="incoming-actions">
        <button type="button" class="control hang-up" onClick={() => phone.hangUp()}>
          <span class="control-face">
            <Icon name="hangUp" />
          </span>
          Decline
        </button>
        {view.video ? (
          <button type="button" class="control neutral" onClick={() => phone.answer({ video: false })}>
            <span class="control-face">
              <Icon name="cameraOff" />
            </span>
            Voice only
          </button>
        ) : null}
        <button type="button" class="control answer" onClick={() => phone.answer({ video: view.video })}>
          <span class="control-face">
            <Icon name={view.video ? 'camera' : 'call'} />
          </span>
          Answer
        </button>
      </div>
    </dialog>
  )
}

/** A ring round the caller's face that runs out, and the seconds in figures. */
function Countdown(props: { until: number | undefined; totalMs: number | undefined; children: ComponentChildren }) {
  const { until, totalMs, children } = props
  const now = useNow(250)
  const leftMs = until === undefined ? undefined : Math.max(0, until - now)
  const share = leftMs === undefined || !totalMs ? 1 : leftMs / totalMs
  return (
    <div class="countdown">
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <circle class="countdown-track" cx="60" cy="60" r="56" />
        <circle class="countdown-rest" cx="60" cy="60" r="56" pathLength={1} style={{ strokeDashoffset: 1 - share }} />
      </svg>
      {children}
      {leftMs === undefined ? null : (
        <span class="countdown-figure" role="timer" aria-label={`${Math.ceil(leftMs / 1000)} seconds left`}>
          {Math.ceil(leftMs / 1000)} s
        </span>
      )}
    </div>
  )
}
