# Installs what the build needs and builds it. Sourced by ./quickstart and ./check, with the options --yes and --help handled here.
#
# Debian 12 and 13 (and what is made of them): missing packages are named, and installed after a question; with --yes, or as root, without
# one. Elsewhere the needed packages are listed. Nothing is downloaded but packages.

ATTEND_PACKAGES="cmake ninja-build gcc g++ pkg-config libsentencepiece-dev libjansson-dev libyaml-dev libxxhash-dev libutf8proc-dev zlib1g-dev libcmocka-dev"
yes=no
all=no

fail() {
    echo "$0: $*" >&2
    exit 1
}

parse_options() {
    for argument in "$@"; do
        case $argument in
        --yes | -y) yes=yes ;;
        --all) all=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) fail "unknown option $argument; see $0 --help" ;;
        esac
    done
}

missing_packages() {
    for package in $ATTEND_PACKAGES "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
    done
}

# Whether the answer to a question is yes. Without a terminal it is no.
agreed() {
    [ $yes = yes ] && return 0
    [ -t 0 ] || return 1
    printf '%s [Y/n] ' "$1"
    read -r answer
    case $answer in '' | y* | Y*) return 0 ;; esac
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || fail "this needs root: run as root: $*"
        sudo "$@"
    fi
}

# install_packages [PACKAGE …]: the build's packages, and those named.
install_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        have_tools && return 0
        fail "this system has no apt-get. Install by its own means: CMake, Ninja, a C and C++ compiler, pkg-config, and the development
files of SentencePiece, Jansson, libyaml, xxHash, utf8proc, zlib and CMocka. Then run $0 again."
    fi
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "$missing" ] && return 0
    echo "Needed packages that are not installed: $missing"
    [ "$(id -u)" = 0 ] || agreed "Install them with sudo apt-get?" || fail "not installed; run: sudo apt-get install $missing"
    as_root apt-get -qq update || fail "apt-get update failed; is there a network?"
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install: $missing"
}

have_tools() {
    command -v cmake >/dev/null && command -v ninja >/dev/null && command -v pkg-config >/dev/null
}

# build PRESET: configures once, then builds what changed.
build() {
    [ -f "build/$1/build.ninja" ] || cmake --preset "$1" >"build-$1.log" 2>&1 || {
        cat "build-$1.log" >&2
        fail "cmake failed"
    }
    rm -f "build-$1.log"
    cmake --build --preset "$1" >"build/$1/build.log" 2>&1 || {
        tail -n 40 "build/$1/build.log" >&2
        fail "the build failed; all of its output is in build/$1/build.log"
    }
}
