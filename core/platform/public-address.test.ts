import { expect } from 'chai'
import { isPublicAddress } from './public-address.ts'

describe('isPublicAddress', () => {
  const inside: Record<string, string[]> = {
    'this machine': ['127.0.0.1', '127.255.255.254', '0.0.0.0', '::1', '::'],
    'a private network': [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      'fd12::1',
      'fc00::1',
    ],
    'link-local and metadata': ['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16'],
    'IPv4 in the dress of IPv6': [
      '::ffff:10.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '2001::1',
      '::10.0.0.1',
    ],
    'multicast, broadcast and reserved': ['224.0.0.1', '255.255.255.255', '240.0.0.1', 'ff02::1'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    'no address': ['', 'localhost', '127.1', '8.8.8.8.', '[::1]'],
  }
  for (const [what, addresses] of Object.entries(inside))
    it(`refuses ${what}`, () => {
      for (const address of addresses) expect(isPublicAddress(address), address).to.equal(false)
    })

  it('lets the internet pass, up to the very borders', () => {
    for (const address of ['8.8.8.8', '9.255.255.255', '11.0.0.0', '172.15.255.255', '172.32.0.0', '223.255.255.255'])
      expect(isPublicAddress(address), address).to.equal(true)
    for (const address of ['2606:4700::1111', '2a00:1450:4001::1', '2003::1'])
      expect(isPublicAddress(address), address).to.equal(true)
  })
})
