/* The configuration: every default, every kind of mistake with its place and a hint. */
#include "lib/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/conf_table.h"
#include "lib/nearest.h"

#define GENERAL "ca-file = /ca.pem\nregister-url = https://r.example/s/\n"
#define MAIN "[certificate main]\nfile = /c.pem\nkey = /k.pem\n"
#define LISTEN "[listen 127.0.0.1:8443]\n"
#define OWN                                                                                        \
	"[participant {11111111-2222-3333-4444-555555555555}]\neik = 123456789\nname = \"Община \\\"А\\\"\"\n"
#define WHOLE GENERAL MAIN LISTEN OWN

static struct conf *
parse(const char *text, char *errors, size_t size)
{
	return conf_parse("t.conf", text, strlen(text), errors, size);
}

static void
assert_refused(const char *text, const char *expected)
{
	char errors[4096];
	struct conf *c = parse(text, errors, sizeof errors);

	if (c || strcmp(errors, expected) != 0)
		print_error("got:\n%sexpected:\n%s", errors, expected);
	assert_null(c);
	assert_string_equal(errors, expected);
}

static void
defaults(void **state)
{
	char errors[4096];
	struct conf *c = parse(WHOLE, errors, sizeof errors);

	(void)state;
	assert_string_equal(errors, "");
	assert_non_null(c);
	assert_string_equal(c->state_directory, "/var/lib/obmen");
	assert_string_equal(c->user_prefix, "obmen");
	assert_int_equal(c->language, LANGUAGE_BG);
	assert_null(c->crl_file);
	assert_true(c->accept_sha1);
	assert_false(c->tls_client_binding);
	assert_int_equal(c->signature, SIGN_AUTO);
	assert_int_equal(c->register_interval, 600);
	assert_int_equal(c->register_full_interval, 86400);
	assert_int_equal(c->register_shrink_percent, 5);
	assert_int_equal(c->register_shrink_count, 10);
	assert_int_equal(c->message_max, 100 << 20);
	assert_int_equal(c->memory_in_flight, 32 << 20);
	assert_int_equal(c->retry_first, 900);
	assert_int_equal(c->retry_count, 10);
	assert_int_equal(c->poll_first, 4 * 3600);
	assert_int_equal(c->poll_interval, 86400);
	assert_int_equal(c->expire_after, 60 * 86400);
	assert_int_equal(c->breaker_failures, 5);
	assert_int_equal(c->certificate_count, 1);
	assert_string_equal(c->certificates[0].name, "main");
	assert_int_equal(c->listens[0].certificate, 0);
	assert_string_equal(c->participants[0].name, "Община \"А\"");
	assert_null(conf_peer(c, &c->participants[0].guid));
	assert_ptr_equal(conf_participant(c, &c->participants[0].guid), &c->participants[0]);
	conf_free(c);
}

static void
values(void **state)
{
	char errors[4096];
	struct conf *c = parse("# comment\n"
	                       "retry-first = 90 # seconds\n"
	                       "  poll-first=2 min\r\n"
	                       "message-max = 1GiB\n"
	                       "user-prefix =\n"
	                       "crl-file =\n"
	                       "state-directory = \"/a # b\"\n"
	                       "language = en\naccept-sha1 = no\nsignature = sha256\n" GENERAL MAIN
	                       "[certificate second]\nfile = /d\nkey = /e\n"
	                       "[listen [::]:443]\ncertificate = second\n" OWN "certificate = main\n"
	                       "[peer 11111111-2222-3333-4444-666666666666]\ntls-legacy = yes\n",
	    errors, sizeof errors);

	(void)state;
	assert_string_equal(errors, "");
	assert_int_equal(c->retry_first, 90);
	assert_int_equal(c->poll_first, 120);
	assert_int_equal(c->message_max, 1 << 30);
	assert_string_equal(c->user_prefix, "");
	assert_null(c->crl_file);
	assert_string_equal(c->state_directory, "/a # b");
	assert_int_equal(c->language, LANGUAGE_EN);
	assert_false(c->accept_sha1);
	assert_int_equal(c->signature, SIGN_SHA256);
	assert_int_equal(c->listens[0].certificate, 1);
	assert_string_equal(c->listens[0].address, "[::]:443");
	assert_true(c->peers[0].tls_legacy);
	assert_true(c->peers[0].expect_continue);
	assert_ptr_equal(conf_peer(c, &c->peers[0].guid), &c->peers[0]);
	conf_free(c);
}

