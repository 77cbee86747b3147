"""nbzero.proxies.marks: which axes of a tensor are the channels, through whatever a network does to them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nbzero.proxies.marks import marked_images, marks_of
from nbzero.proxies.score import score
from nbzero.proxies.watch import Watch
from tests.proxies.nets import entropy, reason

# Of (2, 6, 4, 4) images. What comes out of each is looked at, and where the channels lie in it.
KEEPING = [
    (lambda x: x.permute(0, 2, 3, 1), {-1}),
    (lambda x: x.transpose(1, 3), {-1}),
    (lambda x: x.movedim(1, 0).swapaxes(0, -1), {-1}),
    (lambda x: x.mT, {-3}),
    (lambda x: x.clone().transpose_(1, 2), {-2}),
    (lambda x: x.flatten(2), {-2}),
    (lambda x: x.flatten(2).transpose(1, 2), {-1}),
    (lambda x: x.permute(0, 2, 3, 1).reshape(2, 2, 2, 2, 2, 6).transpose(2, 3), {-1}),  # windows
    (lambda x: x.permute(0, 2, 3, 1).reshape(2, 2, 2, 2, 2, 6).transpose(2, 3).reshape(-1, 4, 6), {-1}),
    (lambda x: x.view(2, 3, 2, 4, 4), {-4, -3}),
    (lambda x: x.view(2, 3, 2, 4, 4).transpose(1, 2).reshape(2, 6, 4, 4), {-3}),  # channel shuffle
    (lambda x: x.flatten(2).transpose(1, 2).unflatten(-1, (3, 2)).transpose(1, 2), {-3, -1}),  # heads
    (lambda x: x.unsqueeze(2).unbind(0)[1].squeeze(1), {-3}),
    (lambda x: x.chunk(2, dim=1)[1], {-3}),
    (lambda x: x[:, :, ::2, 1:3], {-3}),
    (lambda x: x[:, :, 0], {-2}),
    (lambda x: x[..., None, :], {-4}),
    (lambda x: x.roll(1, dims=(2,)), {-3}),
    (lambda x: x.mean(2), {-2}),
    (lambda x: x.mean((2, 3), keepdim=True), {-3}),
    (lambda x: torch.cat([x, x], dim=2), {-3}),
    (lambda x: x + x.new_ones(1, 6, 1, 1), {-3}),
    (lambda x: x.permute(0, 2, 3, 1) @ torch.eye(6), {-1}),
    (lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (6,)) * 0 + x.permute(0, 2, 3, 1), {-1}),
    (lambda x: F.linear(x, torch.ones(5, 4)), {-3}),  # mixes positions
    (lambda x: F.conv1d(x.flatten(2).transpose(1, 2), torch.ones(5, 16, 1)), {-1}),
]
LOSING = [
    lambda x: x.flatten(1),
    lambda x: x.transpose(1, 2).reshape(2, 24, 4),
    lambda x: x[:, 0],
    lambda x: x.mean(1),
    lambda x: x[:, [0, 2]],
    lambda x: x[:, torch.tensor([0, 2])],
    lambda x: x[:, :4] + x.transpose(1, 3)[..., :4],
    lambda x: x.sum(),
]


def watched(function, num_images=2):
    """What a function makes of images whose channel c is c everywhere."""
    x = torch.arange(6.0)[None, :, None, None].expand(num_images, 6, 4, 4).contiguous()
    with Watch(nn.Module()):
        return function(marked_images(x))


@pytest.mark.parametrize(("function", "axes"), KEEPING)
def test_channels_are_the_axes_along_which_they_differ(function, axes):
    output = watched(function)
    assert marks_of(output).channels == axes
    for axis in range(-output.ndim, 0):
        differs = (output != output.narrow(axis, 0, 1)).any()
        assert differs == (axis in axes and output.shape[axis] > 1), axis


@pytest.mark.parametrize("function", LOSING)
def test_where_channels_are_joined_or_picked_nothing_is_known(function):
    assert marks_of(watched(function)).channels == set()


# Of images like these again: whether the first axis of what comes out is the images.
FIRST = [
    (lambda x: x[:, 1:3, ::2], True),
    (lambda x: x.permute(0, 2, 3, 1), True),
    (lambda x: x.flatten(2).transpose(1, 2), True),
    (lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1, -1), True),
    (lambda x: x.chunk(2, dim=1)[1], True),
    (lambda x: x.unbind(2)[1], True),
    (lambda x: x.view(2, 3, 2, 4, 4).transpose(1, 2).reshape(2, 6, 4, 4), True),
    (lambda x: x.reshape(2, -1), True),
    (lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2), True),
    (lambda x: x.flatten(2) @ torch.eye(16), True),
    (lambda x: F.scaled_dot_product_attention(x, x, x), True),
    (lambda x: x[:1], False),
    (lambda x: x[0], False),
    (lambda x: x[None], False),
    (lambda x: x.transpose(0, 1), False),
    (lambda x: x.unbind(0)[0], False),
    (lambda x: x.chunk(2)[0], False),
    (lambda x: x[[0, 1]], False),
    (lambda x: x.reshape(-1, 4), False),
    (lambda x: x.permute(0, 2, 3, 1).reshape(4, 2, 4, 6), False),
    (lambda x: x.clone().unsqueeze_(0), False),
    (lambda x: x.transpose(0, 1).reshape(6, -1).T.reshape(2, -1), False),
    (lambda x: x.flatten(1) @ x.flatten(1).T, False),  # images by images
    (lambda x: torch.eye(96) @ x.reshape(2, 96).T, False),
    (lambda x: x.transpose(0, 1) @ x.transpose(0, 1), False),
]


@pytest.mark.parametrize(("function", "is_first"), FIRST)
def test_images_stay_first_through_what_keeps_each_with_itself(function, is_first):
    output = watched(function)
    assert marks_of(output).images_first == is_first
    if is_first:
        x = torch.randn(2, 6, 4, 4)
        alone = [function(image[None].expand(2, -1, -1, -1).contiguous())[0] for image in x]
        assert torch.allclose(function(x), torch.stack(alone), atol=1e-5)


@pytest.mark.parametrize("like", [torch.zeros_like, torch.ones_like, torch.rand_like])
def test_what_is_made_like_a_tensor_has_its_images_where_it_has_them(like):
    assert marks_of(watched(like)) == marks_of(watched(lambda x: x))
    assert marks_of(watched(lambda x: like(x) + x)).images_first
    assert not marks_of(watched(lambda x: like(x.transpose(0, 1)))).images_first


def test_layers_say_where_the_channels_are_where_nothing_else_does():
    rows = watched(lambda x: F.linear(x.flatten(1), torch.ones(5, 96)))
    assert marks_of(rows).channels == {-1}
    words = watched(lambda x: F.embedding(x[:, :, 0, 0].long(), torch.ones(6, 5)))
    assert marks_of(words).channels == {-1}
    assert marks_of(watched(lambda x: F.conv2d(x, torch.ones(5, 6, 1, 1)))).channels == {-3}


class Doubled(torch.autograd.Function):
    """What no mode sees."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


