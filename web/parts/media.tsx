/** Streams on the screen and in the ear. */
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'

/** A stream with its picture. It has no sound where `muted`. */
export function Picture(props: {
  stream: MediaStream
  muted?: boolean
  mirrored?: boolean
  label: string
  /** Told whether there is anything to see in it. */
  onDark?: (isDark: boolean) => void
}) {
  const { stream, muted = false, mirrored = false, label, onDark } = props
  const [isDark, setDark] = useState(false)
  const video = useRef<HTMLVideoElement>(null)
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (video.current !== null && video.current.srcObject !== stream) video.current.srcObject = stream
  }, [stream])
  useEffect(() => {
    if (onDark === undefined) return
    const timer = setInterval(() => {
      const dark = video.current !== null && showsNothing(video.current)
      setDark(dark)
      onDark(dark)
    }, DARK_EVERY_MS)
    return () => clearInterval(timer)
  }, [onDark])
  return (
    <video
      ref={video}
      class={`picture ${mirrored ? 'mirrored' : ''} ${isShown ? 'shown' : ''} ${isDark ? 'dark' : ''}`}
      autoPlay
      playsInline
      muted={muted}
      aria-label={label}
      onPlaying={() => setShown(true)}
    />
  )
}

const DARK_EVERY_MS = 500
/** Of 255. A camera that is switched off sends black; one in a dark room has noise. */
const DARK = 4

const sample = document.createElement('canvas')
sample.width = 4
sample.height = 4
const pixels = sample.getContext('2d', { willReadFrequently: true })

/** The other side does not say that its camera is off, but it can be seen. */
function showsNothing(video: HTMLVideoElement): boolean {
  if (pixels === null || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return false
  pixels.drawImage(video, 0, 0, 4, 4)
  const { data } = pixels.getImageData(0, 0, 4, 4)
  return data.every((value, index) => index % 4 === 3 || value <= DARK)
}

/** A stream's sound alone. */
export function Sound({ stream }: { stream: MediaStream }) {
  const audio = useRef<HTMLAudioElement>(null)
  useEffect(() => {
    if (audio.current !== null && audio.current.srcObject !== stream) audio.current.srcObject = stream
  }, [stream])
  // biome-ignore lint/a11y/useMediaCaption: two people talk; nobody has written it down.
  return <audio ref={audio} autoPlay />
}

/** Whether the stream has a picture at this moment; the component is rendered again when that changes. */
export function useHasPicture(stream: MediaStream | undefined): boolean {
  const [count, render] = useReducer<number, void>((value) => value + 1, 0)
  const tracks = stream?.getVideoTracks() ?? []
  useEffect(() => {
    const changed = () => render()
    const names = ['mute', 'unmute', 'ended'] as const
    stream?.addEventListener('addtrack', changed)
    stream?.addEventListener('removetrack', changed)
    for (const track of tracks) for (const name of names) track.addEventListener(name, changed)
    return () => {
      stream?.removeEventListener('addtrack', changed)
      stream?.removeEventListener('removetrack', changed)
      for (const track of tracks) for (const name of names) track.removeEventListener(name, changed)
    }
  }, [stream, tracks.length, count])
  return tracks.some((track) => track.readyState === 'live' && !track.muted)
}
