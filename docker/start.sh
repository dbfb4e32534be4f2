#!/bin/sh
# Starts one part of the product: api, gateway, worker, migrate or edge-config; or callctl, with its words.
#
# What is secret may come from a file, as secrets of compose and Kubernetes do: JWT_SECRET_FILE=/run/secrets/jwt gives
# JWT_SECRET its content. A variable that is set itself wins.
set -eu

part=$1
shift

for name in DATABASE_URL REDIS_URL REDIS_SENTINEL_PASSWORD GROUP_REDIS_URLS JWT_SECRET JWT_PUBLIC_KEY TURN_SECRET \
  WEBHOOK_SECRETS; do
  eval "file=\${${name}_FILE:-} given=\${$name:-}"
  if [ -n "$file" ] && [ -z "$given" ]; then
    # A file that cannot be read ends the start here, with its name.
    value=$(cat "$file")
    export "$name=$value"
  fi
  unset "${name}_FILE"
done

# The host name of a container is its id, in Kubernetes the name of its pod.
export NODE_NAME="${NODE_NAME:-$(hostname)}"

case $part in
  api | gateway | worker) exec node "/app/dist/$part/main.js" "$@" ;;
  callctl) exec node /app/dist/callctl/main.js "$@" ;;
  migrate) exec node /app/dist/migrations/main.js "$@" ;;
  edge-config) exec node /app/dist/edge/main.js "$@" ;;
  make-secrets) exec node /app/docker/make-secrets.mjs "$@" ;;
  *)
    echo "\"$part\" is no part of this image: api, gateway, worker, callctl, migrate, edge-config, make-secrets" >&2
    exit 64
    ;;
esac
