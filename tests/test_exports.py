"""The surface of the library: pinned, sorted, the same in its three tables, and free to import."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import deft

ROOT = Path(__file__).parents[1]

# A name leaves this list only after a release in which it warned.
PUBLIC = [
    "AdaptedModel",
    "Adapter",
    "AreaUnderMargin",
    "Bias",
    "CE",
    "CLIPCleaner",
    "CoTeaching",
    "ConfidentLearning",
    "ConflictError",
    "DataError",
    "DeFT",
    "Decision",
    "Decisions",
    "DeftError",
    "Detection",
    "Detector",
    "DualEncoder",
    "ELR",
    "FromEmbeddings",
    "FromProbabilities",
    "Frozen",
    "Full",
    "GCE",
    "GMM",
    "LEMoN",
    "LabelMatch",
    "LabeledImages",
    "Layers",
    "LoRA",
    "LoggedProgress",
    "LongReMix",
    "Method",
    "ModelError",
    "NeighbourVote",
    "NoiseTransition",
    "Optimization",
    "PixelRule",
    "Preprocessing",
    "ProMix",
    "Processes",
    "Progress",
    "ProgressBar",
    "PromptSettings",
    "Recipe",
    "RoLT",
    "SCE",
    "SettingsError",
    "SmallLoss",
    "Stopping",
    "Stratified",
    "TURN",
    "TensorBoard",
    "TrainedDeFT",
    "Training",
    "TrainingContext",
    "TrainingSet",
    "TruncatedGCE",
    "Tuning",
    "UNICON",
    "VPT",
    "Validation",
    "ValueRange",
    "WeightedCE",
    "Workspace",
    "__version__",
    "adapt",
    "build_report",
    "estimate_transition",
    "find_images",
    "fit",
    "fix_labels",
    "load_encoder",
    "load_images",
    "load_vision_model",
    "open_run",
    "plan_run",
    "read_decisions",
    "review",
    "score_detection",
    "write_export",
]
RENAMED = {"use": "fix_labels"}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def test_the_surface_is_what_was_promised() -> None:
    assert sorted(deft.__all__) == PUBLIC
    assert sorted(dir(deft)) == PUBLIC


def test_its_three_tables_name_the_same_homes() -> None:
    assert _type_checking_imports() == deft._HOMES
    assert {*deft._HOMES, "__version__"} == set(deft.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_can_be_had_from_where_it_is_said_to_live(name: str) -> None:
    found = getattr(deft, name)
    if name != "__version__":
        assert found is getattr(import_module(deft._HOMES[name]), name)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_still_works_and_warns(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"deft\.{old} is called deft\.{new} now"):
        assert getattr(deft, old) is getattr(deft, new)


def test_no_old_name_is_forgotten_or_public() -> None:
    assert deft._RENAMED == RENAMED
    assert not set(RENAMED) & set(deft.__all__)
    assert set(RENAMED.values()) <= set(deft.__all__)


def test_rooms_and_actions_have_different_names() -> None:
    """Importing a room must not hide an action of the library behind a module of the same name."""
    rooms = {module.name for module in pkgutil.iter_modules(deft.__path__)}
    assert not rooms & set(deft.__all__)


def test_a_room_is_imported_as_python_users_expect() -> None:
    import deft.adaptation.adapt

    assert deft.adaptation.adapt.adapt is deft.adapt


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = deft.magic


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, deft; print([m for m in ('torch', 'transformers', 'pandas', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_send_users_to_public_names_only(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert not re.findall(r"^\s*from deft\..*", text, re.MULTILINE)
    assert not re.findall(r"^\s*import deft\..*", text, re.MULTILINE)
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        used = set(re.findall(r"\bdeft\.(\w+)", block))
        imported = {name.strip() for names in re.findall(r"from deft import (.+)", block) for name in names.split(",")}
        assert used | imported <= set(PUBLIC)


def _type_checking_imports() -> dict[str, str]:
    """Name to module of what type checkers see."""
    tree = ast.parse(Path(deft.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    return {alias.name: str(node.module) for node in imports for alias in node.names if alias.asname == alias.name}
