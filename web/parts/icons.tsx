/** Icons as lines on a grid of 24, drawn here so that nothing has to be fetched. Words beside them say what they mean. */
const PATHS = {
  call: 'M5 4h3.2l1.6 4-2 1.5a11 11 0 0 0 5.7 5.700l1.5-2 4 1.600V18a2 2 0 0 1-2 2A14 14 0 0 1 3 6a2 2 0 0 1 2-2z',
  camera:
    'M4.5 6.500h8.500a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H4.500a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2zM15 10.500l5.3-3.200a.5.5 0 0 1 .7.4v8.600a.5.5 0 0 1-.7.4L15 13.5',
  cameraOff:
    'M9.5 6.500H13a2 2 0 0 1 2 2v3M15 15.500a2 2 0 0 1-2 2H4.500a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2h.3M15 10.500l5.3-3.200a.5.5 0 0 1 .7.4v8.600M3 3l18 18',
  microphone: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.500V21',
  microphoneOff:
    'M9 9v2a3 3 0 0 0 4.6 2.500M15 10.500V6a3 3 0 0 0-5.8-1.100M5.5 11a6.5 6.5 0 0 0 10 5.500M18.2 13a6.5 6.5 0 0 0 .3-2M12 17.500V21M3 3l18 18',
  people:
    'M9 11.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.500c.6-3.3 3.2-5 6.5-5s5.9 1.7 6.5 5M15.5 4.800a3.5 3.5 0 0 1 0 6.400M17.5 14.900c2.2.5 3.6 2 4 4.6',
  history: 'M12 7v5l3.2 2M3.5 12a8.5 8.5 0 1 0 2.7-6.200L3.5 8.300M3.5 4v4.300h4.3',
  outgoing: 'M7 17L17 7M9 7h8v8',
  incoming: 'M17 7L7 17M7 9v8h8',
  close: 'M6 6l12 12M18 6L6 18',
  signOut: 'M14 4.500H6.500a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2H14M17 8.500l3.5 3.5-3.5 3.500M20 12H10',
  window: 'M10 5H6.500a2 2 0 0 0-2 2v10.500a2 2 0 0 0 2 2H17a2 2 0 0 0 2-2V14M14 4.500h5.500V10M19.5 4.500L11 13',
  link: 'M9.5 14.500l5-5M11 6.500l1.3-1.300a4.6 4.6 0 0 1 6.5 6.500L17.5 13M13 17.500l-1.3 1.300a4.6 4.6 0 0 1-6.5-6.500L6.5 11',
} as const

export type IconName = keyof typeof PATHS | 'hangUp'

export function Icon({ name }: { name: IconName }) {
  if (name === 'hangUp') return <HangUpIcon />
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** A receiver that lies on its hook. */
function HangUpIcon() {
  return (
    <svg class="icon solid" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS.call} transform="rotate(135 12 12.5)" />
    </svg>
  )
}
