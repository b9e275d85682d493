# Plays systemd from the installed units, as `systemctl` and `systemd-run`: for each command it takes the user, the
# folder and the variables that the unit says, and no others. It knows what the units and the documents use.
set -eu
units=/etc/systemd/system
state=/mnt/state
mkdir -p "$state"

# Prints the values of a setting of a unit.
value() { sed -n "s/^$2=//p" "$units/$1"; }

# Prints the lines of environment files; one whose name begins with - need not exist.
read_files() {
    local file
    while read -r file; do
        case $file in
        -*) file=${file#-}; [ -e "$file" ] || continue ;;
        esac
        # Only root may read it.
        [ "$(stat -c %a:%u "$file")" = 600:0 ] || { echo "others can read $file" >&2; exit 1; }
        grep = "$file"
    done
}

# Runs a command: as USER FOLDER NAME=VALUE... -- COMMAND...
as() {
    local user=$1 folder=$2 variables=() enter=()
    shift 2
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    if id "$user" >/dev/null 2>&1; then
        enter=(runuser -u "$user" --)
        [ -d "$folder" ] || install -d -m 0700 -o "$user" -g "$user" "$folder"
    else
        mkdir -p "$folder"
    fi
    cd "$folder"
    # The ports are those of the test.
    exec env -i PATH="$PATH" PORT="$PLAYED_PORT" TASKHOLD__METRICS__ADDRESS="127.0.0.1:$PLAYED_METRICS_PORT" \
        "${variables[@]}" "${enter[@]}" "$@"
}

# Runs a command of a unit.
as_unit() {
    local unit=$1 variables
    shift
    # Files win over the unit's own variables.
    variables=$(value "$unit" Environment; value "$unit" EnvironmentFile | read_files)
    mapfile -t variables <<<"$variables"
    as "$(value "$unit" User)" "$(value "$unit" WorkingDirectory)" "${variables[@]}" -- "$@"
}

start() {
    local unit=$1 command log=$state/$1.log
    [ -e "$units/$unit" ] || { echo "Unit $unit not found." >&2; exit 5; }
    case $unit in
    *.timer) start_later "${unit%.timer}.service"; touch "$state/$unit" ;;
    *)
        if [ "$(value "$unit" Type)" = oneshot ]; then
            value "$unit" ExecStart | while read -r command; do (as_unit "$unit" $command) </dev/null; done
        elif ! is_active "$unit"; then
            command=$(value "$unit" ExecStart)
            (as_unit "$unit" $command) </dev/null >/dev/null 2>"$log" &
            echo $! >"$state/$unit.pid"
            # systemd does not wait, but what comes next in a document is typed more slowly.
            until grep -q '"listening"' "$log"; do
                kill -0 $! 2>/dev/null || { cat "$log" >&2; exit 1; }
                sleep 0.05
            done
        fi ;;
    esac
}

# A timer needs its service.
start_later() { [ -e "$units/$1" ] || { echo "Unit $1 not found." >&2; exit 5; }; }

is_active() { [ -e "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null; }

stop() {
    rm -f "$state/$1"
    if is_active "$1"; then
        # The command is a child of `runuser`, which hands signals on.
        kill -TERM "$(cat "$state/$1.pid")"
        while is_active "$1"; do sleep 0.05; done
    fi
}

systemctl() {
    local verb=$1 unit
    shift
    [ "${1-}" != --now ] || shift
    case $verb in
    daemon-reload) ;;
    enable | start | stop | restart)
        for unit; do
            case $unit in *.*) ;; *) unit=$unit.service ;; esac
            case $verb in
            enable | start) start "$unit" ;;
            stop) stop "$unit" ;;
            restart) stop "$unit"; start "$unit" ;;
            esac
        done ;;
    *) echo "systemctl $verb is not played" >&2; exit 1 ;;
    esac
}

systemd_run() {
    local user= folder= files= variables=() read
    while :; do
        case $1 in
        --uid=*) user=${1#*=} ;;
        --working-directory=*) folder=${1#*=} ;;
        --property=EnvironmentFile=*) files+=${1#*=*=}$'\n' ;;
        --setenv=*) variables+=("${1#*=}") ;;
        --*) ;;
        *) break ;;
        esac
        shift
    done
    read=$(printf %s "$files" | read_files)
    mapfile -t read <<<"$read"
    as "$user" "$folder" "${variables[@]}" "${read[@]}" -- "$@"
}

case ${0##*/} in
systemctl) systemctl "$@" ;;
systemd-run) systemd_run "$@" ;;
esac
