# Process 1 of a private Docker Engine's machine: it prepares the namespaces, then obeys the orders on its input, and
# with its end the kernel ends all else in them. Its arguments are the engine's folder and the host name. See machine.rs.
set -euo pipefail
room=$1

mount -t tmpfs tmpfs /run
mkdir -p /etc/docker
mount -t tmpfs tmpfs /etc/docker
# A resolver that refuses at once; otherwise each look-up of an image waits for a registry out of reach.
echo "nameserver 127.0.0.1" >"$room/resolv.conf"
resolver=$(readlink --canonicalize-missing /etc/resolv.conf)
mkdir -p "${resolver%/*}"
[[ -e $resolver ]] || touch "$resolver"
mount --bind "$room/resolv.conf" "$resolver"
hostname "$2"
ip link set lo up
# What a machine that failed has left there, its start would have cleared.
rm -rf "$room/exec" "$room/dockerd.pid"
echo '{}' >"$room/daemon.json"
touch "$room/prepared"

start() {
    rm -f "$room/ended"
    {
        dockerd --config-file "$room/daemon.json" --host "unix://$room/docker.sock" --pidfile "$room/dockerd.pid" \
            --data-root "$room/data" --exec-root "$room/exec" \
            --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(basename "${room%/*}")/${room##*/}" || true
        touch "$room/ended"
    } </dev/null &
}

signal() {
    kill -s "$1" "$(<"$room/dockerd.pid")"
}

while read -r order; do
    case $order in
        start) start ;;
        kill) signal KILL ;;
        pause) signal STOP ;;
        resume) signal CONT ;;
        fail) exit ;;
    esac
done
