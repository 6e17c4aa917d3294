#!/bin/sh
# Registers gavel's search attributes in a namespace of any Temporal server, once. The connection is the temporal CLI's own:
# TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and so on, or TEMPORAL_CONFIG_FILE with TEMPORAL_PROFILE. `gavel up` does this itself.
# On Temporal Cloud search attributes are made in the web console or with `tcld namespace search-attributes add`.
set -eu
exec temporal operator search-attribute create \
  --name GavelStage --type Keyword \
  --name GavelNode --type Keyword \
  --name GavelStep --type Int \
  --name GavelInterruptions --type Int \
  --name GavelReward --type Double \
  --name GavelAgreement --type Double
