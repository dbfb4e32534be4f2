/** Microphone and camera of one call: asked for once, switched without renegotiation, given back at the end. */
import { CallingError } from './errors.ts'
import type { Settings } from './options.ts'

export class LocalMedia {
  readonly stream: MediaStream | undefined

  private constructor(stream: MediaStream | undefined) {
    this.stream = stream
  }

  /** @throws CallingError `MEDIA_UNAVAILABLE`, for instance where the user refuses */
  static async open(getMedia: Settings['getMedia'], video: boolean): Promise<LocalMedia> {
    if (getMedia === null) return new LocalMedia(undefined)
    try {
      return new LocalMedia(await getMedia({ audio: true, video }))
    } catch (error) {
      throw new CallingError('MEDIA_UNAVAILABLE', `No ${video ? 'camera or ' : ''}microphone`, { cause: error })
    }
  }

  get isMuted(): boolean {
    return !this.#tracks('audio').some(({ enabled }) => enabled)
  }

  get isCameraOn(): boolean {
    return this.#tracks('video').some(({ enabled }) => enabled)
  }

  /** What is switched off sends silence or black, and comes back at once. */
  enable(kind: 'audio' | 'video', enabled: boolean): void {
    for (const track of this.#tracks(kind)) track.enabled = enabled
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop()
  }

  #tracks(kind: 'audio' | 'video'): MediaStreamTrack[] {
    return (this.stream?.getTracks() ?? []).filter((track) => track.kind === kind)
  }
}
