"""nbzero.proxies.count, by hand."""

from torch import nn

from nbzero.proxies.score import score
from tests.proxies.nets import Stack, TinyNet, pooled, reason


def test_a_network_that_does_not_number_its_blocks_has_no_depth(batch):
    assert "does not number them (stage_of_block)" in reason(pooled(nn.Conv2d(3, 5, 3)), batch, "depth")


def test_counts_by_hand(batch):
    net = TinyNet()
    scores = score(net, *batch, proxies=("params", "macs", "depth"))
    assert scores["params"] == (3 * 9 * 6 + 6) + 12 + 3 * 9 * 6 + 12 + (6 * 5 + 5)
    assert scores["macs"] == 36 * 6 * 27 + 36 * 6 * 27 + 6 * 5
    assert scores["depth"] == 1
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert score(net, *batch, proxies=("params",))["params"] == scores["params"]


def test_a_shared_layer_has_its_parameters_once_and_its_macs_twice(batch):
    layer = nn.Conv2d(3, 3, 1)
    scores = score(Stack(layer, layer), *batch, proxies=("params", "macs"))
    assert scores == {"params": 12, "macs": 2 * 9 * 36}


def test_one_image_passes_a_batch_norm_on_one_pixel(batch):
    net = pooled(nn.Conv2d(3, 5, 6), nn.BatchNorm2d(5))  # in train mode this needs two images
    scores = score(net, *batch, proxies=("macs", "synflow"))
    assert scores["macs"] == 5 * 3 * 36 and scores["synflow"] > 0
