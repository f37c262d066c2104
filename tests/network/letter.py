"""Writes a small valid PDF with Bulgarian text: the document that the demo sends.

Run as a program: letter.py FILE [MEBIBYTES]. With MEBIBYTES the file carries that much incompressible
data in a stream of its own, for tests with large documents.
"""
import os
import sys
import zlib

# Glyph names of the Adobe list: afii10017 is А ... afii10049 is Я, afii10065 is а ... afii10097 is я;
# Ё and ё stand in the middle of the list and are not needed in Bulgarian.
UPPER = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
LOWER = UPPER.lower()


def _glyphs():
    """code -> (glyph name, character) for the upper half of a one-byte encoding"""
    table = {}
    code = 128
    for letters, first in ((UPPER, 10017), (LOWER, 10065)):
        for index, letter in enumerate(letters):
            table[code] = (f"afii{first + index}", letter)
            code += 1
    table[code] = ("afii61352", "№")
    return table


GLYPHS = _glyphs()
CODES = {character: code for code, (_, character) in GLYPHS.items()}


def _encode(text):
    return bytes(CODES.get(c, ord(c) if ord(c) < 128 else ord("?")) for c in text)


def _string(text):
    raw = _encode(text)
    for special in (b"\\", b"(", b")"):
        raw = raw.replace(special, b"\\" + special)
    return b"(" + raw + b")"


def _stream(data, extra=b""):
    packed = zlib.compress(data)
    return (b"<< /Length %d /Filter /FlateDecode %s>>\nstream\n" % (len(packed), extra)
            + packed + b"\nendstream")


def _to_unicode():
    rows = b"".join(b"<%02X> <%04X>\n" % (code, ord(char)) for code, (_, char) in GLYPHS.items())
    return (b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
            b"/CMapName /Letter def /CMapType 2 def\n"
            b"1 begincodespacerange <00> <FF> endcodespacerange\n"
            b"%d beginbfchar\n%sendbfchar\nendcmap end end\n" % (len(GLYPHS), rows))


def letter(title, lines, padding=0):
    """A one-page PDF; padding: bytes of random data beside the page."""
    page = b"BT /F 18 Tf 72 770 Td %s Tj /F 12 Tf 0 -36 Td 18 TL\n" % _string(title)
    page += b"".join(b"%s Tj T*\n" % _string(line) for line in lines) + b"ET\n"
    names = b" ".join(b"/" + name.encode() for name, _ in GLYPHS.values())
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (bg-BG) >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        _stream(page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding 6 0 R /ToUnicode 7 0 R >>",
        b"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [128 " + names + b"] >>",
        _stream(_to_unicode()),
        b"<< /Title <FEFF" + title.encode("utf-16-be").hex().encode() + b"> >>",
    ]
    if padding:
        objects.append(b"<< /Length %d >>\nstream\n" % padding + os.urandom(padding)
                       + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 8 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, start)
    return bytes(out)


def sample(padding=0):
    return letter("Писмо № 94-00-17", [
        "До Община Образец", "",
        "Уважаеми колеги,", "",
        "Изпращаме Ви този документ по системата за електронен обмен на съобщения.",
        "Моля да го регистрирате и да ни уведомите за входящия номер.", "",
        "С уважение: Примерна агенция"], padding)


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        file.write(sample((int(sys.argv[2]) << 20) if len(sys.argv) > 2 else 0))
