/*
 * A secret sealed by the machine's TPM 2.0: only this TPM gives it back, and only while PCR 7 (whether
 * Secure Boot is on, and with whose keys) is what it was when the secret was sealed.
 *
 * The secret travels to and from the chip encrypted, in a session salted with the storage key: a probe
 * on the bus does not see it. The storage key is derived anew each time; nothing is kept in the TPM.
 */
#ifndef OBMEN_VAULT_TPM_H
#define OBMEN_VAULT_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_SECRET_SIZE 32
#define TPM_SEALED_SIZE 1024

/* What the TPM makes of a secret: worthless without that TPM. */
struct sealed {
	uint8_t bytes[TPM_SEALED_SIZE];
	size_t size;
};

struct tpm;

/* `tcti`: how the TPM is reached, in the form of Tss2_TctiLdr_Initialize(3). NULL: there is none that
 * answers. */
struct tpm *tpm_open(const char *tcti);
void tpm_close(struct tpm *t);

/* False: the TPM refused; tpm_error() says why. */
bool tpm_seal(struct tpm *t, const uint8_t secret[TPM_SECRET_SIZE], struct sealed *out);
bool tpm_unseal(struct tpm *t, const struct sealed *in, uint8_t secret[TPM_SECRET_SIZE]);

/* The TPM's last answer, a TSS2_RC. */
uint32_t tpm_error(const struct tpm *t);

#endif
