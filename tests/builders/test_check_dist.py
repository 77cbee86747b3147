"""What `make dist` checks, but for the fresh environments, which `tests/test_package.py` has one of."""

import tarfile

import pytest

from builders import check_dist
from nbzero.errors import UsageError


def test_a_folder_without_a_wheel_or_with_two_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"has none of \*\.whl, one is needed; run make dist"):
        check_dist.the_only(tmp_path, "*.whl")
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"has a\.whl, b\.whl of \*\.whl"):
        check_dist.the_only(tmp_path, "*.whl")


def test_a_file_that_the_sdist_lacks_is_named_and_hidden_ones_are_not(tmp_path):
    (tmp_path / "README.md").touch()
    with tarfile.open(tmp_path / "nbzero-1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "README.md", "nbzero-1/README.md")
    listed = ["README.md", ".gitignore", ".ci/run", "train/loop.py"]
    assert check_dist.left_out(tmp_path / "nbzero-1.tar.gz", listed) == ["train/loop.py"]


def test_what_ends_with_an_error_says_why(tmp_path, capsys):
    assert check_dist.main([str(tmp_path)]) == 2
    assert "one is needed; run make dist" in capsys.readouterr().err
