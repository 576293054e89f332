"""How likely each function is to be called in the next minute, learned while the minutes pass.

Six witnesses give odds, and a logistic regression over all functions, learned online, says how far to
trust each:

- *own*: of the idle times of this function that lasted as long as this one, how many ended now. A strict
  period shows as a share of nearly one at its length.
- *near*: the same with two minutes more or less, for periods that are not so strict.
- *others*: the same of all functions of which as much is known, in bins of age that widen with it. It is also
  what *own*, *near* and *hour* start from: a function without a past is taken to be like the others
  (empirical Bayes).
- *hour*: how often this minute of the hour had calls, which tells of timetables with more than one time.
- *lately*, *today*: how busy it was, with half-lives of 15 minutes and two hours.

How much is known of a function is how many idle times it has shown, in six classes; each has weights of its
own. The figures below were chosen on every second function of one trace and on made calls. Halving or
doubling the pace and the weights of the priors moved what came of it on the trace by some hundredths.
"""

import numpy as np
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import NEVER, Mask, Reals

_HOUR_MIN = 60
_EDGES = np.array([*range(2, 11), *np.unique(np.geomspace(12, 1440, 28).round())])
"""Minutes of idleness at which the bins of *others* begin, but for the first, which begins at 1."""
_FIRST_GUESS = 0.4 / (np.append(1.0, _EDGES) + 2.0)
"""What *others* starts from: a call is about as likely while any age doubles as while any other does."""
_GUESS_WEIGHT = 20.0
"""Minutes of idleness that it is worth, in each bin."""
_OTHERS_WEIGHT = 2.0
"""Minutes of idleness that *others* is worth within *own*, *near* and *hour*."""
_NEAR_MIN = 2
_HALF_LIVES_MIN = np.array([15.0, 120.0])
_WITNESSES = 6
_CLASSES = 6
_PACE = 0.01
"""Of learning the weights."""
_SURE = 1e-4
"""No witness is taken to be surer than this."""
_Indices = NDArray[np.intp]
_Counts = NDArray[np.int64]


def odds(busy: Mask) -> Reals:
    """For each function and idle minute, how likely a call in the minute after it is; 0 elsewhere.

    Each is told from minutes up to that one alone. Before its first call a function has odds of 0.
    """
    functions, minutes = busy.shape
    told = np.zeros((functions, minutes))
    past, weights = _Past(functions, minutes), _Weights()
    for minute in range(minutes):
        now = busy[:, minute]
        weights.learn(now)
        past.see(now, minute)
        asked = np.flatnonzero(past.age > 0)
        told[asked, minute] = weights.weigh(asked, past.witnesses(asked, minute + 1), past.known(asked))
    return told


def _share(hits: Reals, tries: Reals, others: Reals) -> Reals:
    return (hits + _OTHERS_WEIGHT * others) / (tries + _OTHERS_WEIGHT)


def _bin(age: _Counts) -> _Indices:
    return np.searchsorted(_EDGES, age, side="right")


class _Past:
    """What was seen so far, as counts."""

    def __init__(self, functions: int, minutes: int) -> None:
        self.age = np.full(functions, NEVER, dtype=np.int64)
        self._gaps = np.zeros(functions, dtype=np.int64)
        """Idle times that have ended."""
        shape = (functions, minutes + 1 + 2 * _NEAR_MIN)
        self._reached, self._ended = np.zeros(shape), np.zeros(shape)
        """Idle times that lasted for so many minutes, and those that ended then; column 0 is two below 0."""
        self._reached_by_all = np.full((_CLASSES, len(_FIRST_GUESS)), _GUESS_WEIGHT)
        self._ended_by_all = self._reached_by_all * _FIRST_GUESS
        self._in_hour = np.zeros((functions, _HOUR_MIN))
        self._hours = np.zeros(_HOUR_MIN)
        self._rates = np.zeros((functions, len(_HALF_LIVES_MIN)))

    def known(self, asked: _Indices) -> _Indices:
        """The classes of functions: 0 with no idle time ended, 1 with one or two, 2 with up to six, ..."""
        return np.minimum(np.log2(self._gaps[asked] + 1).astype(np.intp), _CLASSES - 1)

    def see(self, now: NDArray[np.bool_], minute: int) -> None:
        """Add a minute."""
        idle = np.flatnonzero(self.age > 0)
        called = idle[now[idle]]
        for functions, own, of_all in (
            (idle, self._reached, self._reached_by_all),
            (called, self._ended, self._ended_by_all),
        ):
            own[functions, self.age[functions] + _NEAR_MIN] += 1
            np.add.at(of_all, (self.known(functions), _bin(self.age[functions])), 1)
        self._gaps[called] += 1
        self.age = np.where(now, 0, np.where(self.age >= 0, self.age + 1, NEVER))
        self._in_hour[:, minute % _HOUR_MIN] += now
        self._hours[minute % _HOUR_MIN] += 1
        self._rates += (now[:, None] - self._rates) * (1 - 0.5 ** (1 / _HALF_LIVES_MIN))

    def witnesses(self, asked: _Indices, next_minute: int) -> Reals:
        """What each witness says of a call in the next minute, functions by witnesses."""
        age, phase = self.age[asked], next_minute % _HOUR_MIN
        which = self.known(asked), _bin(age)
        others = self._ended_by_all[which] / self._reached_by_all[which]
        around = asked[:, None], age[:, None] + np.arange(2 * _NEAR_MIN + 1)
        ended, reached = self._ended[around], self._reached[around]
        own = _share(ended[:, _NEAR_MIN], reached[:, _NEAR_MIN], others)
        near = _share(ended.sum(axis=1), reached.sum(axis=1), others)
        hour = _share(self._in_hour[asked, phase], self._hours[phase], others)
        return np.column_stack([own, near, others, hour, self._rates[asked]])


class _Weights:
    """How far each witness is trusted, by how much is known of a function."""

    def __init__(self) -> None:
        self._weights = np.zeros((_CLASSES, _WITNESSES + 1))
        self._weights[:, :_WITNESSES] = 1 / _WITNESSES
        self._asked: _Indices = np.zeros(0, dtype=np.intp)
        self._known = self._asked
        self._said = np.zeros((0, _WITNESSES + 1))
        self._told = np.zeros(0)

    def weigh(self, asked: _Indices, said: Reals, known: _Indices) -> Reals:
        """One probability from those of the witnesses."""
        sure = np.clip(said, _SURE, 1 - _SURE)
        self._said = np.column_stack([np.log(sure / (1 - sure)), np.ones(len(asked))])
        self._asked, self._known = asked, known
        self._told = 1 / (1 + np.exp(-(self._weights[known] * self._said).sum(axis=1)))
        return self._told

    def learn(self, now: NDArray[np.bool_]) -> None:
        """Move weights towards what would have told better what has come: a step down the log loss."""
        wrong = (self._told - now[self._asked])[:, None] * self._said
        steps = np.zeros_like(self._weights)
        np.add.at(steps, self._known, wrong)
        asked = np.bincount(self._known, minlength=_CLASSES)
        self._weights -= _PACE * steps / np.sqrt(1 + asked)[:, None]
