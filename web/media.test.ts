import { expect } from 'chai'
import { openMedia } from './media.ts'

const STREAM = {} as MediaStream

/** Devices that fail so where a camera is asked for, and so where it is not. */
function devices(withCamera?: string, withoutCamera?: string) {
  const asked: boolean[] = []
  return {
    asked,
    async getUserMedia({ video }: MediaStreamConstraints = {}) {
      asked.push(Boolean(video))
      const failure = video ? withCamera : withoutCamera
      if (failure !== undefined) throw new DOMException('', failure)
      return STREAM
    },
  }
}

async function open(from: Parameters<typeof openMedia>[0], video: boolean, audio = true) {
  let withoutCamera = false
  const result = await openMedia(from, { audio, video }, () => {
    withoutCamera = true
  }).catch((error: DOMException) => error.name)
  return { result, withoutCamera }
}

describe('microphone and camera', () => {
  it('are asked for together, and a microphone alone for a voice call', async () => {
    const all = devices()

    expect(await open(all, true)).to.deep.equal({ result: STREAM, withoutCamera: false })
    expect(await open(all, false)).to.deep.equal({ result: STREAM, withoutCamera: false })
    expect(all.asked).to.deep.equal([true, false])
  })

  it('become a microphone alone where no camera can be had', async () => {
    for (const failure of ['NotFoundError', 'NotReadableError', 'OverconstrainedError'])
      expect(await open(devices(failure), true), failure).to.deep.equal({ result: STREAM, withoutCamera: true })
  })

  it('are a camera alone where one is added, or none', async () => {
    expect((await open(devices(), true, false)).result).to.equal(STREAM)
    expect((await open(devices('NotFoundError'), true, false)).result).to.equal('NotFoundError')
  })

  it('are not asked for again where the user has refused', async () => {
    const refused = devices('NotAllowedError')

    expect((await open(refused, true)).result).to.equal('NotAllowedError')
    expect(refused.asked).to.deep.equal([true])
  })

  it('fail where there is neither, and where the origin is not secure', async () => {
    expect(await open(devices('NotFoundError', 'NotFoundError'), true)).to.deep.equal({
      result: 'NotFoundError',
      withoutCamera: false,
    })
    expect((await open(undefined, false)).result).to.equal('SecurityError')
  })
})
