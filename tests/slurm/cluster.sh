#!/usr/bin/env bash
# A real Slurm on this machine, in a scratch folder: one node with two CPUs, no accounts, no cgroups.
#   cluster.sh start FOLDER   starts munged, slurmctld and slurmd; then: export SLURM_CONF=FOLDER/slurm.conf
#   cluster.sh stop FOLDER    ends them
# Needs root, or a user that may run munged and slurmd for itself, and Debian's slurm-wlm and munge.
set -euo pipefail
command=${1:?start or stop} folder=$(mkdir -p "${2:?a folder}" && cd "$2" && pwd)
export SLURM_CONF="$folder/slurm.conf"

end() { # NAME: end the daemon of which FOLDER/NAME.pid has the process
    [ -s "$folder/$1.pid" ] || return 0
    kill "$(cat "$folder/$1.pid")" 2>/dev/null || true
    rm -f "$folder/$1.pid"
}

wait_until() { # SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "in vain: $*" >&2; tail -n 20 "$folder"/*.log >&2; exit 1; }
        sleep 0.2
    done
}

if [ "$command" = stop ]; then
    scancel --user="$(id -un)" 2>/dev/null || true
    for name in slurmd slurmctld munged; do end "$name"; done
    exit 0
fi

# Munge lets nobody else write where its key and its socket lie.
mkdir -p "$folder/munge" "$folder/state" "$folder/spool"
chmod 0755 "$folder/munge"
key="$folder/munge/key" socket="$folder/munge/socket"
[ -s "$key" ] || (umask 077 && head -c 1024 /dev/urandom >"$key")
munged --force --key-file="$key" --socket="$socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge/seed"

host=$(hostname -s)
port=$((20000 + $$ % 20000))
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=100000,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
JobRequeue=1
ReturnToService=1
KillWait=2
MinJobAge=30
SlurmdTimeout=300
MailProg=/bin/true
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=1-0 OverSubscribe=NO State=UP
PartitionName=short Nodes=ALL MaxTime=1 OverSubscribe=NO State=UP
CONF
# From 23.11 on slurmd looks for cgroups unless told not to; before, it does not know the word.
version=$(slurmctld -V | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
if [ "$(printf '%s\n' 23.11 "$version" | sort -V | head -n 1)" = 23.11 ]; then
    echo "CgroupPlugin=disabled" >"$folder/cgroup.conf"
fi
slurmctld -c
wait_until 30 scontrol ping
slurmd -c
wait_until 30 sh -c "sinfo --noheader --format=%T | grep -q idle"
