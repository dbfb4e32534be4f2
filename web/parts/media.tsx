/** Streams on the screen and in the ear. */
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'

/** A stream with its picture. It has no sound where `muted`. */
export function Picture(props: { stream: MediaStream; muted?: boolean; mirrored?: boolean; label: string }) {
  const { stream, muted = false, mirrored = false, label } = props
  const video = useRef<HTMLVideoElement>(null)
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (video.current !== null && video.current.srcObject !== stream) video.current.srcObject = stream
  }, [stream])
  return (
    <video
      ref={video}
      class={`picture ${mirrored ? 'mirrored' : ''} ${isShown ? 'shown' : ''}`}
      autoPlay
      playsInline
      muted={muted}
      aria-label={label}
      onPlaying={() => setShown(true)}
    />
  )
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
