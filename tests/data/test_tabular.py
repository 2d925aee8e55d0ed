import contextlib
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import (
    BezoarError,
    FileProblem,
    InvalidArgument,
    InvalidData,
    UnknownName,
)
from bezoar.data import read_file, write_npz


def csv(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "data.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "data.npz"
    stored: dict[str, Any] = {name: np.asarray(values) for name, values in arrays.items()}
    np.savez(path, **stored)
    return path


def same(one: Dataset, other: Dataset) -> bool:
    return (
        np.array_equal(one.features, other.features)
        and np.array_equal(one.labels, other.labels)
        and np.array_equal(one.ids, other.ids)
        and one.class_names == other.class_names
    )


# What is read


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_any_common_dialect(tmp_path, separator, end):
    rows = ["size,weight,label", "1,2.5,cat", "3,4,dog", "5,6,cat"]
    text = end.join(row.replace(",", separator) for row in rows) + end
    data = read_file(csv(tmp_path, "\ufeff" + text))
    assert data.features.tolist() == [[1, 2.5], [3, 4], [5, 6]]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.class_names == ("cat", "dog")
    assert data.ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "names", "codes"),
    [
        (["10", "9", "2"], ("2", "9", "10"), [2, 1, 0]),
        (["0.0", "1.0", "0.0"], ("0", "1"), [0, 1, 0]),
        (["0.5", "-1", "3"], ("-1", "0.5", "3"), [1, 0, 2]),
        (["true", "false", "true"], ("False", "True"), [1, 0, 1]),
        (["class 10", "class 9", "Class 1"], ("Class 1", "class 9", "class 10"), [2, 1, 0]),
        ([" cat", "cat ", "dog"], ("cat", "dog"), [0, 0, 1]),
        (["NA", "US", "NA"], ("NA", "US"), [0, 1, 0]),
    ],
)
def test_csv_labels_of_any_type_are_named_in_natural_order(tmp_path, labels, names, codes):
    text = "x,label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    data = read_file(csv(tmp_path, text))
    assert data.class_names == names
    assert data.labels.tolist() == codes


def test_text_labels_that_are_numbers_are_ordered_by_value(tmp_path):
    data = read_file(npz(tmp_path, features=np.eye(3), labels=["10", "9", "2"]))
    assert data.class_names == ("2", "9", "10")


def test_parquet_types_become_numbers(tmp_path):
    path = parquet(
        tmp_path,
        flag=[True, False, True],
        count=pa.array([1, 2, 3], pa.uint8()),
        half=pa.array(np.array([0.5, 1, 2], np.float16)),
        money=pa.array([1, 2, 3]).cast(pa.decimal128(30, 2)),
        category=pa.array([7.0, 8.0, 7.0]).dictionary_encode(),
        target=pa.array(["x", "y", "x"]).dictionary_encode(),
    )
    data = read_file(path)
    assert data.features.tolist() == [[1, 1, 0.5, 1, 7], [0, 2, 1, 2, 8], [1, 3, 2, 3, 7]]
    assert data.class_names == ("x", "y")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (pa.array([0.1, 0.2], pa.float32()), ("0.1", "0.2")),
        (pa.array([2**64 - 1, 2], pa.uint64()), ("2", "18446744073709551615")),
        (pa.array([b"b", b"a"]), ("a", "b")),
        (pa.array([1, 0], pa.date32()), ("1970-01-01", "1970-01-02")),
        (pa.array([2, 1]).cast(pa.decimal128(30, 2)), ("1", "2")),
        (pa.array([True, False]), ("False", "True")),
    ],
)
def test_parquet_labels_of_any_type(tmp_path, labels, names):
    assert read_file(parquet(tmp_path, a=[1, 2], label=labels)).class_names == names


def test_label_column_is_found_by_name_in_any_case_and_y_may_be_a_coordinate(tmp_path):
    assert read_file(csv(tmp_path, "x,Class\n1,a\n")).class_names == ("a",)
    data = read_file(csv(tmp_path, "x,y,class\n1,2,a\n"))
    assert data.features.tolist() == [[1, 2]]
    data = read_file(csv(tmp_path, "x,y,class\n1,2,3\n"), label="x")
    assert data.class_names == ("1",)
    assert data.features.tolist() == [[2, 3]]


def test_id_column_names_the_samples_and_a_pandas_index_is_left_out(tmp_path):
    path = parquet(tmp_path, Id=[7, 3], a=[1, 2], label=[0, 1], __index_level_0__=["p", "q"])
    data = read_file(path)
    assert data.ids.tolist() == [7, 3]
    assert data.features.tolist() == [[1], [2]]


