/**
 * In the page: a client as somebody writes one who has read the contract and nothing else. It knows no field that is not
 * there, no user channel, no ack and no resume: to hear of a call it asks for its active calls.
 */

const ASK_EVERY_MS = 200

interface Participant {
  url: string
  user: string
  token: string
}

class Naive {
  #me: Participant = { url: '', user: '', token: '' }
  #callId = ''
  #other = ''
  #socket: WebSocket | undefined
  #connection: RTCPeerConnection | undefined
  #isCaller = false
  /** Types of messages, as they came. */
  readonly heard: string[] = []
  status = ''

  /** Calls somebody. */
  async dial(me: Participant, other: string): Promise<string> {
    this.#me = me
    this.#other = other
    this.#isCaller = true
    const body = { caller_id: me.user, callee_id: other, call_type: 'video' }
    const initiated = (await this.#ask('POST', '/calls/initiate', body)) as { call_id: string; signaling_url: string }
    this.#callId = initiated.call_id
    await this.#join(initiated.signaling_url)
    return this.#callId
  }

  /** Waits for a call and takes it. */
  async take(me: Participant, signalingUrl: string): Promise<void> {
    this.#me = me
    while (this.#callId === '') {
      const { active_calls } = (await this.#ask('GET', `/calls/user/${me.user}/active`)) as {
        active_calls: { call_id: string; other_participants: string[] }[]
      }
      const [call] = active_calls
      if (call !== undefined) [this.#callId, this.#other] = [call.call_id, call.other_participants[0] ?? '']
      else await new Promise((done) => setTimeout(done, ASK_EVERY_MS))
    }
    await this.#ask('PUT', `/calls/${this.#callId}/answer`, { user_id: me.user })
    await this.#join(signalingUrl.replace('{call_id}', this.#callId))
  }

  async hangUp(): Promise<void> {
    await this.#ask('DELETE', `/calls/${this.#callId}`, { user_id: this.#me.user, reason: 'user_hangup' })
  }

  async media(): Promise<{ framesDecoded: number; audioEnergy: number }> {
    const figures = { framesDecoded: 0, audioEnergy: 0 }
    const report = await this.#connection?.getStats()
    report?.forEach((stat) => {
      if (stat.type !== 'inbound-rtp') return
      figures.framesDecoded += stat.framesDecoded ?? 0
      figures.audioEnergy += stat.totalAudioEnergy ?? 0
    })
    return figures
  }

  async #join(signalingUrl: string): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 160, height: 120 } })
    const connection = new RTCPeerConnection()
    this.#connection = connection
    for (const track of stream.getTracks()) connection.addTrack(track, stream)
    connection.ontrack = ({ streams: [remote] }) => {
      const screen = document.querySelector<HTMLVideoElement>('#remote')
      if (screen !== null && remote !== undefined) screen.srcObject = remote
    }
    connection.onicecandidate = ({ candidate }) => {
      if (candidate === null) return
      const { sdpMid, sdpMLineIndex } = candidate
      this.#say('candidate', {
        candidate: candidate.candidate,
        sdp_mid: sdpMid,
        sdp_m_line_index: sdpMLineIndex,
      })
    }
    const socket = new WebSocket(`${signalingUrl}?token=${this.#me.token}`)
    this.#socket = socket
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: 'join-room', call_id: this.#callId, user_id: this.#me.user }))
    socket.onmessage = ({ data }) => void this.#hear(JSON.parse(data))
  }

  async #hear(message: Record<string, unknown>): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) return
    this.heard.push(String(message.type))
    if (message.type === 'user-joined') {
      // Both are there: the caller offers.
      if (!this.#isCaller || !(message.participants as string[]).includes(this.#other)) return
      await connection.setLocalDescription(await connection.createOffer())
      this.#say('offer', { sdp: connection.localDescription?.sdp })
    } else if (message.type === 'offer') {
      await connection.setRemoteDescription({ type: 'offer', sdp: String(message.sdp) })
      await connection.setLocalDescription(await connection.createAnswer())
      this.#say('answer', { sdp: connection.localDescription?.sdp })
    } else if (message.type === 'answer') {
      await connection.setRemoteDescription({ type: 'answer', sdp: String(message.sdp) })
    } else if (message.type === 'candidate') {
      const { candidate, sdp_mid, sdp_m_line_index } = message as {
        candidate: string
        sdp_mid: string
        sdp_m_line_index: number
      }
      await connection.addIceCandidate({ candidate, sdpMid: sdp_mid, sdpMLineIndex: sdp_m_line_index })
    } else if (message.type === 'call-status') {
      this.status = String(message.status)
      if (this.status === 'ended' || this.status === 'failed') connection.close()
    }
  }

  #say(type: string, fields: object): void {
    this.#socket?.send(JSON.stringify({ type, call_id: this.#callId, from: this.#me.user, to: this.#other, ...fields }))
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#me.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.#me.token}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
    return response.json()
  }
}

declare global {
  var naive: Naive
}
globalThis.naive = new Naive()
