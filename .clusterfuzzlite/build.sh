#!/usr/bin/env bash
# ClusterFuzzLite calls this in its container; see fuzz/oss-fuzz/build.sh.
set -euo pipefail
"$SRC/pathproof/fuzz/oss-fuzz/build.sh"
