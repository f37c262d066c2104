#include <stdlib.h>
#include <string.h>

#include "lib/fold.h"
#include "obmenctl/ctl.h"

#define LEAST_WIDTH 8 /* a flexible column is not cut below that */
#define GAP 2

struct table {
	struct ctl *ctl;
	unsigned columns;
	const char *titles[TABLE_COLUMNS];
	bool flexible[TABLE_COLUMNS];
	size_t widths[TABLE_COLUMNS];
	char **cells;
	size_t count, room;
};

struct table *
table_new(struct ctl *ctl)
{
	struct table *t = calloc(1, sizeof *t);

	if (t)
		t->ctl = ctl;
	return t;
}

void
table_column(struct table *t, const char *title, bool flexible)
{
	if (!t || t->columns == TABLE_COLUMNS)
		return;
	t->titles[t->columns] = title;
	t->flexible[t->columns] = flexible;
	t->widths[t->columns++] = fold_columns(title);
}

void
table_cell(struct table *t, const char *text)
{
	if (!t || t->columns == 0)
		return;
	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		char **cells = realloc(t->cells, room * sizeof *cells);
		if (!cells)
			return;
		t->cells = cells;
		t->room = room;
	}
	char *copy = strdup(text ? text : "");
	if (!copy)
		return;
	size_t *width = &t->widths[t->count % t->columns], columns = fold_columns(copy);
	if (columns > *width)
		*width = columns;
	t->cells[t->count++] = copy;
}

static size_t
total_width(const struct table *t)
{
	size_t n = 0;

	for (unsigned i = 0; i < t->columns; i++)
		n += t->widths[i] + (i ? GAP : 0);
	return n;
}

/* Takes columns from the widest flexible one until the line fits. */
static void
fit(struct table *t, size_t width)
{
	while (total_width(t) > width) {
		size_t *widest = NULL;
		for (unsigned i = 0; i < t->columns; i++) {
			if (t->flexible[i] && (!widest || t->widths[i] >= *widest))
				widest = &t->widths[i];
		}
		if (!widest || *widest <= LEAST_WIDTH)
			return;
		(*widest)--;
	}
}

/* Text in a field of this width: cut with an ellipsis, or padded unless it is the last. */
static void
print_cell(FILE *f, const char *text, size_t width, bool last)
{
	size_t columns = fold_columns(text), n = 0;

	if (columns <= width) {
		fputs(text, f);
		for (; !last && columns < width; columns++)
			fputc(' ', f);
		return;
	}
	while (*text && n + 1 < width) {
		char letter[5] = {*text++};
		for (size_t i = 1; i < 4 && ((unsigned char)*text & 0xc0) == 0x80; i++)
			letter[i] = *text++;
		n += fold_columns(letter);
		fputs(letter, f);
	}
	fputs("…", f);
	for (n++; !last && n < width; n++)
		fputc(' ', f);
}

static void
print_row(const struct table *t, const char *const *cells, unsigned indent)
{
	unsigned last = t->columns;
	FILE *f = t->ctl->out;

	while (last > 0 && !*cells[last - 1])
		last--;
	for (unsigned i = 0; last && i < indent; i++)
		fputc(' ', f);
	for (unsigned i = 0; i < last; i++) {
		if (i)
			fputs("  ", f);
		print_cell(f, cells[i], t->widths[i], i + 1 == last);
	}
	fputc('\n', f);
}

void
table_print(struct table *t, unsigned indent)
{
	bool titled = false;

	if (!t)
		return;
	if (t->ctl->width)
		fit(t, t->ctl->width > indent ? t->ctl->width - indent : 1);
	for (unsigned i = 0; i < t->columns; i++)
		titled |= *t->titles[i];
	if (titled) {
		fputs(t->ctl->bold ? "\033[1m" : "", t->ctl->out);
		print_row(t, t->titles, indent);
		fputs(t->ctl->bold ? "\033[0m" : "", t->ctl->out);
	}
	for (size_t i = 0; t->columns && i + t->columns <= t->count; i += t->columns)
		print_row(t, (const char *const *)t->cells + i, indent);
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