def test_a_number_column_may_turn_to_fractions_late_in_a_large_file(tmp_path):
    # More than one of Arrow's blocks of 1 MB, the first of them all whole numbers.
    rows = "".join(f"{i},{i % 2}\n" for i in range(150_000))
    data = read_file(csv(tmp_path, "a,label\n" + rows + "0.5,1\n"))
    assert data.features[-1, 0] == 0.5
    assert len(data) == 150_001


@pytest.mark.parametrize(
    ("features", "shape"),
    [
        (np.arange(3), (3, 1)),
        (np.zeros((3, 2), np.float16), (3, 2)),
        (np.zeros((3, 4, 5), np.uint8), (3, 1, 4, 5)),
        (np.zeros((3, 2, 4, 5), bool), (3, 2, 4, 5)),
    ],
)
def test_npz_features_of_several_shapes(tmp_path, features, shape):
    assert read_file(npz(tmp_path, X=features, y=[[0], [1], [1]])).features.shape == shape


def test_npz_class_names_give_the_order_of_codes_or_of_names(tmp_path):
    names = ["c", "b", "a"]
    for labels in ([1, 0], [1.0, 0.0], [True, False], ["b", "c"], [b"b", b"c"]):
        data = read_file(npz(tmp_path, features=np.eye(2), labels=labels, class_names=names))
        assert data.labels.tolist() == [1, 0]
        assert data.class_names == ("c", "b", "a")


def test_npz_class_names_may_be_numbers_or_bytes(tmp_path):
    for names in ([7, 5], [b"7", b"5"]):
        path = npz(tmp_path, features=np.eye(2), labels=[0, 1], class_names=names)
        assert read_file(path).class_names == ("7", "5")


def test_npz_label_names_the_array(tmp_path):
    path = npz(tmp_path, features=np.eye(2), labels=[0, 1], parity=["odd", "even"])
    assert read_file(path, label="parity").class_names == ("even", "odd")
    with pytest.raises(UnknownName, match="did you mean 'parity'"):
        read_file(path, label="pairity")


def test_a_file_without_ending_is_told_by_its_content(tmp_path):
    (tmp_path / "plain").write_text("a,label\n1,x\n")
    npz(tmp_path, features=np.eye(1), labels=["x"]).rename(tmp_path / "archive")
    parquet(tmp_path, a=[1], label=["x"]).rename(tmp_path / "table")
    for name in ("plain", "archive", "table"):
        data = read_file(tmp_path / name)
        assert data.class_names == ("x",)
        assert data.features.tolist() == [[1]]