static void
mistakes_have_a_place_and_a_hint(void **state)
{
	(void)state;
	assert_refused("language = en\nretry-frist = 900\n" WHOLE,
	    "t.conf:2: retry-frist: no such option here; perhaps retry-first\n");
	assert_refused("retry-frist = 900\n" WHOLE,
	    "t.conf:1: retry-frist: няма такава настройка тук; може би retry-first\n");
	assert_refused("language = en\nwhatsoever = 1\n" WHOLE, "t.conf:2: whatsoever: no such option here\n");
	assert_refused("language = en\nretry-first = 0\n" WHOLE,
	    "t.conf:2: retry-first: \"0\" will not do; expected duration (s, min, h, d), 1s - 1d\n");
	assert_refused("language = en\nretry-first = 15 minutes\n" WHOLE,
	    "t.conf:2: retry-first: \"15 minutes\" will not do; expected duration (s, min, h, d), 1s - 1d\n");
	assert_refused("language = en\nretry-first = -1\n" WHOLE,
	    "t.conf:2: retry-first: \"-1\" will not do; expected duration (s, min, h, d), 1s - 1d\n");
	assert_refused("language = en\nmessage-max = 99999999999999999999\n" WHOLE,
	    "t.conf:2: message-max: \"99999999999999999999\" will not do; expected size (KiB, MiB, GiB), "
	    "64KiB - 4GiB\n");
	assert_refused("language = en\nsignature = md5\n" WHOLE,
	    "t.conf:2: signature: \"md5\" will not do; expected auto, sha1, sha256\n");
	assert_refused("language = en\naccept-sha1 = maybe\n" WHOLE,
	    "t.conf:2: accept-sha1: \"maybe\" will not do; expected yes or no\n");
	assert_refused("language = en\ncodecs = 1\ncodecs = 2\n" WHOLE, "t.conf:3: codecs: given twice\n");
	assert_refused("language = en\nnonsense\n" WHOLE, "t.conf:2: the line is not \"key = value\"\n");
	assert_refused("language = en\nca-file = \"open\n" WHOLE, "t.conf:2: the line is not \"key = value\"\n");
	assert_refused("language = en\neik = 123456789\n" WHOLE,
	    "t.conf:2: eik: this option belongs elsewhere [participant]\n");
	assert_refused("language = en\nca-file =\n" "register-url = https://r/\n" MAIN LISTEN OWN,
	    "t.conf:2: ca-file: \"\" will not do; expected path\n");
	assert_refused("language = en\nca-file = /a\nregister-url = http://r/\n" MAIN LISTEN OWN,
	    "t.conf:3: register-url: \"http://r/\" will not do; expected address, https://\n");
}

