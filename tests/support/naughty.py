"""Texts that break programs which did not expect them, made by class: what a page may hold by chance or by intent."""

import unicodedata
from collections.abc import Iterator

_ZALGO = "".join(chr(point) for point in range(0x300, 0x370))
_EDGES = (0x00, 0x01, 0x08, 0x0B, 0x1B, 0x1E, 0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xAD, 0x600, 0x70F, 0x180E)
_MARKS = (
    *range(0x200B, 0x2010),
    *range(0x2028, 0x2030),
    *range(0x2060, 0x2070),
    0xFEFF,
    0xFFFC,
    0xFFFD,
    0xFFFE,
    0xFFFF,
)
_SURROGATES = (0xD800, 0xDBFF, 0xDC00, 0xDFFF)
_PLANES = (0x1F600, 0x1F468, 0x1F3FB, 0x1F1E9, 0x20000, 0x2FFFD, 0xE0001, 0xF0000, 0x10FFFF)
_SCRIPTS = (
    "LATIN",
    "GREEK",
    "CYRILLIC",
    "ARABIC",
    "HEBREW",
    "DEVANAGARI",
    "THAI",
    "HANGUL",
    "HIRAGANA",
    "CJK",
    "ETHIOPIC",
)

_NUMBERS = (
    *(
        "0",
        "-0",
        "1/0",
        "0x0",
        "0xFFFFFFFF",
        "1e1000",
        "-1e-1000",
        "NaN",
        "Infinity",
        "1.7976931348623157e308",
        "1_000",
    ),
    *(
        "9" * 40,
        "2147483648",
        "-9223372036854775809",
        "18446744073709551616",
        "١٢٣٤٥",
        "\uff11\uff12\uff13",
        "½",
        "1,234.56",
        "1.234,56",
    ),
    *("+" * 9, "+1" * 20, "(0)" * 9, "0" * 99, "1 2 3 4 5 6 7 8 9 0", "127.0.0.1", "::1", "999.999.999.999"),
)
_SNIPPETS = (
    *(
        "' OR '1'='1",
        "'; DROP TABLE x; --",
        '" OR ""="',
        "1; SELECT pg_sleep(9)",
        "%27%20--",
        "\\'; --",
        "$$;$$",
        "E'\\x00'",
    ),
    *(
        "<script>alert(1)</script>",
        "</title><title>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?php",
        "&#0;",
        "&#xD800;",
        "&amp;amp;",
    ),
    *(
        "<svg onload=x>",
        "<a href=javascript:x>",
        "<img src=x onerror=y>",
        "</script><script>",
        "<base href=//[>",
        "<plaintext>",
    ),
    *(
        "$(id)",
        "`id`",
        "; id",
        "| id",
        "&& id",
        "${IFS}",
        "%COMSPEC%",
        "../../etc/passwd",
        "..\\..\\x",
        "file:///etc/passwd",
    ),
    *(
        "%s%s%s%n",
        "%x" * 9,
        "{0}",
        "{0.__class__}",
        "{{7*7}}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "%(a)s",
        "{",
        "}",
        "{{",
        "%",
    ),
    *(
        "http://[::1",
        "http://",
        "https://user:pw@host:99999/",
        "//",
        "///x",
        "?",
        "#",
        "http://a..b/",
        "http://\u3002/",
        "data:,",
    ),
    *(
        "mailto:",
        "mailto:@",
        "mailto:%00@x.de",
        "mailto:a@b@c",
        "tel:",
        "tel:+",
        "tel:%",
        "tel:++49",
        "sms:",
        "@",
        "a@",
        "@b",
        "a@b",
    ),
    *(
        "[at]",
        "(at) (dot)",
        "x [at] y [dot] z",
        "info(ät)x.de",
        "+1 (",
        "+()",
        "(((((",
        "))))",
        "Tel.:",
        "Fax",
        "T.",
        "+49 (0)",
    ),
    *(
        '{"@type":',
        '{"@id":"#a","b":{"@id":"#a"}}',
        "[[[[",
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '"\\u0000"',
        "null",
        "true",
        "\\u",
    ),
    *(
        "undefined",
        "null",
        "None",
        "nil",
        "NULL",
        "true",
        "false",
        "[object Object]",
        "CON",
        "PRN",
        "AUX",
        "con.txt",
        "__proto__",
    ),
    *(
        "constructor",
        "toString",
        "hasOwnProperty",
        "wp-content/plugins/",
        "/wp-content/plugins/../../x/",
        "?ver=",
        "<meta generator",
    ),
)


def texts() -> Iterator[str]:
    """Several hundred, in a fixed order. Some hold lone surrogates, which UTF-8 cannot."""
    yield from ("", " ", "\t", "\n", "\r\n", " \n\t ", "\u3000", "\u1680")
    yield from _NUMBERS
    yield from _SNIPPETS
    for point in (*_EDGES, *_MARKS, *_SURROGATES, *_PLANES):
        yield chr(point)
        yield f"info{chr(point)}@x{chr(point)}.de +49{chr(point)}30 1234567"
    yield from (f"\u202e{text}\u202c" for text in ("gpj.exe", "info@x.de", "+49 30 1234567"))
    yield "H" + _ZALGO + "i" + _ZALGO
    yield "".join(chr(point) for point in range(0x20, 0x7F))
    yield from (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1e9\U0001f1ea",
        "\u2602\ufe0f",
        "e\u0301",
        "\ufdfa",
    )
    yield from ("\u0130\u0131", "\u1e9e\u00df", "\u01c5", "\ufb03", "\u212a", "\u017f")  # change length with their case
    for script in _SCRIPTS:
        yield "".join(chr(p) for p in range(0x20, 0x3100) if unicodedata.name(chr(p), "").startswith(script + " "))[
            :200
        ]
        yield f"{script} info@x.de".lower()
    for count in (1, 7, 63, 64, 65, 253, 254, 255, 256, 2_047, 2_048, 4_096):
        yield "a" * count + "@" + "b" * count + ".de"
        yield "/" * count
        yield "é" * count
        yield "(" * count + "0" * count
