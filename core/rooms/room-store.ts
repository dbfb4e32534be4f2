/** What a gateway node does to rooms in Redis, one script each. Rejects at once while Redis is away. */
import { type GuardedRedis, within } from '../platform/redis.ts'
import { ROOM_TTL_MS, type RoomKeys, roomKeys } from '../protocol/keys.ts'
import type { CallStatusMessage, CallType } from '../protocol/signaling.ts'
import { readSides } from './inbox.ts'
import type { DrainWish, NodeAbout } from './node-directory.ts'
import { type RelayRequest, type RelayResult, readResult, relayArguments } from './relay-words.ts'
import { type Entry, parseEntry, type Side } from './room.ts'
import { isSpoilt } from './room-repair.ts'
import { REPLY_TIMEOUT_MS, RoomScripts } from './room-scripts.ts'

export interface Seat {
  callId: string
  side: Side
  connectionId: string
  /** Empty where the connection is a device of its own. */
  device: string
}

/** What a room says of its call, so that a node can admit its users while Postgres is away. May be older than Postgres. */
export interface RoomFacts {
  caller_id: string
  callee_id: string
  /** Absent where an older node wrote it. */
  call_type?: CallType
  status: CallStatusMessage
}

export interface Joined {
  epoch: string
  /** The replay starts after this number. */
  from: number
  /** The last number for this side; everything up to it is in `tail`, delivered before, or forgotten. */
  last: number
  /** With `since` and `restore`: nothing after it is missing. Without: nothing that waited was dropped. */
  recovered: boolean
  first: boolean
  version: number
  present: Side[]
  wasEmpty: boolean
  /** Rises whenever the room changes between somebody and nobody who is connected: orders what nodes write of it. */
  occupancy: number
  tail: Entry[]
}

export interface Left {
  left: boolean
  version: number
  present: Side[]
  empty: boolean
  hadSeat: boolean
  /** As of {@link Joined}; 0 where there is no room. */
  occupancy: number
}

/** What a node hears when it beats. */
interface Beat {
  known: boolean
  inboxNumber: number
  drain: DrainWish | undefined
  generation: string
}

export class RoomStore {
  readonly keys: RoomKeys
  readonly #redis: GuardedRedis
  readonly #nodeId: string
  readonly #scripts: RoomScripts

  constructor(redis: GuardedRedis, prefix: string, nodeId: string) {
    this.#redis = redis
    this.#scripts = new RoomScripts(redis, prefix)
    this.#nodeId = nodeId
    this.keys = roomKeys(prefix)
  }

  /** Numbers, keeps and hands on a flush of messages in one step, in order; one result for each. */
  async relay(requests: RelayRequest[]): Promise<RelayResult[]> {
    const callIds = [...new Set(requests.map(({ callId }) => callId))]
    try {
      return await this.#relay(requests, callIds)
    } catch (error) {
      if (!isSpoilt(error)) throw error
    }
    // One call's keys are spoilt beyond their types: each call by itself, so that the others get through.
    const results = new Map<RelayRequest, RelayResult>()
    for (const callId of callIds) {
      const own = requests.filter((request) => request.callId === callId)
      const its = await this.#relay(own, [callId])
      for (const [index, request] of own.entries()) results.set(request, its[index] as RelayResult)
    }
    return requests.map((request) => results.get(request) as RelayResult)
  }

  async #relay(requests: RelayRequest[], callIds: string[]): Promise<RelayResult[]> {
    const args = [this.#nodeId, ...requests.flatMap(relayArguments)]
    const reply = String(await this.#scripts.run('relay', callIds, args)).split(' ')
    return requests.map((request, index) => readResult(request, reply, index * 4))
  }

  /** Takes a seat and reads what waits for it, in one step. See join.lua for the modes. */
  async join(seat: Seat, mode: 'naive' | 'since' | 'restore', epoch: string, number: number): Promise<Joined> {
    const reply = (await this.#scripts.run(
      'join',
      [seat.callId],
      [this.#nodeId, seat.callId, seat.side, seat.connectionId, seat.device, mode, epoch, number],
    )) as (number | string)[]
    const joinedEpoch = String(reply[0])
    return {
      epoch: joinedEpoch,
      from: Number(reply[1]),
      last: Number(reply[2]),
      recovered: reply[3] === 1,
      first: reply[4] === 1,
      version: Number(reply[5]),
      present: readSides(String(reply[6])),
      wasEmpty: reply[7] === 1,
      occupancy: Number(reply[8]),
      tail: reply.slice(9).map((entry) => parseEntry(String(entry), joinedEpoch)),
    }
  }

  /** Gives a seat up. `lost` keeps the user's place for the grace; `clean` announces the leave at once. */
  async leave(
    seat: Seat,
    how: 'clean' | 'lost',
    graceMs: number,
    confirmed: { epoch: string; number: number },
  ): Promise<Left> {
    const reply = (await this.#scripts.run(
      'leave',
      [seat.callId],
      [
        this.#nodeId,
        seat.callId,
        seat.side,
        seat.connectionId,
        seat.device,
        how,
        graceMs,
        confirmed.epoch,
        confirmed.number,
      ],
    )) as (number | string)[]
    return {
      left: reply[0] === 1,
      version: Number(reply[1]),
      present: readSides(String(reply[2])),
      empty: reply[3] === 1,
      hadSeat: reply[4] === 1,
      occupancy: Number(reply[5]),
    }
  }