static void
sections_are_checked(void **state)
{
	(void)state;
	assert_refused("language = en\n" WHOLE "[certifcate x]\nfile = /a\nkey = /b\n",
	    "t.conf:11: certifcate: no such section; perhaps certificate\n");
	assert_refused("language = en\n" WHOLE "[certificate main]\nfile = /a\nkey = /b\n",
	    "t.conf:11: main: given twice\n");
	assert_refused("language = en\n" WHOLE "[certificate b]\nfile = /a\n",
	    "t.conf:11: key: is missing\n");
	assert_refused("language = en\n" WHOLE "[certificate b]\nfile = /a\nkey = /b\n",
	    "t.conf: [listen 127.0.0.1:8443] certificate: is missing\n"
	    "t.conf: [participant {11111111-2222-3333-4444-555555555555}] certificate: is missing\n");
	assert_refused("language = en\n" GENERAL MAIN LISTEN OWN "certificate = other\n",
	    "t.conf: [participant {11111111-2222-3333-4444-555555555555}] certificate: there is no such "
	    "[certificate] section other\n");
	assert_refused("language = en\n" GENERAL MAIN LISTEN
	               "[participant {11111111-2222-3333-4444-555555555555}]\neik = 12345\nname = x\n",
	    "t.conf:9: eik: \"12345\" will not do; expected 9 or 13 digits\n");
	assert_refused("language = en\n" WHOLE "[listen localhost:80]\n",
	    "t.conf:11: listen: the section's name is not valid; expected ADDRESS:PORT\n");
	assert_refused("language = en\n" WHOLE "[listen 1.2.3.4:0]\n",
	    "t.conf:11: listen: the section's name is not valid; expected ADDRESS:PORT\n");
	assert_refused("language = en\n" WHOLE "[peer {123}]\n",
	    "t.conf:11: peer: the section's name is not valid; expected {GUID}\n");
	assert_refused("language = en\nstate-directory = /x\n",
	    "t.conf:1: ca-file: is missing\nt.conf:1: register-url: is missing\n"
	    "t.conf: at least one [certificate NAME] section is needed\n"
	    "t.conf: at least one [participant {GUID}] section is needed\n"
	    "t.conf: at least one [listen ADDRESS:PORT] section is needed\n");
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
includes(void **state)
{
	char folder[] = "/tmp/conf-test-XXXXXX", path[128], other[128], errors[4096], expected[512];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/main.conf", folder);
	snprintf(other, sizeof other, "%s/own.conf", folder);
	write_file(path, "language = en\n" GENERAL "include own.conf\n" LISTEN OWN "wrong = 1\n");
	write_file(other, "\n" MAIN "bad = 1\n");
	assert_null(conf_load(path, errors, sizeof errors));
	snprintf(expected, sizeof expected,
	    "%s:5: bad: no such option here\n%s:9: wrong: no such option here\n", other, path);
	assert_string_equal(errors, expected);
	write_file(path, GENERAL "include own.conf\n" LISTEN OWN);
	write_file(other, MAIN);
	struct conf *c = conf_load(path, errors, sizeof errors);
	assert_non_null(c);
	conf_free(c);
	write_file(other, "include own.conf\n");
	assert_null(conf_load(path, errors, sizeof errors));
	assert_non_null(strstr(errors, "too deep"));
	unlink(other);
	assert_null(conf_load(path, errors, sizeof errors));
	assert_non_null(strstr(errors, "own.conf: No such file"));
	unlink(path);
	rmdir(folder);
}

/* The file that --sample prints must be one that --check accepts. */
static void
the_sample_is_valid(void **state)
{
	(void)state;
	for (enum language l = LANGUAGE_BG; l <= LANGUAGE_EN; l++) {
		char *text = NULL, errors[4096], *at;
		size_t len;
		FILE *f = open_memstream(&text, &len);
		conf_sample_by(&conf_schema, f, l);
		fclose(f);
		at = strstr(text, "eik = 000000000\n");
		assert_non_null(at);
		struct conf *c = conf_parse("sample", text, len, errors, sizeof errors);
		assert_string_equal(errors, "");
		conf_free(c);
		/* With the comment signs before values removed, too. */
		for (at = text; (at = strstr(at, "\n#")); at++) {
			if (at[2] != ' ')
				at[1] = ' ';
		}
		c = conf_parse("sample", text, len, errors, sizeof errors);
		assert_string_equal(errors, "");
		conf_free(c);
		free(text);
	}
}

static void
every_option_is_explained(void **state)
{
	char *manual = NULL, entry[80];
	size_t len;
	FILE *f = open_memstream(&manual, &len);

	(void)state;
	conf_manual_by(&conf_schema, f, LANGUAGE_EN);
	fclose(f);
	for (size_t i = 0; i < conf_schema.option_count; i++) {
		const struct conf_option *o = &conf_schema.options[i];
		assert_true(o->text[LANGUAGE_BG] && *o->text[LANGUAGE_BG]);
		assert_true(o->text[LANGUAGE_EN] && *o->text[LANGUAGE_EN]);
		assert_true(o->min <= o->max);
		snprintf(entry, sizeof entry, ".It Cm %s\n", o->key);
		assert_non_null(strstr(manual, entry));
	}
	free(manual);
}

static void
random_text_does_no_harm(void **state)
{
	static const char alphabet[] = "\n\n[]={}\"\\# abc\x80\xd0\xb0" "certificate participant peer listen 1";
	uint64_t seed = 42;
	char text[300], errors[512];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = 0;
		for (; len < sizeof text; len++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[len] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
		}
		assert_null(conf_parse("t", text, len, errors, sizeof errors));
		assert_true(strlen(errors) > 0);
	}
}

