"""The elastic trainer: an ordinary loop that can stop, move and change its worker count at any step."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tidewatt.domain.ledger import Phase
from tidewatt.elastic import exchange
from tidewatt.elastic.background import Background
from tidewatt.elastic.contribution import Layout
from tidewatt.elastic.feed import Schedule, Share, Source
from tidewatt.elastic.interval import Interval
from tidewatt.elastic.seeds import seed_everything
from tidewatt.elastic.staging import Staging
from tidewatt.elastic.tree import Accumulator, Node, shards_of
from tidewatt.errors import UsageError
from tidewatt.ports import Order
from tidewatt.runtime import checkpoint
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.worker import Suspended

_AFTER_LOOP = -1
_KEPT_CHECKPOINTS = 2


def make(order: Order, rank: int, reporter: Reporter) -> "Trainer":
    """The run of one worker, joined with the others of its attempt."""
    torch.set_num_threads(order.function.cpus)
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
        self._shards = shards_of(rank, order.workers, order.function.shards)
        self._exchange = exchange.Exchange(rank, order.workers, order.function.shards)
        self._alone = order.function.shards == 1
        """One shard: nothing to add up, so nothing is copied and the loop is the bare loop."""
        self._loss: Tensor | None = None
        self._sum = Accumulator[Tensor](torch.Tensor.add_)
        self._checkpoints = Interval(order.function.checkpoint_every_s)
        self._staging = Staging()
        self._writing = Background[_Save]()
        reporter.charge_beside(self._writing.cpu_s)
        self._clip_norm: float | None = None
        self._parts: dict[str, Any] = {}
        self._layout: Layout | None = None
        self._before: list[Tensor] = []
        self._stage = -1
        self._step = 0
        """Steps done, over all stages."""
        self._stage_began = 0
        self._resumed: dict[str, int] | None = None
        self._share: Share | None = None
        self._shard = 0

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

    def track(self, model: nn.Module, optimizer: Optimizer, scheduler: Any = None) -> None:  # noqa: ANN401 - torch has no common base for schedulers
        """Keep these over suspends, and restore them now if the job is being resumed."""
        self._parts = {"model": model, "optimizer": optimizer}
        if scheduler is not None:
            self._parts["scheduler"] = scheduler
        self._layout = Layout(model)
        if self._order.checkpoint is not None and self._resumed is None:
            with self._reporter.during(Phase.RESUME):
                self._restore(self._order.checkpoint)

    def batches(self, data: Any, *, size: int, epochs: int = 1, shuffle: bool = True) -> Iterator[Any]:  # noqa: ANN401 - see Run
        """This worker's shares of every batch, from where the job was suspended."""
        if self._layout is None:
            raise UsageError(
                "batches before track", "run.track(model, optimizer) first", "call it before the loop"
            )
        source = Source(data)
        self._stage += 1
        shards = self._order.function.shards
        schedule = Schedule(source.length, size, epochs, shards, shuffle, self._stage)
        start = self._enter_stage(schedule)
        for step, shares in schedule.steps(start):
            self._before = [] if self._alone else self._layout.remember_buffers()
            self._reporter.enter(Phase.REPLAY if self._step < self._order.reached else Phase.COMPUTE)
            for shard in self._shards:
                if shard != self._shards[0]:
                    self._layout.restore_buffers(self._before)
                yield from self._turn(source, step, shard, shares[shard])
            self._finish_step(schedule, step)
        seed_everything(self._stage, _AFTER_LOOP)

    def step(self, loss: Tensor, *, clip_norm: float | None = None) -> None:
        """Add this share's gradients; the optimizer moves when all shards of the batch are there."""
        if self._share is None or self._layout is None:
            raise UsageError(
                "run.step outside its loop, or twice in a turn", "one call in each turn of run.batches"
            )
        share, self._share = self._share, None
        self._clip_norm = clip_norm
        if self._alone:
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            self._loss = loss.detach()
            return
        (loss * share.weight).backward()  # type: ignore[no-untyped-call]  # the same
        self._sum.push(
            Node(0, self._shard, self._layout.collect(self._shard, share.weight, loss, self._before))
        )

    def log(self, **metrics: float) -> None:
        """Show figures beside the progress of the job."""
        self._reporter.log({name: float(value) for name, value in metrics.items()})

    def _enter_stage(self, schedule: Schedule) -> int:
        """The step of this loop to begin with; a loop that was done before the suspend has none left."""
        self._stage_began = self._step
        if self._resumed is None or self._resumed["stage"] < self._stage:
            return 0
        if self._resumed["stage"] > self._stage:
            return schedule.total
        self._stage_began = self._resumed["stage_began"]
        return self._step - self._stage_began

    def _turn(self, source: Source, step: int, shard: int, share: Share) -> Iterator[Any]:
        """One turn of the user's loop, for one shard."""
        assert self._layout is not None  # noqa: S101 - batches checks it
        if len(share.indices) == 0:
            self._sum.push(Node(0, shard, self._layout.empty()))
            return
        seed_everything(self._stage, step, shard)
        self._shard, self._share = shard, share
        yield source.pick(share.indices)
        self._check_stepped()

    def _check_stepped(self) -> None:
        if self._share is not None:
            raise UsageError("a turn of the loop without run.step", "run.step(loss) once in each turn")

    def _finish_step(self, schedule: Schedule, step: int) -> None:
        """Complete the sum over all shards and move the optimizer; leave if asked to."""
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
        self._reporter.progress(self._step, self._stage_began + schedule.total, self._loss)
        if self._rank == 0:
            self._tell(self._writing.take())
        if leave and step + 1 < schedule.total:
            self._leave()
        elif self._rank == 0 and step + 1 == schedule.total:
            self._save(Phase.CHECKPOINT)
        elif self._rank == 0 and not self._writing.busy and self._checkpoints.due():
            self._begin_save()

    def _leave(self) -> None:
        if self._rank == 0:
            self._save(Phase.SUSPEND)
        exchange.leave()
        raise Suspended

    def _begin_save(self) -> None:
        """Have a copy of the state written while the loop goes on."""
        with self._reporter.during(Phase.CHECKPOINT):
            state = self._staging.copy(self._state())
        self._writing.begin(partial(_write, self._order, self._step, state))

    def _save(self, phase: Phase) -> None:
        """Write a checkpoint now, after one that is still being written."""
        with self._reporter.during(phase):
            self._tell(self._writing.wait())
            self._tell(_write(self._order, self._step, self._state()))

    def _state(self) -> dict[str, Any]:
        progress = {"step": self._step, "stage": self._stage, "stage_began": self._stage_began}
        return {
            "state": {name: part.state_dict() for name, part in self._parts.items()},
            "progress": progress,
        }

    def _tell(self, save: "_Save | None") -> None:
        """Report a checkpoint that has been written; the next is due so long after it."""
        if save is not None:
            self._reporter.saved(save.step, save.written, save.error)
            if save.written is not None:  # not before it is told: what is recorded must not be deleted
                checkpoint.discard(Path(self._order.folder), _KEPT_CHECKPOINTS)
            self._checkpoints.begin()  # after the writing: a slow disk must not have every step saved

    def _restore(self, recorded: str) -> None:
        _, data = checkpoint.read_newest(Path(self._order.folder), recorded)
        saved = torch.load(io.BytesIO(data), weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(saved["state"][name])
        self._resumed = saved["progress"]
        self._step = saved["progress"]["step"]


@dataclass(frozen=True, slots=True)
class _Save:
    """What came of writing a checkpoint of a step; ``written`` is None if it could not be."""

    step: int
    written: checkpoint.Written | None
    error: str = ""


def _write(order: Order, step: int, state: dict[str, Any]) -> _Save:
    """Write a checkpoint; a disk that is full costs this one, never those before it."""
    folder = Path(order.folder)
    try:
        written = checkpoint.write(
            folder, step, order.token, lambda sink: torch.save(state, cast(IO[bytes], sink))
        )
    except (OSError, RuntimeError) as error:  # torch's writer turns the one into the other
        reason = next((e.strerror for e in (error, error.__context__) if isinstance(e, OSError)), str(error))
        return _Save(step, None, f"step {step} could not be saved: {reason}")
    return _Save(step, written)
