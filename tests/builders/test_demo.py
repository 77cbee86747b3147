"""The demo's start: who has no bfloat16 instructions is told before anything is trained."""

from builders import demo
from train import bfloat16


def test_it_says_at_the_start_that_bfloat16_instructions_lack(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bfloat16.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(bfloat16, "own_flags", lambda: ["avx2"])
    monkeypatch.setattr(bfloat16, "factor", lambda: 5.0)
    monkeypatch.setattr(demo, "found_images", lambda given: ("digits", []))
    monkeypatch.setattr(demo, "make_release", lambda *_: print("training"))
    monkeypatch.setattr(demo, "show_made", lambda *_: None)
    assert demo.main(["--out", str(tmp_path)]) == 0
    *_, said, last = capsys.readouterr().out.splitlines()
    assert (
        last == "training" and "cpu-16px-4 trains r1-mini in bfloat16: a convolution takes 5.0 times" in said
    )
