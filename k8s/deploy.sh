#!/bin/sh
# Brings an overlay to the cluster of kubectl's context, in the order that a new version needs: migrations first, as the
# old processes work with the new schema, and the new ones do not with the old.
#
#   k8s/deploy.sh k8s/overlays/production
set -eu
overlay=${1:?say which overlay, such as k8s/overlays/production}
namespace=${NAMESPACE:-tchat-calling}
processes='api,gateway,worker,edge'

rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
kubectl kustomize "$overlay" > "$rendered"

# A Job cannot be changed, only made anew.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found
kubectl apply --filename "$rendered" --selector "app.kubernetes.io/name notin ($processes)"
kubectl --namespace "$namespace" wait --for=condition=complete --timeout=3600s job/migrate
kubectl apply --filename "$rendered"
for name in api gateway worker edge; do
  kubectl --namespace "$namespace" rollout status --timeout=1800s "deployment/$name"
done
