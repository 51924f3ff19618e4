#!/bin/sh
# An exhibit in an afternoon, proved. In a copy of this folder a template becomes an exhibit, with the commands that it says come
# next; every test that looks at all exhibits runs over it; it is taken out again. Prints the files and minutes that it took.
#
#     tests/afternoon.sh [bytes]    with "bytes", also what it adds to the program and to the page: four release builds
set -eu
cd "$(dirname "$0")/.."
. ./web/setup.sh

id=afternoon-trial file=src/exhibits/afternoon_trial.rs
here=$PWD copy=$PWD/target/afternoon
export CARGO_TARGET_DIR="$copy/target"

rm -rf "$copy"
mkdir -p "$copy/target"
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C "$copy"
ln -s "$here/models" "$here/data" "$here/.tools" "$copy/"
# What others wrote is built once, for both; hard links are safe, as nothing but our own is built anew.
[ ! -d target/debug ] || cp -al target/debug "$copy/target/"
cd "$copy"
cargo clean --quiet --workspace
git init -q
git add -A
git -c user.name=. -c user.email=. commit -qm 'as it stands'

vitrine() { "$CARGO_TARGET_DIR/debug/vitrine" "$@"; }

# timed WORDS COMMAND...
timed() {
	words=$1 start=$(date +%s)
	shift
	"$@"
	seconds=$(($(date +%s) - start))
	say "$words: $((seconds / 60)) min $((seconds % 60)) s"
}

# Bytes of the program, and of the page's wasm as a server compresses it.
release_bytes() {
	CARGO_PROFILE_RELEASE_STRIP=true cargo build --quiet --release
	./run build >&2
	wc -c <"$CARGO_TARGET_DIR/release/vitrine"
	node -e 'const { readFileSync } = require("fs");
		console.log(require("zlib").brotliCompressSync(readFileSync(process.argv[1])).length)' dist/vitrine-*_bg.wasm
}

if [ "${1-}" = bytes ]; then before=$(release_bytes); fi

need_screen
cargo build --quiet
timed "a file that compiles" eval "vitrine new-exhibit $id && cargo fmt && cargo build --quiet"
vitrine list | grep "^$id	" # it is in the gallery
timed "its first picture, snapshots and row in README" ./run update
timed "its claims" vitrine check "$id"
timed "every test that looks at all exhibits" cargo test --quiet --lib --test exhibits --test layout --test tidy --test ui --test cli --test app
say "the exhibit has $(wc -l <$file) lines, its first picture $(wc -c <assets/traces/$id.safetensors) bytes,"
say "its snapshots $(cat tests/snapshots/$id-* | wc -c) bytes; what changed:"
git add --intent-to-add -A
git diff --stat --stat-width=100
[ "$(git diff --name-only | grep -vc -e "$id" -e "$file")" = 2 ] || die "more than the list of exhibits and README changed"
if [ "${1-}" = bytes ]; then
	after=$(release_bytes)
	printf '%s\n' "$before" "$after" | {
		read -r program_before && read -r page_before && read -r program && read -r page
		say "the program is larger by $((program - program_before)) bytes, the page's wasm (brotli) by $((page - page_before)) of $page"
	}
fi

git reset -q
git checkout -q -- .
git clean -fdq
cargo build --quiet
! vitrine list | grep -q "^$id	" || die "it is still in the gallery"
timed "without it, the tests of what lists exhibits" cargo test --quiet --test tidy --test ui
