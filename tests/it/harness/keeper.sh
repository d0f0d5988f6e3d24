# Waits until the test process has ended, then removes all that its run made. Its argument is the run's folder;
# each line of its input is a process group: the leader's number and start time. See keeper.rs.
trap '' HUP INT QUIT TERM
run=$1
name=${run##*/}

groups=
while read -r leader start; do
    groups="$groups $leader:$start"
done

for group in $groups; do
    leader=${group%:*}
    start=$(sed 's/.*) //' "/proc/$leader/stat" | cut -d ' ' -f 20)
    [ "$start" != "${group#*:}" ] || kill -s KILL -- "-$leader"
done

control_groups() {
    find /sys/fs/cgroup -depth -type d \( -name "$name" -o -path "*/$name/*" \) "$@"
}

# A killed Postgres cannot remove its System V shared memory; its pid file has the segment's number.
shared_memory() {
    find "$run" -maxdepth 3 -name postmaster.pid -exec awk 'FNR == 7 { print $2 }' {} +
}

# The killed processes take a moment to be gone, and until then hold on to what they use.
tries=0
while [ "$tries" -lt 300 ] && { [ -e "$run" ] || [ -n "$(control_groups -print -quit)" ]; }; do
    for segment in $(shared_memory); do
        ipcrm --shmem-id "$segment"
    done
    control_groups -exec rmdir {} \;
    rm -rf --one-file-system "$run"
    tries=$((tries + 1))
    sleep 0.1
done
