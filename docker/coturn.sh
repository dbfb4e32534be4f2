#!/bin/sh
# coturn as docs/operations.md wants it: short-lived credentials of our API, limits for each user, and no way into
# networks that are not the internet's.
set -eu
umask 077
: "${TURN_EXTERNAL_IP:?is the address under which clients reach this machine}"
# Relays are opened on our own address, a container's its only one, and named by the outer one: as a pair, or coturn does
# not know its own relays by their outer address and refuses one as the peer of another.
own=${TURN_OWN_IP:-$(hostname -i)}
{
  cat <<END
listening-port=3478
min-port=${TURN_MIN_PORT:-49160}
max-port=${TURN_MAX_PORT:-49179}
relay-ip=$own
external-ip=$TURN_EXTERNAL_IP/$own
realm=${TURN_REALM:-localhost}
fingerprint
use-auth-secret
user-quota=12
total-quota=1200
max-bps=1250000
stale-nonce=600
no-tls
no-dtls
no-cli
no-tcp-relay
no-multicast-peers
userdb=/tmp/turndb
pidfile=/tmp/turnserver.pid
log-file=stdout
simple-log
END
  # Several secrets at once while they are exchanged, as in TURN_SECRET.
  { cat /secrets/turn_secret && echo; } | tr ',' '\n' | sed '/^$/d; s/^ */static-auth-secret=/'
  for range in 0.0.0.0-0.255.255.255 10.0.0.0-10.255.255.255 100.64.0.0-100.127.255.255 127.0.0.0-127.255.255.255 \
    169.254.0.0-169.254.255.255 172.16.0.0-172.31.255.255 192.0.0.0-192.0.0.255 192.168.0.0-192.168.255.255 \
    198.18.0.0-198.19.255.255 ::1 64:ff9b::-64:ff9b::ffff:ffff fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
    fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff; do
    echo "denied-peer-ip=$range"
  done
  # Two users who both relay meet here, whatever range this address is in.
  echo "allowed-peer-ip=$TURN_EXTERNAL_IP"
} > /tmp/turnserver.conf
exec turnserver -c /tmp/turnserver.conf
