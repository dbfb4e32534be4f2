/** What can be done in a call. */
import { useDesk } from '../desk.tsx'
import type { CallView } from '../phone.ts'
import { Icon, type IconName } from './icons.tsx'

export function CallControls({ view }: { view: CallView }) {
  const { phone } = useDesk()
  const { call, state } = view
  const isMuted = state?.muted === true
  const isCameraOn = state?.cameraOn === true
  const hasCamera = (call?.localStream?.getVideoTracks().length ?? 0) > 0
  const isBegun = call !== undefined
  const isAnswered = state?.phase === 'connecting' || state?.phase === 'active'
  return (
    <fieldset class="controls" aria-label="Call controls">
      <Control
        icon={isMuted ? 'microphoneOff' : 'microphone'}
        label="Microphone"
        word={isMuted ? 'Unmute' : 'Mute'}
        isOn={!isMuted}
        disabled={!isBegun}
        press={() => phone.toggleMuted()}
      />
      <Control
        icon={isCameraOn ? 'camera' : 'cameraOff'}
        label="Camera"
        word={isCameraOn ? 'Stop video' : 'Start video'}
        isOn={isCameraOn}
        disabled={!hasCamera && !isAnswered}
        press={() => phone.toggleCamera()}
      />
      <button type="button" class="control hang-up" onClick={() => phone.hangUp()}>
        <span class="control-face">
          <Icon name="hangUp" />
        </span>
        {isAnswered ? 'Hang up' : 'Cancel'}
      </button>
    </fieldset>
  )
}

/** A switch: its name stays, its state changes, and the word below says what a press does. */
function Control(props: {
  icon: IconName
  label: string
  word: string
  isOn: boolean
  disabled: boolean
  press(): void
}) {
  const { icon, label, word, isOn, disabled, press } = props
  return (
    <button
      type="button"
      class={`control ${isOn ? '' : 'off'}`}
      role="switch"
      aria-checked={isOn}
      aria-label={label}
      disabled={disabled}
      onClick={press}
    >
      <span class="control-face">
        <Icon name={icon} />
      </span>
      <span aria-hidden="true">{word}</span>
    </button>
  )
}
