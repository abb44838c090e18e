# Sourced: installs Debian packages quietly, and only those that are missing.
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