  /** Reads what follows a number for a side. `complete` is false where something between may be missing. */
  async tail(
    callId: string,
    side: Side,
    epoch: string,
    number: number,
  ): Promise<{ epoch: string; last: number; complete: boolean; from: number; entries: Entry[] }> {
    const reply = (await this.#scripts.run('tail', [callId], [callId, side, epoch, number])) as (number | string)[]
    const current = String(reply[0])
    return {
      epoch: current,
      last: Number(reply[1]),
      complete: reply[2] === 1,
      from: Number(reply[3]),
      entries: reply.slice(4).map((entry) => parseEntry(String(entry), current)),
    }
  }

  /**
   * Says that this node lives, and how it is. `known` is false at first, after a wipe and after a funeral; `drain` is
   * what an operator asks of it; another `generation` than before says that another server serves, whose data may be older.
   */
  async beat(about?: NodeAbout): Promise<Beat> {
    const text = about === undefined ? '' : JSON.stringify(about)
    const reply = (await this.#scripts.run('beat', [], [this.#nodeId, text])) as (number | string)[]
    const asked = reply[2]
    const drain = asked === 'stay' || asked === 'exit' ? asked : undefined
    return { known: reply[0] === 1, inboxNumber: Number(reply[1]), drain, generation: String(reply[3]) }
  }

  /** Keeps what the room should say of its call. */
  async setFacts(facts: RoomFacts): Promise<void> {
    const room = this.keys.room(facts.status.call_id)
    // There may be no room yet, or none any more: what is written must not stay for ever.
    await this.#redis.pipeline().hset(room, 'facts', JSON.stringify(facts)).pexpire(room, ROOM_TTL_MS).exec()
  }

  /** What the room says of its call; undefined where there is no room. */
  async facts(callId: string): Promise<RoomFacts | undefined> {
    const text = await within(REPLY_TIMEOUT_MS, this.#redis.hget(this.keys.room(callId), 'facts'))
    return text === null ? undefined : (JSON.parse(text) as RoomFacts)
  }

  /** Keeps what a peer confirmed by a pong, so that a naive rejoin anywhere starts after it. */
  async confirm(seat: Seat, { epoch, number }: { epoch: string; number: number }): Promise<void> {
    const { callId, side, connectionId, device } = seat
    await this.#scripts.run('confirm', [callId], [callId, side, connectionId, device, epoch, number])
  }

  /** Drops what was said in calls that are over. Who comes back finds the call's facts, for as long as a room lives. */
  async dropMessages(callIds: readonly string[]): Promise<void> {
    if (callIds.length > 0) await this.#scripts.run('drop', [...callIds], [...callIds])
  }

  /** Up to where the log of each room holds what was numbered, by epoch; a call without a room is absent. */
  async extents(callIds: Iterable<string>): Promise<Map<string, Map<string, number>>> {
    const ids = [...callIds]
    const pipeline = this.#redis.pipeline()
    for (const callId of ids) pipeline.hmget(this.keys.room(callId), 'e', 'n', 'pe', 'pn')
    const replies = (await within(REPLY_TIMEOUT_MS, pipeline.exec())) ?? []
    return new Map(
      ids.flatMap((callId, index) => {
        const [epoch, number, before, copied] = (replies[index]?.[1] ?? []) as (string | null)[]
        if (!epoch) return []
        const extents = new Map([[epoch, Number(number)]])
        if (before) extents.set(before, Number(copied))
        return [[callId, extents] as const]
      }),
    )
  }

  /** Puts off the expiry of the rooms and the users' connections that this node still serves. */
  async keepAlive(callIds: Iterable<string>, userIds: Iterable<string>): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const callId of callIds)
      for (const key of [this.keys.room, this.keys.roster, this.keys.cursor, this.keys.ids])
        pipeline.pexpire(key(callId), ROOM_TTL_MS)
    for (const userId of userIds) pipeline.pexpire(this.keys.connections(userId), ROOM_TTL_MS)
    await within(REPLY_TIMEOUT_MS, pipeline.exec())
  }

  /** Writes a pending grace again after Redis lost it. */
  async restoreGrace(callId: string, side: Side, dueAtMs: number): Promise<void> {
    await this.#redis.zadd(this.keys.graces, dueAtMs, `${callId}|${side}`)
  }

  /** A clean end of this node: it is not waited for. */
  async forgetNode(): Promise<void> {
    await within(REPLY_TIMEOUT_MS, this.#redis.zrem(this.keys.nodes, this.#nodeId))
  }
}
