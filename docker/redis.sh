#!/bin/sh
# Redis as docs/operations.md wants it: nothing on disk, and no key evicted. The password is not in the command line,
# where everybody on the machine could read it.
set -eu
umask 077
cat > /data/redis.conf <<END
bind * -::*
requirepass $(cat /secrets/redis_password)
save ""
appendonly no
maxmemory 768mb
maxmemory-policy noeviction
dir /data
END
exec redis-server /data/redis.conf
