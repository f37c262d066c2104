# Obmen. Two targets do everything on a fresh Debian 12 or 13: `make demo` and `make check`.
#
#   make            build into build/
#   make demo       install packages, build, exchange one document on loopback, show it
#   make check      install packages, build, run all tests
#   make sandbox    keep a small network running for foreign software
#   make help       the rest

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

# SAN=address,undefined builds with sanitizers, into a directory of its own.
CC      = gcc
SAN     =
BUILD   = build$(if $(filter-out gcc,$(CC)),/$(notdir $(CC)))$(if $(SAN),/$(subst $(comma),-,$(SAN)))
comma   := ,

PACKAGES = libevent openssl libxml-2.0 sqlite3 libseccomp jansson
DEBS     = build-essential pkg-config libevent-dev libssl-dev libxml2-dev libsqlite3-dev \
	   libseccomp-dev libjansson-dev libhttp-parser-dev openssl python3 iproute2
CHECK_DEBS = libcmocka-dev xmlsec1 python3-zeep python3-lxml python3-cryptography curl clang \
	   clang-format libxml2-utils valgrind sqlite3 mandoc strace

WARN    = -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	  -Wformat=2 -Wvla -Wundef
HARDEN  = -fstack-protector-strong -fstack-clash-protection -fPIE -fcf-protection \
	  $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS  = -std=gnu11 -O2 -g $(WARN) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	  -fno-omit-frame-pointer)
CPPFLAGS = -D_GNU_SOURCE -Isrc -I$(BUILD)/gen $(shell pkg-config --cflags libevent libxml-2.0 jansson)
LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--gc-sections \
	  $(if $(SAN),-fsanitize=$(SAN))
LDLIBS  = -lhttp_parser -levent_openssl -levent_extra -levent_core -lxml2 -lsqlite3 -lseccomp \
	  -ljansson -lssl -lcrypto

# Everything below src/ but the programs goes into one archive: a program takes what it uses.
PROGRAMS = obmend obmenctl
LIB_DIRS = lib message soap register store
LIB_SRC := $(foreach d,$(LIB_DIRS),$(wildcard src/$(d)/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB      = $(BUILD)/libobmen.a
OBMEND_SRC   := $(wildcard src/obmend/*.c)
OBMENCTL_SRC := $(wildcard src/obmenctl/*.c)
# Roles are tested too: all of obmend but its main().
ROLE_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/obmend/main.c,$(OBMEND_SRC)))
CTL_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/obmenctl/main.c,$(OBMENCTL_SRC)))
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOLS    := $(TOOL_SRC:tests/tools/%.c=$(BUILD)/tests/tools/%)

all: $(PROGRAMS:%=$(BUILD)/%)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -ffunction-sections -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/obmend: $(OBMEND_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obmenctl: $(OBMENCTL_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(UNIT) $(TOOLS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libroles.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/libroles.a: $(ROLE_OBJ)
	@rm -f $@
	ar rcs $@ $^

tools: $(TOOLS)
unit: $(UNIT)

clean:
	rm -rf build

.PHONY: all tools unit clean
.SECONDARY:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
