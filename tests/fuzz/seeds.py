"""Seeds for the fuzz targets: messages that are really signed, in the shapes in which they travel."""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/network"), str(TOP / "tests/register")]
import answers  # noqa: E402
import net  # noqa: E402
import participants as rows  # noqa: E402
import peer  # noqa: E402

BUILD = net.BUILD


def messages(a, b):
    """Every kind of message, signed in every accepted way."""
    guid = peer.guid()
    files = (("a.txt", "text/plain", b"text of the attachment"), ("б.bin", "x/y", b"\0" * 40))
    kinds = [peer.registration(a, b, document_guid=guid, files=files),
             peer.registration(a, b, files=()), peer.status_request(a, b, guid),
             peer.status_response(a, b, guid, "DS_REGISTERED", "ВХ-1"),
             peer.status_response(a, b, guid, "DS_REJECTED", reason="не е за нас"),
             peer.error(a, b, guid)]
    texts = [peer.sign(peer.copy_of(root), a) for root in kinds]
    for method in ("sha1", "sha384", "sha512"):
        texts.append(peer.sign(peer.copy_of(kinds[0]), a, method=method))
    for prefix in (None, "ds"):
        texts.append(peer.sign(peer.copy_of(kinds[2]), a, canon=peer.EXC, prefix=prefix))
    return texts


def request(body, chunked=False):
    head = ("POST /DocExchangeService HTTP/1.1\r\nHost: primer.obmen.local:8443\r\n"
            "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: " + peer.ACTION + "\r\n").encode()
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    out = head + b"Transfer-Encoding: chunked\r\n\r\n"
    for at in range(0, len(body), 700):
        piece = body[at:at + 700]
        out += b"%x\r\n" % len(piece) + piece + b"\r\n"
    return out + b"0\r\n\r\n"


def register_seeds(people):
    """As the stand-in register gives them, in both its ways."""
    entities = [rows.complete(p.row()) for p in people.values()] + rows.synthetic(8)
    all_made = [answers.answer(name, entities) for name in answers.OPERATIONS]
    all_made += [answers.answer("GetByGuid", entities[:1]), answers.answer("GetNewRecords", []),
                 answers.multiref_answer("GetAllRecords", entities),
                 answers.fault("Server", "няма такъв запис")]
    return [b"".join(made) for made in all_made]


def call_seeds():
    """What the authority's register is asked (tests/fuzz/call.c)."""
    envelope = ('<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="uri:egovmsg">'
                "<E:Header/><E:Body>%s</E:Body></E:Envelope>")
    arguments = {"GetNewRecords": "2024-03-01T00:00:00+02:00", "GetByEntityIdentifier": "990000017",
                 "GetByGuid": "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}",
                 "GetByCertificateSN": "0A1B2C3D4E5F6071"}
    calls = [f"<u:{name}><p>{arguments[name]}</p></u:{name}>" if name in arguments else f"<u:{name}/>"
             for name in answers.OPERATIONS]
    return [(envelope % call).encode() for call in calls + ["", "<u:Drop/>", "<u:GetByGuid/>"]]


def web_seeds():
    """Pages and forms as a browser asks for them (tests/fuzz/web.c)."""
    own = "/participants/0b0e7a52-1111-4222-8333-9a9a9a9a9a01"
    pairs, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=XyZ"
    field = '--XyZ\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    upload = (field.format("token", "", "TOKEN") + field.format("file", '; filename="a.csr"', "x")
              + field.format("pem", "", "") + "--XyZ--\r\n")
    pages = ["/", "/participants?q=%D0%B0&status=Active&from=50", own, own + "?at=2026-11-21T09:30",
             own + "/history", own + "/certificates", "/requests?state=open", "/requests/7",
             "/certificates?state=issued", "/certificates/0A", "/certificates/0A/file",
             "/certificates/requests/4", "/officers", "/log?from=100", "/status", "/accessibility",
             "/language?to=en&back=/participants%3Fq=a"]
    forms = [("/participants/new", "name=A&eik=990000017&uri=https://a.b/&status=Active&reason=1"),
             (own + "/contact", "phone=1&fax=2&email=a@b.c"), (own + "/state", "status=Inactive&reason=1"),
             (own + "/identity", "name=A&eik=990000017&reason=1"), (own + "/remove", "reason=1"),
             (own + "/reference", "days=7"), ("/certificates/0A/revoke", "reason=superseded"),
             ("/officers/new", "name=a&fingerprint=" + 64 * "a" + "&roles=officer&reason=1"),
             ("/log/check", "")]
    return ([f"GET\n{page}\n\n__Host-language=en\n".encode() for page in pages]
            + [f"POST\n{path}\n{pairs}\n\ntoken=TOKEN&{body}".encode() for path, body in forms]
            + [f"POST\n{own}/certificates/new\n{parts}\n\n{upload}".encode()])


