"""Networks of timm that the proxies are tried on, and timm without a working torchvision. No test itself."""

import importlib.abc
import importlib.machinery
import sys
import types

import torch
from torch import nn


class _AbsentType(type):
    """A class that has any attribute that is asked for, such as the members of an enumeration."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Absent(types.ModuleType):
    """A module with an empty class for every name that is imported from it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found = _AbsentType(name, (), {})
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return _Absent(spec.name)

    def exec_module(self, module):
        """Nothing is in it."""


def import_timm():
    """timm, or ImportError.

    Its networks need nothing of torchvision, but it imports a class of it to freeze batch norms, and image
    transforms. Where torchvision is absent, or is of another torch so that its operators are missing, empty
    classes stand in while timm is imported.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        try:
            import timm
        finally:
            sys.meta_path.remove(finder)
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
        return timm
    import timm

    return timm


# Name, or module and class -> options of the smallest variants, and what `make` takes off: the side of the
# images, and whether feature maps have their channels last.
NETWORKS = {
    "resnet10t": {},
    "vit_tiny_patch16_224": {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
    "swin_tiny_patch4_window7_224": {
        **{"img_size": 32, "patch_size": 2, "window_size": 4, "embed_dim": 12, "depths": (2, 2)},
        **{"num_heads": (2, 2), "channels_last": True},
    },
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 12, 16, 24), "side": 64},
    "mobilenetv3_small_050": {},
    "regnetx_002": {},
    "densenet121": {"growth_rate": 4, "block_config": (1, 1, 2)},
    "mobilenetv2_035": {},
    "ghostnet_050": {},
    "lcnet_035": {},
    "tinynet_e": {"side": 48},
    "mixnet_s": {},
    "regnety_002": {},
    "skresnet18": {},
    "pit_ti_224": {"img_size": 64, "side": 64},
    "gmlp_ti16_224": {"img_size": 64, "side": 64},
    "edgenext_xx_small": {"side": 64},
    "davit_tiny": {"side": 64, "depths": (1, 1, 1, 1), "embed_dims": (12, 24, 36, 48)},
    "swinv2_tiny_window8_256": {
        **{"img_size": 32, "patch_size": 2, "window_size": 4, "embed_dim": 12, "depths": (2, 2)},
        **{"num_heads": (2, 2), "channels_last": True},
    },
    "cait_xxs24_224": {"img_size": 64, "side": 64, "depth": 2},
    "swinv2_cr_tiny_224": {
        **{"img_size": 64, "side": 64, "window_size": 4, "embed_dim": 12, "depths": (2, 2)},
        "num_heads": (2, 2),
    },
    "levit.Levit": {
        **{"img_size": 64, "side": 64, "embed_dim": (16, 24, 32), "key_dim": 8, "depth": (1, 1, 1)},
        "num_heads": (2, 2, 2),
    },
    "xcit_nano_12_p16_224": {"img_size": 64, "side": 64, "depth": 2},
    "mlp_mixer.MlpMixer": {"img_size": 64, "side": 64, "num_blocks": 2, "embed_dim": 24},
    "convmixer.ConvMixer": {"depth": 2, "dim": 24, "patch_size": 4},
    "focalnet.FocalNet": {"side": 64, "depths": (1, 1, 1, 1), "embed_dim": 12},
    "metaformer.MetaFormer": {"side": 64, "depths": (1, 1, 1, 1), "dims": (8, 12, 16, 24)},
    "mobilevit_xxs": {"side": 64},
    "efficientnet_lite0": {},
    "shvit_s1": {"side": 64},
    "sequencer2d_s": {
        **{"img_size": 64, "side": 64, "layers": (1, 1, 1, 1), "embed_dims": (12, 24, 24, 24)},
        **{"hidden_sizes": (6, 12, 12, 12), "channels_last": True},
    },
}


def make(name, num_images=4, num_classes=5):
    """A network of timm in float64, no weight 0 or 1 by design, without dropout; images and labels."""
    timm = import_timm()
    options = dict(NETWORKS[name])
    side, channels_last = options.pop("side", 32), options.pop("channels_last", False)
    torch.manual_seed(0)
    if "." in name:
        module, _, kind = name.rpartition(".")
        net = getattr(importlib.import_module(f"timm.models.{module}"), kind)(
            num_classes=num_classes, **options
        )
    else:
        net = timm.create_model(name, pretrained=False, num_classes=num_classes, **options)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=draws)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name_of_rate in ("drop_prob", "drop_rate"):
            if hasattr(module, name_of_rate):
                setattr(module, name_of_rate, 0.0)
    images = torch.randn(num_images, 3, side, side, generator=draws, dtype=torch.float64)
    return net.double(), images, torch.arange(num_images) % 2, channels_last
