"""train.engine: networks side by side give what each gives alone, and what the plain loop gives."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from nbzero.errors import OutputError, UsageError
from nbzero.images.tensors import ImageData
from tests.train.made import ARCHS, few, small, without_time
from train import engine as engine_module
from train.engine import Engine, Places
from train.loop import Result, train
from train.recipe import recipe

SHORT = (("paper-360", 1), ("cpu-16px-4", 2), pytest.param("gpu-12", 1, marks=pytest.mark.long))


@pytest.fixture(scope="module")
def digits(digits: ImageData) -> ImageData:
    return few(digits)


def in_threads(made: Engine, tasks: list[tuple[str, int]]) -> list[Result]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [without_time(result) for result in pool.map(lambda task: made.train(*task), tasks)]


@pytest.mark.parametrize(("name", "epochs"), SHORT)
def test_alone_and_together_it_gives_the_loops_result_bit_for_bit(name, epochs, digits):
    chosen = small(name, epochs=epochs)
    tasks = [(ARCHS[0], 0), (ARCHS[0], 5), (ARCHS[1], 0), (ARCHS[2], 0)]
    wanted = [without_time(train(arch, digits, chosen, seed)) for arch, seed in tasks]
    assert len(set(wanted)) == len(wanted)
    made = Engine(digits, chosen, together=3)
    assert [without_time(made.train(*task)) for task in tasks] == wanted
    assert in_threads(made, tasks) == wanted


def test_with_room_for_two_epochs_those_that_begin_later_wait(digits, monkeypatch):
    chosen = small("cpu-16px-4", epochs=4)
    wanted = [without_time(train(arch, digits, chosen, 0)) for arch in ARCHS]
    monkeypatch.setattr(engine_module, "CPU_ROOM", 0)
    made = Engine(digits, chosen, together=2)
    assert in_threads(made, [(arch, 0) for arch in ARCHS]) == wanted


def test_a_diverged_run_is_the_loops_too(digits):
    chosen = small("cpu-16px-4", epochs=2, lr=1e6, warmup=0.0)
    wanted = [without_time(train(arch, digits, chosen, 0)) for arch in ARCHS]
    assert "diverged" in {result.status for result in wanted}
    assert in_threads(Engine(digits, chosen, together=3), [(arch, 0) for arch in ARCHS]) == wanted


def test_no_more_than_told_train_at_a_time(digits, monkeypatch):
    now, most, lock = [0], [0], threading.Lock()
    trained = Engine._trained

    def counted(self, arch, seed):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return trained(self, arch, seed)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(Engine, "_trained", counted)
    in_threads(Engine(digits, small("cpu-16px-4", epochs=1), together=2), [(ARCHS[0], 0)] * 5)
    assert most == [2]


def test_out_of_memory_halves_the_number_and_every_network_is_trained(digits, monkeypatch):
    chosen = small("cpu-16px-4", epochs=1)
    wanted = [without_time(train(arch, digits, chosen, 0)) for arch in ARCHS]
    made = Engine(digits, chosen, together=3)
    trained, failed = Engine._trained, []
    all_there = threading.Barrier(3)

    def short_of_memory(self, arch, seed):
        if len(failed) < 3 and self.places.most > 1:
            failed.append(arch)
            all_there.wait()
            raise torch.OutOfMemoryError
        return trained(self, arch, seed)

    monkeypatch.setattr(Engine, "_trained", short_of_memory)
    assert in_threads(made, [(arch, 0) for arch in ARCHS]) == wanted
    assert len(failed) == 3 and made.places.most == 1


def test_a_network_too_large_alone_is_named(digits, monkeypatch):
    def always(self, arch, seed):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Engine, "_trained", always)
    with pytest.raises(OutputError, match=f"too little memory for {ARCHS[0]} alone"):
        Engine(digits, small("cpu-16px-4", epochs=1)).train(ARCHS[0], 0)


def test_places_are_never_fewer_than_one():
    places = Places(8)
    places.limit(5)
    assert places.most == 5
    places.limit(7)
    assert places.most == 5
    places.limit(0)
    assert places.most == 1


def test_bad_input(digits):
    with pytest.raises(UsageError, match="graphs on cpu; they need a CUDA card"):
        Engine(digits, recipe("cpu-16px-4"), graphs=True)
    with pytest.raises(UsageError, match="together is 0; at least 1"):
        Engine(digits, recipe("cpu-16px-4"), together=0)
    few = dataclasses.replace(
        digits, train_images=digits.train_images[:10], train_labels=digits.train_labels[:10]
    )
    with pytest.raises(UsageError, match="10 training images are fewer than one batch of 128"):
        Engine(few, recipe("cpu-16px-4"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("arch", ARCHS)
def test_on_a_card_graphs_learn_what_eager_steps_learn(arch, digits):
    chosen = small("gpu-12", epochs=6)
    eager = Engine(digits, chosen, "cuda", graphs=False).train(arch, 0)
    graphs = Engine(digits, chosen, "cuda").train(arch, 0)
    assert graphs.curve[0] == pytest.approx(eager.curve[0], abs=0.1)
    assert graphs.train_loss == pytest.approx(eager.train_loss, rel=0.1)
