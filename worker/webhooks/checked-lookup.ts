/**
 * Finds the address of a receiver and refuses those that are not of the public internet. It is the look-up of the very
 * connection: what was checked is what is connected to, so a name that answers differently a moment later gains nothing.
 */
import { type LookupAddress, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

/** No address of the receiver may be connected to. The message names none: it ends up in a log. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'

  constructor() {
    super('the receiver has no public address')
  }
}

/** As the system resolves names: hosts file, search domains and all. */
export const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)))
  })

/**
 * A look-up for `http.request` that answers only addresses which `isAllowed`. Look-ups that run at the same time are one:
 * the system's resolver blocks one of the few threads that the whole process has, so a dead name may hold one at most.
 */
export function checkedLookup(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  let underWay: { hostname: string; addresses: Promise<LookupAddress[]> } | undefined

  function find(hostname: string): Promise<LookupAddress[]> {
    if (underWay?.hostname === hostname) return underWay.addresses
    const addresses = resolve(hostname).finally(() => {
      underWay = undefined
    })
    underWay = { hostname, addresses }
    return addresses
  }

  return (hostname, options, callback) => {
    find(hostname).then(
      (addresses) => {
        const allowed = addresses.filter(({ address }) => isAllowed(address))
        const [first] = allowed
        if (first === undefined) callback(new AddressRefused(), '', 0)
        else if (options.all) callback(null, allowed)
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    )
  }
}
