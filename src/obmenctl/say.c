/* Words and values as people read them. */
#include <string.h>

#include "lib/fold.h"
#include "lib/when.h"
#include "obmenctl/ctl.h"

#define LABEL_COLUMNS 16

const char *
say(const struct ctl *ctl, const char *bg, const char *en)
{
	return ctl->language == LANGUAGE_BG ? bg : en;
}

const char *
text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

long long
number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

char *
say_moment(const struct ctl *ctl, const char *iso, char out[64])
{
	when w;

	if (when_parse(&w, iso, strlen(iso)))
		when_format_human(w, ctl->language == LANGUAGE_BG, out);
	else
		snprintf(out, 64, "%s", iso);
	return out;
}

char *
say_day(const struct ctl *ctl, const char *iso, char out[64])
{
	if (strlen(iso) >= 10 && iso[4] == '-' && iso[7] == '-')
		snprintf(out, 64, "%.2s.%.2s.%.4s%s", iso + 8, iso + 5, iso, say(ctl, " г.", ""));
	else
		snprintf(out, 64, "%s", iso);
	return out;
}

char *
say_size(const struct ctl *ctl, long long bytes, char out[32])
{
	static const char *const units[][2] = {
	    {"Б", "B"}, {"КБ", "KB"}, {"МБ", "MB"}, {"ГБ", "GB"}};
	double n = (double)bytes;
	size_t u = 0;

	for (; n >= 1000 && u < 3; u++)
		n /= 1024;
	snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", n, units[u][ctl->language]);
	/* Bulgarian writes a decimal comma. */
	char *point = strchr(out, '.');
	if (point && ctl->language == LANGUAGE_BG)
		*point = ',';
	return out;
}

char *
say_duration(const struct ctl *ctl, long long seconds, char out[64])
{
	if (seconds < 120)
		snprintf(out, 64, "%lld %s", seconds, say(ctl, "сек.", "s"));
	else if (seconds < 7200)
		snprintf(out, 64, "%lld %s", seconds / 60, say(ctl, "мин.", "min"));
	else if (seconds < 172800)
		snprintf(out, 64, "%lld %s", seconds / 3600, say(ctl, "ч.", "h"));
	else
		snprintf(out, 64, "%lld %s", seconds / 86400, say(ctl, "дни", "days"));
	return out;
}

struct word {
	const char *name;
	const char *text[2];
};

static const char *
find_word(const struct ctl *ctl, const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i].name, name) == 0)
			return words[i].text[ctl->language];
	}
	return name;
}

#define FIND(words, name) find_word(ctl, words, sizeof(words) / sizeof *(words), name)

/* The words that clerks know from the incumbent system, where it has one. */
static const struct word states[] = {
    {"accepted", {"Прието за изпращане", "accepted"}},
    {"signed", {"Подписано", "signed"}},
    {"sending", {"Изпраща се", "sending"}},
    {"unsure", {"Изходът се уточнява", "outcome unknown"}},
    {"held", {"Задържано", "held"}},
    {"waiting", {"Очаква регистрация", "waiting"}},
    {"registered", {"Регистрирано", "registered"}},
    {"refused", {"Отказано", "refused"}},
    {"stopped", {"Спряно", "stopped"}},
    {"closed", {"Приключено", "closed"}},
    {"failed", {"Неуспешно изпращане", "failed"}},
    {"expired", {"Изтекъл срок", "expired"}},
};

static const struct word events[] = {
    {"accepted", {"прието за изпращане", "accepted"}},
    {"signed", {"подписано", "signed"}},
    {"sent", {"изпратено", "sent"}},
    {"answered", {"отговорено", "answered"}},
    {"received", {"получено", "received"}},
    {"registered", {"регистрирано", "registered"}},
    {"refused", {"отказано", "refused"}},
    {"stopped", {"спряно", "stopped"}},
    {"closed", {"приключено", "closed"}},
    {"failed", {"неуспешно", "failed"}},
    {"expired", {"изтекъл срок", "expired"}},
    {"retry", {"ще се опита пак", "will be tried again"}},
    {"unsure", {"изходът е неизвестен", "outcome unknown"}},
    {"polled", {"попитано за състоянието", "status asked"}},
    {"held", {"задържано", "held"}},
    {"notified", {"подателят е уведомен", "sender was told"}},
    {"hurried", {"опит по нареждане", "try ordered"}},
    {"put-off", {"задържано от оператор", "put on hold"}},
    {"released", {"освободено от оператор", "released"}},
    {"dropped", {"свалено от опашката", "taken off the queue"}},
};

static const struct word participant_statuses[] = {
    {"Active", {"активен", "active"}},
    {"Inactive", {"неактивен", "inactive"}},
    {"TemporarilyInactive", {"временно неактивен", "temporarily inactive"}},
};

const char *
say_state(const struct ctl *ctl, const char *state)
{
	return FIND(states, state);
}

const char *
say_event(const struct ctl *ctl, const char *event)
{
	return FIND(events, event);
}

const char *
say_participant_status(const struct ctl *ctl, const char *status)
{
	return FIND(participant_statuses, status);
}

/* Words one after the other; those that do not fit go on below the first. */
static void
write_value(const struct ctl *ctl, const char *text)
{
	size_t at = LABEL_COLUMNS + 2, start = at;

	for (bool first = true; *text; first = false) {
		size_t len = strcspn(text, " ");
		char word[512];
		snprintf(word, sizeof word, "%.*s", (int)len, text);
		size_t wide = fold_columns(word);
		if (!first && ctl->width && at + 1 + wide > ctl->width) {
			fprintf(ctl->out, "\n%*s", (int)start, "");
			at = start;
		} else if (!first) {
			fputc(' ', ctl->out);
			at++;
		}
		fwrite(text, 1, len, ctl->out);
		at += wide;
		text += len + (text[len] == ' ');
	}
	fputc('\n', ctl->out);
}

void
say_line(const struct ctl *ctl, const char *label, const char *value)
{
	size_t n = fold_columns(label);

	if (!value || !*value)
		return;
	fprintf(ctl->out, "  %s", label);
	do
		fputc(' ', ctl->out);
	while (++n < LABEL_COLUMNS);
	write_value(ctl, value);
}

void
say_title(const struct ctl *ctl, const char *title)
{
	fprintf(ctl->out, "%s%s%s\n", ctl->bold ? "\033[1m" : "", title,
		ctl->bold ? "\033[0m" : "");
}

void
say_sentences(const struct ctl *ctl, FILE *f, const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		char word[256];
		snprintf(word, sizeof word, "%.*s", (int)len, text);
		size_t wide = fold_columns(word);
		if (at && ctl->width && at + 1 + wide > ctl->width) {
			fputc('\n', f);
			at = 0;
		} else if (at) {
			fputc(' ', f);
			at++;
		}
		fwrite(text, 1, len, f);
		at += wide;
		text += len + (text[len] == ' ');
	}
	fputc('\n', f);
}
