"""CSV and TSV of labels: what is read right, and the one line for each that is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.common.errors import InputError
from benchmark.data.own import labels
from benchmark.data.own.table import LabelTable
from tests.helpers import own_forms

NAMES = ("1.jpg", "2.jpg", "3.jpg", "sub/4.JPG")
EXPECTED = (("1.jpg", (0,)), ("2.jpg", (0, 1)), ("3.jpg", ()))


@pytest.fixture
def root(tmp_path) -> Path:
    return own_forms.images(tmp_path / "root", dict.fromkeys(NAMES, ()))


def read(root: Path, content: str | bytes, part: bool = False) -> LabelTable:
    path = root.parent / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return labels.read(path, root, root, part)


PLAIN = "path,cat,dog\n1.jpg,1,0\n2.jpg,1,1\n3.jpg,0,0\n"
RIGHT = {
    "plain": PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "blank rows": PLAIN.replace("\n", "\n\n,,\n  \n"),
    "no last line end": PLAIN.rstrip(),
    "quotes": 'path,"cat","dog"\n"1.jpg","1",0\n2.jpg,1,1\n3.jpg,"0",0\n',
    "quoted lines": 'path,note,cat,dog\n1.jpg,"a\nb, ""c""",1,0\n2.jpg,,1,1\n3.jpg,x,0,0\n',
    "spaces": "path , cat ,dog\n 1.jpg, 1,0\n2.jpg ,1 ,1\n3.jpg,0,0\n",
    "1.0": "path,cat,dog\n1.jpg,1.0,0.0\n2.jpg,1,1.0\n3.jpg,0.0,0\n",
    "True": "path,cat,dog\n1.jpg,True,FALSE\n2.jpg,true,TRUE\n3.jpg,False,false\n",
    "yes": "path,cat,dog\n1.jpg,Yes,no\n2.jpg,YES,yes\n3.jpg,No,no\n",
    "path last": "cat,dog,path\n1,0,1.jpg\n1,1,2.jpg\n0,0,3.jpg\n",
    "path between": "dog,path,cat\n0,1.jpg,1\n1,2.jpg,1\n0,3.jpg,0\n",
    "no endings": "id,cat,dog\n1,1,0\n2,1,1\n3,0,0\n",
    "a list": "id,labels\n1.jpg,cat\n2.jpg,dog;cat\n3.jpg,\n",
    "a list, spaces": "id,labels\n1.jpg, cat ; \n2.jpg,dog;cat;dog\n3.jpg,  \n",
    "a list of several": "id,who,labels,w\n1.jpg,an,cat,640\n2.jpg,bo,dog|cat,5\n3.jpg,an,,2\n",
    "a list by its separators": "id,who,found\n1.jpg,an,cat\n2.jpg,bo,dog|cat\n3.jpg,an,\n",
    "semicolons, commas in names": "path;cat;dog\n1.jpg;1;0\n2.jpg;1;1\n3.jpg;0;0\n",
    "wide of more": "path,age,cat,sex,dog\n1.jpg,63,1,F,0\n2.jpg,7,1,,1\n3.jpg,41,0,M,0\n",
}


@pytest.mark.parametrize("content", RIGHT.values(), ids=RIGHT)
def test_it_is_read_right(content, root):
    table = read(root, content)
    assert table.rows == EXPECTED
    assert table.classes == ("cat", "dog")


