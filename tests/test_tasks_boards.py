"""The boards of tic-tac-toe, beside all games played out, and beside scikit-learn's one-hot encoding."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from actlab import tasks
from actlab.tasks.boards import endings

ROWS = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}]


def played_out(board=(0,) * 9, player=2, found=None):
    """Every board on which some game ends, with whether its last move won for x."""
    found = {} if found is None else found
    for square in (square for square in range(9) if board[square] == 0):
        after = (*board[:square], player, *board[square + 1 :])
        own = {square for square in range(9) if after[square] == player}
        if any(row <= own for row in ROWS):
            found[after] = player == 2
        elif 0 not in after:
            found[after] = False
        else:
            played_out(after, 3 - player, found)
    return found


def test_the_boards_are_those_on_which_games_end():
    boards, won = endings()
    assert dict(zip(map(tuple, boards.tolist()), won.tolist(), strict=True)) == played_out()


def test_counts_are_those_published():
    """958 boards, 626 of them won: Aha 1991."""
    boards, won = endings()
    assert (len(boards), won.sum()) == (958, 626)
    # By square in the published table: x on the middle 458 times, o 340 times, blank 160 times.
    assert [int((boards[:, 4] == own).sum()) for own in (2, 1, 0)] == [458, 340, 160]


def test_squares_are_one_hot():
    task = tasks.load("tic-tac-toe")
    every = np.concatenate([task.x_train, task.x_validation, task.x_test])
    y = np.concatenate([task.y_train, task.y_validation, task.y_test])
    boards, won = endings()
    encoded = OneHotEncoder(sparse_output=False).fit_transform(boards)
    assert sorted(map(tuple, np.column_stack([every > every.min(), y]).tolist())) == sorted(
        map(tuple, np.column_stack([encoded > 0, won]).tolist())
    )


def test_parts_hold_as_large_a_share_of_each_class():
    task = tasks.load("tic-tac-toe", seed=3)
    assert [len(y) for y in (task.y_train, task.y_validation, task.y_test)] == [574, 192, 192]
    for y in (task.y_train, task.y_validation, task.y_test):
        assert y.mean() == pytest.approx(626 / 958, abs=0.005)
    assert len(task.report.columns) == 10
