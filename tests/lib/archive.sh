# Sourced: packages of a Debian release, by an apt whose state is its own: what the host has for sources and packages plays no part.
# Nothing of the host gets in but apt's proxy settings, and where its archives are.
# shellcheck shell=bash
suite=bookworm # what this machine's apt knows archives of

# What apt has to say is shown only when it fails. $apt is the folder of its state.
own_apt() {
    local tool=$1; shift
    "$tool" -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Install-Recommends=0 \
        -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@" 2>"$apt/log" || {
        cat "$apt/log" >&2
        return 1
    }
}

# 'ADDRESS SUITE' of the Debian archives that this machine's apt uses, for another release of Debian.
archives() { # RELEASE
    # shellcheck disable=SC2016 # apt's words, not the shell's
    local list='$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)'
    [ -n "$(apt-get indextargets --format "$list")" ] || apt-get update -qq >&2
    apt-get indextargets --format "$list" | sed -n "s/^\\([^ ]*\\) $suite\\(-security\\)\\{0,1\\} main Packages\$/\\1 $1\\2/p" | sort -u
}

# Makes that state, and fetches the lists of packages.
apt_of() { # FOLDER [RELEASE]
    local key=/usr/share/keyrings/debian-archive-keyring.gpg archive
    apt=$1
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    archives "${2:-$suite}" | while read -r archive; do
        printf 'deb [signed-by=%s] %s main\n' "$key" "$archive"
    done >"$apt/sources.list"
    [ -s "$apt/sources.list" ] || { echo "apt knows no archive of Debian $suite" >&2; return 1; }
    own_apt apt-get update >&2
}
