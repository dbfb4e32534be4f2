/** The Lua scripts of the room, each by itself, against a real Redis: two nodes, no gateway. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import pino from 'pino'
import { createRedis, type GuardedRedis, settled } from '../../core/platform/redis.ts'
import { Connections } from '../../core/presence/connections.ts'
import { type InboxItem, parseInbox } from '../../core/rooms/inbox.ts'
import type { Side } from '../../core/rooms/room.ts'
import { RoomKeeper } from '../../core/rooms/room-keeper.ts'
import { RoomStore, type Seat } from '../../core/rooms/room-store.ts'
import { RoomDirectory } from '../../core/rooms/room-view.ts'
import { type Redis as RedisServer, startRedis } from '../../dev/cluster/redis.ts'

const PREFIX = 'test:'
const GRACE_MS = 10_000
const NOTHING = { epoch: '', number: 0 }

type Announcement = Extract<InboxItem, { kind: 'joined' | 'left' }>
const isAnnouncement = (item: InboxItem): item is Announcement => item.kind === 'joined' || item.kind === 'left'

describe('room scripts', () => {
  let server: RedisServer
  let redis: GuardedRedis
  let subscriber: Redis
  let one: RoomStore
  let two: RoomStore
  let inboxOfTwo: InboxItem[]

  before(async () => {
    // A replica that asks to be filled need not wait for others to ask, too.
    server = await startRedis({ settings: { 'repl-diskless-sync-delay': 0 } })
    redis = createRedis({ url: server.url }, 'commands', pino({ level: 'silent' }))
    await settled(redis, 5000)
    subscriber = new Redis(server.url)
  })
  after(async () => {
    redis.disconnect()
    subscriber.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    await redis.flushall()
    one = new RoomStore(redis, PREFIX, 'one')
    two = new RoomStore(redis, PREFIX, 'two')
    inboxOfTwo = []
    subscriber.removeAllListeners('messageBuffer')
    subscriber.on('messageBuffer', (channel, payload) => {
      if (channel.toString() === one.keys.inbox('two')) inboxOfTwo.push(...parseInbox(payload).items)
    })
    await subscriber.subscribe(one.keys.inbox('two'))
  })

  const seat = (callId: string, side: Side, connectionId: string = randomUUID(), device = ''): Seat => ({
    callId,
    side,
    connectionId,
    device,
  })
  const join = (store: RoomStore, at: Seat) => store.join(at, 'naive', '', 0)
  const send = (store: RoomStore, callId: string, from: Side, ...bodies: string[]) =>
    sendOver(`connection-${from}`, store, callId, from, ...bodies)
  const sendOver = (sender: string, store: RoomStore, callId: string, from: Side, ...bodies: string[]) =>
    store.relay(bodies.map((body) => ({ callId, from, sender, mayBeSeen: false, dedupeId: body, body })))
  /** What the node knows it may have sent before. */
  const repeat = (callId: string, from: Side, ...bodies: string[]) =>
    one.relay(
      bodies.map((body) => ({ callId, from, sender: `connection-${from}`, mayBeSeen: true, dedupeId: body, body })),
    )
  /** Publishes reach the subscriber in order: once this one is there, all before it are. */
  const inbox = async () => {
    const arrived = new Promise((resolve) => subscriber.once('message', resolve))
    await subscriber.subscribe('marker')
    await redis.publish('marker', 'x')
    await arrived
    return inboxOfTwo
  }

  it('numbers messages of a call in order and names the one before for the same recipient', async () => {
    const call = randomUUID()
    await join(one, seat(call, 'a'))

    const results = [
      ...(await send(one, call, 'a', 'a1', 'a2')),
      ...(await send(one, call, 'b', 'b1')),
      ...(await send(one, call, 'a', 'a3')),
    ]

    expect(results.map(({ entry }) => [entry.to, entry.number, entry.previous])).to.deep.equal([
      ['b', 1, 0],
      ['b', 2, 1],
      ['a', 3, 0],
      ['b', 4, 2],
    ])
  })

  it('hands messages to the nodes of the recipient alone, in one publish', async () => {
    const [call, other] = [randomUUID(), randomUUID()]
    await join(one, seat(call, 'a'))
    await join(two, seat(call, 'b'))
    await join(two, seat(other, 'b'))

    const [first] = await send(one, call, 'a', 'hello', 'ü€😀\nline')
    const [back] = await send(two, call, 'b', 'answer')

    const messages = (await inbox()).filter((item) => item.kind === 'message')
    expect(messages.map((item) => item.entry.body)).to.deep.equal(['hello', 'ü€😀\nline'])
    expect(first?.local).to.equal(false)
    expect(back?.local).to.equal(false)
    expect(Number(await redis.hget(`${PREFIX}inboxes`, 'one'))).to.equal(2, 'user-joined of b, then its answer')
  })

  it('delivers what waited, in order, to the one it is for', async () => {
    const call = randomUUID()
    await send(one, call, 'a', 'a1', 'a2')
    await send(two, call, 'b', 'b1')

    const joined = await join(two, seat(call, 'b'))

    expect(joined.tail.map(({ body }) => body)).to.deep.equal(['a1', 'a2'])
    expect([joined.from, joined.last, joined.first]).to.deep.equal([0, 2, true])
  })

  it('numbers a repeated id once, also after 600 other messages', async () => {
    const call = randomUUID()
    const [first] = await send(one, call, 'a', 'x')
    await send(one, call, 'a', ...Array.from({ length: 600 }, (_, index) => `m${index}`))

    const again = await repeat(call, 'a', 'x', 'm0', 'm599')
    const [others] = await repeat(call, 'b', 'x')
    const [fresh] = await repeat(call, 'a', 'y')

    expect(again.map(({ seen, entry }) => [seen, entry.number])).to.deep.equal([
      [true, first?.entry.number],
      [true, 2],
      [true, 601],
    ])
    expect(others?.seen).to.equal(false, "the other side's ids are its own")
    expect([fresh?.seen, fresh?.entry.number]).to.deep.equal([false, 603])
  })

  it('looks up the ids of a side from its second connection on, whatever its node knows', async () => {
    const call = randomUUID()
    await sendOver('first', one, call, 'a', '1', '2', '3')

    const resent = await sendOver('second', two, call, 'a', '2', '3', '4')
    const late = await sendOver('first', one, call, 'a', '4', '5')
    const more = await sendOver('second', two, call, 'a', '1', '5', '6')

    const seen = (results: { seen: boolean }[]) => results.map((result) => result.seen)
    expect([seen(resent), seen(late), seen(more)]).to.deep.equal([
      [true, true, false],
      [true, false],
      [true, true, false],
    ])
  })

  it('looks up ids of messages that were indexed after the log had dropped some', async () => {
    const call = randomUUID()
    await send(one, call, 'a', ...Array.from({ length: 300 }, (_, index) => `m${index}`))
    const [middle] = await repeat(call, 'a', 'm280')
    await send(one, call, 'a', ...Array.from({ length: 300 }, (_, index) => `n${index}`))

    const results = await repeat(call, 'a', 'm0', 'm280', 'm299', 'n0', 'n299')

    expect([middle, ...results].map((result) => result?.seen)).to.deep.equal(Array(6).fill(true))
    expect(results.map(({ entry }) => entry.number)).to.deep.equal([1, 281, 300, 301, 600])
  })

  it('takes any text for an id', async () => {
    const call = randomUUID()
    const ids = ['a|b', 'a%7Cb', '|', '%', 'ü€\n|x', 'a|']
    const request = (id: string) => ({ callId: call, from: 'a' as const, sender: 's', dedupeId: id, body: `o${id}` })

    await one.relay(ids.map((id) => ({ ...request(id), mayBeSeen: false })))
    const again = await one.relay(ids.map((id) => ({ ...request(id), mayBeSeen: true })))
    const { tail } = await join(two, seat(call, 'b'))

    expect(again.map(({ seen, entry }) => [seen, entry.number])).to.deep.equal(ids.map((_, index) => [true, index + 1]))
    expect(tail.map(({ body }) => body)).to.deep.equal(ids.map((id) => `o${id}`))
  })

  it('keeps 225 to 256 messages, and tells a resume that reaches behind them', async () => {
    const call = randomUUID()
    const results = await send(one, call, 'a', ...Array.from({ length: 300 }, (_, index) => `m${index}`))
    const epoch = results[0]?.entry.epoch ?? ''

    const kept = await redis.llen(`${PREFIX}log:${call}`)
    const behind = await two.join(seat(call, 'b'), 'since', epoch, 300 - kept - 1)
    const edge = await two.join(seat(call, 'b'), 'since', epoch, 300 - kept)
    const ahead = await two.join(seat(call, 'b'), 'since', epoch, 301)

    expect(kept).to.be.within(225, 256)
    expect([behind.recovered, behind.tail.length]).to.deep.equal([false, kept])
    expect([edge.recovered, edge.tail.length]).to.deep.equal([true, kept])
    expect(ahead).to.include({ recovered: false, from: 300, last: 300 })
  })

  it('keeps the last offer and answer of each side beyond its bounds, and tells a join that something was dropped', async () => {
    const call = randomUUID()
    const many = (name: string) => Array.from({ length: 300 }, (_, index) => `c${name}${index}`)
    const first = await join(one, seat(call, 'a'))
    await send(one, call, 'a', 'o1', 'o2', 'a1')
    await send(two, call, 'b', 'o3', 'R1-2|a2')
    await send(one, call, 'a', ...many('x'))
    await send(two, call, 'b', ...many('y'))
    await send(one, call, 'a', 'a4')

    const callee = await join(two, seat(call, 'b'))
    const caller = await join(one, seat(call, 'a'))
    const since = await two.join(seat(call, 'b'), 'since', callee.epoch, 1)
    const late = await two.join(seat(call, 'b'), 'since', callee.epoch, 2)
    const current = await two.join(seat(call, 'b', randomUUID(), 'phone'), 'since', callee.epoch, callee.last)

    const bodies = ({ tail }: { tail: { body: string }[] }) => tail.map(({ body }) => body)
    // The answer that is in the log is later than the one that was dropped.
    expect(bodies(callee)).to.deep.equal(['o2', 'a4'])
    expect(bodies(caller).slice(0, 3)).to.deep.equal(['o3', 'R1-2|a2', caller.tail[2]?.body])
    expect(bodies(caller).slice(-1)).to.deep.equal(['cy299'])
    expect([bodies(since), bodies(late), bodies(current)]).to.deep.equal([['o2', 'a4'], ['a4'], []])
    expect([first, callee, caller, since, current].map(({ recovered }) => recovered)).to.deep.equal([
      true,
      false,
      false,
      false,
      true,
    ])
    expect(await redis.pttl(`${PREFIX}sdp:${call}`)).to.be.within(100_000, 120_000)
  })

  it('drops what was said in a call that is over, and nothing of its facts', async () => {
    const [over, live] = [randomUUID(), randomUUID()]
    for (const call of [over, live]) {
      await join(two, seat(call, 'b', randomUUID(), 'phone'))
      await send(one, call, 'a', 'o1', ...Array.from({ length: 300 }, (_, index) => `m${index}`))
      await repeat(call, 'a', 'm0')
    }
    const kinds = async (call: string) =>
      (await redis.keys(`${PREFIX}*:${call}`)).map((key) => key.split(':')[1]).sort()

    await one.dropMessages([over])
    await one.dropMessages([])

    expect(await kinds(over)).to.deep.equal(['room', 'roster'])
    expect(await kinds(live)).to.deep.equal(['cursor', 'ids', 'log', 'room', 'roster', 'sdp'])
    // Its connections may end a while after the call: they leave, and confirm, in a room that is over.
    const { epoch } = await join(one, seat(over, 'b', randomUUID(), 'tablet'))
    await one.confirm(seat(over, 'b', randomUUID(), 'phone'), { epoch, number: 300 })
    expect(await kinds(over)).to.deep.equal(['room', 'roster'])
    const [next] = await send(one, over, 'a', 'late')
    expect(next?.entry).to.include({ number: 302 })
    expect(await redis.pttl(`${PREFIX}log:${over}`)).to.be.greaterThan(0)
  })

  it('keeps 16 places of a side, and nobody who comes back misses a message for it', async () => {
    const call = randomUUID()
    const lost = seat(call, 'b')
    const { epoch } = await join(two, lost)
    await join(one, seat(call, 'a', randomUUID(), 'phone'))
    await send(one, call, 'a', 'a1', 'a2', 'a3')
    await two.confirm(lost, { epoch, number: 1 })
    await two.leave(lost, 'lost', GRACE_MS, { epoch, number: 1 })
    for (let device = 0; device < 100; device++) {
      const invented = seat(call, 'b', randomUUID(), `device ${device}`)
      await two.join(invented, 'since', epoch, 3)
      await two.confirm(invented, { epoch, number: 3 })
      await two.leave(invented, 'lost', GRACE_MS, { epoch, number: 3 })
    }

    const fields = await redis.hkeys(`${PREFIX}cursor:${call}`)
    const back = await join(two, seat(call, 'b'))

    expect(fields.filter((field) => field.startsWith('b')).length).to.equal(16)
    expect(fields.filter((field) => field.startsWith('a'))).to.deep.equal(['ad:phone'])
    expect(back.tail.map(({ body }) => body)).to.deep.equal(['a2', 'a3'])
  })

  it('takes no confirmation of another epoch', async () => {
    const call = randomUUID()
    const phone = seat(call, 'b', randomUUID(), 'phone')
    const { epoch } = await join(two, phone)
    await send(one, call, 'a', 'a1')

    await two.confirm(phone, { epoch: String(Number(epoch) - 1), number: 7 })
    const absent = randomUUID()
    await two.confirm(seat(absent, 'b'), { epoch, number: 7 })

    expect((await join(one, seat(call, 'b', randomUUID(), 'phone'))).tail).to.have.length(1)
    expect(await redis.exists(`${PREFIX}cursor:${absent}`)).to.equal(0)
  })

  it('writes the facts of a call that has no room for a while only', async () => {
    const call = randomUUID()
    const status = { type: 'call-status', call_id: call, status: 'ended', timestamp: '', version: 2 } as const

    await one.setFacts({ caller_id: randomUUID(), callee_id: randomUUID(), status })

    expect(await redis.pttl(`${PREFIX}room:${call}`)).to.be.within(1, 300_000)
  })

  it('keeps 1 MiB of a call', async () => {
    const call = randomUUID()
    const body = 'x'.repeat(60_000)
    for (let sent = 0; sent < 30; sent++)
      await one.relay([{ callId: call, from: 'a', sender: 's', mayBeSeen: false, dedupeId: `${sent}`, body }])

    const joined = await join(two, seat(call, 'b'))

    expect(joined.tail.length).to.be.within(16, 17)
    expect(joined.tail.at(-1)?.number).to.equal(30)
  })

  it('forgets the log after 2 minutes and says so', async () => {
    const call = randomUUID()
    const [sent] = await send(one, call, 'a', 'a1')
    expect(await redis.pttl(`${PREFIX}log:${call}`)).to.be.within(100_000, 120_000)
    await redis.del(`${PREFIX}log:${call}`)

    const missed = await two.join(seat(call, 'b'), 'since', sent?.entry.epoch ?? '', 0)
    const current = await two.join(seat(call, 'b'), 'since', sent?.entry.epoch ?? '', 1)
    await send(one, call, 'a', 'a2')
    const later = await two.join(seat(call, 'b'), 'since', sent?.entry.epoch ?? '', 0)

    expect([missed.recovered, current.recovered, later.recovered]).to.deep.equal([false, true, false])
    expect(later.tail.map(({ body }) => body)).to.deep.equal(['a2'])
  })

  it('starts a new epoch after a wipe and recovers nothing across it', async () => {
    const call = randomUUID()
    const [before] = await send(one, call, 'a', 'a1')
    await redis.flushall()
    const [after] = await send(one, call, 'a', 'a2')

    const joined = await two.join(seat(call, 'b'), 'since', before?.entry.epoch ?? '', 1)

    expect(Number(after?.entry.epoch)).to.be.greaterThan(Number(before?.entry.epoch) - 1)
    expect([joined.recovered, joined.tail.map(({ body }) => body)]).to.deep.equal([
      before?.entry.epoch === after?.entry.epoch,
      before?.entry.epoch === after?.entry.epoch ? [] : ['a2'],
    ])
    expect(after?.unknownSender).to.equal(true)
  })

  it('replays to a device what its lost connection had not confirmed', async () => {
    const call = randomUUID()
    const phone = seat(call, 'b', randomUUID(), 'phone')
    const joined = await join(two, phone)
    await send(one, call, 'a', 'a1', 'a2', 'a3')
    await two.confirm(phone, { epoch: joined.epoch, number: 2 })
    await two.leave(phone, 'lost', GRACE_MS, { epoch: joined.epoch, number: 2 })

    const again = await join(one, seat(call, 'b', randomUUID(), 'phone'))
    const tablet = await join(one, seat(call, 'b', randomUUID(), 'tablet'))

    expect(again.tail.map(({ body }) => body)).to.deep.equal(['a3'])
    expect(tablet.tail.map(({ body }) => body)).to.deep.equal(['a1', 'a2', 'a3'])
  })

  it('lets a connection without a device take the place of the lost one that had confirmed least', async () => {
    const call = randomUUID()
    const [first, second] = [seat(call, 'b'), seat(call, 'b')]
    const { epoch } = await join(two, first)
    await join(two, second)
    await send(one, call, 'a', 'a1', 'a2', 'a3')
    await two.confirm(first, { epoch, number: 1 })
    await two.confirm(second, { epoch, number: 3 })
    await two.leave(first, 'lost', GRACE_MS, { epoch, number: 1 })

    const again = await join(one, seat(call, 'b'))

    expect(again.tail.map(({ body }) => body)).to.deep.equal(['a2', 'a3'])
  })

  it('announces the first join and the last leave of a user, nothing between', async () => {
    const call = randomUUID()
    await join(two, seat(call, 'b'))
    const [first, second] = [seat(call, 'a'), seat(call, 'a')]

    const joins = [await join(one, first), await join(one, second)]
    const leaves = [
      await one.leave(first, 'clean', 0, NOTHING),
      await one.leave(first, 'clean', 0, NOTHING),
      await one.leave(second, 'clean', 0, NOTHING),
    ]

    expect(joins.map((joined) => joined.first)).to.deep.equal([true, false])
    expect(leaves.map((left) => left.left)).to.deep.equal([false, false, true])
    const announced = (await inbox()).filter(isAnnouncement)
    expect(announced.map((item) => [item.kind, item.side, item.present.join('')])).to.deep.equal([
      ['joined', 'a', 'ab'],
      ['left', 'a', 'b'],
    ])
  })

  it('keeps the place of a lost user for the grace and announces its end once', async () => {
    const keeper = new RoomKeeper(redis, PREFIX, { leaseMs: 8000, reconnectGraceMs: GRACE_MS })
    const call = randomUUID()
    await join(two, seat(call, 'b'))
    const lost = seat(call, 'a')
    await join(one, lost)

    const left = await one.leave(lost, 'lost', GRACE_MS, NOTHING)
    expect([left.left, left.present.join(''), await keeper.endGraces()]).to.deep.equal([false, 'ab', 0])
    await redis.zadd(`${PREFIX}graces`, 1, `${call}|a`)
    const ended = await Promise.all([keeper.endGraces(), keeper.endGraces()])

    expect(ended.reduce((sum, count) => sum + count)).to.equal(1)
    const announced = (await inbox()).filter(isAnnouncement).filter((item) => item.kind === 'left')
    expect(announced.map((item) => item.present.join(''))).to.deep.equal(['b'])
  })

  it('says nothing of a user who is back before the grace is over', async () => {
    const keeper = new RoomKeeper(redis, PREFIX, { leaseMs: 8000, reconnectGraceMs: GRACE_MS })
    const call = randomUUID()
    await join(two, seat(call, 'b'))
    const lost = seat(call, 'a')
    await join(one, lost)
    await one.leave(lost, 'lost', 0, NOTHING)

    const back = await join(one, seat(call, 'a'))

    expect([back.first, await keeper.endGraces()]).to.deep.equal([false, 0])
  })

  it('buries a node that stopped beating and leaves living ones alone', async () => {
    const keeper = new RoomKeeper(redis, PREFIX, { leaseMs: 8000, reconnectGraceMs: GRACE_MS })
    const directory = new RoomDirectory(redis, PREFIX, 8000)
    const [empty, shared] = [randomUUID(), randomUUID()]
    await one.beat()
    await two.beat()
    await join(one, seat(empty, 'a'))
    await join(one, seat(shared, 'a'))
    await join(two, seat(shared, 'b'))
    const beat = Number(await redis.zscore(`${PREFIX}nodes`, 'one'))

    await redis.zadd(`${PREFIX}nodes`, beat - 7_000, 'one')
    const tooEarly = await keeper.buryDead()
    await redis.zadd(`${PREFIX}nodes`, beat - 8_001, 'one')
    const [buried, twice] = [await keeper.buryDead(), await keeper.buryDead()]

    expect([tooEarly, buried.map(({ callId }) => callId), twice]).to.deep.equal([[], [empty], []])
    expect(await directory.connectionStatuses(shared)).to.deep.equal({ caller: 'disconnected', callee: 'connected' })
    expect([...(await directory.look([empty, shared])).values()]).to.deep.equal([
      { isOccupied: false, joined: 1 },
      { isOccupied: true, joined: 3 },
    ])
    expect((await one.beat()).known).to.equal(false, 'a node that comes back must learn that it was buried')
    expect(Number(await redis.zscore(`${PREFIX}graces`, `${shared}|a`))).to.be.closeTo(beat + 2_000, 100)
  })

  it('counts the changes between somebody and nobody who is connected, wherever they happen', async () => {
    const keeper = new RoomKeeper(redis, PREFIX, { leaseMs: 8000, reconnectGraceMs: GRACE_MS })
    const call = randomUUID()
    const [caller, callee] = [seat(call, 'a'), seat(call, 'b')]
    const first = (await join(one, caller)).occupancy
    const since = (occupancy: number) => occupancy - first

    expect(since((await join(two, callee)).occupancy)).to.equal(0, 'somebody was there')
    expect(since((await one.leave(caller, 'clean', 0, NOTHING)).occupancy)).to.equal(0, 'somebody is left')
    expect(since((await two.leave(callee, 'lost', GRACE_MS, NOTHING)).occupancy)).to.equal(1)
    expect(since((await two.leave(callee, 'lost', GRACE_MS, NOTHING)).occupancy)).to.equal(1, 'said again')
    expect(since((await join(one, callee)).occupancy)).to.equal(2, 'within the grace, on another node')
    await one.beat()
    await redis.zadd(`${PREFIX}nodes`, 1, 'one')
    expect((await keeper.buryDead()).map((room) => [room.callId, since(room.occupancy)])).to.deep.equal([[call, 3]])
    await redis.flushall()
    expect((await one.leave(callee, 'clean', 0, NOTHING)).occupancy).to.equal(0, 'there is no room')
    const { epoch, occupancy } = await join(one, callee)
    expect(occupancy).to.equal(Number(epoch) + 1, 'a new room counts from the clock')
  })

  it('announces a user again whose node was taken for dead, not one that a wipe forgot', async () => {
    const call = randomUUID()
    await join(two, seat(call, 'b'))
    const mine = seat(call, 'a')
    const { epoch } = await join(one, mine)
    await one.leave(mine, 'clean', 0, NOTHING)

    const buried = await one.join(mine, 'restore', epoch, 0)
    await redis.flushall()
    const wiped = await one.join(mine, 'restore', '1', 0)

    expect([buried.first, wiped.first]).to.deep.equal([true, false])
    expect(wiped.version).to.equal(Number(wiped.epoch), 'so that it rises across the wipe')
  })

  it('counts the connections of a user on living nodes only', async () => {
    const connections = new Connections(redis, PREFIX, 8000)
    const user = randomUUID()
    const add = (node: string, callId: string, device = '') =>
      connections.add({ userId: user, connectionId: randomUUID(), kind: 'call', callId, device }, node, 5)
    await one.beat()
    await two.beat()

    const taken = await Promise.all(Array.from({ length: 6 }, () => add('one', 'c')))
    expect(taken.filter(Boolean)).to.have.length(5)
    expect(await add('two', 'c')).to.equal(false)
    await redis.zrem(`${PREFIX}nodes`, 'one')

    expect(await connections.isConnected(user)).to.equal(false)
    expect(await add('two', 'c')).to.equal(true)
    expect(await connections.isConnected(user)).to.equal(true)
  })

  it('lets a device replace its own connection to a call and tells the node that holds it', async () => {
    const connections = new Connections(redis, PREFIX, 8000)
    const record = { userId: randomUUID(), kind: 'call' as const, callId: randomUUID(), device: 'phone' }
    await two.beat()
    await connections.add({ ...record, connectionId: 'old' }, 'two', 1)

    const taken = await connections.add({ ...record, connectionId: 'new' }, 'one', 1)

    expect(taken).to.equal(true)
    expect((await inbox()).map((item) => item.kind === 'replaced' && item.connectionId)).to.deep.equal(['old'])
  })

  it('refuses to read what is not of its making', () => {
    for (const garbage of ['', 'x', '1\nM call b 1 1 0 99\nshort', '1\nnonsense\n', '7\nZ c a 0 0 0 0\n'])
      expect(() => parseInbox(Buffer.from(garbage)), JSON.stringify(garbage)).to.throw()
  })

  describe('on a replica that was promoted before it had everything', () => {
    let replica: RedisServer
    let promoted: GuardedRedis
    let there: RoomStore

    beforeEach(async () => {
      replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${server.port}` } })
      promoted = createRedis({ url: replica.url }, 'commands', pino({ level: 'silent' }))
      await settled(promoted, 5000)
      there = new RoomStore(promoted, PREFIX, 'one')
    })
    afterEach(async () => {
      promoted.disconnect()
      await replica.stop()
    })

    /** What was numbered before is copied; what comes after is not. A promoted server is met over a new connection. */
    const cutOff = async (after: () => Promise<unknown>) => {
      expect(await redis.wait(1, 5000)).to.equal(1)
      await promoted.call('REPLICAOF', 'NO', 'ONE')
      promoted.disconnect(true)
      await new Promise((resolve) => promoted.once('ready', resolve))
      return after()
    }

    it('goes on in a new epoch from the last number that it has, so that none is given twice', async () => {
      const call = randomUUID()
      const callee = seat(call, 'b')
      const { epoch } = await join(one, callee)
      await send(one, call, 'a', '1', '2')

      const [third] = (await cutOff(() => send(one, call, 'a', '3'))) as { entry: { epoch: string; number: number } }[]
      const [again] = await there.relay([
        { callId: call, from: 'a', sender: '*', mayBeSeen: true, dedupeId: '2', body: 'R' },
      ])
      const [next] = await send(there, call, 'a', '4')

      expect(third?.entry).to.include({ epoch, number: 3 })
      expect(again).to.include({ seen: true }).and.have.nested.include({ 'entry.number': 2 })
      expect(next?.entry).to.include({ number: 3, previous: 2 })
      expect(Number(next?.entry.epoch)).to.be.greaterThan(Number(epoch))
    })

    it('lets who had more than it has go on after what was copied, and says that something may be missing', async () => {
      const call = randomUUID()
      const callee = seat(call, 'b')
      const { epoch } = await join(one, callee)
      await send(one, call, 'a', '1', '2')
      await cutOff(() => send(one, call, 'a', '3'))
      await send(there, call, 'a', '4')

      const ahead = await there.join(callee, 'restore', epoch, 3)
      const behind = await there.tail(call, 'b', epoch, 1)
      const stranger = await there.tail(call, 'b', '1', 1)

      expect(ahead).to.include({ from: 2, last: 3, recovered: false })
      expect(ahead.tail.map(({ body }) => body)).to.deep.equal(['4'])
      expect(behind).to.include({ from: 1, complete: false })
      expect(behind.entries.map(({ body }) => body)).to.deep.equal(['2', '4'])
      expect(stranger.entries.map(({ body }) => body)).to.deep.equal(['1', '2', '4'])
    })

    it('knows up to where each log was copied', async () => {
      const [touched, untouched] = [randomUUID(), randomUUID()]
      const [first] = await send(one, touched, 'a', '1')
      const [other] = await send(one, untouched, 'a', '1')
      await cutOff(() => Promise.all([send(one, touched, 'a', '2'), send(one, untouched, 'a', '2')]))
      const [next] = await send(there, touched, 'a', '3')

      const extents = await there.extents([touched, untouched, randomUUID()])

      expect([...(extents.get(touched) ?? [])]).to.have.deep.members([
        [first?.entry.epoch, 1],
        [next?.entry.epoch, 2],
      ])
      expect([...(extents.get(untouched) ?? [])]).to.deep.equal([[other?.entry.epoch, 1]])
      expect(extents.size).to.equal(2)
    })

    it('forgets who was connected, and takes no version of the presence twice', async () => {
      const call = randomUUID()
      await join(one, seat(call, 'a'))
      const { version } = (await cutOff(() => join(one, seat(call, 'b')))) as { version: number }

      const joined = await there.join(seat(call, 'a'), 'restore', '1', 0)

      expect(joined.version).to.be.greaterThan(version)
      expect(joined.present).to.deep.equal(['a'])
    })

    it('tells a node by another generation, once, also where ids of servers come back', async () => {
      const before = await one.beat()
      const after = await cutOff(() => there.beat())
      const [again, others] = await Promise.all([there.beat(), one.beat()])

      expect(after).to.include({ known: true })
      expect(after).to.have.property('generation').that.is.not.equal(before.generation)
      expect(again.generation).to.equal((after as { generation: string }).generation)
      expect(others.generation).to.equal(before.generation)
    })
  })
})
