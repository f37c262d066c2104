# The appliance image: `make image`, `make boot`, `make boot-test`. Included by the Makefile.

BOARD  ?= x86-64-uefi
BOARDS := $(notdir $(patsubst %/meta,%,$(wildcard board/*/meta)))
IMAGE_DEBS = qemu-system-x86 qemu-system-arm ovmf qemu-efi-aarch64 squashfs-tools mtools dosfstools \
	     fdisk sbsigntool efitools cryptsetup-bin ccache flex bison bc libelf-dev cpio kmod zstd \
	     xz-utils python3-pefile swtpm gpgv debian-archive-keyring faketime e2fsprogs binutils \
	     gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# The gateway that the VPN test runs in a network namespace.
BOOT_DEBS  = charon-systemd strongswan-swanctl libcharon-extra-plugins libcharon-extauth-plugins \
	     libstrongswan-extra-plugins libstrongswan-standard-plugins iproute2
IMAGE_TESTS = $(wildcard tests/image/*_test)
# What `make check` boots: an exchange both ways, and roots that were changed.
QUICK_IMAGE_TESTS = tests/image/exchange_test tests/image/corrupted_test

image: image-packages
	firmware/image $(BOARD)

# Moves the lock file forward to what the mirror offers now, and lists what changed.
image-refresh: image-packages
	firmware/debs refresh

boot: image-packages
	firmware/boot $(BOARD)

# Boots the image in software emulation; see tests/image/. Needs the image of each board it boots.
boot-test: image-packages check-packages
	@$(call install_debs,$(BOOT_DEBS))
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@$(MAKE) --no-print-directory image BOARD=$(BOARD)
	@BOARD=$(BOARD) tests/run -o build/tests/image-logs image: $(IMAGE_TESTS)

# The image's figures beside their targets; times and memory are those of the last boot-test.
image-report:
	@firmware/report $(BOARD)

image-packages: packages
	@$(call install_debs,$(IMAGE_DEBS))

.PHONY: image image-refresh image-packages image-report boot boot-test
