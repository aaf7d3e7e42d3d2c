"""Every command of both programs has an example in its help, and the example is one that the program takes."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograder.cli
import vae_ref.cli
from autograder.options import and_course

PROGRAMS = {"vae-ref": vae_ref.cli.build_parser(), "autograder": autograder.cli.build_parser()}


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its subcommands, all the way down."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from commands_of(command)


ALL = [command for program in PROGRAMS.values() for command in commands_of(program)]


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.prog)
def test_the_help_ends_with_an_example_that_works(command: argparse.ArgumentParser) -> None:
    blocks = command.format_help().strip().split("\n\n")
    lines = [line for block in blocks if block.startswith("example") for line in block.splitlines()[1:]]
    assert lines and all(f"{line} ".startswith(f"  {command.prog} ") for line in lines)
    for line in lines:
        program, *arguments = shlex.split(line)
        options = PROGRAMS[program].parse_args(arguments)
        assert callable(getattr(options, "handler", None) or options.run)


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.prog)
def test_an_unknown_option_is_one_line_with_a_remedy_and_code_two(
    command: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        PROGRAMS[command.prog.partition(" ")[0]].parse_args([*command.prog.split()[1:], "--no-such-option"])
    said = capsys.readouterr().err
    assert end.value.code == 2 and len(said.splitlines()) == 1
    assert said.endswith(" --help\n") and ("--no-such-option" in said or "required" in said)


def test_what_may_be_left_out_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        PROGRAMS["autograder"].parse_args(["course", "new"])
    said = capsys.readouterr().err
    assert said.startswith("autograder course new: the following arguments are required: DIR; see ")


@pytest.mark.parametrize("command", ["train", "report --run runs/a", "reproduce"])
def test_a_file_in_place_of_a_folder_is_refused_before_any_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(SystemExit) as end:
        PROGRAMS["vae-ref"].parse_args([*command.split(), "--out", str(taken)])
    said = capsys.readouterr().err
    assert end.value.code == 2 and f"{taken} is a file, name a folder" in said


def test_what_is_suggested_next_is_about_the_same_course() -> None:
    assert and_course(Path()) == ""
    said = f"grades 02_bound{and_course(Path('my courses/autumn'))}"
    assert PROGRAMS["autograder"].parse_args(shlex.split(said)).course == Path("my courses/autumn")
