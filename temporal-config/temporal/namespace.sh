#!/bin/sh
# Makes the namespace TEMPORAL_NAMESPACE on the server TEMPORAL_ADDRESS, if it is not there, and registers gavel's search attributes.
set -eu
describe() { temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; }
describe || temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 720h
# A new namespace reaches the server's caches within seconds, and until then it is unknown to them.
tries=0
until sh "$(dirname "$0")/../search-attributes.sh"; do
  tries=$((tries + 1))
  [ "$tries" -lt 15 ] || exit 1
  sleep 2
done
