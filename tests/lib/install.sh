# Sourced: installs Debian packages quietly, and only those that are missing. What a build needs is listed here, once.
# shellcheck shell=bash

need_packages() { # PACKAGE...
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    local sudo=''
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing: ${missing[*]}" >&2
    if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
        $sudo apt-get update -qq >/dev/null
    fi
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>/tmp/install.$$ ||
        { cat "/tmp/install.$$" >&2; rm -f "/tmp/install.$$"; return 1; }
    rm -f "/tmp/install.$$"
}

# What building takes: udev's library, and cargo, which is the machine's owner's choice.
need_build() {
    command -v cargo >/dev/null || { echo 'cargo is missing: see https://rustup.rs' >&2; return 1; }
    need_packages gcc libc6-dev libudev-dev pkg-config
}

# Builds the programs, in release. The one that udev's rules start for every event of every disk is linked statically: loading
# libraries would take it several times as long as the answer.
build_programs() { # FOLDER OF THE PROJECT
    local manifest=$1/Cargo.toml
    cargo build --release --quiet --manifest-path "$manifest" -p multipathd -p multipathctl &&
        cargo rustc --release --quiet --manifest-path "$manifest" -p multipath --bin multipath -- \
            -C target-feature=+crt-static -C relocation-model=static
}

# Prints the folder that the reference, Debian's multipath-tools, is unpacked in. It is not installed: it would take over the
# machine's disks. Once it is there, nothing is fetched.
need_reference() {
    local packages=(multipath-tools libaio1 libdevmapper1.02.1 libedit2 libjson-c5 liburcu8)
    local folder=${XDG_CACHE_HOME:-$HOME/.cache}/multipath-reference new package sudo=''
    [ "$(id -u)" = 0 ] || sudo=sudo
    if [ ! -x "$folder/sbin/multipath" ]; then
        echo "fetching: ${packages[*]}" >&2
        apt-cache show "${packages[@]}" >/dev/null 2>&1 || $sudo apt-get update -qq >/dev/null
        mkdir -p "$(dirname "$folder")"
        new=$(mktemp -d "$folder.XXXXXX") || return 1
        (cd "$new" && apt-get download -qq "${packages[@]}" >/dev/null 2>download.log) ||
            { cat "$new/download.log" >&2; rm -rf "$new"; return 1; }
        for package in "$new"/*.deb; do dpkg -x "$package" "$new" || return 1; done
        rm -f "$new"/*.deb "$new/download.log"
        rm -rf "$folder"
        mv "$new" "$folder"
    fi
    echo "$folder"
}
