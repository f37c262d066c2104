# Obmen. Two targets do everything on a fresh Debian 12 or 13: `make demo` and `make check`.
#
#   make            build into build/
#   make demo       install packages, build, exchange one document on loopback, show it
#   make check      install packages, build with gcc, clang and sanitizers, run all tests
#   make sandbox    keep a small network running for foreign software, until Ctrl-C
#   make bench      measure a node on loopback: a table and build/bench.json (FAST=1: under 50 s)
#   make unit       build the unit tests into build/tests/unit/ (SAN=address,undefined: sanitized)
#   make run-tests  run the tests that are built
#   make image      the appliance's disk image, BOARD=x86-64-uefi or arm64-virt; see firmware/image.mk
#   make boot       run the image in QEMU; boot-test: try it there; image-report: its figures
#   make fuzz       fuzz every parser for TIME=300 seconds each, from real messages
#   make manuals    the manual pages into build/share/man; read one with man -l
#   make install    programs, manual pages and a sample configuration, below DESTDIR=
#   make clean      remove build/
#   make CC=clang   build with another compiler, into build/clang/

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
	   libseccomp-dev libjansson-dev libhttp-parser-dev openssl python3
CHECK_DEBS = libcmocka-dev softhsm2 libengine-pkcs11-openssl xmlsec1 python3-zeep python3-lxml python3-cryptography curl clang \
	   libxml2-utils valgrind mandoc strace swtpm cryptsetup-bin libcryptsetup-dev libtss2-dev \
	   chromium fonts-dejavu-core libnss3-tools

WARN    = -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	  -Wformat=2 -Wvla -Wundef
HARDEN_CPU = $(if $(findstring aarch64,$(CC)),-mbranch-protection=standard,-fcf-protection)
HARDEN  = -fstack-protector-strong -fstack-clash-protection -fPIE $(HARDEN_CPU) \
	  $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS  = -std=gnu11 -O2 -g $(WARN) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	  -fno-omit-frame-pointer)
CPPFLAGS = -D_GNU_SOURCE -Isrc -I$(BUILD)/gen $(shell pkg-config --cflags libevent libxml-2.0 jansson)
LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--gc-sections \
	  $(if $(SAN),-fsanitize=$(SAN))
LDLIBS  = -lhttp_parser -levent_openssl -levent_extra -levent_core -lxml2 -lsqlite3 -lseccomp \
	  -ljansson -lssl -lcrypto

