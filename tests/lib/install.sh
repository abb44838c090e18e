# Sourced: installs Debian packages quietly, and only those that are missing. What a build needs is listed here, once.
# shellcheck shell=bash

need_packages() { # PACKAGE...
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "installing: ${missing[*]}" >&2
    DEBIAN_FRONTEND=noninteractive with_lists as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo --preserve-env=DEBIAN_FRONTEND "$@"; fi
}

# Runs a command of apt, quietly; once more with new lists of packages, where there are none or they are out of date.
with_lists() { # COMMAND...
    local said
    said=$(mktemp) || return
    "$@" >/dev/null 2>"$said" || { as_root apt-get update -qq >/dev/null && "$@" >/dev/null 2>"$said"; } ||
        { cat "$said" >&2; rm -f "$said"; return 1; }
    rm -f "$said"
}

# What building takes: udev's library, and cargo, which is the machine's owner's choice.
need_build() {
    local wanted is
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "${BASH_SOURCE[0]%/*}/../../Cargo.toml")
    is=$(cargo --version 2>/dev/null | awk '{ print $2 }')
    if [ "$(printf '%s\n' "$wanted" "${is:-0}" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "Rust $wanted or later is needed, ${is:-none} is there: see https://rustup.rs" >&2
        return 1
    fi
    need_packages gcc libc6-dev libudev-dev pkg-config
}

# Builds the programs and the library, in release. The one that udev's rules start for every event of every disk is linked statically: loading
# libraries would take it several times as long as the answer.
build_programs() { # FOLDER OF THE PROJECT
    local manifest=$1/Cargo.toml
    cargo build --release --quiet --manifest-path "$manifest" -p multipathd -p multipathctl &&
        cargo rustc --release --quiet --manifest-path "$manifest" -p multipath --bin multipath -- \
            -C target-feature=+crt-static -C relocation-model=static &&
        build_library "$1"
}

# Builds libmpathcmd.so.0, in the folder of the programs.
build_library() { # FOLDER OF THE PROJECT
    cargo rustc --release --quiet --manifest-path "$1/Cargo.toml" -p libmpathcmd --crate-type staticlib &&
        "$1/multipathctl/libmpathcmd/link" "${CARGO_TARGET_DIR:-$1/target}/release"
}

# What is fetched is kept under a name of what it is made of: of another list it is fetched anew.
key() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# Prints the folder that the reference, Debian's multipath-tools, is unpacked in. It is not installed: it would take over the
# machine's disks. Once it is there, nothing is fetched.
need_reference() {
    local packages=(multipath-tools libaio1 libdevmapper1.02.1 libedit2 libjson-c5 liburcu8)
    local folder new package
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/multipath-reference-$(key "${packages[@]}")
    if [ ! -x "$folder/sbin/multipath" ]; then
        echo "fetching: ${packages[*]}" >&2
        mkdir -p "$(dirname "$folder")"
        new=$(mktemp -d "$folder.XXXXXX") || return 1
        (cd "$new" && with_lists apt-get download -qq "${packages[@]}") || { rm -rf "$new"; return 1; }
        for package in "$new"/*.deb; do dpkg -x "$package" "$new" || return 1; done
        rm -f "$new"/*.deb
        rm -rf "$folder"
        mv "$new" "$folder"
    fi
    echo "$folder"
}
