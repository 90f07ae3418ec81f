"""Rules of fields: what the compiler writes keeps them on every build, and they name fields that there are."""

from dataclasses import replace

import pytest

from host.compiler.program import Program
from host.compiler.rows import Part
from hw.boards.registry import BUILDS
from models.golden.model import TapPoint
from models.machine.descriptor import OPCODES, Opcode
from models.machine.descriptor_rules import field_rules
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import listed_programs
from tests.host.devices.test_emulator import random_taps
from tests.sim.cores import FOUR_SLOTS

TILES = {name: build for name, build in BUILDS.items() if build.packing == "tiles"} | {"four slots": FOUR_SLOTS}


def broken(fields, rules):
    """Names of the fields of a descriptor that break their rules."""
    found = []
    for name, rule in rules[fields.opcode].items():
        value = getattr(fields, name)
        last = value + (getattr(fields, rule.behind) if rule.behind else 0)
        if value < rule.least or value % rule.unit or (rule.most is not None and last > rule.most):
            found.append((fields.opcode.name, name, value))
    return found


@pytest.mark.parametrize("build", TILES.values(), ids=TILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_programs_keep_them(build, family):
    model, rules, seen = synthetic_model(FAMILIES[family], seed=1), field_rules(build), set()
    rows = build.slots
    parts = (Part(1, rows - rows // 3), *((Part(0, rows // 3),) if rows // 3 else ()))
    taps = random_taps(model.config, seed=1)
    stops = frozenset({TapPoint(0, "o"), TapPoint(0, "down"), TapPoint(0, "residual")})
    for head, stop in (("exact", None), ("shortlist", None), ("exact", stops)):
        program = Program(model, build, rows=rows, sequences=2, head=head, taps={} if stop else taps)
        for kind in ("prefill", "next", "decode", "score"):
            for part in listed_programs(program, kind, rows, parts, 0, stop or frozenset()):
                for fields in part:
                    assert broken(fields, rules) == []
                    seen.add(fields.opcode)
    assert seen == set(Opcode)


def test_they_name_fields():
    for rules in map(field_rules, TILES.values()):
        assert rules.keys() == set(Opcode)
        for opcode, fields in rules.items():
            names = {field.name: field.width for field in OPCODES[opcode].fields}
            for name, rule in fields.items():
                assert rule.unit & rule.unit - 1 == 0 and rule.unit <= 1 << names[name]
                assert rule.behind is None or rule.behind in names
                assert rule.most is None or rule.least <= rule.most < 1 << names[name]
                assert rule != (0, None, 1, None)


def test_limits_follow_the_build():
    small, large = field_rules(BUILDS["sim-tiny"]), field_rules(replace(BUILDS["kv260"], hidden_max=4096))
    assert small[Opcode.NORM]["rows"].most == 1 and large[Opcode.NORM]["rows"].most == 16
    assert small[Opcode.ATTEND]["values"].unit == 512 and large[Opcode.ATTEND]["values"].unit == 1024
    assert large[Opcode.RESIDUAL]["count"].most == 4096
