/** Whether the other side is heard at this moment: what a voice call has to show. */
import { useEffect, useState } from 'preact/hooks'
import type { CallView } from '../phone.ts'

const EVERY_MS = 200
/** Linear, of 1 (WebRTC, "audioLevel"): above the noise of a room. */
const HEARD = 0.02

export function useIsSpeaking({ call, state }: CallView): boolean {
  const [isSpeaking, setSpeaking] = useState(false)
  const connection = state?.phase === 'active' ? call?.peerConnection : undefined
  useEffect(() => {
    if (!(connection instanceof RTCPeerConnection)) return setSpeaking(false)
    const timer = setInterval(() => {
      const sources = connection.getReceivers().flatMap((receiver) => receiver.getSynchronizationSources())
      setSpeaking(sources.some(({ audioLevel = 0 }) => audioLevel > HEARD))
    }, EVERY_MS)
    return () => clearInterval(timer)
  }, [connection])
  return isSpeaking
}
