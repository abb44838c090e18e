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
