/*
 * obmen-vault: the encryption of the appliance's data partition. Runs as root while the box starts, and
 * at the console for a new recovery code. Its texts are in both languages: at that hour nothing has been
 * configured yet.
 */
#include "vault/code.h"
#include "vault/tpm.h"
#include "vault/volume.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_ENCRYPTED 3 /* status of `open`: at the usual start one run of the program is enough */

extern char **environ;

/* How the kernel offers the TPM; -T names another one, for tests. */
static const char *tcti = "device:/dev/tpmrm0";

static void
say(const char *bg, const char *en)
{
	printf("%s\n%s\n", bg, en);
	fflush(stdout);
}

static int
fail(const char *what)
{
	fprintf(stderr, "obmen-vault: %s\n", what);
	return 1;
}

static void
show_code(const char *code)
{
	printf("\n========================================================================\n");
	say("КОД ЗА ВЪЗСТАНОВЯВАНЕ на данните:", "RECOVERY CODE of the data:");
	printf("\n  %s\n\n", code);
	say("Запишете го и го пазете далеч от машината. Той отваря диска, когато TPM не може:\n"
	    "друга машина, нов фърмуер, променен Secure Boot. Повече няма да бъде показан.",
	    "Write it down and keep it away from the machine. It opens the disk when the TPM\n"
	    "cannot: other machine, new firmware, changed Secure Boot. It is not shown again.");
	printf("========================================================================\n\n");
	fflush(stdout);
}

static int
kind(char **arguments)
{
	static const char *const names[] = {
	    [VOLUME_EMPTY] = "empty", [VOLUME_UNFINISHED] = "unfinished",
	    [VOLUME_ENCRYPTED] = "encrypted", [VOLUME_OTHER] = "other",
	    [VOLUME_UNREADABLE] = "unreadable",
	};

	puts(names[volume_kind(arguments[0])]);
	return 0;
}