def enrolment_seeds(folder):
    """What clients of the CA send (tests/fuzz/enrolment.c): the first byte says what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        net.run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{number}.key",
                "-subj", "/CN=primer.obmen.local/ST=B:990000017", "-out", folder / f"{number}.csr", "-addext",
                "subjectAltName=DNS:primer.obmen.local")
    net.run("openssl", "req", "-x509", "-key", folder / "1.key", "-subj", "/CN=primer.obmen.local", "-out",
            folder / "own.pem")
    for command in ("ir", "cr", "p10cr", "kur", "rr", "genm"):
        proof = (["-cert", folder / "own.pem", "-key", folder / "1.key"] if command in ("kur", "rr") else
                 ["-ref", "REFER-ENCE2", "-secret", "pass:SECRE-TTTTT-TTTTT-TTTTT"])
        what = {"p10cr": ["-csr", folder / "2.csr"], "rr": ["-oldcert", folder / "own.pem"], "genm": []}.get(
            command, ["-newkey", folder / "2.key", "-subject", "/CN=primer.obmen.local"])
        # A server that OpenSSL plays itself; what it thinks does not matter, the first message is there.
        subprocess.run(["openssl", "cmp", "-cmd", command, *proof, *what, "-use_mock_srv", "-srv_secret", "pass:x",
                        "-srv_cert", folder / "own.pem", "-srv_key", folder / "1.key", "-reqout",
                        folder / f"{command}.cmp", "-recipient", "/CN=CA", "-total_timeout", "5",
                        *([] if command in ("rr", "genm") else ["-certout", folder / "none.pem"])],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    net.run("openssl", "ocsp", "-issuer", folder / "own.pem", "-cert", folder / "own.pem", "-reqout",
            folder / "ask.der")
    pieces = [(b"c", folder.glob("*.cmp")), (b"r", folder.glob("*.csr")), (b"o", folder.glob("ask.der")),
              (b"x", folder.glob("own.pem"))]
    return [mark + file.read_bytes() for mark, files in pieces for file in sorted(files)]


def evidence_seeds(texts):
    """Recipes for files of evidence (tests/fuzz/evidence.c): two entries about one document."""
    entry = ("journal/entry-{0:020d}.txt\nobmen-entry 1\nat 2026-11-21T09:30:00.000000000Z\n"
             "kind {1}\ndocument 1\n{2}")
    body, answer = (f"messages/{1:020d}-{name}.xml" for name in ("body", "answer"))
    pieces = ["README.txt\nread me", "document.json\n{}",
              f"{body}\n" + peer.envelope(texts[0]).decode(),
              f"{answer}\n" + peer.response(texts[3]).decode(),
              entry.format(1, "received", f"body ${body}$\nanswer ${answer}$\n"),
              entry.format(2, "state", "before 1\nstate registered\n"), "*chain", "*sums"]
    refused = [pieces[0], entry.format(1, "refused", "fault S-121\n"), "*chain", "*sums"]
    stamped = pieces[:-1] + [f"stamps/{2:020d}.tsr\nno token", "*sums"]
    return ["\x1e".join(p).encode() for p in (pieces, refused, stamped)] + [b"\x1e" + bytes(1024)]


def write(folder, pieces):
    folder.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces):
        (folder / f"seed-{number}").write_bytes(piece)


def make(folder, build=BUILD):
    """Writes FOLDER/<target>/seed-N for every target; needs the tool fuzz_seeds."""
    folder = pathlib.Path(folder)
    pki = folder / "pki"
    folder.mkdir(parents=True, exist_ok=True)
    net.run(net.PKI / "make-pki", pki, net.PKI / "demo.table")
    people = net.participants()
    for letter, participant in people.items():
        participant.cert, participant.key = str(pki / f"{letter}.pem"), str(pki / f"{letter}.key")
        participant.port = 8443
    texts = messages(people["a"], people["b"])
    submits = [request(peer.envelope(t)) for t in texts]
    submits += [request(peer.envelope(texts[0], cdata=True), chunked=True)]
    write(folder / "submit", submits)
    write(folder / "message", texts)
    write(folder / "answer", [peer.response(t) for t in texts[2:6]]
          + [peer.response(None), peer.response(b""), peer.fault()])
    write(folder / "register", register_seeds(people))
    write(folder / "web", web_seeds())
    write(folder / "evidence", evidence_seeds(texts))
    write(folder / "enrolment", enrolment_seeds(folder / "enrolment-made"))
    write(folder / "call", call_seeds())
    samples = [net.run(build / "obmend", f"--sample={language}").encode()
               for language in ("bg", "en")]
    lines = [line for line in samples[1].decode().splitlines()]
    bare = "\n".join(line.lstrip("#") if "=" in line or "[" in line else line for line in lines)
    write(folder / "conf", samples + [bare.encode(), minimal(people["a"]).encode()])
    net.run(build / "tests/tools/fuzz_seeds", folder)


def minimal(p):
    return (f"ca-file = /etc/obmen/ca.pem\nregister-url = https://register.obmen.local/service/\n"
            f"[certificate main]\nfile = a.pem\nkey = a.key\n[listen 0.0.0.0:8443]\n"
            f'[participant {p.guid}]\neik = {p.eik}\nname = "{p.name}"\n'
            f"[peer {peer.guid()}]\nsignature = sha1\ntls-legacy = yes\n")


if __name__ == "__main__":
    os.umask(0o077)
    make(sys.argv[1])
