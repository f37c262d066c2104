/* The kind of a file, for AttMIMEType: what administrations really send, nothing more. */
#include <string.h>
#include <strings.h>

#include "obmend/control.h"

static const struct {
	const char *ending;
	const char *type;
} endings[] = {
    {".pdf", "application/pdf"},
    {".xml", "application/xml"},
    {".txt", "text/plain"},
    {".csv", "text/csv"},
    {".htm", "text/html"},
    {".html", "text/html"},
    {".rtf", "application/rtf"},
    {".doc", "application/msword"},
    {".xls", "application/vnd.ms-excel"},
    {".ppt", "application/vnd.ms-powerpoint"},
    {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {".odt", "application/vnd.oasis.opendocument.text"},
    {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {".odp", "application/vnd.oasis.opendocument.presentation"},
    {".zip", "application/zip"},
    {".7z", "application/x-7z-compressed"},
    {".rar", "application/vnd.rar"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".png", "image/png"},
    {".gif", "image/gif"},
    {".tif", "image/tiff"},
    {".tiff", "image/tiff"},
    {".bmp", "image/bmp"},
    {".eml", "message/rfc822"},
    {".msg", "application/vnd.ms-outlook"},
    {".p7m", "application/pkcs7-mime"},
    {".p7s", "application/pkcs7-signature"},
    {".asice", "application/vnd.etsi.asic-e+zip"},
    {".dwg", "image/vnd.dwg"},
    {".json", "application/json"},
};

static const struct {
	const char *bytes;
	size_t len;
	const char *type;
} heads[] = {
    {"%PDF-", 5, "application/pdf"},
    {"\x89PNG\r\n\x1a\n", 8, "image/png"},
    {"\xff\xd8\xff", 3, "image/jpeg"},
    {"GIF8", 4, "image/gif"},
    {"II*\0", 4, "image/tiff"},
    {"MM\0*", 4, "image/tiff"},
    {"{\\rtf", 5, "application/rtf"},
    {"7z\xbc\xaf\x27\x1c", 6, "application/x-7z-compressed"},
    {"Rar!", 4, "application/vnd.rar"},
    {"<?xml", 5, "application/xml"},
    {"PK\x03\x04", 4, "application/zip"},
};

/* These say only what the container is; the ending knows what is in it. */
static bool
is_container(const char *type)
{
	return strcmp(type, "application/zip") == 0 || strcmp(type, "application/xml") == 0;
}

static const char *
type_by_ending(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++) {
		if (strcasecmp(endings[i].ending, dot) == 0)
			return endings[i].type;
	}
	return NULL;
}

const char *
mime_type(const char *file_name, const void *head, size_t len)
{
	const char *by_ending = type_by_ending(file_name), *by_head = NULL;

	for (size_t i = 0; i < sizeof heads / sizeof *heads && !by_head; i++) {
		if (len >= heads[i].len && memcmp(head, heads[i].bytes, heads[i].len) == 0)
			by_head = heads[i].type;
	}
	if (by_head && (!by_ending || !is_container(by_head)))
		return by_head;
	return by_ending ? by_ending : "application/octet-stream";
}
