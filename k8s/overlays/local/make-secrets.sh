#!/bin/sh
# Prints the secrets that the overlay refers to, made at random: for trying things out. They are printed, not kept;
# what is applied once stays.
set -eu
random() { head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_'; }
namespace=${NAMESPACE:-tchat-calling}
postgres=$(random)
redis=$(random)
cat <<END
apiVersion: v1
kind: Namespace
metadata: { name: $namespace }
---
apiVersion: v1
kind: Secret
metadata: { name: stores, namespace: $namespace }
stringData:
  postgres-password: $postgres
  redis-password: $redis
  database-url: postgres://tchat:$postgres@postgres:5432/tchat
  redis-url: redis://:$redis@redis:6379
---
apiVersion: v1
kind: Secret
metadata: { name: tokens, namespace: $namespace }
stringData:
  jwt-secret: $(random)
---
apiVersion: v1
kind: Secret
metadata: { name: turn, namespace: $namespace }
stringData:
  turn-secret: $(random)
END
