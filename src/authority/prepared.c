#include "authority/prepared.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "process/wire.h"
#include "soap/register_answer.h"

#define TEXT_MAX ((size_t)512 << 20)
#define MAGIC 0x6f626d656e2d7231 /* of this layout */

/* The last bytes of the memory. */
struct trailer {
	uint64_t magic;
	uint64_t answer_len, index_at, count;
	when newest;
};

/* The whole answer is complete: what follows are removed ones. */
static bool
end_answer(struct prepared_writer *w)
{
	char newest[WHEN_TEXT_SIZE];

	if (w->newest != WHEN_NONE)
		register_date(w->newest, newest);
	register_answer_tail(&w->text, REGISTER_ALL, w->newest == WHEN_NONE ? NULL : newest);
	w->answer_len = w->text.len;
	return !w->text.failed;
}

bool
prepared_begin(struct prepared_writer *w, size_t entities)
{
	*w = (struct prepared_writer){.text.max = TEXT_MAX, .index.max = TEXT_MAX,
	    .newest = WHEN_NONE, .left = entities};
	register_answer_head(&w->text, REGISTER_ALL, entities);
	return entities > 0 ? !w->text.failed : end_answer(w);
}

bool
prepared_add(struct prepared_writer *w, const struct prepared_entry *entry, const char *xml)
{
	struct prepared_entry e = *entry;
	size_t len = strlen(xml);

	if (e.removed != (w->left == 0) || len > UINT32_MAX)
		return false;
	e.at = w->text.len;
	e.len = (uint32_t)len;
	buf_add(&w->text, xml, len);
	buf_add(&w->index, &e, sizeof e);
	if (w->text.failed || w->index.failed)
		return false;
	if (e.removed)
		return true;
	if (e.changed > w->newest)
		w->newest = e.changed;
	return --w->left > 0 || end_answer(w);
}

int
prepared_finish(struct prepared_writer *w)
{
	struct trailer t = {.magic = MAGIC, .answer_len = w->answer_len,
	    .count = w->index.len / sizeof(struct prepared_entry), .newest = w->newest};
	int fd = -1;

	while (w->text.len % 8 && buf_addc(&w->text, 0))
		;
	t.index_at = w->text.len;
	buf_add(&w->text, w->index.data, w->index.len);
	buf_add(&w->text, &t, sizeof t);
	if (w->left == 0 && !w->text.failed)
		fd = wire_memfd("register", w->text.data, w->text.len);
	buf_free(&w->text);
	buf_free(&w->index);
	return fd;
}

static bool
entries_valid(const struct prepared *p, uint64_t text_len)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct prepared_entry *e = &p->entries[i];
		if (e->at > text_len || e->len > text_len - e->at ||
		    !memchr(e->eik, 0, sizeof e->eik) || !memchr(e->serial, 0, sizeof e->serial))
			return false;
	}
	return true;
}

static bool
read_map(struct prepared *p)
{
	struct trailer t;

	if (p->size < sizeof t)
		return false;
	memcpy(&t, p->map + p->size - sizeof t, sizeof t);
	uint64_t end = p->size - sizeof t;
	if (t.magic != MAGIC || t.index_at % 8 || t.index_at > end || t.answer_len > t.index_at ||
	    t.count > (end - t.index_at) / sizeof *p->entries)
		return false;
	p->answer_len = (size_t)t.answer_len;
	p->entries = (const void *)(p->map + t.index_at);
	p->count = (size_t)t.count;
	p->newest = t.newest;
	return entries_valid(p, t.index_at);
}

struct prepared *
prepared_open(int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct prepared *p = calloc(1, sizeof *p);
	struct stat st;

	if (!p) {
		close(fd);
		return NULL;
	}
	p->fd = fd;
	if (fstat(fd, &st) == 0 && (fcntl(fd, F_GET_SEALS) & seals) == seals && st.st_size > 0) {
		void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		p->map = map == MAP_FAILED ? NULL : map;
		p->size = (size_t)st.st_size;
	}
	if (p->map && read_map(p))
		return p;
	log_error("desk.bad-register", "reason=\"damaged\"");
	prepared_free(p);
	return NULL;
}

void
prepared_free(struct prepared *p)
{
	if (!p)
		return;
	if (p->map)
		munmap((void *)p->map, p->size);
	close(p->fd);
	free(p);
}
