# Helpers shared by kafka-start, kafka-stop, postgres-start and postgres-stop. Sourced, not run.
# shellcheck shell=bash

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# answers PORT: does something accept TCP connections on 127.0.0.1:PORT?
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_free PORT: waits 5 s at most until nothing answers there (a process killed just now may still be ending).
wait_free() {
    for _ in {1..50}; do
        answers "$1" || return 0
        sleep 0.1
    done
    return 1
}

# free_port EXCEPT: a port nobody listens on, other than EXCEPT (may be empty). Below the kernel's ephemeral
# range (32768 and up), so that no outgoing connection takes it while the server is down, and no client
# connects to itself.
free_port() {
    local port
    for _ in {1..200}; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        [[ $port == "$1" ]] || answers "$port" || { echo "$port"; return; }
    done
    die "found no free port"
}

# claim_dir DIR KIND: sets $dir to the absolute path of DIR. DIR must be new, empty, or already KIND's.
claim_dir() {
    dir=$(realpath -m -- "$1")
    mkdir -p -- "$dir"
    [[ -e $dir/firstbell-$2 ]] && return
    # Looks for the mark again: a start beside this one may just have made it.
    [[ -z $(ls -A -- "$dir") || -e $dir/firstbell-$2 ]] ||
        die "$dir is not empty and holds no $2 of ours; name a new folder"
    touch -- "$dir/firstbell-$2"
}

# wait_gone PID SECONDS: true once the process has ended (a zombie has).
wait_gone() {
    local end=$((SECONDS + $2)) state
    while state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) \
        && [[ -n $state && $state != Z ]]; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# kafka_pid DIR: prints the broker's pid if DIR/pid names a live process that runs DIR/server.properties.
kafka_pid() {
    local pid args
    pid=$(cat -- "$1/pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    mapfile -d '' -t args 2>/dev/null <"/proc/$pid/cmdline" || return 1
    ((${#args[@]})) && [[ ${args[-1]} == "$1/server.properties" ]] && echo "$pid"
}

# postgres_pid DIR: prints the server's pid if it is alive (a server works inside its data folder).
postgres_pid() {
    local pid
    pid=$(sed -n 1p "$1/data/postmaster.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    [[ $(readlink "/proc/$pid/cwd") == "$1/data" ]] && echo "$pid"
}

# postgres_processes DIR: every process at work in DIR/data, also those a killed server left behind.
postgres_processes() {
    local link
    for link in /proc/[0-9]*/cwd; do
        [[ $(readlink "$link" 2>/dev/null) != "$1/data" ]] || { link=${link#/proc/}; echo "${link%/cwd}"; }
    done
}

# postgres_tools: sets pg_bin (folder of the server's programs) and as_owner (command prefix).
postgres_tools() {
    pg_bin=/usr/lib/postgresql/15/bin
    if [[ ! -x $pg_bin/initdb ]]; then
        pg_bin=$(command -v initdb) || die "no PostgreSQL server found; run scripts/install-system-packages"
        pg_bin=$(dirname -- "$pg_bin")
    fi
    as_owner=()
    # shellcheck disable=SC2034 # for those that source this
    if ((EUID == 0)); then as_owner=(runuser -u postgres --); fi
}
