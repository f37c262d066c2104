"""Participants of the stand-in register: from a JSON file, and synthetic ones.

The synthetic ones have the shape of the production register (protocol.md sections 1 and 7), and
name nobody that exists.
"""
import datetime
import hashlib
import random

ZERO_GUID = "{00000000-0000-0000-0000-000000000000}"
DOCUMENT_EXCHANGE = "{7060efa8-f1fa-4938-8b2b-12a78c86988f}"
LOCAL = datetime.timezone(datetime.timedelta(hours=2))

DEFAULTS = {
    "parent": ZERO_GUID,
    "phone": None,
    "fax": None,
    "email": None,
    "status": "Active",
    "service_name": "Документооборот",
    "service_status": "Active",
    "version": "1",
    "last_change": "2026-01-05T09:00:00+02:00",
}
REQUIRED = ("guid", "eik", "name", "serial")


def complete(raw):
    """A participant with every field, or ValueError. `services` may replace the one service that
    uri, service_name, service_status and version describe; no uri and no services: no service."""
    for field in REQUIRED:
        if field not in raw:
            raise ValueError("participant without %s: %r" % (field, raw))
    entity = dict(DEFAULTS, **raw)
    if "services" not in entity:
        entity["services"] = [] if entity.get("uri") is None else [{
            "guid": DOCUMENT_EXCHANGE,
            "name": entity["service_name"],
            "uri": entity["uri"],
            "status": entity["service_status"],
            "type": "service",
            "version": str(entity["version"]),
        }]
    return entity


def moment(text):
    """xsd:dateTime as a comparable moment; the oldest one if it cannot be read."""
    try:
        when = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return datetime.datetime(1970, 1, 1, tzinfo=LOCAL)
    return when if when.tzinfo else when.replace(tzinfo=LOCAL)


PATHS = [("", 407), ("/messaging.svc", 300), ("/DocExchangeService", 242),
         ("/commservices/DocExchangeService/", 112), ("/MvoDocumentExchange", 75),
         ("/eDocExchangeService", 46), ("/EGovService", 45), ("/EGovService.svc", 31),
         ("/SEOSService.svc", 14), ("/submitmsg.php", 13), ("/AtAppsService.svc", 6), ("/egov", 6),
         ("/seos/exchange.asmx", 4), ("/seos.nsf/exchange?OpenAgent", 3), ("/ws/messaging", 3),
         ("/service.svc?wsdl", 3)]
PORTS = [(8443, 239), (4449, 135), (443, 29), (None, 29), (444, 19), (8080, 6)]
NAMES = ["Община Примерово %d", "Агенция „Пример“ %d", "\tРегионална дирекция \"Проба\" %d ",
         "Институт за образци & мостри %d", " Областна администрация <Измислица> - %d",
         "Териториално поделение 'Север' %d"]


def pick(rng, weighted):
    values, weights = zip(*weighted)
    return rng.choices(values, weights)[0]


def synthetic_uri(rng, i):
    sector = rng.choice(["", "", "ob.", "ob.", "nap.", "so.", "mvr."])
    port = pick(rng, PORTS) if rng.random() < 0.35 else 8400 + i % 17500
    path = pick(rng, PATHS)
    return "https://body%d.%sobmen.local%s%s" % (i, sector, ":%d" % port if port else "", path)


def synthetic_one(i, rng):
    digest = hashlib.sha256(b"participant %d" % i).hexdigest()
    guid = "{%s-%s-4%s-8%s-%s}" % (digest[:8], digest[8:12], digest[13:16], digest[17:20],
                                   digest[20:32])
    name = rng.choice(NAMES) % i
    if i % 997 == 5:
        name = (name + " " + "дълго име " * 20)[:103]
    # Fourteen bodies in a thousand live behind one address with one certificate.
    shared = i % 1000 < 14
    host = i - i % 1000
    return complete({
        "guid": guid,
        "eik": "%09d" % (i * 7 % 10**9) if i % 25 < 16 else "%013d" % (10**9 * 5 + i),
        "name": name,
        "phone": None if i % 9 == 0 else "02 %06d" % i,
        "fax": None if i % 3 else "02 %06d; вътр. 1" % i,
        "email": "body%d@example.invalid" % i,
        "serial": "%016X" % ((10**9 + host if shared else i + 1) * 0x9E3779B97F4A7C15 % 2**63),
        "uri": "https://edelivery.obmen.local/SEOSService.svc" if shared else synthetic_uri(rng, i),
        "service_name": rng.choice(["Документооборот", "Документообмен", "докуметооборот", "СЕОС"]),
        "version": rng.choice(["0", "1", "1", "2", "4", "188"]),
        "status": "Inactive" if i % 656 == 655 else "Active",
        "last_change": (datetime.datetime(2019, 1, 1, tzinfo=LOCAL)
                        + datetime.timedelta(minutes=i * 7919 % 2500000)).isoformat(),
    })


def synthetic(count):
    """`count` participants, the same ones every time, in no particular order."""
    rng = random.Random(20240101)
    made = [synthetic_one(i, rng) for i in range(count)]
    for i, entity in enumerate(made):
        if i > 21 and i % 4 == 0:
            entity["parent"] = made[i % 21]["guid"]
    rng.shuffle(made)
    return made
