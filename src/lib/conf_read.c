#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/conf_schema.h"

#define FILE_MAX ((off_t)1 << 20)
#define INCLUDE_DEPTH 4
#define TEXT_MAX ((size_t)4 << 20)

struct reading {
	struct buf *text;
	char *errors;
	size_t errors_size;
	unsigned depth;
};

static bool
fail(struct reading *r, const char *path, const char *why)
{
	snprintf(r->errors, r->errors_size, "%s: %s\n", path, why);
	return false;
}

/* A whole small file, NUL-terminated, or NULL with errno. */
static char *
slurp(const char *path, size_t *len)
{
	struct stat st;
	char *data = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		errno = EFBIG;
	else
		data = malloc((size_t)st.st_size + 1);
	ssize_t n = data ? read(fd, data, (size_t)st.st_size) : -1;
	if (n < 0) {
		free(data);
		data = NULL;
	} else {
		data[n] = 0;
		*len = (size_t)n;
	}
	close(fd);
	return data;
}

static bool read_file(struct reading *, const char *path);

/* The path behind "include", relative to the folder of the including file. */
static bool
include(struct reading *r, const char *from, const char *line, size_t len)
{
	char name[512], path[1024];

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	if (len >= 2 && line[0] == '"' && line[len - 1] == '"')
		line++, len -= 2;
	snprintf(name, sizeof name, "%.*s", (int)len, line);
	const char *slash = strrchr(from, '/');
	if (name[0] == '/' || !slash)
		snprintf(path, sizeof path, "%s", name);
	else
		snprintf(path, sizeof path, "%.*s/%s", (int)(slash - from), from, name);
	return read_file(r, path);
}

/* Copies a file line by line; conf_parse reads the markers to know where it is. */
static bool
copy_lines(struct reading *r, const char *path, const char *text)
{
	unsigned number = 0;

	buf_addf(r->text, "#@ 1 %s\n", path);
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *word = text + strspn(text, " \t");
		number++;
		if (strncmp(word, "include", 7) == 0 && (word[7] == ' ' || word[7] == '\t')) {
			const char *name = word + 7 + strspn(word + 7, " \t");
			if (!include(r, path, name, (size_t)(text + len - name)))
				return false;
			buf_addf(r->text, "#@ %u %s\n", number + 1, path);
		} else {
			buf_add(r->text, text, len);
			buf_addc(r->text, '\n');
		}
		text += len + (text[len] == '\n');
	}
	return true;
}

static bool
read_file(struct reading *r, const char *path)
{
	size_t len;

	if (r->depth >= INCLUDE_DEPTH)
		return fail(r, path, "include inside include is too deep");
	char *text = slurp(path, &len);
	if (!text)
		return fail(r, path, strerror(errno));
	if (strlen(text) != len) {
		free(text);
		return fail(r, path, "holds a zero byte");
	}
	r->depth++;
	bool ok = copy_lines(r, path, text);
	r->depth--;
	free(text);
	if (ok && (r->text->failed || r->text->len > TEXT_MAX))
		return fail(r, path, "too large");
	return ok;
}

bool
conf_read(const char *path, struct buf *text, char *errors, size_t errors_size)
{
	struct reading r = {.text = text, .errors = errors, .errors_size = errors_size};

	return read_file(&r, path);
}
