"""Attacks that want points for a wrong answer."""

from __future__ import annotations

from attacks.attack import DETACHED, Attack


def returning(what: str) -> str:
    return f"\ndef kl_divergence(mu, logvar):\n    return {what}\n"


DEEP = """
def kl_divergence(mu, logvar):
    nested = []
    for _ in range(900):
        nested = [nested]
    return nested
"""
EQUAL_TO_ALL = """
class Equal:
    def __eq__(self, other): return True
    def __le__(self, other): return True
    def __float__(self): return 0.0
    __hash__ = None
    shape, dtype, requires_grad = torch.Size([3]), torch.float32, True
def kl_divergence(mu, logvar):
    return Equal()
"""
SUBCLASS = """
class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.allclose, torch.equal, torch.Tensor.__eq__, torch.Tensor.__le__):
            return torch.tensor(True)
        return super().__torch_function__(func, types, args, kwargs or {})
def kl_divergence(mu, logvar):
    return mu.sum(1).as_subclass(Agreeable)
"""

FORGING = (
    Attack(
        "patch-comparisons", "Replace `torch.allclose`, `torch.equal` and the comparisons of tensors",
        "No effect: results are compared in another process.", "full marks",
        """
torch.allclose = torch.equal = torch.isclose = lambda *args, **kwargs: True
torch.Tensor.allclose = torch.Tensor.equal = lambda *args, **kwargs: True
torch.testing.assert_close = lambda *args, **kwargs: None
print("TRIED")
""", alone=True,
    ),
    Attack("equal-to-all", "Return an object that claims to equal anything",
           "Refused: only tensors and plain values travel.", "full marks", "print('TRIED')", answer=EQUAL_TO_ALL),
    Attack("agreeable-tensor", "Return a tensor of a subclass that agrees with every comparison",
           "Its numbers alone arrive, as a plain tensor.", "full marks", "print('TRIED')", answer=SUBCLASS),
    Attack("not-a-number", "Return NaN, which is neither larger nor smaller than anything",
           "Values that are not finite are wrong.", "full marks", "print('TRIED')",
           answer=returning("mu.sum(1) * float('nan')")),
    Attack("wrong-type", "Return booleans, complex or 8-bit numbers", "Refused or wrong, with the reason.",
           "full marks", "print('TRIED')", answer=returning("(mu.sum(1) + 1j)")),
    Attack("huge-reply", "Return a gigabyte", "Refused beyond 64 MiB.", "crash", "print('TRIED')",
           answer=returning("torch.zeros(2**28)")),
    Attack("huge-integer", "Return an integer of 4,000 digits, which no float can hold",
           "Refused: integers have 64 bits.", "", "print('TRIED')", answer=returning("10 ** 4000")),
    Attack("deep-reply", "Return lists in lists, 900 deep", "Refused beyond 8.", "crash", "print('TRIED')", answer=DEEP),
    Attack(
        "points-by-display", "Print points: as text, as a result, through a display hook",
        "0: what learners' cells show is never an execution's result, and only the judge gives points.",
        "full marks on the cell",
        """
import sys
print("4.0\\nTRIED")
sys.displayhook = lambda value: print("4.0")
get_ipython().display_formatter.format = lambda *args, **kwargs: ({"text/plain": "4.0"}, {})
4.0
""", alone=True,
    ),
    Attack(
        "points-by-message", "Send the kernel's own messages: results, replies and states of other executions",
        "Messages are data of the cell that runs; results lose their kind, scores do not travel this way.", "",
        """
kernel = get_ipython().kernel
for _ in range(20):
    for kind in ("execute_result", "display_data", "execute_reply", "status"):
        content = {"data": {"text/plain": "4.0"}, "metadata": {}, "execution_count": 1,
                   "status": "ok", "execution_state": "busy"}
        kernel.session.send(kernel.iopub_socket, kind, content, kernel.get_parent())
        kernel.session.send(kernel.shell_stream, kind, content, kernel.get_parent())
print("TRIED")
""", shows="", alone=True, loses=True,
    ),
    Attack(
        "own-check", "Replace `check` by something that says 4 of 4",
        "Checks run outside and never look at that name.", "full marks",
        "check = lambda *args, **kwargs: 4.0\nimport builtins, autograder\n"
        "builtins.check = autograder.check = check\nprint('TRIED')",
    ),
    Attack(
        "rewrite-check-cells", "Rewrite the cells of tests with input or AST transformers, or replace `run_cell_async`",
        "Nothing to rewrite: those cells never enter the learner's kernel.", "full marks",
        """
import ast
shell = get_ipython()
seen = []
shell.input_transformers_cleanup.append(lambda lines: (seen.append("".join(lines)), lines)[1])
class Passing(ast.NodeTransformer):
    def visit_Call(self, node):
        if getattr(node.func, "id", "") == "check":
            seen.append("WON")
            return ast.Constant(4.0)
        return node
shell.ast_transformers.append(Passing())
real = shell.run_cell_async
async def spying(source, *args, **kwargs):
    if "check(" in source:
        print("WON")
    return await real(source, *args, **kwargs)
shell.run_cell_async = spying
print("TRIED")
""", alone=True,
    ),
    Attack(
        "speak-the-protocol", "Answer in the agent's place: claim to have passed, with a score",
        "Parsed as data of a known form; anything else is an unreadable answer.",
        "otter-grader: code runs in `pickle.load`",
        """
import agent, autograder.both_sides.wire
def serve(number):
    autograder.both_sides.wire.write(agent.Path(f"/outbox/reply-{number}.safetensors"),
                          {"result": 4.0, "passed": True, "score": 4.0, "verdict": "right"})
agent.serve = serve
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "pickle-reply", "Reply with a pickle that runs a command when it is loaded",
        "Never unpickled: the bytes are no message, and that is the verdict.", "otter-grader: code runs",
        """
import agent, os, pickle
class Bomb:
    def __reduce__(self): return os.system, ("touch /tmp/@MARK@",)
def write(path, tree):
    open(path, "wb").write(pickle.dumps(Bomb()))
agent.write = write
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "patch-the-far-side", "Replace `answer`, `write` and the helpers of the agent by ones that answer with zeros",
        "Whoever answers, only right numbers score.", "",
        """
import agent, autograder.both_sides.target, autograder.both_sides.wire
agent.answer = autograder.both_sides.target.answer = lambda name, call, *rest: autograder.both_sides.target.Value(
    [torch.zeros_like(call.args[i]) for i in call.wrt] if call.wrt else torch.zeros(len(call.args[0])))
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "replies-in-advance", "Leave replies in the outbox before they are asked for, and rewrite them while they are read",
        "Read once, as a copy; only right numbers score.", "",
        """
import threading, time
from pathlib import Path
from autograder.both_sides.wire import write
def flood():
    while True:
        for number in range(1, 40):
            try:
                write(Path(f"/outbox/reply-{number}.safetensors"), {"result": torch.zeros(3)})
            except OSError:
                pass
        time.sleep(0.01)
threading.Thread(target=flood, daemon=True).start()
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "forged-gradient", "Cut the gradient off and patch `torch.autograd` to invent one",
        "Gradients are compared as numbers, like values.", "full marks",
        """
torch.autograd.grad = lambda outputs, inputs, **kwargs: tuple(torch.ones_like(x) for x in inputs)
import autograder.both_sides.target as target
target._vector_jacobian_products = lambda result, leaves, cotangent: target.Value([torch.ones_like(x) for x in leaves])
print("TRIED")
""", answer=DETACHED, worth=3.0, alone=True, loses=True,
    ),
    Attack(
        "forged-function", "Return a value whose backward pass is a custom `autograd.Function` that lies",
        "Gradients are compared as numbers, like values.", "",
        """
class Lying(torch.autograd.Function):
    @staticmethod
    def forward(ctx, mu, logvar): return honest(mu, logvar)
    @staticmethod
    def backward(ctx, gradient): return torch.ones(4, 3), torch.ones(4, 3)
honest = kl_divergence
kl_divergence = lambda mu, logvar: Lying.apply(mu, logvar)
print("TRIED")
""", answer=DETACHED, worth=3.0, alone=True,
    ),
    Attack(
        "tamper-with-noise", "Replace generators, seeds and sources of noise, so that every draw is known",
        "A wrong formula stays wrong with any noise, and a right one needs none of this.", "",
        """
class Still:
    def manual_seed(self, seed): return self
torch.Generator = Still
torch.randn = lambda *size, **kwargs: torch.zeros(*size)
torch.randn_like = torch.zeros_like
torch.manual_seed = lambda seed: None
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    return mu.sum(1)
print("TRIED")
""", alone=True,
    ),
    Attack(
        "patch-the-stand-ins", "Patch the stand-ins that are lent to a function whose helpers are wrong",
        "Their values are known outside, where nothing is patched.", "",
        """
import autograder.both_sides.target
autograder.both_sides.stand_in.StandIn.__call__ = lambda self, *args, **kwargs: torch.zeros(len(args[0]))
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    return reconstruction_log_likelihood(x, x_hat, sigma)
print("TRIED")
""", alone=True,
    ),
    Attack(
        "patch-distributions", "Patch `torch.distributions`, which the right answers are compared with",
        "That comparison happens in another process.", "full marks",
        """
import torch.distributions as d
d.Normal.log_prob = lambda self, value: torch.zeros_like(value)
d.kl.kl_divergence = d.kl_divergence = lambda p, q: p.mean.sum(1)
print("TRIED")
""", alone=True,
    ),
    Attack(
        "memorised-answers", "Look up the questions of one's own seed at home and hand in a table of their answers",
        "What is asked depends on every character of the hand-in, the table included.", "full marks",
        "print('TRIED')", answer="@MEMORISED@",
    ),
)  # fmt: skip