# What is refused


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", FileProblem, "is empty"),
        ("\n\n", FileProblem, "is empty"),
        ("a,label\n", FileProblem, "no rows"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", InvalidData, "header"),
        ("a,b,species\n1,2,x\n", InvalidArgument, "columns a, b, species"),
        ("a,colour,label\n1,red,x\n", InvalidData, "'colour'.*'red' in row 1.*drop the column"),
        ("a,b,label\n1,2,x\n1,3a,y\n", InvalidData, "'b'.*'3a' in row 2"),
        ("a,b,label\n1,?,x\n1,3,y\n", InvalidData, r"'b'.*'\?' in row 1"),
        ("a,day,label\n1,2020-02-01,x\n", InvalidData, "'day'.*2020-02-01"),
        ("a,b,label\n1,,x\n2,NA,y\n,3,y\n", InvalidData, "1 missing .*'a'.*2 missing .*'b'"),
        ("a,label\n1e999,x\n", InvalidData, "1 infinite value in column 'a'"),
        ("a,label\n1,\n2,x\n", InvalidData, "1 missing of 2"),
        ("a,label\n1,3\n2,\n", InvalidData, "1 missing of 2.*row 2"),
        ("a,b,label\n1,2\n", FileProblem, "Expected 3 columns, got 2"),
        ('a,label\n1,"x\n2,y\n', FileProblem, "quotation mark"),
        ("a,a,label\n1,2,x\n", InvalidData, "'a' 2 times"),
        (",a,label\n0,2,x\n", InvalidData, "column 1 without one.*index=False"),
        ("label\nx\n", InvalidData, "at least one feature column"),
        ("a,label,class\n1,x,y\n", InvalidArgument, "label and class"),
        ("id,a,label\n1,1,x\n1,2,y\n", InvalidData, "'id'.*repeated"),
        ("id,a,label\np1,1,x\n", InvalidData, "'id'.*string"),
        ("a,label\n1,x\n".encode("utf-16"), FileProblem, "not UTF-8"),
        ("a,label\n1,caf\xe9\n".encode("latin-1"), InvalidData, "save the file as UTF-8"),
        ("caf\xe9,label\n1,x\n".encode("latin-1"), FileProblem, "not UTF-8"),
    ],
)
def test_bad_csv_is_refused_in_one_line(tmp_path, text, error, words):
    with pytest.raises(error, match=words) as caught:
        read_file(csv(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_wrong_label_column_suggests_the_nearest_even_in_a_wide_table(tmp_path):
    names = [f"pixel{i}" for i in range(784)] + ["species"]
    path = csv(tmp_path, ",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    with pytest.raises(UnknownName, match="'specie'; did you mean 'species'") as caught:
        read_file(path, label="specie")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": pa.array(["u", "v"]).dictionary_encode(), "label": [0, 1]}, "'a'.*'u' in row 1"),
        ({"a": [[1, 2], [3]], "label": [0, 1]}, "'a'.*numbers"),
        ({"a": pa.nulls(2), "label": [0, 1]}, "2 missing values in column 'a'"),
        ({"a": [1.0, float("nan")], "label": [0, 1]}, "1 missing value in column 'a'"),
        ({"a": [1, 2], "label": pa.nulls(2)}, "2 missing of 2"),
        ({"a": [1, 2], "label": [0.0, float("nan")]}, "1 missing of 2"),
        ({"a": [1, 2], "label": [b"x", b"\xff"]}, "UTF-8"),
        ({"a": [1, 2], "label": [{"u": 1}, {"u": 2}]}, "numbers or UTF-8 text"),
        ({"a": [1, 2], "id": [1, None], "label": [0, 1]}, "1 missing"),
        ({"a": [1, 2], "id": pa.array([2**64 - 1, 2], pa.uint64()), "label": [0, 1]}, "beyond 64"),
    ],
)
def test_bad_parquet_columns_are_refused(tmp_path, columns, words):
    with pytest.raises(InvalidData, match=words):
        read_file(parquet(tmp_path, **columns))


def test_parquet_without_rows_or_columns(tmp_path):
    with pytest.raises(FileProblem, match="no rows"):
        read_file(parquet(tmp_path, a=pa.array([], pa.int64()), label=pa.array([], pa.string())))
    with pytest.raises(FileProblem, match="no columns"):
        read_file(parquet(tmp_path))


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({}, InvalidArgument, "without arrays"),
        ({"features": np.eye(2)}, InvalidArgument, "labels, y.*'features'"),
        ({"labels": [0, 1]}, InvalidArgument, "features, X"),
        ({"features": [["a"], ["b"]], "labels": [0, 1]}, InvalidData, "numbers"),
        ({"features": np.eye(2) * 1j, "labels": [0, 1]}, InvalidData, "complex"),
        ({"features": np.zeros((0, 2)), "labels": []}, InvalidData, "at least one sample"),
        ({"features": 3, "labels": 1}, InvalidData, "at least one sample"),
        ({"features": np.zeros((2, 1, 1, 1, 1)), "labels": [0, 1]}, InvalidData, "channel"),
        ({"features": [[1, np.nan]], "labels": [0]}, InvalidData, "1 missing value in feature 1"),
        ({"features": np.full((1, 9), np.nan), "labels": [0]}, InvalidData, "6 more columns"),
        ({"features": np.eye(2), "labels": [1j, 2j]}, InvalidData, "numbers or text"),
        ({"features": np.eye(2), "labels": [b"x", b"\xff"]}, InvalidData, "UTF-8"),
        ({"features": np.eye(2), "labels": np.eye(2)}, InvalidData, "argmax"),
        ({"features": np.eye(2), "labels": [0, 1, 1]}, InvalidData, r"shape \(2,\)"),
        ({"features": np.eye(2), "labels": [0, np.nan]}, InvalidData, "1 missing of 2"),
        ({"features": np.eye(2), "labels": [0, 1], "ids": [4, 4]}, InvalidData, "id twice"),
        ({"features": np.eye(2), "labels": [0, 1], "ids": [4.0, 5]}, InvalidData, "integers"),
        ({"features": np.eye(2), "labels": [0, 1], "ids": [4]}, InvalidData, r"shape \(2,\)"),
        (
            {"features": np.eye(2), "labels": [0, 2], "class_names": ["a", "b"]},
            InvalidData,
            "got 2",
        ),
        ({"features": np.eye(2), "labels": [0, 0.5], "class_names": ["a"]}, InvalidData, "got 0.5"),
        ({"features": np.eye(2), "labels": ["a", "z"], "class_names": ["a"]}, InvalidData, "'z'"),
        ({"features": np.eye(2), "labels": [0, 1], "class_names": "a"}, InvalidData, "each class"),
    ],
)
def test_bad_npz_is_refused(tmp_path, arrays, error, words):
    with pytest.raises(error, match=words):
        read_file(npz(tmp_path, **arrays))


