#!/bin/sh
# A Ceph RADOS Gateway of one monitor and one OSD on loopback, to try the storage against an S3 server of somebody else's making.
#
#   ceph-rgw.sh start              start what does not run, make a user and an unversioned bucket, print the environment for the tests
#   ceph-rgw.sh kill9 [DAEMON…]    kill -9 of rgw, osd, mon (default: rgw); `start` brings them back
#   ceph-rgw.sh stop               end the daemons; what they stored is kept
#
#   eval "$(tests/interop/ceph-rgw.sh start)" && node tests/run.js tests/contract/object-store tests/end-to-end/two-writers
#   S3_DISTURB="tests/interop/ceph-rgw.sh kill9 && tests/interop/ceph-rgw.sh start" node tests/run.js tests/end-to-end/two-writers
#
# CEPH_RGW_DIR holds everything (default: a folder below TMPDIR), and can be deleted after `stop`. CEPH_RGW_PORT is the gateway's port.
set -eu

dir=${CEPH_RGW_DIR:-${TMPDIR:-/tmp}/satchel-ceph-rgw}
port=${CEPH_RGW_PORT:-7480}
monitor_port=$((port + 1))
user=satchel
bucket=satchel
export CEPH_CONF="$dir/ceph.conf"

say() { echo "ceph-rgw: $*" >&2; }

is_running() { [ -f "$dir/$1.pid" ] && kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null; }

# daemon NAME COMMAND…: runs it unless it runs, and keeps its process id and output.
daemon() {
  name=$1
  shift
  if is_running "$name"; then return; fi
  rm -f "$dir/run/"*"$name"*.asok
  nohup "$@" >>"$dir/$name.out" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

# until_true WHAT COMMAND…: waits at most a minute.
until_true() {
  what=$1
  shift
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
      say "$what did not come up; see $dir/*.out"
      exit 1
    fi
    sleep 0.2
  done
}

# Access with cephx throughout: radosgw cannot log in to a cluster without authentication.
make_cluster() {
  mkdir -p "$dir/run" "$dir/mon" "$dir/osd"
  fsid=$(cat /proc/sys/kernel/random/uuid)
  cat >"$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$monitor_port/0]
public network = 127.0.0.0/8
ms bind ipv6 = false
keyring = $dir/keyring
run dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
mon allow pool size one = true
mon max pg per osd = 1000
mon data = $dir/mon
osd data = $dir/osd
osd objectstore = bluestore
osd memory target = 939524096
bluestore block size = 10737418240
bluestore block wal create = false
bluestore block db create = false
rgw dynamic resharding = false
# Without tcp_nodelay a small answer waits 40 ms for an acknowledgement.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
CONF
  ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
  ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$dir/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor_port]" "$dir/monmap" >/dev/null
  ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring" >>"$dir/mon.out" 2>&1
}

make_osd() {
  uuid=$(cat /proc/sys/kernel/random/uuid)
  ceph osd new "$uuid" 0 >/dev/null 2>&1
  # BlueStore on a sparse file, which --mkfs makes.
  ceph-osd -i 0 --mkfs --osd-uuid "$uuid" >>"$dir/osd.out" 2>&1
  touch "$dir/osd-made"
}

start() {
  for command in ceph-mon ceph-osd radosgw ceph radosgw-admin curl; do
    if ! command -v "$command" >/dev/null; then
      say "skipped: $command is not installed (Debian: ceph-mon ceph-osd ceph-common radosgw curl)."
      exit 77
    fi
  done
  [ -f "$dir/monmap" ] || make_cluster
  daemon mon ceph-mon -f -i a
  until_true 'the monitor' ceph --connect-timeout 2 quorum_status
  [ -f "$dir/osd-made" ] || make_osd
  daemon osd ceph-osd -f -i 0
  until_true 'the OSD' sh -c 'ceph --connect-timeout 2 osd stat | grep -q "1 up"'
  daemon rgw radosgw -f -n client.admin
  until_true 'the gateway' curl -sf "http://127.0.0.1:$port/"
  if [ ! -f "$dir/environment" ]; then
    secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    radosgw-admin user create --uid="$user" --display-name="$user" --access-key="$user" --secret-key="$secret" >/dev/null 2>&1
    curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user "$user:$secret" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
      -X PUT "http://127.0.0.1:$port/$bucket"
    cat >"$dir/environment" <<ENVIRONMENT
export S3_ENDPOINT=http://127.0.0.1:$port
export S3_BUCKET=$bucket
export AWS_ACCESS_KEY_ID=$user
export AWS_SECRET_ACCESS_KEY=$secret
ENVIRONMENT
  fi
  cat "$dir/environment"
}

# end SIGNAL DAEMON…
end() {
  signal=$1
  shift
  for name in "$@"; do
    if is_running "$name"; then kill "-$signal" "$(cat "$dir/$name.pid")"; fi
  done
  for name in "$@"; do
    until_true "the end of $name" sh -c "! kill -0 $(cat "$dir/$name.pid" 2>/dev/null || echo 2147483647)"
    rm -f "$dir/$name.pid"
  done
}

case ${1:-} in
  start) start ;;
  stop) end TERM rgw osd mon ;;
  kill9)
    shift
    [ $# -gt 0 ] || set -- rgw
    end KILL "$@"
    ;;
  *)
    say 'usage: ceph-rgw.sh start | stop | kill9 [rgw] [osd] [mon]'
    exit 2
    ;;
esac
