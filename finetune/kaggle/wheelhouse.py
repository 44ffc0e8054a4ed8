"""Gather the upload to Kaggle: `python -m finetune.kaggle.wheelhouse DIR --user NAME`, in a checkout, with a network.

    DIR/dataset/   the project's wheel, those of wheels.txt, dataset-metadata.json
    DIR/kernel/    notebook.ipynb, kernel-metadata.json

The wheels are for Kaggle's Python and glibc, whatever the machine that gathers them. Two checks must pass: pip installs
all of them without a network, and every requirement of theirs and of the project is in wheels.txt or image.txt in a
version that satisfies it.
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

from finetune import fail
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
    """Set of wheels that would not install on Kaggle."""


def gather(folder: Path, user: str, earlier: str = "") -> list[Path]:
    """Write both folders and return the wheels; `earlier` is the kernel whose run the notebook resumes.

    Raises WheelhouseError if the wheels would not install on Kaggle.
    """
    dataset, kernel = folder / "dataset", folder / "kernel"
    for part in (dataset, kernel):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    download(dataset, wheel_versions())
    wheels = sorted(dataset.glob("*.whl"))
    if unmet := unmet_requirements([(path.name, read_requirements(path)) for path in wheels], available_versions()):
        raise WheelhouseError("required and neither in wheels.txt nor in image.txt:\n  " + "\n  ".join(unmet))
    install(wheels)
    for name, target in (("dataset-metadata.json", dataset), ("kernel-metadata.json", kernel)):
        text = (HERE / name).read_text(encoding="utf-8")
        (target / name).write_text(text.replace("USERNAME", user), encoding="utf-8")
    if earlier:
        metadata = kernel / "kernel-metadata.json"
        text = json.dumps(json.loads(metadata.read_text()) | {"kernel_sources": [earlier]}, indent=2)
        metadata.write_text(text + "\n")
    shutil.copy(HERE / "notebook.ipynb", kernel)
    return wheels


def read_list(name: str) -> list[str]:
    """Return the lines of wheels.txt or image.txt without comments."""
    return read_lines(resources.files("finetune.kaggle").joinpath(name).read_text(encoding="utf-8"))


def read_lines(text: str) -> list[str]:
    """Return the lines of a text that are neither empty nor comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def parse_pins(lines: Iterable[str]) -> dict[str, str]:
    """Return canonical name -> version of lines NAME==VERSION; other lines are ignored."""
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pairs}


def wheel_versions() -> dict[str, str]:
    """Return canonical name -> version of wheels.txt."""
    return pinned_versions(read_list("wheels.txt"))


def pinned_versions(names: Iterable[str]) -> dict[str, str]:
    """Return canonical name -> version of packages. Raises WheelhouseError if constraints.txt lacks a version."""
    versions = parse_pins((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    names = [canonicalize_name(name) for name in names]
    if missing := [name for name in names if name not in versions]:
        raise WheelhouseError(f"constraints.txt has no version of {', '.join(missing)}")
    return {name: versions[name] for name in names}


def available_versions() -> dict[str, str]:
    """Return canonical name -> version on Kaggle after the installation; a wheel precedes the image's package."""
    return parse_pins(read_list("image.txt")) | wheel_versions()


def unmet_requirements(
    required: Iterable[tuple[str, Iterable[Requirement]]], available: Mapping[str, str]
) -> list[str]:
    """Return a line for each requirement that is not available, or not in a version that satisfies it."""
    unmet = []
    for who, requirements in required:
        for one in requirements:
            if one.marker is not None and not one.marker.evaluate(MACHINE):
                continue
            version = available.get(canonicalize_name(one.name))
            if version is None or not one.specifier.contains(version, prereleases=True):
                unmet.append(f"{who}: {one}, available: {version}")
    return unmet


def read_requirements(wheel: Path, extras: Iterable[str] = EXTRAS) -> list[Requirement]:
    """Return the requirements of a wheel; of the project's own those of its extras, too."""
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


def download(folder: Path, versions: Mapping[str, str]) -> None:
    """Build the project's wheel and download those of other packages, without their dependencies."""
    build_own_wheel(folder)
    specs = [f"{name}=={version}" for name, version in versions.items()]
    pip("download", "--no-deps", *kaggle_options(), "--dest", str(folder), *specs)


def build_own_wheel(folder: Path, *options: str) -> None:
    """Build the project's wheel from a copy, so that leftovers of an earlier build stay out."""
    with tempfile.TemporaryDirectory() as copy:
        for name in (*PACKAGES, *BUILT_FROM):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, Path(copy) / name)
        pip("wheel", copy, "--no-deps", "--wheel-dir", str(folder), *options)


def install(wheels: Iterable[Path]) -> None:
    """Install wheels as the notebook does, into a temporary folder: pip refuses one of another Python or platform."""
    with tempfile.TemporaryDirectory() as target:
        pip(
            "install",
            "--no-index",
            "--no-deps",
            *kaggle_options(),
            "--no-compile",
            "--target",
            target,
            *map(str, wheels),
        )


def kaggle_options() -> list[str]:
    """Return pip's options for Kaggle's Python and platform."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *platforms]


def pip(*words: str) -> None:
    """Run pip. Raises WheelhouseError with its message if it fails."""
    done = subprocess.run([*pip_command(), *words], capture_output=True, text=True)
    if done.returncode:
        raise WheelhouseError(f"pip {words[0]}: {done.stderr.strip()[-2000:]}")


def pip_command() -> list[str]:
    """Return the command of this environment's pip, or of an outer one if it has none."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "pip", "--python", sys.executable]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--user", default="USERNAME", help="Your name on Kaggle.")
@click.option("--earlier", default="", help="USER/KERNEL whose run the notebook resumes.")
def main(folder: Path, user: str, earlier: str) -> None:
    """Gather in FOLDER the upload to Kaggle: the dataset of wheels, and the notebook."""
    try:
        wheels = gather(folder, user, earlier)
    except HarnessError as error:
        fail(error)
    sizes = [path.stat().st_size / 1e6 for path in wheels]
    for path, size in zip(wheels, sizes, strict=True):
        click.echo(f"{size:8.1f} MB  {path.name}")
    click.echo(f"{sum(sizes):8.1f} MB  {folder / 'dataset'}, {len(wheels)} wheels; beside it {folder / 'kernel'}")


if __name__ == "__main__":
    main()
