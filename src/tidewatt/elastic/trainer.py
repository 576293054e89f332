"""The elastic trainer: an ordinary loop that can stop, move and change its worker count at any step."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tidewatt.domain.ledger import Phase
from tidewatt.elastic import exchange, precision
from tidewatt.elastic.contribution import Layout
from tidewatt.elastic.driven import Driven
from tidewatt.elastic.feed import Schedule, Share, Source
from tidewatt.elastic.saver import Saver, saved_by_torch
from tidewatt.elastic.seeds import seed_everything
from tidewatt.elastic.stopping import Stopping
from tidewatt.elastic.tree import Accumulator, Node, shards_of
from tidewatt.errors import UsageError
from tidewatt.ports import Order
from tidewatt.runtime.context import EarlyStopping
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.worker import Suspended

_AFTER_LOOP = -1
_MEASURE = -2


def make(order: Order, rank: int, reporter: Reporter) -> "Trainer":
    """The run of one worker, joined with the others of its attempt."""
    torch.set_num_threads(order.function.cpus)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Only reading uninitialised memory would not be exact; torch's types do not know the switch.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    seed_everything(0)
    with reporter.during(Phase.COMM):
        exchange.join(rank, order.workers, Path(order.folder) / f"meeting-{order.token}")
    return Trainer(order, rank, reporter)


class Trainer:
    """One worker's ``Run``: feeds its shards, adds up gradients exactly, keeps checkpoints."""

    def __init__(self, order: Order, rank: int, reporter: Reporter) -> None:
        self._order = order
        self._rank = rank
        self._reporter = reporter
        exact = order.function.exact
        self._count = order.function.shards if exact else order.workers
        """Parts of each batch; if the result need not be exact each worker takes one."""
        self._shards = shards_of(rank, order.workers, self._count)
        self._exchange = exchange.Exchange(rank, order.workers, self._count, exact)
        self._alone = self._count == 1
        """One shard: nothing to add up, so nothing is copied and the loop is the bare loop."""
        self._loss: Tensor | None = None
        self._turn_loss: Tensor | None = None
        """The loss of the turns of this shard so far, weighted unless it is the whole batch."""
        self._sum = Accumulator[Tensor](torch.Tensor.add_)
        self._saver = Saver(order, reporter)
        self._stopping: Stopping | None = None
        self._bf16: bool | None = None
        self._clip_norm: float | None = None
        self._parts: dict[str, Any] = {}
        self._layout: Layout | None = None
        self._before: list[Tensor] = []
        self._stage = -1
        self._step = 0
        """Steps done, over all stages."""
        self._stage_began = 0
        self._resumed: dict[str, Any] | None = None
        self._share: Share | None = None

    @property
    def rank(self) -> int:
        """This worker's number, from 0."""
        return self._rank

    @property
    def workers(self) -> int:
        """How many workers the attempt has."""
        return self._order.workers

    @property
    def loss(self) -> float | None:
        """The loss of the last whole step, the same on every worker."""
        return None if self._loss is None else float(self._loss)

    @property
    def device(self) -> torch.device:
        """The worker's accelerator if there is one, else the processor."""
        count = torch.cuda.device_count()
        return torch.device("cuda", self._rank % count) if count else torch.device("cpu")

    def track(self, model: nn.Module, optimizer: Optimizer, scheduler: Any = None) -> None:  # noqa: ANN401 - torch has no common base for schedulers
        """Keep these over suspends, and restore them now if the job is being resumed."""
        if isinstance(scheduler, ReduceLROnPlateau):
            raise UsageError("a ReduceLROnPlateau", "a scheduler that moves by steps alone", "see stop=")
        self._parts = {"model": model, "optimizer": optimizer}
        if scheduler is not None:
            self._parts["scheduler"] = scheduler
        self._layout = Layout(model)
        if self._order.checkpoint is not None and self._resumed is None:
            with self._reporter.during(Phase.RESUME):
                self._restore(self._order.checkpoint)

    def batches(
        self,
        data: Any,  # noqa: ANN401 - see Run
        *,
        size: int,
        epochs: int = 1,
        shuffle: bool = True,
        collate: Callable[[list[Any]], Any] | None = None,
        lengths: Sequence[int] | None = None,
        accumulate: int = 1,
        stop: EarlyStopping | None = None,
    ) -> Iterator[Any]:
        """This worker's shares of every batch, from where the job was suspended."""
        if self._layout is None:
            raise UsageError(
                "batches before track", "run.track(model, optimizer) first", "call it before the loop"
            )
        if accumulate < 1 or (lengths is not None and not shuffle):
            raise UsageError(
                f"accumulate={accumulate}, shuffle={shuffle}",
                "accumulate of 1 or more, and lengths with shuffle",
            )
        source = Source(data, collate)
        self._stage += 1
        self._forget_turn()
        schedule = Schedule(source.length, size, epochs, self._count, shuffle, self._stage, lengths)
        start = self._enter_stage(schedule, stop)
        for step, shares in schedule.steps(start):
            self._before = [] if self._alone else self._layout.remember_buffers()
            self._reporter.enter(Phase.REPLAY if self._step < self._order.reached else Phase.COMPUTE)
            for shard in self._shards:
                if shard != self._shards[0]:
                    self._layout.restore_buffers(self._before)
                yield from self._turns(source, step, shard, shares[shard].cut(accumulate))
                self._collect(shard, shares[shard])
            if self._finish_step(schedule, step):
                break
        seed_everything(self._stage, _AFTER_LOOP)

    def step(self, loss: Tensor, *, clip_norm: float | None = None) -> None:
        """Add this share's gradients; the optimizer moves when all shards of the batch are there."""
        if self._share is None:
            raise UsageError(
                "run.step outside its loop, or twice in a turn", "one call in each turn of run.batches"
            )
        share, self._share = self._share, None
        self._clip_norm = clip_norm
        if share.weight < 1:
            loss = loss * share.weight
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        loss = loss.detach()
        self._turn_loss = loss if self._turn_loss is None else self._turn_loss + loss

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in bfloat16 what is safe to, on hardware that knows it."""
        if self._bf16 is None:
            self._bf16 = precision.in_hardware(self.device)
            if not self._bf16 and self._rank == 0:
                sys.stdout.write("run.autocast() does nothing: no instructions for bfloat16 here\n")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    def hand_over(self) -> Driven:
        """Let another framework drive the loop; ``track`` and ``batches`` are then not to be used.

        Raises:
            UsageError: the attempt has more than one worker, which the framework would know nothing of.
        """
        if self._order.function.workers.most > 1 or self._layout is not None:
            raise UsageError(
                f"a loop of another framework on up to {self._order.function.workers.most} workers",
                "workers=1, and no run.track",
                "run.batches is what grows and shrinks",
            )
        return Driven(self._order, self._reporter, self._saver)

    def log(self, **metrics: float) -> None:
        """Show figures beside the progress of the job."""
        self._reporter.log({name: float(value) for name, value in metrics.items()})

    def _enter_stage(self, schedule: Schedule, stop: EarlyStopping | None) -> int:
        """The step of this loop to begin with; a loop that was done before the suspend has none left."""
        self._stage_began = self._step
        self._stopping = None if stop is None else Stopping(stop, self._parts["model"])
        if self._resumed is None or self._resumed["stage"] < self._stage:
            return 0
        if self._resumed["stage"] > self._stage or self._resumed["over"]:
            return schedule.total
        self._stage_began = self._resumed["stage_began"]
        if self._stopping is not None and self._resumed["stopping"] is not None:
            self._stopping.load_state_dict(self._resumed["stopping"])
        return self._step - self._stage_began

    def _forget_turn(self) -> None:
        """Drop what is left of a step that a loop before did not finish."""
        self._share, self._turn_loss = None, None
        self._sum.take()
        self._parts["optimizer"].zero_grad(set_to_none=True)

    def _turns(self, source: Source, step: int, shard: int, shares: list[Share]) -> Iterator[Any]:
        """The turns of the user's loop for one shard; a shard without examples has none."""
        for turn, share in enumerate(shares):
            seed_everything(self._stage, step, shard, *([turn] if turn else []))
            self._share = share
            yield source.pick(share.indices)
            self._check_stepped()

    def _collect(self, shard: int, share: Share) -> None:
        """Set aside what a shard adds to the step."""
        assert self._layout is not None  # noqa: S101 - batches checks it
        loss, self._turn_loss = self._turn_loss, None
        if self._alone:
            self._loss = loss
        elif loss is None:
            self._sum.push(Node(0, shard, self._layout.empty()))
        else:
            vector = self._layout.collect(shard, share.weight, loss, self._before)
            self._sum.push(Node(0, shard, vector))

    def _check_stepped(self) -> None:
        if self._share is not None:
            raise UsageError("a turn of the loop without run.step", "run.step(loss) once in each turn")

    def _finish_step(self, schedule: Schedule, step: int) -> bool:
        """Complete the sum over all shards and move the optimizer; leave if asked to.

        Whether the loop is over is returned.
        """
        assert self._layout is not None  # noqa: S101 - batches checks it
        leave = self._rank == 0 and self._reporter.suspend_asked()
        if not self._alone:
            with self._reporter.during(Phase.COMM):
                total, leave = self._exchange.total(self._sum.take(), leave)
            self._loss = self._layout.apply(total, self._before)
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._layout.parameters, self._clip_norm)
        self._parts["optimizer"].step()
        self._parts["optimizer"].zero_grad(set_to_none=True)
        if "scheduler" in self._parts:
            self._parts["scheduler"].step()
        self._step += 1
        over = self._is_over(schedule, step)
        until = self._step if over else self._stage_began + schedule.total
        self._reporter.progress(self._step, until, self._loss)
        self._keep(over, leave)
        return over

    def _is_over(self, schedule: Schedule, step: int) -> bool:
        """Whether a step was the last of its loop: there is no other, or it gets no better."""
        over = step + 1 == schedule.total
        if self._stopping is not None and (step + 1) % schedule.steps_per_epoch == 0:
            seed_everything(self._stage, step, _MEASURE)
            value = exchange.agree(self._stopping.measure() if self._rank == 0 else 0.0)
            self._reporter.log({"measure": value})
            over = self._stopping.see(value) or over
            if over:
                self._stopping.restore()
        return over

    def _keep(self, over: bool, leave: bool) -> None:
        """Save what a step led to, where it is time to, and leave if asked to."""
        if self._rank == 0:
            self._saver.hear()
            if over or leave:
                phase = Phase.CHECKPOINT if over else Phase.SUSPEND
                self._saver.save(self._step, saved_by_torch(self._state(over)), phase)
            elif self._saver.due:
                self._saver.begin(self._step, self._state(over))
        if leave and not over:
            exchange.leave()
            raise Suspended

    def _state(self, over: bool) -> dict[str, Any]:
        progress = {
            "step": self._step,
            "stage": self._stage,
            "stage_began": self._stage_began,
            "over": over,
            "stopping": None if self._stopping is None else self._stopping.state_dict(),
        }
        return {
            "state": {name: part.state_dict() for name, part in self._parts.items()},
            "progress": progress,
        }

    def _restore(self, recorded: str) -> None:
        with self._saver.open(recorded) as content:
            saved = torch.load(content, map_location="cpu", weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(saved["state"][name])
        self._resumed = {"over": False, "stopping": None, **saved["progress"]}  # older ones knew of neither
        self._step = saved["progress"]["step"]
