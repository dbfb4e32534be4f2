/** Microphone and camera of this window. A call without a camera is better than none. */

/** What a call of two needs; browsers take what comes near. */
const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true }
const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
}

/**
 * Asks for a microphone, and a camera where one is wanted; where only the camera cannot be had it goes on by voice and
 * calls `noCamera`.
 * @throws DOMException of getUserMedia; `SecurityError` where the page's address gets none
 */
export async function openMedia(
  devices: Pick<MediaDevices, 'getUserMedia'> | undefined,
  wanted: { audio: boolean; video: boolean },
  noCamera: () => void,
): Promise<MediaStream> {
  if (devices === undefined) throw new DOMException('No media on this origin', 'SecurityError')
  if (!wanted.audio) return devices.getUserMedia({ video: VIDEO })
  if (!wanted.video) return devices.getUserMedia({ audio: AUDIO })
  try {
    return await devices.getUserMedia({ audio: AUDIO, video: VIDEO })
  } catch (error) {
    if (!(error instanceof DOMException) || !NO_CAMERA.has(error.name)) throw error
    // Where it was the microphone that is missing, this one fails in the same way.
    const stream = await devices.getUserMedia({ audio: AUDIO })
    noCamera()
    return stream
  }
}

/** There is none, or another program has it. A refusal is not among them: it is the user's word on both. */
const NO_CAMERA = new Set(['NotFoundError', 'NotReadableError', 'OverconstrainedError'])
