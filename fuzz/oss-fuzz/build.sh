#!/usr/bin/env bash
# Builds the fuzz targets for OSS-Fuzz and ClusterFuzzLite, and puts them into $OUT, each with its seed corpus and dictionary:
#
#     TARGET   TARGET_seed_corpus.zip   TARGET.dict
#
# Outside of their containers: OUT=FOLDER fuzz/oss-fuzz/build.sh, from the project's top folder. It needs cargo-fuzz and zip.
set -euo pipefail

: "${OUT:?the folder that the targets go to}"
# Theirs is the folder above the checkout; by hand it is the checkout itself.
[[ -d fuzz/fuzz_targets ]] || cd "${SRC:?}/pathproof"
sanitizer=${SANITIZER:-address}
case $sanitizer in
  address | none) ;;
  # Coverage of Rust is by its own flags, which the base image sets.
  coverage) sanitizer=none ;;
  *) echo "build.sh: sanitizer $sanitizer: address, none or coverage was expected" >&2 && exit 2 ;;
esac

host=$(rustc -vV | sed -n 's/^host: //p')
bootstrap=()
# Their toolchain is a nightly; on a stable one, the flag of the sanitizer has to be let through.
[[ $sanitizer == none ]] || rustc -V | grep -q nightly || bootstrap=(RUSTC_BOOTSTRAP=1)
build() { env "${bootstrap[@]}" "$@"; }
flags=(--release --sanitizer "$sanitizer" --target "$host" --debug-assertions)
build RUSTC_WRAPPER="$PWD/fuzz/traced-alone" cargo fuzz build "${flags[@]}" --target-dir fuzz/target/oss-fuzz
# What the parsers' targets are to explore is the harness itself.
parsers=(known_answers records tokens)
for name in "${parsers[@]}"; do
  build cargo fuzz build "${flags[@]}" --target-dir fuzz/target/oss-fuzz-parsers "$name"
done

mkdir -p "$OUT"
for file in fuzz/fuzz_targets/*.rs; do
  name=$(basename "$file" .rs)
  # What is planted would be found.
  [[ $name != planted_* ]] || continue
  built=fuzz/target/oss-fuzz
  [[ " ${parsers[*]} " != *" $name "* ]] || built=fuzz/target/oss-fuzz-parsers
  cp "$built/$host/release/$name" "$OUT/"
  zip --quiet --junk-paths --recurse-paths "$OUT/${name}_seed_corpus.zip" "fuzz/corpus/$name"
  for dictionary in "$name" "${name%%_*}"; do
    if [[ -e fuzz/dictionaries/$dictionary.dict ]]; then
      cp "fuzz/dictionaries/$dictionary.dict" "$OUT/$name.dict"
      break
    fi
  done
  # An input takes as long as all paths take; the longest is that of the targets' own limit.
  printf '[libfuzzer]\nmax_len = 8192\ntimeout = 10\n' >"$OUT/$name.options"
done
