#!/bin/sh
# Once per boot, before anything else runs: mounts, data partition, settings, network. Busybox only.
say() { echo "obmen: $*" > /dev/console; }

mount -t proc -o nosuid,nodev,noexec,hidepid=2 proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o nosuid,nodev,mode=755,size=16m run /run
mount -t tmpfs -o nosuid,nodev,noexec,size=16m tmp /tmp
mkdir -p /dev/pts /dev/shm /run/lock /run/log /run/sv /run/service
mount -t devpts -o nosuid,noexec,gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,noexec,size=4m shm /dev/shm
mount -t efivarfs -o nosuid,nodev,noexec efivarfs /sys/firmware/efi/efivars 2> /dev/null
hostname obmen
ip link set lo up
. /etc/rc.d/data
. /etc/rc.d/setup
. /etc/rc.d/network
. /etc/rc.d/services
