"""Paths and what they find: every expectation was confirmed by Go's tidwall/gjson v1.18."""

from __future__ import annotations

import json

import pytest

from predictors.graph.gjson import Document, compile_path

PETS = (
    r'{"name":{"first":"Ada","last":"Byron"},"age":36,"fav.food":"figs","tags":["x","y",'
    r'"z"],"none":null,"list":"[1,2]","pets":[{"kind":"cat","legs":4,"toys":["ball",'
    r'"bell"],"ok":true},{"kind":"dog","legs":4,"toys":["bone"],"ok":false},'
    r'{"kind":"bird","legs":2,"toys":[],"ok":"1"},{"kind":"fish","legs":0}]}'
)
NESTED = r'[[1,[2]],[3,[4,[5]]],"6",7,{"a":8}]'
ODD = (
    r'{"":{"x":1},"@this":2,"a|b":3,"#":4,"a*b":5,"axb":6,"!":7,"é":8,"[":9,"q\"":10,'
    r'"\u0061z":11,"(":[12],"big":12345678901234567890,"e":1e3,"t":"True","s":"\u00e9",'
    r'"html":"<&>","quote":"1\n[2]"}'
)
SCALAR = r'"[1,{\"a\":2}]"'

# (document, path, the text found, None for nothing)
CASES: list[tuple[str, str, str | None]] = [
    (PETS, "name.first", '"Ada"'),
    (PETS, "name.missing", None),
    (PETS, "none", "null"),
    (PETS, "none.x", None),
    (PETS, "age.x", None),
    (PETS, "tags", '["x","y","z"]'),
    (PETS, "tags.1", '"y"'),
    (PETS, "tags.3", None),
    (PETS, "tags.01", '"y"'),
    (PETS, "tags.-1", None),
    (PETS, "tags.#", "3"),
    (PETS, "tags.#.x", "[]"),
    (PETS, "pets.#", "4"),
    (PETS, "pets.#.kind", '["cat","dog","bird","fish"]'),
    (PETS, "pets.1.toys.0", '"bone"'),
    (PETS, "n*.f*t", '"Ada"'),
    (PETS, "n?me.last", '"Byron"'),
    (PETS, "na?.last", None),
    (PETS, "*.legs", None),
    (PETS, "fav.food", None),
    (PETS, r"fav\.food", '"figs"'),
    (PETS, r"f*\.food", '"figs"'),
    (PETS, 'pets.#(kind=="dog").legs', "4"),
    (PETS, "pets.#(kind=dog).legs", "4"),
    (PETS, 'pets.#[kind=="dog"].legs', "4"),
    (PETS, 'pets.#(kind=="cow").legs', None),
    (PETS, 'pets.#(kind=="cow")#', "[]"),
    (PETS, "pets.#(legs==4)#.kind", '["cat","dog"]'),
    (PETS, "pets.#(legs>=2)#.kind", '["cat","dog","bird"]'),
    (PETS, "pets.#(legs<2)#.kind", '["fish"]'),
    (PETS, "pets.#(legs!=4)#.kind", '["bird","fish"]'),
    (PETS, 'pets.#(kind>"cat")#.kind', '["dog","fish"]'),
    (PETS, 'pets.#(kind%"?i*")#.kind', '["bird","fish"]'),
    (PETS, 'pets.#(kind!%"*i*")#.kind', '["cat","dog"]'),
    (PETS, "pets.#(toys)#.kind", '["cat","dog","bird"]'),
    (PETS, "pets.#(toys.#)#.kind", '["cat","dog","bird"]'),
    (PETS, "pets.#(toys.#>0)#.kind", '["cat","dog"]'),
    (PETS, 'pets.#(toys.#(=="bone")).kind', '"dog"'),
    (PETS, 'pets.#(toys.#(%"b?ll"))#|0.kind', '"cat"'),
    (PETS, "pets.#(ok==true)#.kind", '["cat"]'),
    (PETS, "pets.#(ok==~true)#.kind", '["cat","bird"]'),
    (PETS, "pets.#(ok==~false)#.kind", '["dog","fish"]'),
    (PETS, "pets.#(ok==~null)#.kind", '["fish"]'),
    (PETS, "pets.#(ok==~*)#.kind", '["cat","dog","bird"]'),
    (PETS, "pets.#(ok!=~*)#.kind", '["fish"]'),
    (PETS, "pets.#(ok=~maybe)#.kind", "[]"),
    (PETS, 'tags.#(=="y")', '"y"'),
    (PETS, 'tags.#(>"x")#', '["y","z"]'),
    (PETS, 'tags.#(%"[xy]")#', "[]"),
    (PETS, "pets.#(legs=4)#|#", "2"),
    (PETS, "pets.#(legs=4)#.#", "[]"),
    (PETS, "pets.#(legs=4)#|kind", None),
    (PETS, "pets.#(legs=4)#|1.kind", '"dog"'),
    (PETS, "pets|#", "4"),
    (PETS, "pets.#.toys|#", "3"),
    (PETS, "pets.#.toys.#", "[2,1,0]"),
    (PETS, "pets.#.toys|@flatten", '["ball","bell","bone"]'),
    (PETS, "list|1", "2"),
    (PETS, "list.1", None),
    (PETS, "list|@fromstr|0", "1"),
    (PETS, "list.@fromstr", "[1,2]"),
    (PETS, "name|@keys", '["first","last"]'),
    (PETS, "name.@values", '["Ada","Byron"]'),
    (PETS, "tags.@reverse", '["z","y","x"]'),
    (PETS, "name.@reverse", '{"last":"Byron","first":"Ada"}'),
    (PETS, "name.@this", '{"first":"Ada","last":"Byron"}'),
    (PETS, "@this.age", "36"),
    (PETS, "@this|age", "36"),
    (PETS, "tags.@tostr", r'"[\"x\",\"y\",\"z\"]"'),
    (PETS, "@valid|age", "36"),
    (PETS, "tags|@join", "{}"),
    (PETS, "pets.@join.kind", '"fish"'),
    (PETS, "pets.0|@group", '[{"toys":"ball"},{"toys":"bell"}]'),
    (PETS, "@dig:legs", "[4,4,2,0]"),
    (PETS, "pets.@dig:toys.0", '["ball","bone"]'),
    (PETS, "tags.@flatten", '["x","y","z"]'),
    (PETS, "tags.@unknown", None),
    (PETS, "tags.@reverse:x.0", '["z","y","x"]'),
    (PETS, "tags.@reverse:x|0", '"z"'),
    (PETS, "{age,tags.0}", '{"age":36,"0":"x"}'),
    (PETS, '{"years":age,name.first}', '{"years":36,"first":"Ada"}'),
    (PETS, "[age,missing,tags.#]", "[36,3]"),
    (PETS, "[age,tags].1.0", '"x"'),
    (PETS, "[@this].#(age>30).name", '{"first":"Ada","last":"Byron"}'),
    (PETS, "[@this].#(age>40)", None),
    (PETS, "name.[first,last]", '["Ada","Byron"]'),
    (PETS, 'name.{first,"l":last}', '{"first":"Ada","l":"Byron"}'),
    (PETS, "!true", "true"),
    (PETS, '!"x"', '"x"'),
    (PETS, '{age,"kind":!"person"}', '{"age":36,"kind":"person"}'),
    (PETS, "..#", "1"),
    (PETS, "..0.age", "36"),
    (PETS, "a.b|!true", None),
    (PETS, "missing|!true", "true"),
    (PETS, "name.b|!true", "true"),
    (PETS, "missing|@keys", "[]"),
    (PETS, "none|@tostr", '"null"'),
    (PETS, 'pets.#(kind=="cat").toys.@reverse|0', '"bell"'),
    (PETS, "@pretty|age", "36"),
    (PETS, "@ugly|age", "36"),
    (PETS, "pets.#.{kind,legs}|1.legs", "4"),
    (
        PETS,
        "pets.#(legs>1)#.@keys",
        '[["kind","legs","toys","ok"],["kind","legs","toys","ok"],["kind","legs","toys","ok"]]',
    ),
    (NESTED, "@flatten", '[1,[2],3,[4,[5]],"6",7,{"a":8}]'),
    (NESTED, '@flatten:{"deep":true}', '[1,2,3,4,5,"6",7,{"a":8}]'),
    (NESTED, "#.0", "[1,3]"),
    (NESTED, "#.#", "[2,2]"),
    (NESTED, "0.1.0", "2"),
    (NESTED, "#(#>1)#", "[[1,[2]],[3,[4,[5]]]]"),
    (NESTED, "#(>5)", '"6"'),
    (NESTED, "#(a==8)", '{"a":8}'),
    (NESTED, "#(a)#.a", "[8]"),
    (NESTED, "#()#", '["6",7]'),
    (NESTED, "#(0=3).1.1.0", "5"),
    (NESTED, "@reverse.0.a", "8"),
    (NESTED, "*.0", None),
    (ODD, r"\@this", "2"),
    (
        ODD,
        "@this",
        r'{"":{"x":1},"@this":2,"a|b":3,"#":4,"a*b":5,"axb":6,"!":7,"é":8,"[":9,"q\"":10,"\u0061z":11,"(":[12],"big":12345678901234567890,"e":1e3,"t":"True","s":"\u00e9","html":"<&>","quote":"1\n[2]"}',
    ),
    (ODD, r"a\|b", "3"),
    (ODD, "#", "4"),
    (ODD, r"\#", "4"),
    (ODD, r"a\*b", "5"),
    (ODD, "a*b", "3"),
    (ODD, "!", "7"),
    (ODD, "é", "8"),
    (ODD, "?", "4"),
    (ODD, r"\[", "9"),
    (ODD, 'q"', "10"),
    (ODD, "az", "11"),
    (ODD, "(.0", "12"),
    (ODD, "big", "12345678901234567890"),
    (ODD, "e", "1e3"),
    (ODD, "s", r'"\u00e9"'),
    (ODD, "[@this].#(e==1000).e", "1e3"),
    (ODD, "[@this].#(big==12345678901234567168).e", "1e3"),
    (ODD, "[@this].#(t==~true).t", '"True"'),
    (ODD, '[@this].#(s=="é").s', r'"\u00e9"'),
    (ODD, '[@this].#(s%"?").s', r'"\u00e9"'),
    (ODD, "html.@tostr", r'"\"\u003c\u0026\u003e\""'),
    (ODD, "quote.@fromstr", "1"),
    (ODD, "quote.@fromstr|..#", "2"),
    (ODD, "quote.@fromstr|..1.0", "2"),
    (SCALAR, "0", "1"),
    (SCALAR, "@this", r'"[1,{\"a\":2}]"'),
    (SCALAR, "@fromstr", '[1,{"a":2}]'),
    (SCALAR, "@fromstr.1.a", "2"),
    (SCALAR, "#", "2"),
    (SCALAR, "..#", "1"),
    (SCALAR, "a", None),
    (SCALAR, "@keys", "[null]"),
]


@pytest.mark.parametrize(("document", "path", "found"), CASES)
def test_a_path_finds_what_it_finds_in_go(document: str, path: str, found: str | None) -> None:
    compiled = compile_path(path)
    result = compiled.get(document.encode())
    assert (result.raw.decode() if result else None) == found
    assert compiled.exists(document.encode()) is (found is not None)


@pytest.mark.parametrize("document", [PETS, NESTED, ODD, SCALAR])
def test_one_document_serves_many_paths(document: str) -> None:
    parsed = Document(document.encode())
    for of, path, found in CASES:
        if of == document:
            assert compile_path(path).exists_in(parsed) is (found is not None), path


@pytest.mark.parametrize("document", [PETS, NESTED, ODD])
def test_spelling_and_spaces_do_not_matter_to_existence(document: str) -> None:
    spread = json.dumps(json.loads(document), indent="\t").encode()
    for of, path, found in CASES:
        if of == document:
            assert compile_path(path).exists(spread) is (found is not None), path
