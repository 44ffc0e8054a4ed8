"""What is uploaded to Kaggle: `python -m finetune.kaggle.wheelhouse DIR --user NAME`, in a checkout, with a network.

    DIR/dataset/   the project's wheel, those of wheels.txt, dataset-metadata.json
    DIR/kernel/    notebook.ipynb, kernel-metadata.json

The wheels are for Kaggle's Python and glibc, whatever they are gathered on. Before it is done, pip has to accept all of
them there without a network, and all that they and the project ask for has to be in wheels.txt or image.txt, in a
version that will do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import HarnessError

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = "3.12"
PLATFORMS = [
    "manylinux1_x86_64",
    "manylinux2010_x86_64",
    "manylinux2014_x86_64",
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, 36)),
]
"""Kaggle's image is Ubuntu 22.04, glibc 2.35; pip matches each name exactly."""
MACHINE = {
    "python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "implementation_name": "cpython",
    "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "extra": "",
}  # fmt: skip
EXTRAS = ("video", "finetune")
PACKAGES = ("reference", "harness", "finetune")
BUILT_FROM = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")


class WheelhouseError(HarnessError):
    """A dataset that would not install on Kaggle."""


def gather(folder: Path, user: str, earlier: str = "") -> list[Path]:
    """Write both folders; returns the wheels. `earlier`: the kernel whose output the notebook goes on from."""
    dataset, kernel = folder / "dataset", folder / "kernel"
    for made in (dataset, kernel):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
    download(dataset)
    wheels = sorted(dataset.glob("*.whl"))
    if found := unmet([(path.name, requirements_of(path)) for path in wheels], available()):
        raise WheelhouseError("asked for and neither in wheels.txt nor in image.txt:\n  " + "\n  ".join(found))
    install(wheels)
    for name, target in (("dataset-metadata.json", dataset), ("kernel-metadata.json", kernel)):
        text = (HERE / name).read_text(encoding="utf-8")
        (target / name).write_text(text.replace("USERNAME", user), encoding="utf-8")
    if earlier:
        told = kernel / "kernel-metadata.json"
        told.write_text(json.dumps(json.loads(told.read_text()) | {"kernel_sources": [earlier]}, indent=2) + "\n")
    shutil.copy(HERE / "notebook.ipynb", kernel)
    return wheels


def listed(name: str) -> list[str]:
    """The lines of wheels.txt or image.txt, without comments."""
    lines = resources.files("finetune.kaggle").joinpath(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pinned(lines: Iterable[str]) -> dict[str, str]:
    """Canonical name -> version, of lines NAME==VERSION."""
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pairs}


def wanted() -> dict[str, str]:
    """Canonical name -> version of what is brought. Raises WheelhouseError where constraints.txt has no version."""
    versions = pinned((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    names = [canonicalize_name(name) for name in listed("wheels.txt")]
    if missing := [name for name in names if name not in versions]:
        raise WheelhouseError(f"constraints.txt has no version of {', '.join(missing)}")
    return {name: versions[name] for name in names}


def available() -> dict[str, str]:
    """All that is there on Kaggle after the installation; a wheel stands in front of the image's package."""
    return pinned(listed("image.txt")) | wanted()


def unmet(asked: Iterable[tuple[str, Iterable[Requirement]]], there: Mapping[str, str]) -> list[str]:
    """What is asked for and not there, or in a version that will not do, a sentence each."""
    found = []
    for who, requirements in asked:
        for one in requirements:
            if one.marker is not None and not one.marker.evaluate(MACHINE):
                continue
            version = there.get(canonicalize_name(one.name))
            if version is None or not one.specifier.contains(version, prereleases=True):
                found.append(f"{who}: {one}, there is {version}")
    return found


def requirements_of(wheel: Path, extras: Iterable[str] = EXTRAS) -> list[Requirement]:
    """What a wheel asks for; the project's own with its extras."""
    with ZipFile(wheel) as opened:
        name = next(entry for entry in opened.namelist() if entry.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(opened.read(name).decode())
    requirements = [Requirement(text) for text in headers.get_all("Requires-Dist", [])]
    if canonicalize_name(headers["Name"]) != "warehouse-harness":
        return requirements
    for one in requirements:
        if one.marker is not None and any(one.marker.evaluate(MACHINE | {"extra": extra}) for extra in extras):
            one.marker = None
    return requirements


def download(folder: Path) -> None:
    """The project's wheel, and those of wheels.txt without what they depend on."""
    own_wheel(folder)
    specs = [f"{name}=={version}" for name, version in wanted().items()]
    pip("download", "--no-deps", *for_kaggle(), "--dest", str(folder), *specs)


def own_wheel(folder: Path, *options: str) -> None:
    """Built from a copy: what an earlier build left in the checkout does not get in."""
    with tempfile.TemporaryDirectory() as copy:
        for name in (*PACKAGES, *BUILT_FROM):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, Path(copy) / name)
        pip("wheel", copy, "--no-deps", "--wheel-dir", str(folder), *options)


def install(wheels: Iterable[Path]) -> None:
    """As the notebook does it, into a folder that is thrown away: pip refuses a wheel of another Python or platform."""
    with tempfile.TemporaryDirectory() as target:
        pip("install", "--no-index", "--no-deps", *for_kaggle(), "--no-compile", "--target", target, *map(str, wheels))


def for_kaggle() -> list[str]:
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *platforms]


def pip(*words: str) -> None:
    done = subprocess.run([*pip_command(), *words], capture_output=True, text=True)
    if done.returncode:
        raise WheelhouseError(f"pip {words[0]}: {done.stderr.strip()[-2000:]}")


def pip_command() -> list[str]:
    """pip of this environment, or from outside where it was made without."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "pip", "--python", sys.executable]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--user", default="USERNAME", help="Your name on Kaggle.")
@click.option("--earlier", default="", help="USER/KERNEL whose output the notebook goes on from.")
def main(folder: Path, user: str, earlier: str) -> None:
    """Gather in FOLDER what Kaggle is given: the dataset of wheels, and the notebook."""
    try:
        wheels = gather(folder, user, earlier)
    except HarnessError as error:
        sys.exit(f"error: {error}")
    sizes = [path.stat().st_size / 1e6 for path in wheels]
    for path, size in zip(wheels, sizes, strict=True):
        click.echo(f"{size:8.1f} MB  {path.name}")
    click.echo(f"{sum(sizes):8.1f} MB  {folder / 'dataset'}, {len(wheels)} wheels; beside it {folder / 'kernel'}")


if __name__ == "__main__":
    main()