WRONG = {  # content, place, what is said
    "empty": ("", "", "is empty"),
    "header alone": ("path,cat\n", "", "column names alone"),
    "blank": ("\n \n", "", "is empty"),
    "no header": ("1.jpg,1,0\n2.jpg,0,1\n", ":1", "names an image where the columns' names belong"),
    "no path": ("cat,dog\n1,0\n0,1\n5,7\n", ":1", "no column has paths"),
    "no image": (PLAIN.replace("2.jpg", "9.jpg"), ":3", "no image file '9.jpg' below"),
    "no images at all": ("path,cat\nx/a.jpg,1\nx/b.jpg,0\n", ":2", "no image file 'x/a.jpg'"),
    "another ending": (PLAIN.replace("2.jpg", "2.png"), ":3", "no image file '2.png'"),
    "outside": (PLAIN.replace("2.jpg", "../2.jpg"), ":3", "no image file '../2.jpg'"),
    "elsewhere": (PLAIN.replace("2.jpg", "/tmp/2.jpg"), ":3", "no image file '/tmp/2.jpg'"),
    "no name": (PLAIN.replace("2.jpg", ""), ":3", "names no image"),
    "no class": ("path\n1.jpg\n", ":1", "has no class"),
    "nothing beside": ("path,x\n1.jpg,\n2.jpg,\n", ":1", "has no class"),
    "no label": ("path,labels,x\n1.jpg,,3\n2.jpg,,4\n", "", "no class that some images have"),
    "which": ("path,a,b\n1.jpg,x,y\n2.jpg,y,x\n", ":1", "any of the columns 'a', 'b' may"),
    "both": ("path,labels,x\n1.jpg,a;b,1\n2.jpg,a,0\n", ":1", "'labels' has labels and .* 0 and 1"),
    "twice": (PLAIN + "./2.jpg,1,0\n", ":5", "2.jpg is listed with other labels than at .*:3"),
    "all 0": ("path,cat,dog\n1.jpg,0,1\n2.jpg,0,0\n", "", "column 'cat' is 0 in every row"),
    "all 1": ("path,cat,dog\n1.jpg,1,1\n2.jpg,1,0\n", "", "column 'cat' is 1 in every row"),
    "all the same": ("path,labels\n1.jpg,a\n2.jpg,a\n", "", "no class that some images have"),
    "unnamed": ("path,,dog\n1.jpg,1,1\n2.jpg,0,0\n", ":1, column 2", "a class without a name"),
    "named twice": (
        PLAIN.replace("dog", " cat "),
        ":1, column 3",
        "the class 'cat' is there twice",
    ),
    "tab": (PLAIN.replace("dog", '"d\tog"'), ":1, column 3", r"'d\\\\?tog' has a tab"),
    "tab in a list": ("path,labels\n1.jpg,a;b\tc\n2.jpg,\n", ":2", "has a tab"),
    "empty in a list": ("path,labels\n1.jpg,a;;b\n2.jpg,a\n", ":2", "a class without a name"),
    "Latin-1": (PLAIN.encode() + "4.jpg,é,1\n".encode("latin-1"), ":5", "save the file as UTF-8"),
    "UTF-16": (PLAIN.encode("utf-16"), "", "save the table as CSV in UTF-8"),
    "an image": (b"\xff\xd8\xff\xe0\0\x10JFIF", "", "save the table as CSV in UTF-8"),
    "a workbook": (b"PK\3\4" + b"x" * 9, "", "save the table as CSV in UTF-8"),
    "half": (PLAIN.replace("1,1", "1,0.5"), ":3, column 'dog'", "'0.5' is neither 0 nor 1"),
    "unsure": (PLAIN.replace("1,1", "1,-1"), ":3, column 'dog'", "'-1' is neither 0 nor 1"),
    "blank cell": (PLAIN.replace("1,1", "1,"), ":3, column 'dog'", "'' is neither 0 nor 1"),
    "mostly blank": ("p,x,y\n1.jpg,,1\n2.jpg,,0\n3.jpg,1.0,1\n", ":2, column 'x'", "'' is neither"),
    "comma": ("p;x;y\n1.jpg;1,0;1\n2.jpg;0,0;0\n", ":2, column 'x'", "'1,0' is neither 0 nor 1"),
    "commas": (PLAIN.replace("1,1", "1,1,0"), ":3", "has 4 cells, not 3; .* decimal comma"),
    "short": (PLAIN.replace("1,1", "1"), ":3", "has 2 cells, not 3"),
    "long": (PLAIN.replace("1,1", "1,1,"), ":3", "has 4 cells, not 3"),
    "quote": (PLAIN + '3.jpg,"1,0\n' * 3, ":5", "is no row of a CSV"),
    "quote in a header": ('path,"cat,dog\n1.jpg,1,0\n', ":1", "is no row of a CSV"),
    "a huge cell": (f'path,x\n1.jpg,1\n2.jpg,"{"x" * 200_000}', ":3", "is no row of a CSV"),
    "mixed": ("p,labels\n1.jpg,a,b\n".replace("a,b", '"a,b"') + "2.jpg,a;b\n", ":2", "use one"),
    "of a program": ("p,labels\n1.jpg,\"['a', 'b']\"\n2.jpg,[]\n", ":2", "list of a program"),
    "an XML file": ("<annotation/>", "", "give the folder"),
}


@pytest.mark.parametrize("content, place, said", WRONG.values(), ids=WRONG)
def test_it_is_one_line(content, place, said, root):
    with pytest.raises(InputError, match=said) as caught:
        read(root, content)
    line = str(caught.value)
    assert line.startswith(f"{root.parent / 'labels.csv'}{place}: ") and "\n" not in line


def test_what_is_left_out_is_said(root):
    content = (
        "n,path,age,cat,sex,\n0,1.jpg,63,1,F,\n1,2.jpg,7,0,M,\n2,3.jpg,8,0,M,\n7,1.jpg,,1,F,\n"
    )
    content += "8,sub/4.JPG,8,0,M,\n9,3.jpg,8,0,M,\n"
    assert read(root, content).notes == (
        "columns that are no labels, left out: 'n', 'age', 'sex', number 6",
        "listed more than once with the same labels, taken once: 2 rows too many",
    )
    assert read(root, PLAIN).notes == ("image files that are not listed, left out: 1",)


def test_a_column_that_may_be_a_class_is_no_mistake_to_drop(root):
    """A value that is none tells of a slip in a class, not of a column of something else."""
    content = PLAIN.replace("\n", ",2\n", 1) + "sub/4.JPG,11,0\n"
    with pytest.raises(InputError, match="has 4 cells|has 3 cells"):
        read(root, content)
    with pytest.raises(InputError, match=r":5, column 'cat': '11' is neither"):
        read(root, PLAIN + "sub/4.JPG,11,0\n")


def test_constant_columns_of_a_part_are_left_out(root):
    table = read(root, "path,cat,dog,cow\n1.jpg,1,0,0\n2.jpg,1,1,0\n3.jpg,1,0,0\n", part=True)
    assert table.classes == ("cat", "dog")
    assert table.rows == (("1.jpg", (0,)), ("2.jpg", (0, 1)), ("3.jpg", (0,)))


@pytest.mark.parametrize("what", ["absent", "loop", "pipe", "/dev/zero"])
def test_a_file_that_is_none(what, root):
    path = root.parent / what
    if what == "loop":
        path.symlink_to(path)
    elif what == "pipe":
        subprocess.run(["mkfifo", str(path)], check=True)
    if sys.platform == "win32":
        pytest.skip("has no such files")
    with pytest.raises(InputError, match=f"--labels {path}: cannot be read"):
        labels.read(path, root, root)