static void
reload_takes_what_may_change(void **state)
{
	static const char before[] = GENERAL "retry-count = 3\nmessage-max = 1MiB\nlog-level = info\n" MAIN
	    LISTEN OWN "[peer {11111111-2222-3333-4444-000000000001}]\nsignature = sha1\n";
	static const char after[] = "ca-file = /other.pem\nregister-url = https://s.example/\n"
	    "retry-count = 4\nmessage-max = 1MiB\nlog-level = debug\nlanguage = en\n" MAIN
	    "[listen 127.0.0.1:8444]\n" OWN
	    "[peer {11111111-2222-3333-4444-000000000001}]\nsignature = sha256\ntls-legacy = yes\n"
	    "[peer {11111111-2222-3333-4444-000000000002}]\nbridge = yes\ntls-legacy = no\n";
	char errors[4096];
	struct conf *c = parse(before, errors, sizeof errors), *fresh = parse(after, errors, sizeof errors);
	struct buf kept = {0};

	(void)state;
	assert_non_null(c);
	assert_non_null(fresh);
	conf_reload(c, fresh, &kept);
	assert_string_equal(buf_str(&kept),
	    "ca-file, [listen], [peer {11111111-2222-3333-4444-000000000001}] tls-legacy");
	assert_string_equal(c->ca_file, "/ca.pem");
	assert_string_equal(c->register_url, "https://s.example/");
	assert_string_equal(c->listens[0].address, "127.0.0.1:8443");
	assert_int_equal(c->retry_count, 4);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_int_equal(c->language, LANGUAGE_EN);
	assert_int_equal(c->peer_count, 2);
	assert_int_equal(c->peers[0].signature, SIGN_SHA256);
	assert_false(c->peers[0].tls_legacy);
	assert_true(c->peers[1].bridge);
	/* Nothing differs: nothing is named. */
	buf_reset(&kept);
	conf_reload(c, parse(before, errors, sizeof errors), &kept);
	assert_int_equal(kept.len, 0);
	assert_int_equal(c->retry_count, 3);
	assert_int_equal(c->peer_count, 1);
	buf_free(&kept);
	conf_free(c);
}

static void
nearest_words(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance("frist", "first"), 1);
	assert_int_equal(nearest_distance("", "abc"), 3);
	struct nearest n = {.word = "xyz"};
	nearest_offer(&n, "listen");
	assert_null(n.best);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(mistakes_have_a_place_and_a_hint),
		cmocka_unit_test(sections_are_checked),
		cmocka_unit_test(includes),
		cmocka_unit_test(the_sample_is_valid),
		cmocka_unit_test(every_option_is_explained),
		cmocka_unit_test(random_text_does_no_harm),
		cmocka_unit_test(reload_takes_what_may_change),
		cmocka_unit_test(nearest_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
