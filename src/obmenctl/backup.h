/*
 * A backup: a tar file, encrypted so that openssl-enc(1) can open it too
 *	openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -md sha256 -in FILE -pass file:CODE | tar t
 * and, beside it in FILE.p7s, the node's detached CMS signature over the encrypted bytes.
 *
 *	manifest.json      {"made", "with_keys", "files": [{"name", "path"}]}: where configuration was
 *	store/store.db     the database
 *	store/spool/HEX    large bodies
 *	conf/NN-NAME       configuration, certificates, and keys if they were asked for
 */
#ifndef OBMENCTL_BACKUP_H
#define OBMENCTL_BACKUP_H

#include "obmenctl/ctl.h"

#define BACKUP_DB "store/store.db"
#define BACKUP_SPOOL "store/spool/"
#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_CODE_MIN 12 /* characters of a passphrase */
#define BACKUP_CODE_MAX 256

/* The verbs; restore needs no node. */
enum exit_status run_backup_create(struct ctl *, struct command *);
enum exit_status run_backup_restore(struct ctl *, struct command *);

/* -- backup_crypt.c */

/* The first line of a file, or of standard input for "-". False: said already. */
bool backup_code_read(struct ctl *, const char *path, char out[BACKUP_CODE_MAX]);
/* A new recovery code: 128 random bits in eight groups of letters and digits that nobody confuses. */
bool backup_code_new(char out[BACKUP_CODE_MAX]);
/* Everything from one descriptor to the other. False: a short read or write, or (decrypting) a wrong
 * code. */
bool backup_encrypt(int in, int out, const char *code);
bool backup_decrypt(int in, int out, const char *code);

#endif
