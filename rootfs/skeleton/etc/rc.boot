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
variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
if tail -c 1 $variable 2> /dev/null | grep -q "$(printf '\001')"; then
	touch /run/secure-boot
	say "secure boot on"
fi
# Few free pages are kept aside for each processor: on a machine of 128 MiB they matter.
echo 4096 > /proc/sys/vm/percpu_pagelist_high_fraction
hostname obmen
ip link set lo up
. /etc/rc.d/data
. /etc/rc.d/setup
. /etc/rc.d/network
. /etc/rc.d/services
