#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes every decoder for FUZZ_SECONDS each. New inputs land in build-fuzz; the corpora stay as they are.
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}

if [ ! -e build-fuzz/build.ninja ]; then
	CC=clang-19 meson setup build-fuzz -Dfuzz=true -Dbuildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
fi
ninja -C build-fuzz

for target in build-fuzz/test/fuzz/*_fuzz; do
	name=$(basename "$target" _fuzz)
	mkdir -p "build-fuzz/corpus/$name"
	echo "== $name, $seconds s"
	"$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build-fuzz/$name-" \
		"build-fuzz/corpus/$name" "test/fuzz/corpus/$name"
done