static bool
run(char **command)
{
	pid_t pid;
	int status;

	return posix_spawnp(&pid, command[0], NULL, NULL, command, environ) == 0 &&
	    waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A secret that the TPM has sealed. */
static bool
new_secret(struct tpm *t, uint8_t secret[TPM_SECRET_SIZE], struct sealed *sealed)
{
	return RAND_priv_bytes(secret, TPM_SECRET_SIZE) == 1 && tpm_seal(t, secret, sealed);
}

/* Both keys, and then, which makes it whole, the token. */
static bool
finish(struct crypt_device *cd, const uint8_t *secret, const struct sealed *sealed, const char *code)
{
	int slot = volume_add(cd, NULL, 0, secret, TPM_SECRET_SIZE);

	return slot >= 0 && volume_add(cd, NULL, 0, code, strlen(code)) >= 0 &&
	    volume_set_sealed(cd, sealed, slot);
}

/* NAME "-" of a verb: the volume is worked on but not mapped. */
static const char *
mapping(const char *name)
{
	return strcmp(name, "-") == 0 ? NULL : name;
}

/* make DEVICE NAME COMMAND...: the command makes the file system in /dev/mapper/NAME. */
static int
make(char **arguments)
{
	uint8_t secret[TPM_SECRET_SIZE];
	char code[CODE_SIZE];
	struct sealed sealed;
	struct tpm *t = tpm_open(tcti);
	enum volume_kind k = volume_kind(arguments[0]);

	if (k != VOLUME_EMPTY && k != VOLUME_UNFINISHED)
		return tpm_close(t), fail("there is something on the partition");
	/* The TPM is asked first: without it the partition stays as it is. */
	if (!t || !new_secret(t, secret, &sealed) || !code_new(code))
		return tpm_close(t), fail("the TPM does not seal");
	struct crypt_device *cd = volume_format(arguments[0]);
	const char *name = mapping(arguments[1]);
	bool done = cd && (!name || volume_map(cd, name)) && run(arguments + 2) &&
	    finish(cd, secret, &sealed, code);
	if (done)
		show_code(code);
	else if (cd && name)
		crypt_deactivate(cd, name);
	OPENSSL_cleanse(secret, sizeof secret);
	OPENSSL_cleanse(code, sizeof code);
	crypt_free(cd);
	tpm_close(t);
	return done ? 0 : fail("the encrypted partition was not made");
}

/* Opens with what the TPM keeps, and gives that secret; the slot, or -1. */
static int
open_by_tpm(struct tpm *t, struct crypt_device *cd, const char *name, uint8_t secret[TPM_SECRET_SIZE])
{
	struct sealed sealed;
	int slot;

	if (!t || !volume_sealed(cd, &sealed, &slot) || !tpm_unseal(t, &sealed, secret))
		return -1;
	return volume_open(cd, name, secret, TPM_SECRET_SIZE);
}

/* Asks until the code opens the volume; its slot, or -1 when nobody can answer. */
static int
open_by_code(struct crypt_device *cd, const char *name, char code[CODE_SIZE])
{
	char line[256];

	for (;;) {
		say("Код за възстановяване (8 групи по 6 цифри):", "Recovery code (8 groups of 6 digits):");
		if (!fgets(line, sizeof line, stdin))
			return -1;
		int wrong = code_read(line, code);
		int slot = wrong == 0 ? volume_open(cd, name, code, strlen(code)) : -1;
		OPENSSL_cleanse(line, sizeof line);
		if (slot >= 0)
			return slot;
		if (wrong > 0)
			printf("Група %d е сгрешена.\nGroup %d is wrong.\n", wrong, wrong);
		else if (wrong < 0)
			say("Кодът има 48 цифри.", "The code has 48 digits.");
		else
			say("Този код не е за този диск.", "This code is not for this disk.");
	}
}

/* From now on this TPM, in its present state, opens the volume, and what did so before does not. */
static bool
reseal(struct tpm *t, struct crypt_device *cd, const char *code, int code_slot)
{
	uint8_t secret[TPM_SECRET_SIZE];
	struct sealed sealed;
	bool done = t && new_secret(t, secret, &sealed);
	int slot = done ? volume_add(cd, code, strlen(code), secret, TPM_SECRET_SIZE) : -1;

	done = slot >= 0 && volume_set_sealed(cd, &sealed, slot) && volume_keep(cd, slot, code_slot);
	OPENSSL_cleanse(secret, sizeof secret);
	return done;
}

static int
recover(struct tpm *t, struct crypt_device *cd, const char *name)
{
	char code[CODE_SIZE];

	say("Данните са шифровани и TPM на тази машина не ги отваря.",
	    "The data are encrypted, and the TPM of this machine does not open them.");
	int slot = open_by_code(cd, name, code);
	if (slot < 0)
		return fail("no recovery code was given");
	if (reseal(t, cd, code, slot))
		say("Отворени. Отсега TPM на тази машина ги отваря сам.",
		    "Opened. From now on the TPM of this machine opens them by itself.");
	else
		say("Отворени. Тук TPM няма или не отговаря: кодът ще бъде поискан пак.",
		    "Opened. There is no TPM here, or it does not answer: the code will be asked for again.");
	OPENSSL_cleanse(code, sizeof code);
	return 0;
}

/* open DEVICE NAME: with the TPM, else with the recovery code. */
static int
open_volume(char **arguments)
{
	uint8_t secret[TPM_SECRET_SIZE];
	const char *name = mapping(arguments[1]);

	if (volume_kind(arguments[0]) != VOLUME_ENCRYPTED)
		return NOT_ENCRYPTED;
	struct crypt_device *cd = volume_load(arguments[0]);
	if (!cd)
		return fail("the partition cannot be read");
	struct tpm *t = tpm_open(tcti);
	int status = open_by_tpm(t, cd, name, secret) >= 0 ? 0 : recover(t, cd, name);
	OPENSSL_cleanse(secret, sizeof secret);
	tpm_close(t);
	crypt_free(cd);
	return status;
}

/* renew DEVICE: another recovery code; the one before opens nothing more. */
static int
renew(char **arguments)
{
	uint8_t secret[TPM_SECRET_SIZE];
	char code[CODE_SIZE];
	struct crypt_device *cd = volume_load(arguments[0]);

	if (!cd)
		return fail("the partition is not encrypted");
	struct tpm *t = tpm_open(tcti);
	int slot = open_by_tpm(t, cd, NULL, secret);
	int fresh = slot >= 0 && code_new(code)
	    ? volume_add(cd, secret, TPM_SECRET_SIZE, code, strlen(code)) : -1;
	bool done = fresh >= 0 && volume_keep(cd, slot, fresh);
	if (done)
		show_code(code);
	OPENSSL_cleanse(secret, sizeof secret);
	OPENSSL_cleanse(code, sizeof code);
	tpm_close(t);
	crypt_free(cd);
	return done ? 0 : fail("the TPM does not open the data; the recovery code stays as it was");
}

static const struct verb {
	const char *name;
	int least, most;
	int (*run)(char **arguments);
} verbs[] = {
    {"kind", 1, 1, kind}, {"make", 3, 32, make}, {"open", 2, 2, open_volume}, {"renew", 1, 1, renew},
};

int
main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+T:")) == 'T')
		tcti = optarg;
	int n = argc - optind - 1;
	for (size_t i = 0; option == -1 && i < sizeof verbs / sizeof *verbs; i++)
		if (n >= verbs[i].least && n <= verbs[i].most && strcmp(argv[optind], verbs[i].name) == 0)
			return verbs[i].run(argv + optind + 1);
	fputs("usage: obmen-vault [-T TCTI] kind DEVICE | make DEVICE NAME COMMAND... |\n"
	      "       open DEVICE NAME | renew DEVICE\n", stderr);
	return 2;
}
