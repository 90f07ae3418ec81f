"""Chat templates: grown from a grammar of Jinja statements, filters and methods, with arguments out of proportion."""

from __future__ import annotations

from random import Random

from scripts.verify.fuzz.damage.raw import TEXTS, damage_text

__all__ = ["SAMPLES", "damage_template", "grow_template"]

SAMPLES = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{- bos_token + '[INST] ' + (system if loop.first else '') + "
    "message['content'] | trim + ' [/INST]' -}}{% else %}{{- ' ' + message['content'] | trim + ' ' + eos_token -}}"
    "{% endif %}{% endfor %}",
    "{%- set ns = namespace(found=false) -%}{%- for m in messages -%}{%- if m.role == 'user' and not ns.found -%}"
    "{%- set ns.found = true -%}{%- endif -%}{% generation %}{{ m.content | tojson }}{% endgeneration %}"
    "{%- if loop.index > 5 %}{% break %}{% endif -%}{%- endfor -%}{{ strftime_now('%Y-%m-%d') }}",
    "{%- macro turn(m, end=eos_token) %}{{ m['role'] | capitalize ~ ': ' ~ m['content'] }}{{ end }}{% endmacro -%}"
    "{% for m in messages | rejectattr('role', 'equalto', 'system') %}{{ turn(m) }}{% endfor %}"
    "{{ 'Assistant:' if add_generation_prompt }}",
)
"""Templates as models have them."""

_NUMBERS = ("0", "1", "-1", "2", "7", "100", "99999", "10**9", "2**31", "2**63", "10**30", "0.5", "1e308", "9**9**9",
            "1_000", "9" * 5000)
_NAMES = ("messages", "messages[0]", "messages[-1].content", "message", "m", "bos_token", "eos_token", "tools", "loop",
          "loop.index", "loop.length", "loop.previtem", "namespace", "range", "dict", "lipsum", "cycler", "joiner",
          "add_generation_prompt", "self", "caller", "varargs", "x", "y", "strftime_now", "raise_exception", "true",
          "none", "undefined_name", "messages.__class__", "''.__class__.__mro__", "range.__globals__")
_FILTERS = ("trim", "upper", "length", "tojson", "join(', ')", "first", "last", "list", "string", "int", "float", "abs",
            "reverse", "sort", "unique", "sum", "max", "min", "items", "dictsort", "safe", "escape", "title", "urlize",
            "wordwrap(1)", "wordcount", "xmlattr", "pprint", "striptags", "random", "filesizeformat", "map('upper')",
            "map(attribute='content')", "selectattr('role')", "rejectattr('role', 'equalto', 'system')", "batch(3)",
            "slice(3)", "groupby('role')", "default('d')", "replace('a', 'bb')", "truncate(5)", "format(1, 2)",
            "center({n})", "indent({n})", "batch({n})", "slice({n})", "round({n})", "truncate({n})", "wordwrap({n})",
            "tojson(indent={n})", "replace('', 'a' * {n})", "int(base={n})", "sum(start={n})", "nofilter", "attr('x')")
_METHODS = ("upper()", "split()", "strip()", "join(messages)", "format({n})", "ljust({n})", "zfill({n})", "items()",
            "center({n}, 'x')", "expandtabs({n})", "encode('utf-16')", "replace('', 'x')", "startswith('a')", "keys()",
            "split('')", "append(1)", "update(a=1)", "get('role')", "count('a')", "rjust({n})", "splitlines()",
            "translate(messages)", "index('zzz')", "pop()", "to_bytes({n})", "bit_length()", "hex()")
_TESTS = ("defined", "none", "string", "mapping", "iterable", "divisibleby(0)", "in messages", "sameas(1)", "odd",
          "callable", "equalto(1)", "notest")
_OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "and", "or", "in", "not in")
_CALLS = ("range({n})", "range(0, {n}, 0)", "range({n}, -1, -1)", "lipsum(n={n})", "cycler(1, 2).next()", "dict(a=1)",
          "namespace(a=1)", "strftime_now('%Y' * {n})", "strftime_now('%')", "strftime_now('\x00')", "joiner('x')()",
          "raise_exception('no')", "raise_exception('a\nb' * {n})", "raise_exception(messages)", "loop(messages)",
          "caller()", "turn(turn)", "x(x)", "super()", "f(a=1, a=2)", "f(*messages, **messages[0])",
          "'{:{n}}'.format(1)", "'%{n}d' % 1", "'%s' * {n} % messages", "'a' * {n}", "[0] * {n}", "messages * {n}",
          "'{0.__class__}'.format(1)", "('a' * 10**6).replace('a', 'a' * 10**6)", "(10**6)|string * {n}",
          "1 << {n}", "2 ** {n}", "[[]] * {n}")
_TARGETS = ("m",) * 8 + ("message",) * 4 + ("m, n", "loop")
_DEPTH = 5


def grow_template(rng: Random) -> str:
    """A template of a few statements."""
    return "".join(_statement(rng, 0) for _ in range(rng.randint(1, 4)))


def damage_template(rng: Random) -> str:
    """A template grown, one as models have it with something put in or hit, or a well-known way to break a parser."""
    draw = rng.random()
    if draw < 0.45:
        return grow_template(rng)
    if draw < 0.55:
        return _broken(rng)
    sample = rng.choice(SAMPLES)
    if draw < 0.8:
        at = rng.choice([0, len(sample), *(i for i in range(len(sample)) if sample.startswith(("{%", "{{"), i))])
        return sample[:at] + _statement(rng, 2) + sample[at:]
    for _ in range(rng.randint(1, 3)):
        sample = damage_text(sample, rng)
    return sample


def _filled(text: str, rng: Random) -> str:
    return text.replace("{n}", rng.choice(_NUMBERS))


def _quoted(rng: Random) -> str:
    return repr(rng.choice(TEXTS)[:2000])


def _expression(rng: Random, depth: int) -> str:
    if depth > _DEPTH:
        return rng.choice((rng.choice(_NAMES), rng.choice(_NUMBERS), "'a'"))
    inner = depth + 1
    match rng.randrange(12):
        case 0 | 1:
            return rng.choice(_NAMES)
        case 2:
            return rng.choice((rng.choice(_NUMBERS), _quoted(rng)))
        case 3 | 4:
            return f"({_expression(rng, inner)}) | {_filled(rng.choice(_FILTERS), rng)}"
        case 5:
            return f"({_expression(rng, inner)}).{_filled(rng.choice(_METHODS), rng)}"
        case 6:
            return f"({_expression(rng, inner)} {rng.choice(_OPERATORS)} {_expression(rng, inner)})"
        case 7:
            return f"({_expression(rng, inner)} if {_expression(rng, inner)} is {rng.choice(_TESTS)})"
        case 8:
            return rng.choice((f"[{_expression(rng, inner)}, 1]", f"{{'a': {_expression(rng, inner)}}}",
                               f"({_expression(rng, inner)},)"))
        case 9:
            bounds = [rng.choice((*_NUMBERS[:9], "")) for _ in range(3)]
            return f"({_expression(rng, inner)})[{rng.choice((':'.join(bounds), bounds[0] or '0'))}]"
        case _:
            return _filled(rng.choice(_CALLS), rng)


