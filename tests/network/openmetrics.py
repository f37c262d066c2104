"""A strict reader of the OpenMetrics text format, written from its specification (1.0.0)."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)$")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|Inf)$|NaN$")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


class Broken(Exception):
    pass


def demand(condition, text):
    if not condition:
        raise Broken(text)


def family_of(name, families, current):
    """The family that a sample belongs to: it must be the one whose head came last."""
    for suffix in SUFFIXES[families[current]["type"]]:
        if name == current + suffix:
            return suffix
    raise Broken(f"sample {name} does not belong to {current}")


def parse(text):
    """{family: {"type", "unit", "help", "samples": {(suffix, labels): value}}}"""
    demand(text.endswith("# EOF\n"), "does not end with # EOF")
    families, current = {}, None
    lines = text.split("\n")[:-2]
    for line in lines:
        demand(line, "empty line")
        if line.startswith("#"):
            words = line.split(" ", 3)
            demand(len(words) == 4 and words[1] in ("TYPE", "UNIT", "HELP"), line)
            _, what, name, value = words
            demand(re.fullmatch(NAME, name), f"name {name}")
            if name != current:
                demand(what == "TYPE", f"{name} does not begin with TYPE")
                demand(name not in families, f"family {name} comes twice")
                demand(value in SUFFIXES, f"type {value}")
                families[name] = {"type": value, "samples": {}}
                current = name
                continue
            key = what.lower()
            demand(key not in families[name], f"{what} of {name} comes twice")
            demand(not families[name]["samples"], f"{what} of {name} comes after samples")
            if what == "UNIT":
                demand(name.endswith("_" + value), f"{name} does not end with its unit {value}")
            families[name][key] = value
            continue
        found = SAMPLE.match(line)
        demand(found and current, f"not a sample: {line}")
        name, labels, value = found.group(1), found.group(2) or "", found.groups()[-1]
        suffix = family_of(name, families, current)
        demand(NUMBER.match(value), f"value {value}")
        pairs = tuple(re.findall(LABEL, labels))
        demand(len({key for key, _ in pairs}) == len(pairs), f"a label comes twice: {line}")
        key = (suffix, pairs)
        demand(key not in families[current]["samples"], f"a sample comes twice: {line}")
        families[current]["samples"][key] = float(value)
    for name, family in families.items():
        check_family(name, family)
    return families


def check_family(name, family):
    demand(family.get("help"), f"{name} has no HELP")
    demand(not name.endswith(("_total", "_bucket", "_count", "_sum", "_info")), f"name {name}")
    if family["type"] == "counter":
        demand(all(v >= 0 for v in family["samples"].values()), f"{name} is negative")
    if family["type"] == "histogram":
        series = {}
        for (suffix, labels), value in family["samples"].items():
            rest = tuple(p for p in labels if p[0] != "le")
            one = series.setdefault(rest, {"buckets": [], "others": {}})
            if suffix == "_bucket":
                bound = dict(labels)["le"]
                demand(bound == "+Inf" or "." in bound or "e" in bound, f"bound {bound} is no float")
                one["buckets"].append((float(bound.replace("+Inf", "inf")), value))
            else:
                one["others"][suffix] = value
        for rest, one in series.items():
            bounds = [b for b, _ in one["buckets"]]
            counts = [c for _, c in one["buckets"]]
            demand(bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), f"{name}{rest}: bounds")
            demand(counts == sorted(counts), f"{name}{rest}: buckets are not cumulative")
            demand(one["others"]["_count"] == counts[-1], f"{name}{rest}: _count is not +Inf")
            demand(one["others"]["_sum"] >= 0, f"{name}{rest}: _sum")


def value(families, name, **labels):
    """The sum of a family's samples whose labels hold these."""
    wanted = set(labels.items())
    return sum(v for (suffix, pairs), v in families[name]["samples"].items()
               if wanted <= set(pairs) and suffix in ("_total", "", "_count"))
