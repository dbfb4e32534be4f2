/**
 * Tells the gateways of the groups that a change concerns: that of the call, where its connections are, and the first,
 * where the user channels are.
 */
import { type CallGroups, groupNamed } from '../platform/call-groups.ts'
import type { ClusterEvents } from '../protocol/cluster-events.ts'
import type { CallEvents } from './call-events.ts'

/** Tells gateways; `group` is that of the call, as its row has it. */
export interface EventPublisher {
  /** @throws where it is not certain that all who must hear it can */
  publish<K extends keyof ClusterEvents>(
    kind: K,
    payload: Parameters<ClusterEvents[K]>[0],
    group: string | null,
  ): Promise<void>
}

export class GroupEvents implements EventPublisher {
  readonly #groups: CallGroups
  readonly #byName: Map<string, CallEvents>

  /** `open` makes the publisher of a group. */
  constructor(groups: CallGroups, open: (name: string) => CallEvents) {
    this.#groups = groups
    this.#byName = new Map(groups.all.map(({ name }) => [name, open(name)]))
  }

  /** Every group is told that can be reached, also where another one cannot. */
  async publish<K extends keyof ClusterEvents>(
    kind: K,
    payload: Parameters<ClusterEvents[K]>[0],
    group: string | null,
  ): Promise<void> {
    const names = new Set([groupNamed(this.#groups, group).name, this.#groups.first.name])
    const published = await Promise.allSettled([...names].map((name) => this.#byName.get(name)?.publish(kind, payload)))
    for (const result of published) if (result.status === 'rejected') throw result.reason
  }
}
