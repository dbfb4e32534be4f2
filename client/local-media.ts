/** Microphone and camera of one call: asked for once, switched without renegotiation, given back at the end. */
import { CallingError } from './errors.ts'
import type { Settings } from './options.ts'

/** Gives the other side a track that it does not have yet. */
export type AddTrack = (track: MediaStreamTrack, stream: MediaStream) => void

export class LocalMedia {
  readonly stream: MediaStream | undefined
  readonly #getMedia: Settings['getMedia']
  #addingCamera: Promise<void> | undefined
  /** The last wish counts, also where it came while the camera was being asked for. */
  #wantsCamera = false
  #stopped = false

  private constructor(getMedia: Settings['getMedia'], stream: MediaStream | undefined) {
    this.#getMedia = getMedia
    this.stream = stream
  }

  /** @throws CallingError `MEDIA_UNAVAILABLE`, for instance where the user refuses */
  static async open(getMedia: Settings['getMedia'], video: boolean): Promise<LocalMedia> {
    return new LocalMedia(getMedia, getMedia === null ? undefined : await ask(getMedia, { audio: true, video }))
  }

  get isMuted(): boolean {
    return !this.#tracks('audio').some(({ enabled }) => enabled)
  }

  get isCameraOn(): boolean {
    return this.#tracks('video').some(({ enabled }) => enabled)
  }

  /** What is switched off sends silence, and comes back at once. */
  setMuted(muted: boolean): void {
    this.#enable('audio', !muted)
  }

  /** Switched off it sends black. @throws CallingError `MEDIA_UNAVAILABLE` where there is none and none can be had */
  async setCamera(on: boolean, add: AddTrack): Promise<void> {
    this.#wantsCamera = on
    if (on && this.#tracks('video').length === 0) {
      this.#addingCamera ??= this.#addCamera(add).finally(() => {
        this.#addingCamera = undefined
      })
      await this.#addingCamera
    }
    this.#enable('video', this.#wantsCamera)
  }

  stop(): void {
    this.#stopped = true
    for (const track of this.stream?.getTracks() ?? []) track.stop()
  }

  async #addCamera(add: AddTrack): Promise<void> {
    const { stream } = this
    if (this.#getMedia === null || stream === undefined) throw unavailable('camera')
    const camera = await ask(this.#getMedia, { audio: false, video: true })
    for (const track of camera.getVideoTracks()) {
      stream.addTrack(track)
      // The call may have ended meanwhile.
      if (this.#stopped) track.stop()
      else add(track, stream)
    }
  }

  #enable(kind: 'audio' | 'video', enabled: boolean): void {
    for (const track of this.#tracks(kind)) track.enabled = enabled
  }

  #tracks(kind: 'audio' | 'video'): MediaStreamTrack[] {
    return (this.stream?.getTracks() ?? []).filter((track) => track.kind === kind)
  }
}

async function ask(
  getMedia: NonNullable<Settings['getMedia']>,
  wanted: { audio: boolean; video: boolean },
): Promise<MediaStream> {
  try {
    return await getMedia(wanted)
  } catch (error) {
    const { audio, video } = wanted
    throw unavailable([...(audio ? ['microphone'] : []), ...(video ? ['camera'] : [])].join(' or '), error)
  }
}

function unavailable(what: string, cause?: unknown): CallingError {
  return new CallingError('MEDIA_UNAVAILABLE', `No ${what}`, { cause })
}