class Foreign(nn.Module):
    def forward(self, x):
        return Doubled.apply(x)


class Last(nn.Module):
    """Takes and gives channels first, works on them last, as a stage of Swin V2 CR; `then` comes after it."""

    def __init__(self, then=None):
        super().__init__()
        self.norm, self.mix, self.then = nn.LayerNorm(3), nn.Linear(3, 3), then or nn.Identity()

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = x + self.mix(self.norm(x))
        return self.then(x.permute(0, 3, 1, 2))


class Mixer(nn.Module):
    """Mixes positions, then channels."""

    def __init__(self):
        super().__init__()
        self.positions, self.channels = nn.Linear(36, 36), nn.Linear(3, 3)

    def forward(self, x):
        x = x.flatten(2)
        x = (x + self.positions(x)).transpose(1, 2)
        return (x + self.channels(x)).transpose(1, 2).unflatten(2, (6, 6))


class Net(nn.Module):
    def __init__(self, *blocks):
        super().__init__()
        self.blocks, self.fc = nn.ModuleList(blocks), nn.Linear(3, 5)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("make", [Last, lambda: Last(nn.ReLU()), lambda: Last(Foreign()), Mixer])
def test_blocks_that_give_channels_first_are_read_so_whatever_is_inside(make, batch):
    torch.manual_seed(0)
    net, x, slow = Net(make(), make()).double(), batch[0].double(), 0.0
    for block in net.blocks:
        x = block(x)
        slow += entropy(x.detach().movedim(1, 0).flatten(1))
    value = score(net, batch[0].double(), batch[1], ("az_expressivity",))["az_expressivity"]
    assert value == pytest.approx(slow, rel=1e-9)


class Joined(nn.Module):
    """Folds rows into the channels, so that there is no axis of channels."""

    def forward(self, x):
        return x.reshape(len(x), 9, 2, 6)


def test_blocks_whose_channels_are_nowhere_have_a_reason(batch):
    net = Net(nn.Conv2d(3, 3, 1), Joined(), nn.Conv2d(9, 3, 1))
    said = reason(net, batch, "az_expressivity")
    assert "which axis of a block's output is the channels cannot be told" in said
    assert "cannot be told" in reason(net, batch, "az_trainability")