class Marker:
    """Would leave a trace if unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_npz_with_objects_is_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.array([Marker(), Marker()], dtype=object)
    with pytest.raises(FileProblem, match=r"never unpickles.*astype\(str\)"):
        read_file(npz(tmp_path, features=np.eye(2), labels=labels))
    assert not Path("unpickled").exists()


def test_npz_with_a_member_that_is_no_array(tmp_path):
    path = npz(tmp_path, labels=[0])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("features", "text")
    with pytest.raises(FileProblem, match="'features' is not a numpy array"):
        read_file(path)


def test_npz_that_claims_more_than_memory_holds(tmp_path):
    path = tmp_path / "bomb.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 3), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features.npy", b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n")
        archive.writestr("labels.npy", b"")
    with pytest.raises(FileProblem, match="damaged"):
        read_file(path)


@pytest.mark.parametrize("kind", ["npz", "parquet"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.999])
def test_truncated_files_are_refused(tmp_path, kind, share):
    make = {"npz": npz, "parquet": parquet}[kind]
    columns = {"npz": {"features": np.eye(9), "labels": np.arange(9)}}.get(
        kind, {"a": np.arange(9.0), "label": np.arange(9)}
    )
    path = make(tmp_path, **columns)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileProblem) as caught:
        read_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.parquet"])
@settings(deadline=None)  # the first call imports pyarrow
@given(content=st.binary(max_size=60), magic=st.sampled_from([b"", b"PK\x03\x04", b"PAR1"]))
def test_rubbish_never_escapes_as_a_foreign_error(tmp_path_factory, name, content, magic):
    path = tmp_path_factory.mktemp("rubbish") / name
    path.write_bytes(magic + content)
    with contextlib.suppress(BezoarError):
        read_file(path)


def test_wrong_paths_are_refused(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "b.npz").write_bytes(b"\x80\x04pickle")
    os.mkfifo(tmp_path / "pipe.csv")
    for path, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "absent.csv", "does not exist"),
        (tmp_path / "a.xlsx", r"ending \.xlsx.*\.npz, \.csv or \.parquet"),
        (tmp_path / "b.npz", "not an npz archive"),
        (tmp_path / "a.xlsx" / "b.csv", "cannot be read"),
        (tmp_path / "pipe.csv", "not a regular file"),
        ("x" * 5000 + ".csv", "cannot be read"),
        ("nul\0.csv", "cannot be read"),
    ]:
        with pytest.raises(FileProblem, match=words):
            read_file(path)


# What is written

DOG = Dataset(
    features=np.array([[0.5]]),
    labels=np.array([1]),
    ids=np.array([7]),
    class_names=("cat", "dog"),
)

# numpy's fixed-width text cannot hold trailing NULs.
NAMES = st.text(max_size=8).filter(lambda name: not name.endswith("\0"))


@st.composite
def datasets(draw):
    shape = draw(st.sampled_from([(1,), (3,), (1, 2, 2), (2, 1, 3)]))
    n_samples = draw(st.integers(1, 6))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return Dataset(
        features=draw(hnp.arrays(float, (n_samples, *shape), elements=numbers)),
        labels=draw(hnp.arrays(int, n_samples, elements=st.integers(0, len(names) - 1))),
        ids=draw(
            hnp.arrays(np.int64, n_samples, elements=st.integers(-(2**63), 2**63 - 1), unique=True)
        ),
        class_names=tuple(names),
    )


@settings(deadline=None)  # files
@given(data=datasets())
def test_npz_round_trips_and_repeats_byte_for_byte(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("npz")
    one, two = write_npz(folder / "one.npz", data), write_npz(folder / "two.npz", data)
    assert same(read_file(one), data)
    assert one.read_bytes() == two.read_bytes()


def test_npz_has_the_promised_arrays(tmp_path):
    with np.load(write_npz(tmp_path / "new" / "data.npz", DOG), allow_pickle=False) as archive:
        assert sorted(archive.files) == ["class_names", "features", "ids", "labels"]
        assert archive["labels"].tolist() == [1]
        assert archive["class_names"].tolist() == ["cat", "dog"]


def test_npz_cannot_be_written_over_a_folder(tmp_path):
    with pytest.raises(FileProblem, match="folder"):
        write_npz(tmp_path, DOG)
    assert list(tmp_path.iterdir()) == []
