import { expect } from 'chai'
import { LocalMedia } from './local-media.ts'

type Kind = 'audio' | 'video'

class PaperTrack {
  enabled = true
  stopped = false
  readonly kind: Kind

  constructor(kind: Kind) {
    this.kind = kind
  }

  stop(): void {
    this.stopped = true
  }
}

class PaperStream {
  readonly tracks: PaperTrack[]

  constructor(tracks: PaperTrack[]) {
    this.tracks = tracks
  }

  getTracks(): PaperTrack[] {
    return this.tracks
  }

  getVideoTracks(): PaperTrack[] {
    return this.tracks.filter(({ kind }) => kind === 'video')
  }

  addTrack(track: PaperTrack): void {
    this.tracks.push(track)
  }
}

/** Devices that answer when they are let, and what was asked of them. */
function devices() {
  const asked: { audio: boolean; video: boolean }[] = []
  const answers: (() => void)[] = []
  const opened: PaperTrack[] = []
  const getMedia = (wanted: { audio: boolean; video: boolean }) => {
    asked.push(wanted)
    const kinds: Kind[] = [...(wanted.audio ? ['audio' as const] : []), ...(wanted.video ? ['video' as const] : [])]
    const tracks = kinds.map((kind) => new PaperTrack(kind))
    opened.push(...tracks)
    return new Promise<MediaStream>((resolve) => {
      answers.push(() => resolve(new PaperStream(tracks) as unknown as MediaStream))
    })
  }
  return { asked, opened, getMedia, answer: () => answers.shift()?.() }
}

async function voiceCall() {
  const made = devices()
  const added: string[] = []
  const opening = LocalMedia.open(made.getMedia, false)
  made.answer()
  const media = await opening
  const setCamera = (on: boolean) => media.setCamera(on, ({ kind }) => added.push(kind))
  return { ...made, media, added, setCamera }
}

describe('microphone and camera of a call', () => {
  it('are asked for together, and a camera that comes later alone', async () => {
    const { asked, answer, media, added, setCamera } = await voiceCall()
    const setting = setCamera(true)
    answer()
    await setting

    expect(asked).to.deep.equal([
      { audio: true, video: false },
      { audio: false, video: true },
    ])
    expect(added).to.deep.equal(['video'])
    expect(media.isCameraOn).to.equal(true)
  })

  it('have one camera, however often it is asked for', async () => {
    const { asked, answer, added, setCamera } = await voiceCall()
    const setting = Promise.all([setCamera(true), setCamera(true)])
    answer()
    await setting
    await setCamera(false)
    await setCamera(true)

    expect(asked).to.have.length(2)
    expect(added).to.deep.equal(['video'])
  })

  it('do what was said last, also while a camera is being asked for', async () => {
    const { answer, media, setCamera } = await voiceCall()
    const setting = Promise.all([setCamera(true), setCamera(false)])
    answer()
    await setting

    expect(media.isCameraOn).to.equal(false)
  })

  it('are given back, also a camera that comes when the call is over', async () => {
    const { answer, opened, media, added, setCamera } = await voiceCall()
    const setting = setCamera(true)
    media.stop()
    answer()
    await setting

    expect(opened.map(({ kind, stopped }) => [kind, stopped])).to.deep.equal([
      ['audio', true],
      ['video', true],
    ])
    expect(added).to.deep.equal([])
  })

  it('are MEDIA_UNAVAILABLE where there is none, and may be there at the next attempt', async () => {
    const codeOf = ({ code, message }: { code: string; message: string }) => `${code}: ${message}`
    const refuse = () => Promise.reject(new Error('Permission denied'))
    const none = await LocalMedia.open(null, true)

    expect(await LocalMedia.open(refuse, true).catch(codeOf)).to.equal('MEDIA_UNAVAILABLE: No microphone or camera')
    expect(await none.setCamera(true, () => {}).catch(codeOf)).to.equal('MEDIA_UNAVAILABLE: No camera')
    await none.setCamera(false, () => {})

    let isThere = false
    const { getMedia, answer } = devices()
    const opening = LocalMedia.open((wanted) => (wanted.video && !isThere ? refuse() : getMedia(wanted)), false)
    answer()
    const media = await opening
    expect(await media.setCamera(true, () => {}).catch(codeOf)).to.equal('MEDIA_UNAVAILABLE: No camera')
    isThere = true
    const setting = media.setCamera(true, () => {})
    answer()
    await setting
    expect(media.isCameraOn).to.equal(true)
  })
})
