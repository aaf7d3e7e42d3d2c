"""Break the code in every small way that mutmut knows, one at a time, and show what no test notices.

    make mutation                                     all of it; stopped, it goes on where it was
    python scripts/mutation.py 'vae_ref.bound.*'      mutants of that name

Ends with 1 if fewer than 95 % of the mutants are killed, or if one survives that ``scripts/equivalent_mutants.toml``
gives no reason for. What is mutated, and by which tests it is judged, says ``[tool.mutmut]`` in pyproject.toml. It
happens in a copy under build/: remove that to begin anew. mutmut leaves out functions with decorators, so in the copy
each decorator is written as the assignment that it stands for; constants of modules and classes stay out.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "mutation"
MUTANTS = COPY / "mutants"  # mutmut's own copy, with all mutants in it
EQUIVALENT = ROOT / "scripts" / "equivalent_mutants.toml"
COPIED = ("vae_ref", "autograder", "tests", "pyproject.toml")
MUTMUT = Path(sys.executable).parent / "mutmut"
LEAST = 95  # per cent
KILLED = ("killed", "timeout", "segfault")


class Undecorated(ast.NodeTransformer):
    """``@d def f`` as ``def f`` and ``f = d(f)``."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> list[ast.stmt]:
        value = node.name
        for decorator in reversed(node.decorator_list):
            value = f"{ast.unparse(decorator)}({value})"
        assignments = ast.parse(f"{node.name} = {value}").body if node.decorator_list else []
        node.decorator_list = []
        return [node, *assignments]


def copy_tree(mutated: list[str]) -> None:
    """Bring the copy up to date; files that are the same keep their times, by which mutmut knows what it has done."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *COPIED]
    listing = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    names = {name for name in listing if (ROOT / name).is_file()}
    copied = {str(path.relative_to(COPY)) for folder in COPIED for path in (COPY / folder).rglob("*.py")}
    for name in copied - names:  # moved or removed
        for folder in (COPY, MUTANTS):
            (folder / name).unlink(missing_ok=True)
    for name in names:
        content, target = (ROOT / name).read_bytes(), COPY / name
        if any(Path(name).match(pattern) for pattern in mutated):
            content = ast.unparse(Undecorated().visit(ast.parse(content))).encode()
            if not target.exists():  # which tests reach it must be found out
                (MUTANTS / "mutmut-stats.json").unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != content:
            target.write_bytes(content)


def mutmut(*arguments: str, quiet: bool = False) -> str:
    """Run a command of mutmut in the copy; what it printed, if that is not shown."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # what runs on one thread can be forked
    done = subprocess.run([MUTMUT, *arguments], cwd=COPY, env=environment, text=True, capture_output=quiet)
    if done.returncode:
        raise SystemExit(f"mutmut {' '.join(arguments)} ended with {done.returncode}. {done.stderr or ''}")
    return done.stdout or ""


def results() -> dict[str, str]:
    """How each mutant fared, by its name."""
    lines = mutmut("results", "--all", "true", quiet=True).splitlines()
    return dict(line.strip().rsplit(": ", 1) for line in lines)


def changed(name: str) -> str:
    """The function of a mutant, and its lines that the mutant makes, or those that it removes."""
    shown = mutmut("show", name, quiet=True).splitlines()
    lines = [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    new = [line[1:].strip() for line in lines if line[0] == "+"]
    function = name.partition("__mutmut_")[0].replace(".x_", ".").replace("xǁ", "").replace("ǁ", ".")
    return f"{function}: {' '.join(new or lines)}"


def report() -> bool:
    """Print numbers and survivors; whether enough are killed and the others explained."""
    all_of_them = results()
    fared = {name: how for name, how in all_of_them.items() if how != "not checked"}
    total, killed = Counter[str](), Counter[str]()
    for name, how in fared.items():
        for module in (name.partition("__mutmut_")[0].rpartition(".")[0], "all"):
            total[module] += 1
            killed[module] += how in KILLED
    print(f"\n{len(fared)} of {len(all_of_them)} mutants were tried")
    print(f"{'':<30} mutants  killed  others  per cent")
    for module, count in sorted(total.items()):
        others, share = count - killed[module], 100 * killed[module] / count
        print(f"{module:<30} {count:>7} {killed[module]:>7} {others:>7} {share:>9.1f}")
    reasons = {
        mutant: entry["why"]
        for entry in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]
        for mutant in entry["mutants"]
    }
    unexplained = False
    for name, how in fared.items():
        if how not in KILLED:
            change = changed(name)
            unexplained |= change not in reasons
            print(f"{how}: {name}\n    {change}\n    {reasons.get(change, 'NO REASON IS KNOWN')}")
    return not unexplained and 100 * killed["all"] >= LEAST * total["all"]


def main(arguments: list[str]) -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    copy_tree(settings["only_mutate"])
    before = results()
    mutmut("run", *arguments)
    # what survived earlier may be noticed now: mutmut itself looks again only where the code has changed
    again = [name for name, how in results().items() if how not in KILLED and before.get(name) == how]
    if again and not arguments:
        mutmut("run", *again)
    return 0 if report() else 1


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on from here") from None
