#include "lib/roff.h"

#include <string.h>

#define WIDTH 78

void
roff_write(FILE *f, const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		if (at && at + 1 + len > WIDTH) {
			fputc('\n', f);
			at = 0;
		} else if (at) {
			fputc(' ', f);
			at++;
		}
		if (at == 0 && (*text == '.' || *text == '\''))
			fputs("\\&", f);
		for (size_t i = 0; i < len; i++)
			fputs(text[i] == '\\' ? "\\e" : (char[]){text[i], 0}, f);
		at += len;
		if (text[len] == ' ' && len && text[len - 1] == '.') {
			fputc('\n', f);
			at = 0;
		}
		text += len + (text[len] == ' ');
	}
	fputc('\n', f);
}
