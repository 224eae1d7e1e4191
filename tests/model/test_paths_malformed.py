"""What is no path: one clear BadPath each, which names the piece that is wrong."""

from __future__ import annotations

import pytest

from skyfs.errors import BadPath
from skyfs.model.paths import parse

MALFORMED = [
    # empty and dot parts
    ("//", "the part ''"),
    ("///", "the part ''"),
    ("//c/t", "the part ''"),
    ("/c//t", "the part ''"),
    ("/c/t//", "the part ''"),
    ("/c/t/k=v//l=w", "the part ''"),
    ("/c/t/k=v.zarr//0", "the part ''"),
    ("/./c", "the part '.'"),
    ("/c/./t", "the part '.'"),
    ("/c/../t", "the part '..'"),
    ("..", "the part '..'"),
    ("/c/t/k=v.zarr/..", "the part '..'"),
    ("/c/%2E%2E/t", "the name '..'"),
    # names
    ("/c/.hidden/t", "the name '.hidden'"),
    ("/c/.hidden/t/k=v", "the name '.hidden'"),
    ("/%2Ehidden", "the name '.hidden'"),
    ("/a%3Db/t", "the name 'a=b'"),
    ("/a%2Fb/t", "the name 'a/b'"),
    ("/c%3D1/t/k=v", "the name 'c=1'"),
    ("/c/t[1]", "no extension before the selector '[1]'"),
    ("/c*/t", "'*' stands bare in 'c*'"),
    ("/c?/t", "'?' stands bare in 'c?'"),
    ("/c\n/t", r"'\n' stands bare in 'c\n'"),
    ("/c\x85/t", r"'\x85' stands bare"),
    ("/c\ud800/t", "character 2 has no UTF-8 form"),
    # keys
    ("/c/t/=x", "'' in '=x' is no dimension name"),
    ("/c/t/k=", "'k=' has no value"),
    ("/c/t/k=.fits", "'k=' has no value"),
    ("/c/t/k=[1]", "no extension before the selector '[1]'"),
    ("/c/t/k==v", "'=' stands bare in '=v'"),
    ("/c/t/k=a=b", "'=' stands bare in 'a=b'"),
    ("/c/t/1k=v", "'1k' in '1k=v' is no dimension name"),
    ("/c/t/k-l=v", "'k-l' in 'k-l=v' is no dimension name"),
    ("/c/t/é=v", "'é' in 'é=v' is no dimension name"),
    ("/c/t/%6B=v", "'%6B' in '%6B=v' is no dimension name"),
    ("/c/t/ k=v", "' k' in ' k=v' is no dimension name"),
    ("/c/t/k=1/k=2", "the key 'k' stands twice"),
    ("/c/t/k=1/l=1/k=1.fits", "the key 'k' stands twice"),
    ("/c/t/k=1/x/l=2", "'x' between the keys is no key=value"),
    ("/c/t/k=1/x", "'x' after the keys is no key=value"),
    ("/c/t/k=1/x.fits", "'x.fits' after the keys is no key=value"),
    ("/c/t/k=1/t.fits", "'t.fits' after the keys is no key=value"),
    ("/.hive/c/t/k=1/other.fits", "'other.fits' after the keys is no key=value"),
    ("/.hive/c/t/k=1/t", "'t' after the keys is no key=value"),
    ("/t/k=v", "no collection and type before the keys"),
    ("/k=v", "no collection and type before the keys"),
    ("/.hive/k=v/x.fits", "'x.fits' after the keys"),
    ("/c/1t/k=v", "'1t' is no dataset type"),
    ("/c/a b/k=v", "'a b' is no dataset type"),
    ("/c/t.1/k=v", "'t.1' is no dataset type"),
    ("/c/t.a.b/k=v", "'t.a.b' is no dataset type"),
    ("/c/é/k=v", "'é' is no dataset type"),
    # values
    ("/c/t/k=a[b", "'[' stands bare in 'a[b'"),
    ("/c/t/k=a]b", "']' stands bare in 'a]b'"),
    ("/c/t/k=*", "'*' stands bare in '*'"),
    ("/c/t/k=2?.fits", "'?' stands bare in '2?'"),
    ("/c/t/k=a\nb", r"'\n' stands bare in 'a\nb'"),
    ("/c/t/k=a\0b", r"'\x00' stands bare in 'a\x00b'"),
    ("/c/t/k=v.fits\n", r"'\n' stands bare in 'v.fits\n'"),
    ("/c/t/k=\x7f", r"'\x7f' stands bare"),
    ("/c/t/k=\udc80", "has no UTF-8 form"),
    # escapes
    ("/c/t/k=100%", "a broken %-escape in '100%'"),
    ("/c/t/k=%4", "a broken %-escape in '%4'"),
    ("/c/t/k=%zz", "a broken %-escape in '%zz'"),
    ("/c/t/k=%%41", "a broken %-escape in '%%41'"),
    ("/c%/t", "a broken %-escape in 'c%'"),
    ("/c/t/k=%FF", "the %-escapes in '%FF' are not UTF-8"),
    ("/c/t/k=%C3", "the %-escapes in '%C3' are not UTF-8"),
    ("/c/t/k=%ED%A0%80", "are not UTF-8"),
    ("/c/t/k=%C0%AF", "are not UTF-8"),
    ("/.where/a % b/c", "a broken %-escape in 'a % b'"),
    # service directories
    ("/.foo", "no service directory '.foo'"),
    ("/.Repo/x", "no service directory '.Repo'"),
    ("/.zattrs", "no service directory '.zattrs'"),
    ("/.repo/x=y", "'=' stands bare in 'x=y'"),
    ("/.by-id/a*", "'*' stands bare in 'a*'"),
    ("/.where/x > 1/.hive/c", "the name '.hive'"),
    ("/.where/x\n> 1/c", "stands bare"),
    # inside of datasets
    ("/c/t/k=v.zarr/a[1]", "no extension before the selector '[1]'"),
    ("/c/t/k=v.zarr/a[b", "'a[b' inside of a dataset"),
    ("/c/t/k=v.zarr/a\tb", r"'a\tb' inside of a dataset"),
    ("/c/t/k=v.zarr/x.fits[1]", "a selector without an extension before it"),
    # selectors
    ("/c/t/k=v[1]", "no extension before the selector '[1]'"),
    ("/c/t/k=v.FITS[1]", "no extension before the selector '[1]'"),
    ("/c/t/k=1.5[1]", "no extension before the selector '[1]'"),
    ("/c/t/k=v.fits/[1]", "no extension before the selector '[1]'"),
    ("/c/t/k=v]", "no extension before the selector ']'"),
    ("/c/t/k=v.fits[]", "'' is none of the kinds"),
    ("/c/t/k=v.fits[1", "'[' stands bare"),
    ("/c/t/k=v.fits[1]x", "'[' stands bare"),
    ("/c/t/k=v.fits[1]]", "']' stands outside of the brackets"),
    ("/c/t/k=v.fits[1] [2]", "' ' stands outside of the brackets"),
    ("/c/t/k=v.fits[[1]", "the bracket [ is not closed"),
    ("/c/t/k=v.fits[a == 'x]", "the quote ' is not closed"),
    ("/c/t/k=v.fits" + "[" * 9 + "a>1" + "]" * 9, "nested too deeply"),
    ("/c/t/k=v.fits[1][2]", "'[2]': an HDU is not the first selector"),
    ("/c/t/k=v.fits[1:2,1:2][SCI]", "'[SCI]': an HDU is not the first selector"),
    ("/c/t/k=v.fits[1][SCI,2]", "'[SCI,2]': an HDU is not the first selector"),
    ("/c/t/k=v.fits[0:5,1:5]", "'0:5'"),
    ("/c/t/k=v.fits[1:5,1:0]", "'1:0'"),
    ("/c/t/k=v.fits[1:5:0,1:5]", "'1:5:0'"),
    ("/c/t/k=v.fits[*:0,*]", "'*:0'"),
    ("/c/t/k=v.fits[-1]", "'-1' is none of the kinds"),
    ("/c/t/k=v.fits[1.5]", "'1.5' is none of the kinds"),
    ("/c/t/k=v.fits[5,5]", "'5,5' is none of the kinds"),
    ("/c/t/k=v.fits[1:,1:5]", "'1:,1:5' is none of the kinds"),
    ("/c/t/k=v.fits[1:-5,1:5]", "'1:-5,1:5' is none of the kinds"),
    ("/c/t/k=v.fits[1:5,,1:5]", "'1:5,,1:5' is none of the kinds"),
    ("/c/t/k=v.fits[SCI,a]", "'SCI,a' is none of the kinds"),
    ("/c/t/k=v.fits[SCI 2]", "'SCI 2' is none of the kinds"),
    ("/c/t/k=v.fits[9999999999]", "no file has so many HDUs"),
    ("/c/t/k=v.fits[" + "9" * 5000 + "]", "no file has so many HDUs"),
    ("/c/t/k=v.fits[1:" + "9" * 5000 + "]", "is none of the kinds"),
    ("/c/t/k=v.fits[(a > 1]", "'(a > 1' is none of the kinds"),
    ("/c/t/k=v.fits[a > 1)]", "'a > 1)' is none of the kinds"),
    ("/c/t/k=v.fits[col ;]", "'' is no column"),
    ("/c/t/k=v.fits[col a;1b]", "'1b' is no column"),
    ("/c/t/k=v.fits[col a > 1]", "'a > 1' is no column"),
    ("/c/t/k=v.fits[circle 1 2]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 2 3 4]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle a b c]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 2 3parsec]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 2 inf]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 2 1e999]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 2 ٣]", "[circle ra dec radius]"),
    ("/c/t/k=v.fits[circle 1 91 3]", "'[circle 1 91 3]': not on the sphere"),
    ("/c/t/k=v.fits[circle 400 2 3]", "'[circle 400 2 3]': not on the sphere"),
    ("/c/t/k=v.fits[circle 1 2 0]", "'[circle 1 2 0]': not on the sphere"),
    ("/c/t/k=v.fits[circle 1 2 -3]", "'[circle 1 2 -3]': not on the sphere"),
    ("/c/t/k=v.fits[circle 1 2 181]", "'[circle 1 2 181]': not on the sphere"),
    ("/c/t/k=v.fits[box 1 2 3]", "[box ra dec width height]"),
    ("/c/t/k=v.fits[box 1 -91 3 4]", "'[box 1 -91 3 4]': not on the sphere"),
    ("/c/t/k=v.fits[box 1 2 3 0]", "'[box 1 2 3 0]': not on the sphere"),
    ("/c/t/k=v.fits[box 1 2 361 4]", "'[box 1 2 361 4]': not on the sphere"),
]


@pytest.mark.parametrize(("path", "names"), MALFORMED, ids=[repr(path)[:60] for path, _ in MALFORMED])
def test_malformed(path: str, names: str) -> None:
    with pytest.raises(BadPath) as caught:
        parse(path)
    error = caught.value
    assert names in str(error)
    # What was asked, what was found, what to do.
    assert error.asked.startswith("bad ")
    assert error.found
    assert len(str(error)) < 1000
    str(error).encode()


def test_each_line_of_the_table_is_another_case() -> None:
    assert len({path for path, _ in MALFORMED}) == len(MALFORMED) >= 60
