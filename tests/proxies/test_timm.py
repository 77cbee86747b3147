"""Every proxy on networks of timm, beside the slow, plain versions of `plain`.

A few networks by default. All of `timms.NETWORKS`, in minutes: NBZERO_TIMM=all
"""

import os

import pytest

from nbzero.proxies.score import score
from tests.proxies.nets import state
from tests.proxies.plain import Plain, Undefined
from tests.proxies.timms import NETWORKS, import_timm, make

LEFT = ("vit_tiny_patch16_224", "levit.Levit")
FEW = ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "densenet121")
CHOSEN = tuple(NETWORKS) if os.environ.get("NBZERO_TIMM") == "all" else FEW

try:
    import_timm()
except ImportError as error:
    pytest.skip(f"timm cannot be imported: {error}", allow_module_level=True)


@pytest.mark.parametrize("name", CHOSEN)
def test_scores_are_those_of_the_plain_versions_or_none_with_a_true_reason(name):
    net, images, labels, channels_last = make(name)
    scores, plain = score(net, images, labels), Plain(net, images, labels, channels_last)
    for proxy, value in scores.items():
        try:
            right = plain(proxy)
        except Undefined as why:
            assert value is None and str(why) in scores.reasons[proxy], proxy
        else:
            assert value is not None, (proxy, scores.reasons[proxy])
            is_right = value == pytest.approx(right, rel=1e-7, abs=1e-9)
            # zico divides by differences near 0. Where the features end in a batch norm the gradients of all
            # logits together for the images are 0 but for rounding.
            assert is_right or plain.is_rounding(proxy, right, value), (proxy, value, right)


def held(module):
    """The attributes of a module, and the items of its tables."""
    tables = [value for value in vars(module).values() if isinstance(value, dict)]
    return [{name: id(value) for name, value in table.items()} for table in (vars(module), *tables)]


@pytest.mark.parametrize("is_train", [True, False])
@pytest.mark.parametrize("name", LEFT)
def test_networks_of_timm_are_left_as_found(name, is_train):
    net, images, labels, _ = make(name)
    net.train(is_train)
    net(images)  # LeViT keeps a table in eval mode, and drops it in train mode
    before, kept = state(net), [held(module) for module in net.modules()]
    score(net, images, labels, ("snip", "naswot", "meco", "synflow", "az_trainability"))
    assert state(net) == before and [held(module) for module in net.modules()] == kept
