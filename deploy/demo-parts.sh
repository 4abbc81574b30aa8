# What the two demonstrations share: a temporary folder, offices below it, and words to show. To be sourced, with `bin` set to the
# folder of the programs. Everything is ended and removed at the end.
work=$(mktemp -d)
declare -A daemons
stop() { # OFFICE: ends its daemon and waits for it
    kill "${daemons[$1]}" && wait "${daemons[$1]}"
    unset "daemons[$1]"
}
clean_up() {
    for office in "${!daemons[@]}"; do kill "${daemons[$office]}" 2> /dev/null || true; done
    wait
    rm -rf "$work"
}
trap clean_up EXIT
say() { printf '\n== %s\n' "$*"; }
at() { local office=$1; shift; "$bin/fieldpost" --home "$work/$office" "$@"; }
typed() { # OFFICE, what somebody types there: shown, and done; with a text on standard input
    local office=$1; shift
    local line=fieldpost word
    for word in "$@"; do
        word=${word//$work\//}
        case $word in *[[:space:]]*) word="\"$word\"" ;; esac
        line+=" $word"
    done
    printf '%s$ %s\n' "$office" "$line"
    at "$office" "$@"
}
start() { # OFFICE: starts its daemon and waits until it answers
    "$bin/fieldpostd" --no-beacon --home "$work/$1" 2>> "$work/$1.log" &
    daemons[$1]=$!
    for _ in $(seq 100); do at "$1" status > /dev/null 2>&1 && return; sleep 0.1; done
    cat "$work/$1.log"; exit 1
}
until_true() { # COMMAND...: at most a minute
    for _ in $(seq 300); do "$@" > /dev/null 2>&1 && return; sleep 0.2; done
    echo "demo: this never came true: $*" >&2; exit 1
}
free_port() { # one that nobody answers at
    local port
    while port=$((20000 + RANDOM % 10000)); (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
    echo "$port"
}
is_active() { at "$1" roster | grep -q "^$2 .* active"; }
counts() { at "$1" status | grep -q "$2"; }
