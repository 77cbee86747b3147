"""Completion: names from the release that the line names."""

from typer.testing import CliRunner

from nbzero import Bench
from nbzero.cli import main
from nbzero.cli.options import MANY
from nbzero.plots import FIGURES
from nbzero.proxies.facts import PROXIES
from tests.cli.asking import ARCH, real


def test_completion_knows_spaces_datasets_proxies_and_archs(release):
    def asked(line, **env):
        words = str(len(line.split(" ")) - 1)
        return {"_NBZERO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": words, **env}

    def complete(line, **env):
        """As click completes it, in this process."""
        env = {"NBZERO_RELEASE": None, **asked(line, **env)}
        return CliRunner().invoke(main.app, prog_name="nbzero", env=env).stdout.split()

    script = real(**{"_NBZERO_COMPLETE": "source_bash"}).stdout
    assert "complete -o default -F _nbzero_completion nbzero" in script
    line = "nbzero mbr r1"
    assert real(**asked(line)).stdout.split() == complete(line) == ["r1", "r1-mini"]
    assert complete(f"nbzero --release {release} mbr ") == ["r1-mini", "r2-mini", "mb-mini"]
    assert complete("nbzero mbr ", NBZERO_RELEASE=str(release)) == ["r1-mini", "r2-mini", "mb-mini"]
    assert complete(f"nbzero --release {release} mbr r1-mini --dataset ") == ["cifar10", "digits"]
    assert complete(f"nbzero --release {release} mbr r1-mini --recipe ") == ["cpu-16px-12", "cpu-16px-4"]
    assert complete("nbzero mbr r1-mini -p zen,wrcor_") == [
        f"zen,{name}" for name in PROXIES if name.startswith("wrcor_")
    ]
    prefix = "r1-mini-s4-d2w12"
    found = complete(f"nbzero query {prefix}")
    assert (
        ARCH in found
        and found == [arch for arch in Bench().space("r1-mini") if arch.startswith(prefix)][:MANY]
    )
    assert complete("nbzero --release nowhere mbr ") == []
    assert complete("nbzero plot m") == [
        name for name in FIGURES if name.startswith("m")
    ] and "mbr" in complete("nbzero plot m")
    assert complete("nbzero plot l") == ["list"] and complete("nbzero plot mbr mb") == ["mb", "mb-mini"]
    assert complete(f"nbzero --release {release} hybrid r1-mini --judge ") == [
        "test",
        "r1-mini",
        "r2-mini",
        "mb-mini",
    ]
    assert complete("nbzero hybrid r1-mini --name z") == ["zerocost", "zen_macs"]
