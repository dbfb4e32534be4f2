// Users of a trial: made up, with tokens that the cluster accepts.
import { randomUUID } from 'node:crypto'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { mintToken } from '../../dev/cluster/token-key.ts'

export interface User {
  id: string
  token: string
}

export function newUser(cluster: Pick<Cluster, 'jwtSecret'>, scope?: string): User {
  const id = randomUUID()
  return { id, token: mintToken({ secret: cluster.jwtSecret }, { user: id, scope }) }
}

export function newUsers(cluster: Pick<Cluster, 'jwtSecret'>, count: number): User[] {
  return Array.from({ length: count }, () => newUser(cluster))
}