def _statement(rng: Random, depth: int) -> str:
    dash = [rng.choice(("", "", "-", "+")) for _ in range(2)]
    if depth > _DEPTH:
        return rng.choice(("x", "{{ m }}", "\n"))

    def tag(text: str) -> str:
        return f"{{%{dash[0]} {text} {dash[1]}%}}"

    def body() -> str:
        return "".join(_statement(rng, depth + 1) for _ in range(rng.randint(0, 2)))

    value = _expression(rng, depth)
    match rng.randrange(30):
        case 0 | 1 | 2 | 16 | 17 | 18 | 19 | 24 | 25:
            return f"{{{{{dash[0]} {value} {dash[1].replace('+', '')}}}}}"
        case 3 | 4 | 5 | 20 | 21 | 26 | 27:
            over = rng.choice((value, "messages", _filled("range({n})", rng), "range(10**5)", "loop", "[1] * 10**6"))
            options = rng.choice(("", "", " recursive", " if m", " if loop.index"))
            return (tag(f"for {rng.choice(_TARGETS)} in {over}{options}") + body()
                    + rng.choice(("", "", tag("else") + body(), tag("break"), tag("continue"), "{{ loop(messages) }}"))
                    + tag("endfor"))
        case 6 | 7 | 22 | 23 | 28 | 29:
            return (tag(f"if {value}") + body() + rng.choice(("", tag("else") + body(), tag(f"elif {value}") + body()))
                    + tag("endif"))
        case 8:
            name = rng.choice(("x", "y", "m", "x, y", "ns.x", "messages", "namespace"))
            return tag(f"set {name} = {value}")
        case 9:
            return tag("set x") + body() + tag("endset")
        case 10:
            return tag(rng.choice(("macro x(m, n=m)", "macro turn(x=turn)"))) + body() + rng.choice(
                ("", "{{ x(m) }}", "{{ turn() }}{{ turn() }}", "{{ caller() }}")) + tag("endmacro") + rng.choice(
                ("{{ x(1) }}", "{{ turn() }}", ""))
        case 11:
            return tag(f"call {rng.choice(('x(1)', 'turn()', 'range(3)'))}") + body() + tag("endcall")
        case 12:
            return tag(f"filter {_filled(rng.choice(_FILTERS), rng)}") + body() + tag("endfilter")
        case 13:
            return tag("generation") + body() + tag("endgeneration")
        case 14:
            return tag(rng.choice(("break", "continue", "include 'x'", "include messages", "import 'x' as y",
                                   "extends 'x'", "from 'x' import y", "block a", "endblock", "raw", "endraw", "do x",
                                   "trans", "autoescape true", "with x = 1", "endwith", "debug", "endfor", "else")))
        case _:
            return rng.choice((*TEXTS[:20], "{#", "#}", "{{", "}}", "{%", "%}", "# x", "{# c #}", "\\", "<|im_start|>"))


def _broken(rng: Random) -> str:
    """What parsers, compilers and interpreters are known to stumble over."""
    many = rng.choice((90, 300, 3000, 30_000))
    return rng.choice((
        "{{ " + "(" * many + "1" + ")" * many + " }}", "{{ " + "[" * many + "]" * many + " }}",
        "{{ " + "-" * many + "1 }}", "{{ " + "not " * many + "x }}", "{{ x" + ".a" * many + " }}",
        "{{ x" + "|upper" * many + " }}", "{{ " + "1+" * many + "1 }}", "{{ " + "a if b else " * many + "c }}",
        "{% if x %}" * many + "{% endif %}" * many, "{% for m in messages %}" * rng.choice((10, 25, 300)) + "x"
        + "{% endfor %}" * rng.choice((10, 25, 300)), "{% set x = 'a' %}" + "{% set x = x + x %}" * 60 + "{{ x }}",
        "{% set x = [1] %}" + "{% set x = x + x %}" * 60 + "{{ x }}", "{% macro x() %}{{ x() }}{% endmacro %}{{ x() }}",
        "{% macro x() %}{{ x() }}{{ x() }}{% endmacro %}{{ x() }}", "{{ '" + "a" * many + "' }}" * rng.choice((1, 100)),
        "{{ " + "9" * many + " }}", "{{ 0x" + "f" * many + " }}", "{{ 1e" + "9" * many + " }}", "{{" * many,
        "{%" * many, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'a' * 99999 }}{% endfor %}", "{{ messages|map('string')|join('a' * 10**8) }}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "{{ 'a'.ljust(10**10) }}",
        "{{ messages.__class__.__base__.__subclasses__() }}", "{{ x" + "()" * many + " }}", "{% " + "x" * many + " %}"))
