# The appliance image: `make image`, `make boot`, `make boot-test`. Included by the Makefile.

BOARD  ?= x86-64-uefi
BOARDS := $(notdir $(patsubst %/meta,%,$(wildcard board/*/meta)))
IMAGE_DEBS = qemu-system-x86 qemu-system-arm ovmf qemu-efi-aarch64 squashfs-tools mtools dosfstools \
	     fdisk sbsigntool efitools cryptsetup-bin ccache flex bison bc libelf-dev cpio kmod zstd \
	     xz-utils python3-pefile expect swtpm gpgv faketime e2fsprogs binutils \
	     gcc-aarch64-linux-gnu libc6-dev-arm64-cross

image: image-debs
	firmware/image $(BOARD)

# Moves the lock file forward to what the mirror offers now, and lists what changed.
image-refresh: image-debs
	firmware/debs refresh

image-debs:
	@$(call install-missing,$(IMAGE_DEBS))

boot: image-debs
	firmware/boot $(BOARD)

.PHONY: image image-refresh image-debs boot