# Everything below src/ but the programs goes into one archive: a program takes what it uses.
# The vault is the appliance's own: it needs libraries that nobody else does, and is built when asked for.
PROGRAMS = $(filter-out vault authority authorityctl,$(patsubst src/%/main.c,%,$(wildcard src/*/main.c))) \
	   obmen-authorityd obmen-authority
VAULT    = $(BUILD)/vault
LIB_DIRS = lib message soap register store process
LIB_SRC := $(foreach d,$(LIB_DIRS),$(wildcard src/$(d)/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB      = $(BUILD)/libobmen.a
OBMEND_SRC   := $(wildcard src/obmend/*.c)
OBMENCTL_SRC := $(wildcard src/obmenctl/*.c)
# Roles are tested too: all of obmend but its main().
ROLE_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/obmend/main.c,$(OBMEND_SRC)))
CTL_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/obmenctl/main.c,$(OBMENCTL_SRC)))
UPDATE_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/update/main.c,$(wildcard src/update/*.c)))
# So is the authority.
AUTHORITY_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/authority/main.c,$(wildcard src/authority/*.c)))
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOLS    := $(TOOL_SRC:tests/tools/%.c=$(BUILD)/tests/tools/%)
LOAD_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*.c))
LOAD     := $(BUILD)/tests/bench/load

all: $(PROGRAMS:%=$(BUILD)/%)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -ffunction-sections -MMD -MP -c -o $@ $<

# Schemas, the WSDL and the style sheet travel inside the programs as string literals.
$(BUILD)/gen/%.h: src/%
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< > $@

SCHEMAS = $(wildcard src/message/schema/*.xsd)
$(BUILD)/src/message/schema.o: $(SCHEMAS:src/%=$(BUILD)/gen/%.h)
$(BUILD)/src/soap/envelope_write.o: $(BUILD)/gen/soap/submit.wsdl.h
$(BUILD)/src/authority/web_about.o: $(BUILD)/gen/authority/web_style.css.h

$(BUILD)/src/soap/register_answer.o: $(BUILD)/gen/soap/register.wsdl.h $(BUILD)/gen/soap/encoding.xsd.h

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/obmend: $(OBMEND_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obmenctl: $(OBMENCTL_SRC:%.c=$(BUILD)/%.o) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obmen-authorityd: $(BUILD)/src/authority/main.o $(AUTHORITY_OBJ) $(LIB)
	$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(LDLIBS)

# The same command line as obmenctl's, with verbs of its own.
$(BUILD)/obmen-authority: $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/authorityctl/*.c)) \
		$(BUILD)/src/obmenctl/main.o $(BUILD)/libctl.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The box's updater, and the program that fetches for it.
$(BUILD)/update: $(BUILD)/src/update/main.o $(BUILD)/libupdate.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ -lcrypto -ljansson -lseccomp

$(BUILD)/fetch: $(BUILD)/src/fetch/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libupdate.a: $(UPDATE_OBJ)
	@rm -f $@
	ar rcs $@ $^

# The encryption of the appliance's data partition; nothing of the node in it either.
$(VAULT): $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/vault/*.c))
	$(CC) $(LDFLAGS) -o $@ $^ -lcryptsetup -ltss2-esys -ltss2-mu -ltss2-tctildr -ljansson -lcrypto

# Two programs have roles of the same names: what includes the authority's headers links its roles, all
# else the node's. The library packs its messages with the roles' wire.c: hence the group.
AUTHORITY_USERS := $(shell grep -lE '"(authority[_/]|web_fixture)' tests/unit/*.c tests/fuzz/*.c)
role_archive = $(BUILD)/lib$(if $(filter $(1:$(BUILD)/%=%.c),$(AUTHORITY_USERS)),authority,roles).a
link_group = $(CC) $(LDFLAGS) $(1) -o $@ -Wl,--start-group $(filter-out %libauthority.a \
	%libroles.a,$^) $(call role_archive,$@) -Wl,--end-group $(LDLIBS)

$(UNIT) $(TOOLS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libctl.a $(BUILD)/libupdate.a \
		$(BUILD)/libauthority.a $(BUILD)/libroles.a $(LIB)
	$(call link_group) -lcmocka

$(BUILD)/libctl.a: $(CTL_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/libauthority.a: $(AUTHORITY_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(LOAD): $(LOAD_OBJ) $(BUILD)/libroles.a $(LIB)
	$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(LDLIBS) -lpthread

$(BUILD)/libroles.a: $(ROLE_OBJ)
	@rm -f $@
	ar rcs $@ $^

tools: $(TOOLS) $(LOAD)
vault: $(VAULT)
unit: $(UNIT)

# Targets for libFuzzer, and for AFL++ with FUZZ_CC=afl-clang-fast. They ask what their inputs must
# never bring about; tests/fuzz_test makes the seeds, runs them, and keeps what they find.
FUZZ_CC  = clang
FUZZ_SAN = fuzzer-no-link,address,undefined
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZERS  := $(FUZZ_SRC:%.c=$(BUILD)/%)
TIME     = 300

$(FUZZERS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libctl.a $(BUILD)/libauthority.a $(BUILD)/libroles.a \
		$(LIB)
	$(call link_group,-fsanitize=fuzzer)

fuzzers: $(FUZZERS)

fuzz: check-packages
	@$(MAKE) --no-print-directory -s -j$(JOBS) all tools
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=$(FUZZ_CC) SAN=$(FUZZ_SAN) fuzzers
	@TIME=$(TIME) FUZZ_CC=$(FUZZ_CC) tests/fuzz_test

# Packages are asked for only when one is missing, so that without them no rights are needed.
SUDO = $(if $(filter-out 0,$(shell id -u)),sudo)
install_debs = missing=$$(for p in $(1); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null \
	| grep -q 'ok installed' || echo $$p; done); test -z "$$missing" || { \
	echo "installing packages:" $$missing; $(SUDO) apt-get update -qq && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	$$missing; }

packages:
	@$(call install_debs,$(DEBS))

check-packages:
	@$(call install_debs,$(DEBS) $(CHECK_DEBS))
	@$(call install_debs,libclang-rt-$$(clang --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')-dev)
	@command -v npm >/dev/null || { $(call install_debs,nodejs npm); }

# The browser's driver and the judge of accessibility, in the versions of the lock file.
WEB_MODULES = build/web/node_modules/.package-lock.json
$(WEB_MODULES): tests/authority/package.json tests/authority/package-lock.json
	@mkdir -p build/web
	@cp $^ build/web/
	@cd build/web && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

web-modules: check-packages
	@$(MAKE) --no-print-directory -s $(WEB_MODULES)

JOBS = $(shell nproc)

demo: packages
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@tests/network/demo

sandbox: packages
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@tests/network/sandbox

# What valgrind is asked about: the parsers and what keeps the documents. The rest runs under the
# sanitizers only, which see more and are ten times faster.
VALGRIND_TESTS = $(filter $(patsubst %,$(BUILD)/tests/unit/%_test,reader envelope verify \
	register_reader conf ipc wire states store),$(UNIT))
NETWORK_TESTS  = $(wildcard tests/network/*_test) tests/install_test tests/fuzz_test tests/style_test \
	tests/events_test tests/vault_test
AUTHORITY_TESTS = $(wildcard tests/authority/*_test)
SAN_BUILD      = build/address-undefined

check: web-modules image-packages
	@echo "building: gcc, clang, sanitizers"
	@$(MAKE) --no-print-directory -s -j$(JOBS) all unit tools vault
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang all unit vault
	@$(MAKE) --no-print-directory -s -j$(JOBS) SAN=address,undefined all unit
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=$(FUZZ_CC) SAN=$(FUZZ_SAN) fuzzers
	@echo "building: image"
	@$(MAKE) --no-print-directory -s image BOARD=x86-64-uefi || echo "no image: its tests fail, the others run"
	@$(MAKE) --no-print-directory -s run-tests

run-tests:
	@rm -rf build/tests/logs
	@tests/run -o build/tests/logs network: $(NETWORK_TESTS) \
		authority: $(AUTHORITY_TESTS) unit: $(UNIT) \
		image: $(QUICK_IMAGE_TESTS) \
		sanitized: $(UNIT:$(BUILD)/%=$(SAN_BUILD)/%) valgrind: $(VALGRIND_TESTS)

PREFIX     = /usr
SYSCONFDIR = /etc
# Manual pages lie beside the code: NAME.SECTION in English, NAME.bg.SECTION in Bulgarian. Lines
# like @OPTIONS@ are filled by the programs from their tables.
MANPAGES   = $(wildcard src/*/*.[1578])
MAN_DIR    = $(BUILD)/share/man

manuals: all
	@rm -rf $(MAN_DIR)
	@mkdir -p $(BUILD)/gen $(MAN_DIR)
	@for l in en bg; do $(BUILD)/obmend --manual=$$l >$(BUILD)/gen/OPTIONS.$$l && \
		$(BUILD)/obmenctl --manual=$$l >$(BUILD)/gen/VERBS.$$l && \
		$(BUILD)/obmenctl --codes=$$l >$(BUILD)/gen/CODES.$$l && \
		$(BUILD)/obmen-authorityd --manual=$$l >$(BUILD)/gen/AUTHORITY_OPTIONS.$$l && \
		$(BUILD)/obmen-authority --manual=$$l >$(BUILD)/gen/AUTHORITY_VERBS.$$l || exit 1; done
	@for page in $(MANPAGES); do l=en; dir=$(MAN_DIR)/man$${page##*.}; name=$${page##*/}; \
		case $$name in *.bg.?) l=bg; dir=$(MAN_DIR)/bg/man$${page##*.}; \
			name=$${name%.bg.?}.$${page##*.} ;; esac; \
		mkdir -p $$dir && for table in OPTIONS VERBS CODES AUTHORITY_OPTIONS AUTHORITY_VERBS; do \
			echo "/^@$$table@/{r $(BUILD)/gen/$$table.$$l"; echo "d;}"; done \
			>$(BUILD)/gen/tables.sed && \
			sed -f $(BUILD)/gen/tables.sed $$page >$$dir/$$name || exit 1; done

install: all manuals
	install -D -m 755 $(BUILD)/obmend $(DESTDIR)$(PREFIX)/sbin/obmend
	install -D -m 755 $(BUILD)/obmenctl $(DESTDIR)$(PREFIX)/bin/obmenctl
	install -D -m 755 $(BUILD)/obmen-authorityd $(DESTDIR)$(PREFIX)/sbin/obmen-authorityd
	install -D -m 755 $(BUILD)/obmen-authority $(DESTDIR)$(PREFIX)/bin/obmen-authority
	for page in $$(cd $(MAN_DIR) && find . -type f); do install -D -m 644 $(MAN_DIR)/$$page \
		$(DESTDIR)$(PREFIX)/share/man/$$page || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(BUILD)/obmenctl completion bash \
		>$(DESTDIR)$(PREFIX)/share/bash-completion/completions/obmenctl
	$(BUILD)/obmenctl completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_obmenctl
	$(BUILD)/obmend --sample >$(BUILD)/obmen.conf.sample
	install -D -m 644 $(BUILD)/obmen.conf.sample $(DESTDIR)$(SYSCONFDIR)/obmen/obmen.conf.sample
	$(BUILD)/obmen-authorityd --sample >$(BUILD)/obmen-authority.conf.sample
	install -D -m 644 $(BUILD)/obmen-authority.conf.sample \
		$(DESTDIR)$(SYSCONFDIR)/obmen-authority/obmen-authority.conf.sample

include firmware/image.mk

# Not a timed test: figures are for people. FAST=1 takes under 50 s.
.PHONY: bench
bench: packages
	@$(MAKE) --no-print-directory -s -j$(JOBS) all $(LOAD)
	@tests/bench/bench $(if $(FAST),--fast)

help:
	@sed -n '/^# Obmen/,/^$$/s/^# \{0,1\}//p' Makefile

clean:
	rm -rf build

.PHONY: all fuzz fuzzers tools unit vault manuals packages check-packages demo sandbox check run-tests \
	web-modules install help clean
.SECONDARY:

-include $(shell find $(BUILD)/src $(BUILD)/tests -name '*.d' 2>/dev/null)
