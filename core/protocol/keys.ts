/**
 * Every Redis key and channel of rooms and presence, with its shape. All start with the configured prefix; the Lua
 * scripts build the same names. Everything here may vanish at any moment and is written again by the nodes.
 *
 *     nodes               zset   node -> last beat, ms of Redis' clock
 *     inboxes             hash   node -> publishes to its inbox so far
 *     inbox:<node>        channel: number, then items (core/rooms/inbox.ts)
 *     history             hash   generation -> when this data came to this server, id:<replication id> -> 1 for each server that had it
 *     about:<node>        string JSON, what operators may read of the node (core/rooms/node-directory.ts); 5 min
 *     drain:<node>        string `stay` or `exit`, an operator's wish that the node reads at its next beat; 10 min
 *     calls:<node>        set    calls with a connection on the node
 *     room:<call>         hash   e epoch, n last number, la/lb last number to a side, ta/tb forgotten up to, na/nb nodes
 *                                of a side, g generation in which it was entered, pe/pn epoch and last number that it had before, sa/sb connection status, oa/ob outcome of its set-up, pv version of who is present, cv version of whether anybody is connected, bytes
 *                                of the log, ca/cb the only connection of a side that has sent ('*' several), ix whether all ids are in
 *                                ids, x when the expiries were put off last; 5 min
 *     roster:<call>       hash   connection -> <side>|<node>; 5 min, refreshed by the node
 *     log:<call>          list   <side>|<number>|<previous>|<side of sender><dedupe id>|<body>; 2 min after the last
 *                                message
 *     sdp:<call>          hash   <side>o, <side>a -> the last offer and answer to a side that left the log, as it was there;
 *                                as long as the log
 *     ids:<call>, ids0    hash   <side><dedupe id> -> number, of messages that left the log, or of all (ix); two generations
 *     cursor:<call>       hash   <side>d:<device> or <side>c:<connection> -> confirmed number; at most 16 of a side
 *     graces              zset   <call>|<side> -> when user-left is due, ms
 *     conns:<user>        hash   connection -> <kind>|<node>|<call>|<device>; 5 min, refreshed by the node
 *     ticket:<hash>       string JSON, who a socket ticket speaks for (core/platform/socket-tickets.ts); 30 s, read once
 */
export const roomKeys = (prefix: string) => ({
  nodes: `${prefix}nodes`,
  graces: `${prefix}graces`,
  inbox: (nodeId: string) => `${prefix}inbox:${nodeId}`,
  about: (nodeId: string) => `${prefix}about:${nodeId}`,
  drain: (nodeId: string) => `${prefix}drain:${nodeId}`,
  calls: (nodeId: string) => `${prefix}calls:${nodeId}`,
  room: (callId: string) => `${prefix}room:${callId}`,
  roster: (callId: string) => `${prefix}roster:${callId}`,
  cursor: (callId: string) => `${prefix}cursor:${callId}`,
  ids: (callId: string) => `${prefix}ids:${callId}`,
  connections: (userId: string) => `${prefix}conns:${userId}`,
})

/** A socket ticket by the hash of its text. */
export const ticketKey = (prefix: string, hash: string) => `${prefix}ticket:${hash}`

export type RoomKeys = ReturnType<typeof roomKeys>

/** Longest life of a room's and of a user's connection keys without a refresh; equals ROOM_TTL_MS in prelude.lua. */
export const ROOM_TTL_MS = 300_000
